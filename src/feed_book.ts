/** One book of a feed, asked across threads: each answer is one whole state at the end of an event. */
import type { BookExport } from './book_export.js';
import type { Level, PlacedOrder, QueuedOrder, SideName } from './book_types.js';

/** Each call asks the receiving thread once. Rejects when the client is closed, or does not know the instrument. */
export class FeedBook {
  readonly name: string;
  readonly #snapshot: (orders: boolean) => Promise<BookExport>;

  constructor(name: string, snapshot: (orders: boolean) => Promise<BookExport>) {
    this.name = name;
    this.#snapshot = snapshot;
  }

  /** Best first; every level unless `limit` says how many. */
  async levels(side: SideName, limit?: number): Promise<Level[]> {
    const [books, instrument] = await this.#ask(false);
    return books.levels(instrument, side, limit);
  }

  async best(side: SideName): Promise<Level | undefined> {
    return (await this.levels(side, 1))[0];
  }

  /** Orders of one level in queue order; none where there is no such level. */
  async orders(side: SideName, price: bigint): Promise<QueuedOrder[]> {
    const [books, instrument] = await this.#ask(true);
    return books.orders(instrument, side, price);
  }

  /** One order with its place in the queue; undefined where it does not live in this book. */
  async order(id: bigint): Promise<PlacedOrder | undefined> {
    const [books, instrument] = await this.#ask(true);
    return books.order(instrument, id);
  }

  // An export of one book cannot tell whether its symbol is shared with another, so it is asked by number.
  async #ask(orders: boolean): Promise<[BookExport, number]> {
    const books = await this.#snapshot(orders);
    const instrument = books.instruments[0];
    if (instrument === undefined) throw new Error(`${this.name} is not an instrument of this channel`);
    return [books, instrument.instrument];
  }
}
