/** Which message numbers each line had, and which it passed on. */
import type { LineName } from './lines.js';

/** Message numbers, both included. */
export type NumberRange = [first: number, last: number];

/** One byte for each number, line and question. */
export class NumberLog {
  last = 0;
  readonly #bits: Record<'received' | 'delivered', Record<LineName, Uint8Array>> = {
    received: { A: new Uint8Array(1 << 16), B: new Uint8Array(1 << 16) },
    delivered: { A: new Uint8Array(1 << 16), B: new Uint8Array(1 << 16) },
  };

  mark(what: 'received' | 'delivered', line: LineName, { first, count }: { first: number; count: number }): void {
    const end = first + count;
    this.last = Math.max(this.last, end - 1);
    if (end > this.#bits[what][line].length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bits[what][line]);
      this.#bits[what][line] = larger;
    }
    this.#bits[what][line].fill(1, first, end);
  }

  has(what: 'received' | 'delivered', line: LineName, number: number): boolean {
    return this.#bits[what][line][number] === 1;
  }

  /** The numbers up to the last one known for which `holds` says no. */
  rangesWithout(holds: (number: number) => boolean): NumberRange[] {
    const ranges: NumberRange[] = [];
    for (let number = 1; number <= this.last; number++) {
      if (holds(number)) continue;
      const range = ranges.at(-1);
      if (range !== undefined && range[1] === number - 1) range[1] = number;
      else ranges.push([number, number]);
    }
    return ranges;
  }
}
