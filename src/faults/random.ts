/** Numbers that a seed decides, so that a fault can be named and repeated. Pure. */

/** A 32-bit hash of some 32-bit words. */
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
  return share > 0 && hashOf(...words) < share * 2 ** 32;
}

/** A sequence of draws. Threads: one. */
export class SeededRandom {
  #drawn = 0;

  constructor(readonly seed: number) {}

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor((hashOf(this.seed, ++this.#drawn) / 2 ** 32) * (high - low + 1));
  }

  /** From `low` to `high`, both above 0, as likely in each octave: a rate of 0.1 % is drawn as often as one of 10 %. */
  logarithmic(low: number, high: number): number {
    const share = hashOf(this.seed, ++this.#drawn) / 2 ** 32;
    return low * (high / low) ** share;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.between(0, items.length - 1)] as Item;
  }
}
