/** Reads depth views that a native thread writes. */
import { type Depth, type Level, statusName } from './book_types.js';
import type { DepthColumns } from './depth_columns.js';
import { type DepthFunction, depth_header_words, depth_level_words } from './native.js';

/** The depth could not be read this time: the writer was always in the middle of it. */
export class DepthBusyError extends Error {
  override readonly name = 'DepthBusyError';
}

const attempts_max = 16;

/** Threads: one; the writer is another one. Never waits for the writer. */
export class DepthReader {
  readonly #read: DepthFunction;
  readonly #levels_max: number;
  #words: BigInt64Array;

  /** `levels_max`: levels that the writer keeps, limits.depthLevels. */
  constructor(read: DepthFunction, levels_max: number) {
    this.#read = read;
    this.#levels_max = levels_max;
    this.#words = new BigInt64Array(depth_header_words + 2 * levels_max * depth_level_words);
  }

  /** Undefined for an unknown instrument. Throws DepthBusyError after a bounded number of attempts. */
  read(instrument: number, levels: number = this.#levels_max): Depth | undefined {
    const wanted = Math.max(0, Math.min(Math.trunc(levels), this.#levels_max));
    return this.#fill(instrument, wanted, this.#words) ? this.#depth(wanted) : undefined;
  }

  /** The same into memory of the caller's, making no object. False for an unknown instrument. */
  readInto(instrument: number, columns: DepthColumns): boolean {
    return this.#fill(instrument, columns.levels, columns.numbers);
  }

  #fill(instrument: number, levels: number, out: BigInt64Array | Float64Array): boolean {
    for (let attempt = 0; attempt < attempts_max; attempt++) {
      const result = this.#read(instrument, levels, out);
      if (result === 0) return true;
      if (result === 3) return false;
      if (result === 2) throw new DepthBusyError(`depth of instrument ${instrument}: its writer has died`);
    }
    throw new DepthBusyError(`depth of instrument ${instrument}: its writer is busy`);
  }

  #depth(wanted: number): Depth {
    const words = this.#words;
    return {
      sequence: words[0] ?? 0n,
      timeNs: words[1] ?? 0n,
      instrumentSequence: Number(words[2]),
      status: statusName(Number(words[3])),
      bids: this.#side(depth_header_words, Number(words[4])),
      asks: this.#side(depth_header_words + wanted * depth_level_words, Number(words[5])),
    };
  }

  #side(first: number, count: number): Level[] {
    const levels: Level[] = [];
    for (let word = first; levels.length < count; word += depth_level_words)
      levels.push({
        price: this.#words[word] ?? 0n,
        quantity: BigInt.asUintN(64, this.#words[word + 1] ?? 0n),
        orders: Number(this.#words[word + 2]),
      });
    return levels;
  }
}
