/** Exports made by hand, for tests of what reads them. */
import { BookExport } from '../src/book_export.js';
import type { NativeExport, NativeExportInstrument } from '../src/native.js';

export type MadeLevel = [price: bigint, queue: [id: bigint, quantity: bigint][]];
export interface MadeBook extends Partial<NativeExportInstrument> {
  bids?: MadeLevel[];
  asks?: MadeLevel[];
}

/** Books of instruments 1, 2, … unless they say otherwise. */
export function makeExport(books: MadeBook[], more: Partial<NativeExport> = {}, orders = true): BookExport {
  const levels = books.flatMap(({ bids = [], asks = [] }) => [...bids, ...asks]);
  const queues = orders ? levels.flatMap(([, queue]) => queue) : [];
  const instruments = books.map(({ bids = [], asks = [], ...rest }, index) => ({
    instrument: index + 1,
    symbol: `S${index + 1}`,
    priceExponent: -4,
    quantityExponent: 0,
    sourceCode: 0,
    lotSize: 100,
    state: 0,
    status: 1,
    digest: BigInt(index + 1),
    instrumentSequence: 1,
    liveOrders: [...bids, ...asks].reduce((sum, [, queue]) => sum + queue.length, 0),
    bidLevels: bids.length,
    askLevels: asks.length,
    ...rest,
  }));
  const native: NativeExport = {
    session: 5n,
    sequence: 9n,
    position: 10n,
    digest: 0xabcn,
    whole: true,
    instruments,
    levelPrice: BigInt64Array.from(levels, ([price]) => price),
    levelQuantity: BigUint64Array.from(levels, ([, queue]) => queue.reduce((sum, [, quantity]) => sum + quantity, 0n)),
    levelOrders: Uint32Array.from(levels, ([, queue]) => queue.length),
    orderId: BigUint64Array.from(queues, ([id]) => id),
    orderQuantity: BigUint64Array.from(queues, ([, quantity]) => quantity),
    ...more,
  };
  return new BookExport(native, orders);
}
