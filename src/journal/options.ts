/** Options of the journal's tools, one schema for flags and callers. Loads no addon. */
import { z } from 'zod';
import { byteCount, unsigned64, wholeNumber } from '../config_values.js';

export const journalReadOptions = z.strictObject({
  session: unsigned64().optional().describe('session; without it the newest'),
  first: unsigned64().optional().describe('sequence number to begin with; without it the oldest'),
  limit: wholeNumber(0).default(0).describe('at most so many records; 0: all'),
});

export const journalPruneOptions = z.strictObject({
  retainBytes: byteCount(0)
    .default(0)
    .describe('remove the oldest segments while the journal is larger than this; 0: no bound'),
  retainMs: wholeNumber(0)
    .default(0)
    .describe(
      'remove segments that were last written longer ago than this, but none that a checkpoint needs; 0: no bound',
    ),
  before: unsigned64()
    .default(0n)
    .describe('remove segments of the newest session that hold only lower numbers, and older sessions; 0: none'),
  dryRun: z.boolean().default(false).describe('only say what would be removed'),
});

export type JournalReadOptionsInput = z.input<typeof journalReadOptions>;
export type JournalPruneOptionsInput = z.input<typeof journalPruneOptions>;
