/** What a fault injector is told to do: a JSON document, phases in time or by sequence number. docs/faults.md. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseOptions } from '../config_parse.js';
import { anyNumber, wholeNumber } from '../config_values.js';

export type LineName = 'A' | 'B';
export const line_names: readonly LineName[] = ['A', 'B'];

const share = (what: string) => anyNumber(0, 1).describe(`share of datagrams ${what}, 0 to 1`);
const packets_max = 100_000;
const milliseconds_max = 86_400_000;
const profile_bytes_max = 1_048_576;

const burst = z.strictObject({
  rate: share('at which a burst of loss begins'),
  packets: wholeNumber(1, packets_max).describe('datagrams in a row that a burst loses'),
});
const duplicate = z.strictObject({
  rate: share('sent more than once'),
  copies: wholeNumber(1, 1_000).default(1).describe('how often besides'),
  distance: wholeNumber(0, packets_max).default(0).describe('copies come after up to so many later datagrams'),
});
const reorder = z.strictObject({
  rate: share('held back'),
  distance: wholeNumber(1, packets_max).describe('sent after 1 to so many later datagrams'),
});
const delay = z.strictObject({
  rate: share('sent later'),
  ms: wholeNumber(1, 60_000).describe('by 1 to so many ms'),
});
const corrupt = z.strictObject({
  rate: share('with flipped bits'),
  bits: wholeNumber(1, 64).default(1).describe('bits flipped in one datagram'),
});

const phase = z.strictObject({
  line: z.enum(['A', 'B', 'both']).default('both').describe('which line'),
  fromMs: wholeNumber(0, milliseconds_max).default(0).describe('ms after the first numbered datagram'),
  toMs: wholeNumber(0, milliseconds_max).default(milliseconds_max).describe('end of the phase'),
  fromSequence: wholeNumber(0).default(0).describe('only datagrams whose first number is at least this'),
  toSequence: wholeNumber(0).default(Number.MAX_SAFE_INTEGER).describe('and at most this'),
  dead: z.boolean().default(false).describe('nothing comes through'),
  drop: share('dropped').optional(),
  burst: burst.optional(),
  duplicate: duplicate.optional(),
  reorder: reorder.optional(),
  delay: delay.optional(),
  corrupt: corrupt.optional(),
});

export const faultProfile = z.strictObject({
  phases: z.array(phase).max(1_000).default([]),
  /** From the fifth end of session of a line on, so that a session always ends. */
  spareEndOfSession: z
    .boolean()
    .default(true)
    .describe('the last ends of a session come through whatever the phases say'),
});

export type FaultPhase = z.output<typeof phase>;
export type FaultProfile = z.output<typeof faultProfile>;
export type FaultProfileInput = z.input<typeof faultProfile>;

/** Checked, with every default filled in. Throws ConfigError. */
export function parseProfile(value: unknown, where = 'fault profile'): FaultProfile {
  return parseOptions(faultProfile, value, where);
}

/** A profile as it stands in a file. Throws ConfigError, or Error where it cannot be read. */
export function readProfile(file: string): unknown {
  const text = readFileSync(file, 'utf8');
  if (text.length > profile_bytes_max) throw new Error(`${file}: longer than ${profile_bytes_max} bytes`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
}
