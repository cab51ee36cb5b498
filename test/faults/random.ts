/** Seeded numbers, for faults that a failure can name and one command can repeat. */

/** A 32-bit hash of some 32-bit words: murmur3's mixing steps. */
export function hashOf(...words: number[]): number {
  let hash = 0x9e3779b9;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** True for that share (0 to 1) of all lists of words. */
export function chance(share: number, ...words: number[]): boolean {
  return hashOf(...words) < share * 2 ** 32;
}

/** A sequence of numbers that the seed alone decides. */
export class Random {
  #drawn = 0;

  constructor(readonly seed: number) {}

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor((hashOf(this.seed, ++this.#drawn) / 2 ** 32) * below);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
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
