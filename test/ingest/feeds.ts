/** Distributors for the tests of feeds, and what two of them must agree on. */
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor, type SourceEnd } from '../../src/distributor.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';

/** One line, small books, nothing that these tests do not look at. */
export const feedOptions = {
  lineB: null,
  control: null,
  date: '2024-01-02',
  limits: { orders: 65_536, instruments: 256 },
  ring: { bytes: 2 ** 22 },
  snapshot: { enabled: false },
} satisfies ServeOptionsInput;

/** Lines of test/ingest/: numbers 240 to 249. Closed at the end of the test. */
export function feedDistributor(t: Test, number: number, options: ServeOptionsInput): Distributor {
  const { A } = linePair(number);
  const made = new Distributor({ lineA: A, ...feedOptions, ...options });
  t.teardown(() => made.close());
  return made;
}

export interface Outcome {
  end: SourceEnd;
  sequence: bigint;
  digest: bigint | undefined;
  events: bigint | undefined;
}

export function outcomeOf(made: Distributor, end: SourceEnd): Outcome {
  const { counters, sequence } = made.stats();
  return { end, sequence, digest: counters.digest, events: counters.inputEvents };
}

/** Runs a source to its end. */
export async function runSource(t: Test, number: number, options: ServeOptionsInput): Promise<Outcome> {
  const made = feedDistributor(t, number, options);
  await made.start();
  return outcomeOf(made, await made.ended);
}
