/** Options of `depthcast replay`: the library's, and the command's own. Loads no addon. */
import { z } from 'zod';
import { text } from '../config_values.js';
import { replayOptions } from '../replay/options.js';
import type { FlagRules } from './options.js';

export const replayCommandOptions = replayOptions.safeExtend({
  output: z
    .enum(['json', 'csv', 'multicast', 'journal'])
    .default('json')
    .describe('where to: json (lines), csv, multicast (line A, line B), journal (a new one, with --out-journal)'),
  out: text('the name of a file', (given) => given !== '')
    .optional()
    .describe('json, csv: write to this file instead of standard output'),
  lines: z.enum(['A', 'B', 'AB']).optional().describe('multicast: lines to send on'),
  progress: z.boolean().default(true).describe('a progress bar on stderr where that is a terminal'),
});

export type ReplayCommandOptions = z.output<typeof replayCommandOptions>;

export const replay_rules: FlagRules = {
  omit: ['source'],
  own: {
    title: 'Replay:',
    keys: ['output', 'out', 'outJournal', 'session', 'from', 'to', 'speed', 'rate', 'instrument', 'progress'],
  },
  defaults: {
    output: 'json; journal with --out-journal',
    out: 'standard output',
    session: 'the newest',
    from: 'the oldest',
    to: 'the last',
    speed: 'realtime for multicast, else max',
    instrument: 'all',
    lines: 'AB',
  },
};

export const replay_examples = `
Examples:
  depthcast replay state --from 1000 --to 2000 --instrument AAPL
      AAPL's messages of that range from the journal in the state folder, as lines of JSON with the best prices
  depthcast replay state --from 2019-12-30T14:30:00Z --speed 10x --output multicast
      the newest session from half past two on, ten times faster, to line A and line B as it was sent
  depthcast replay state --from 500000 --output multicast --snapshot-line-group 239.192.26.3
      from the middle: the state before it goes to the snapshot group
  depthcast replay day.itch50.gz --date 2019-12-30 --output csv --out day.csv
      an ITCH file as CSV
  depthcast replay state --from 1 --to 100000 --out-journal part
      a part of a journal as a journal of its own

Exit code: 0 where everything that was asked for was delivered; 1 where something of it is missing (said with the ranges,
and for damage with segment and offset) or where it fails; 2 for wrong options. What is before the oldest message that is
kept counts as missing where --from names it.`;
