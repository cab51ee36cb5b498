/** Options of `depthcast subscribe`: the library's, and the command's own. Loads no addon. */
import { z } from 'zod';
import { ConfigError, subscribeOptions } from '../config.js';
import { positions, text, wholeNumber } from '../config_values.js';
import type { FlagRules } from './options.js';

export const view_names = ['json', 'bbo', 'ladder', 'status', 'none'] as const;
export type ViewName = (typeof view_names)[number];

const fileName = (expected: string) => text(expected, (given) => given !== '');

export const subscribeCommandOptions = subscribeOptions.safeExtend({
  lines: z.enum(['A', 'B', 'AB']).optional().describe('lines to follow'),
  view: z
    .enum(view_names)
    .default('json')
    .describe(
      'what to print: json (a line for each update), bbo (a line whenever best prices change), ladder (the depth of one symbol), status (a line a second), none',
    ),
  symbol: z
    .array(fileName('the name of a symbol'))
    .default([])
    .describe('only these symbols, with commas between; ladder: the first that has orders unless given'),
  levels: wholeNumber(1, 64).default(10).describe('ladder, and mode depth: levels of each side'),
  intervalMs: wholeNumber(20, 86_400_000)
    .optional()
    .describe('ms between two pictures of the ladder, or two status lines'),
  note: text('text').default('').describe('ladder: a line at the foot'),
  dump: fileName('the name of a file')
    .optional()
    .describe('write every book to this file as JSON, at the end of session or when stopped'),
  l3: z.boolean().default(false).describe("dumps list each level's orders in queue order, as [order id, quantity]"),
  dumpAt: positions()
    .default([])
    .describe('dump also after these messages of the source (1 is its first); 1000 goes to FILE.1000.json'),
  tokenFile: fileName('the name of a file')
    .optional()
    .describe('file that holds the token for gateway, directory and recovery, and nothing else'),
  resumeFile: fileName('the name of a file')
    .optional()
    .describe('go on after the point that this file tells, if there is one; it is written when the command ends'),
  exitAtEndOfSession: z
    .boolean()
    .optional()
    .describe('exit when the session ends, instead of waiting for the next one'),
});

export type SubscribeCommandOptions = z.output<typeof subscribeCommandOptions>;

export const subscribe_rules: FlagRules = {
  // A token on a command line is seen by everybody on the machine.
  omit: ['delivery.updates', 'exportPositions', 'exportOrders', 'token'],
  own: {
    title: 'View and dumps:',
    keys: [
      'view',
      'symbol',
      'levels',
      'intervalMs',
      'note',
      'dump',
      'l3',
      'dumpAt',
      'resumeFile',
      'exitAtEndOfSession',
    ],
  },
  groups: [
    {
      title: 'Over a gateway:',
      keys: [
        'gateway',
        'directory',
        'transport',
        'probeMs',
        'tokenFile',
        'tls',
        'mode',
        'instruments',
        'conflationMs',
        'onSlow',
        'timeoutMs',
        'backoffMs',
        'backoffMsMax',
      ],
    },
  ],
  defaults: {
    lines: 'AB',
    session: '0',
    sources: 'any',
    symbol: 'all',
    dump: 'none',
    dumpAt: 'none',
    tokenFile: 'the one in DEPTHCAST_TOKEN, if any',
    instruments: 'all',
    resumeFile: 'none',
    intervalMs: '100 on a terminal, else 1000',
    exitAtEndOfSession: 'on with --dump, else off',
  },
};

/** What the schema cannot see. Throws ConfigError. */
export function checkSubscribe(options: SubscribeCommandOptions): void {
  if (options.dump === undefined && options.dumpAt.length > 0)
    throw new ConfigError('--dump-at needs --dump: the files are named after that one');
  if (options.dump === undefined && options.l3) throw new ConfigError('--l3 needs --dump: it says what dumps hold');
  if (options.mode !== 'exact' && (options.view === 'json' || options.view === 'bbo'))
    throw new ConfigError(`--view ${options.view} shows every update: it needs --mode exact, or take --view ladder`);
  if (options.mode !== 'exact' && options.dump !== undefined)
    throw new ConfigError('--dump writes every order: it needs --mode exact');
  if (options.view === 'ladder') checkSymbol(options.symbol);
}

/** A ladder shows one book. Throws ConfigError. */
export function checkSymbol(symbols: readonly string[]): void {
  if (symbols.length > 1) throw new ConfigError(`--symbol is "${symbols.join(',')}", expected one symbol for a ladder`);
}

export const subscribe_examples = `
Examples:
  depthcast subscribe --symbol AAPL
      every update of AAPL as a line of JSON
  depthcast subscribe --symbol AAPL --view ladder
      its book, live
  depthcast subscribe --view none --dump books.json --l3
      every order of every book, in queue order, at the end of the session or at Ctrl-C
  depthcast subscribe --gateway wss://feed.example.com/feed --token-file token --symbol AAPL
      the same over a gateway, from anywhere
  depthcast subscribe --directory https://feed.example.com/channels --mode depth --symbol AAPL --view ladder
      its best levels only, from the gateway that the directory names
  depthcast subscribe --lines B --dump out.json --dump-at 1000,2000
      from line B alone; also out.1000.json and out.2000.json, after the source's messages 1,000 and 2,000

A token stands in a file or in the environment (DEPTHCAST_TOKEN), never on the command line, which everybody on the machine can read.
Without a connection to the gateway the command goes on trying, and says why; so it does where something is refused that may pass.

Exit code: 0 at the end of session (--exit-at-end-of-session) or after SIGINT, SIGTERM, SIGHUP, dumps written; 1 where it
fails, for example since the gateway refuses the token or the symbols; 2 for wrong options.`;
