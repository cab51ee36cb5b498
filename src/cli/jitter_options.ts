/** Options of `depthcast jitter`. Loads no addon. */
import { z } from 'zod';
import { anyNumber, byteCount, interfaceAddress, ipv4Address, text, wholeNumber } from '../config_values.js';
import { parseBudget } from '../jitter/budget.js';
import { injection_kinds, parseInjection } from '../jitter/injections.js';
import type { FlagRules } from './options.js';

const file = (what: string) =>
  text('the name of a file', (given) => given !== '')
    .optional()
    .describe(what);

function line(letter: 'A' | 'B', number: number) {
  return z
    .strictObject({
      group: ipv4Address('an IPv4 address').default(`239.192.28.${number}`).describe(`line ${letter}: multicast group`),
      port: wholeNumber(1, 65_533)
        .default(26_450 + number)
        .describe(`line ${letter}: UDP port; the floor takes the one two above`),
    })
    .nullable()
    .prefault({})
    .describe(`line ${letter}; null: not used`);
}

export const jitterCommandOptions = z
  .strictObject({
    seconds: anyNumber(0.2, 3_600).default(10).describe('s of measuring, half of them the feed and half the floor'),
    rate: anyNumber(10, 10_000_000).default(100_000).describe('messages a second'),
    pattern: z
      .enum(['constant', 'poisson', 'bursts', 'file'])
      .default('poisson')
      .describe("when messages are due: evenly, independently, in bursts, or as the source's own times say"),
    burst: wholeNumber(2, 100_000).default(100).describe('messages due at one instant, with bursts'),
    speed: anyNumber(0.001, 1_000_000).default(1).describe("how many times faster than the source's times, with file"),
    source: text('"simulate" or "itch:FILE"', (given) => given === 'simulate' || /^itch:./s.test(given))
      .default('simulate')
      .describe('what is sent: simulate, or itch:FILE (ITCH 5.0, not packed)'),
    symbols: wholeNumber(1, 10_000).default(100).describe('symbols of the simulated exchange'),
    liveOrders: wholeNumber(1, 4_000_000).default(20_000).describe('live orders of the simulated exchange'),
    seed: wholeNumber(0, 0x7fff_ffff).default(1).describe('decides the load; the same seed, the same schedule'),
    slice: anyNumber(0.05, 10).optional().describe('s of one slice; feed and floor take turns (from 0.05 to 10)'),
    javascript: z
      .boolean()
      .default(true)
      .describe('each pair has one more slice of half the length, whose updates are delivered to JavaScript'),
    gcEvery: anyNumber(0, 10_000)
      .default(0)
      .describe("ms between garbage collections in the publisher's process, in slices that compare; 0: none"),
    inject: text(
      `KIND[:EVERY_MS[:LENGTH_MS]], KIND one of ${injection_kinds.join(', ')}; EVERY_MS from 5, LENGTH_MS at most half`,
      (given) => parseInjection(given) !== undefined,
    )
      .optional()
      .describe('a fault made on purpose, KIND[:EVERY_MS[:LENGTH_MS]]: are its outliers given their true cause?'),
    journal: text('a folder', (given) => given !== '')
      .optional()
      .describe('a journal is written to a folder of its own in this one meanwhile'),
    journalFsync: z
      .enum(['never', 'interval', 'every-batch'])
      .default('interval')
      .describe('when that journal is synced'),
    replica: z.boolean().default(false).describe('a replica follows the publisher, and its snapshot loop runs'),
    json: z.boolean().default(false).describe('print one JSON object instead of the table'),
    hgrm: text('a folder', (given) => given !== '')
      .optional()
      .describe('write .hgrm files here, for HdrHistogram plots'),
    html: file('write one HTML page with plots here'),
    compare: z
      .array(text('two results', (given) => given !== ''))
      .default([])
      .describe('measure nothing: compare two files of --json, A,B'),
    budget: z
      .array(
        text(
          'such as "p99.9<200us" (p50, p90, p99, p99.9, p99.99, p99.999 or max; ns, us, ms or s)',
          (given) => parseBudget(given) !== undefined,
        ),
      )
      .default([])
      .describe("such as 'p99.9<200us', with commas between: exit code 1 where missed"),
    wait: z.enum(['spin', 'yield', 'park']).default('spin').describe('how the native threads wait'),
    publisherCore: wholeNumber(-2, 1_023)
      .default(-2)
      .describe('core of the publishing thread; -1: not pinned; -2: the last but one where there are two'),
    subscriberCore: wholeNumber(-2, 1_023)
      .default(-2)
      .describe('core of the receiving thread; -1: not pinned; -2: the last where there are two'),
    datagramBytes: byteCount(512, 8_952, (bytes) => bytes % 8 === 0, ', a multiple of 8')
      .default(1_400)
      .describe('largest UDP payload in bytes'),
    receiveBufferBytes: byteCount(4_096, 2 ** 30)
      .default(64 * 2 ** 20)
      .describe('socket receive buffer in bytes'),
    interface: interfaceAddress().default('127.0.0.1').describe('local interface: IPv4 address or name'),
    lineA: line('A', 1),
    lineB: line('B', 2),
  })
  .superRefine((options, context) => {
    const wrong = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (options.lineA === null && options.lineB === null) wrong('lineA', 'expected at least one of lineA and lineB');
    if (options.compare.length !== 0 && options.compare.length !== 2)
      wrong('compare', 'expected two files with a comma between');
    if (options.pattern !== 'file' && options.rate * (options.slice ?? 0.5) > 2 ** 23)
      wrong('rate', 'expected at most 8,388,608 messages in a slice: a lower rate or a shorter slice');
  });

export type JitterCommandOptions = z.output<typeof jitterCommandOptions>;

export const jitter_rules: FlagRules = {
  own: { title: 'Run:', keys: ['seconds', 'rate', 'pattern', 'json', 'hgrm', 'html', 'compare', 'budget'] },
  defaults: { slice: 'a twentieth of the seconds, 0.25 to 2' },
};

export const jitter_examples = `
Examples:
  depthcast jitter
      ten seconds: latency of the feed beside that of its floor, by stage, stalls told apart, outliers by cause
  depthcast jitter --rate 1000000 --seconds 60 --html report.html --json > run.json
  depthcast jitter --budget 'p99.9<200us,max<1ms'
  depthcast jitter --compare before.json,after.json

docs/jitter.md says what each figure means and what is excluded.
Exit code: 0 when it has measured and every budget was kept, 1 where a budget was missed or nothing could be measured, 2 for
wrong options.`;
