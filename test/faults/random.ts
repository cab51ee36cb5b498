/** The shipped fault injector's seeded numbers, with what only tests draw from them. */
import { SeededRandom } from '../../src/faults/random.js';

export class Random extends SeededRandom {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return this.between(0, below - 1);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.below(256)));
  }
}

/** The seeds of a test, or the one of $DEPTHCAST_SEED, by which a failure is repeated. */
export function seedsOf(...seeds: number[]): number[] {
  const given = process.env.DEPTHCAST_SEED;
  return given === undefined || given === '' ? seeds : [Number(given)];
}
