/** Depth in memory that is used again and again: reading it makes no object. */
import { type StatusName, statusName } from './book_types.js';
import { depth_header_words, depth_level_words } from './native.js';

const levels_max = 64;

/**
 * What readDepth() fills: each column holds one number a level, best first; entries from bidCount or askCount on are left
 * over from earlier. Numbers are doubles, scaled as the book holds them: exact up to 2^53, and `exact` says whether all of
 * one reading were. Threads: one.
 */
export class DepthColumns {
  /** Levels of each side that there is room for. */
  readonly levels: number;
  readonly bidPrice: Float64Array;
  readonly bidQuantity: Float64Array;
  readonly bidOrders: Float64Array;
  readonly askPrice: Float64Array;
  readonly askQuantity: Float64Array;
  readonly askOrders: Float64Array;
  /** All of it, as the native call fills it: a header of eight numbers, then the columns. */
  readonly numbers: Float64Array;

  /** Throws RangeError where `levels` is no whole number from 1 to 64. */
  constructor(levels: number) {
    if (!Number.isInteger(levels) || levels < 1 || levels > levels_max)
      throw new RangeError(`levels is ${levels}, expected a whole number from 1 to ${levels_max}`);
    this.levels = levels;
    const numbers = new Float64Array(depth_header_words + 2 * depth_level_words * levels);
    const column = (index: number) => {
      const first = depth_header_words + index * levels;
      return numbers.subarray(first, first + levels);
    };
    this.numbers = numbers;
    this.bidPrice = column(0);
    this.bidQuantity = column(1);
    this.bidOrders = column(2);
    this.askPrice = column(3);
    this.askQuantity = column(4);
    this.askOrders = column(5);
  }

  /** Number of the last message of the event whose end this is. */
  get sequence(): number {
    return this.numbers[0] ?? 0;
  }
  /** That event's time in ns, to the precision of a double: 256 ns in this century. */
  get timeNs(): number {
    return this.numbers[1] ?? 0;
  }
  get instrumentSequence(): number {
    return this.numbers[2] ?? 0;
  }
  get status(): StatusName {
    return statusName(this.numbers[3] ?? 0);
  }
  get bidCount(): number {
    return this.numbers[4] ?? 0;
  }
  get askCount(): number {
    return this.numbers[5] ?? 0;
  }
  /** Sequence, prices and quantities are what the book holds, none of them rounded. */
  get exact(): boolean {
    return this.numbers[6] === 1;
  }
}
