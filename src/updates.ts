/** Updates as they reach JavaScript: columns over memory that is used again for the next batch. */
import type { UpdateColumns } from './native.js';

export { Kind, Side } from './generated/wire.js';

/** Bits of a message's flags; docs/protocol.md explains them. */
export const message_flags = {
  end_of_event: 1,
  book_affecting: 2,
  priority_kept: 4,
  detail: 8,
  non_printable: 16,
  at_price: 32,
} as const;

/** One event holds at most 65,535 messages, and only whole events are delivered. */
export const batch_messages_max = 65_536;

/**
 * Some messages, oldest first, entry 0 … count - 1 of each column. Ends at the end of an event. Valid only until the
 * listener returns: the same memory holds the next batch.
 */
export interface UpdateBatch extends Readonly<UpdateColumns> {
  readonly count: number;
}

/** Rows for a queue of that capacity, which the addon rounds up to a power of two: enough for any one event. */
export function batchRows(capacity: number): number {
  return Math.min(2 ** Math.ceil(Math.log2(Math.max(capacity, 2))), batch_messages_max);
}

/**
 * Columns for the addon to write. Their memory is shared memory: that cannot be detached (as by a transfer to a worker)
 * while the addon writes to it.
 */
export function makeColumns(length: number): UpdateColumns {
  const words = () => new BigUint64Array(new SharedArrayBuffer(8 * length));
  const signedWords = () => new BigInt64Array(new SharedArrayBuffer(8 * length));
  const halves = () => new Uint32Array(new SharedArrayBuffer(4 * length));
  const bytes = () => new Uint8Array(new SharedArrayBuffer(length));
  return {
    sequence: words(),
    position: words(),
    time: signedWords(),
    orderId: words(),
    price: signedWords(),
    quantity: words(),
    detail: words(),
    bidPrice: signedWords(),
    bidQuantity: words(),
    askPrice: signedWords(),
    askQuantity: words(),
    quantity2: words(),
    price2: signedWords(),
    price3: signedWords(),
    price4: signedWords(),
    price5: signedWords(),
    digest: words(),
    instrument: halves(),
    instrumentSequence: halves(),
    code: halves(),
    flags: new Uint16Array(new SharedArrayBuffer(2 * length)),
    kind: bytes(),
    side: bytes(),
  };
}

/** Columns with a count that the owner sets before each delivery. */
export function makeBatch(columns: UpdateColumns): UpdateColumns & { count: number } {
  return { ...columns, count: 0 };
}

/**
 * Reads a column of 64-bit words as numbers, making no BigInt: at(row) is exact up to 2^53, and rounded beyond. Looks at
 * the column's own memory, so that one made for a client's column lasts as long as the client.
 */
export class NumberColumn {
  readonly #low: Uint32Array;
  readonly #high: Uint32Array | Int32Array;

  constructor(column: BigInt64Array | BigUint64Array) {
    const { buffer, byteOffset, length } = column;
    this.#low = new Uint32Array(buffer, byteOffset, 2 * length);
    this.#high =
      column instanceof BigInt64Array
        ? new Int32Array(buffer, byteOffset, 2 * length)
        : new Uint32Array(buffer, byteOffset, 2 * length);
  }

  /** NaN past the end. */
  at(row: number): number {
    // Little-endian, as every machine that this runs on.
    return (this.#high[2 * row + 1] as number) * 0x1_0000_0000 + (this.#low[2 * row] as number);
  }
}
