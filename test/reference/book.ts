/**
 * The reference order books: every order of every symbol, in queue order, kept with Maps, Sets and sorted arrays only.
 * Tests compare the native books with these. A message that makes no sense changes nothing and is counted, by reason
 * and type:
 *
 * - `unknown_reference`: E, C, X, D or U of an order that is not live (the join was in mid-stream, or the order is
 *   gone);
 * - `repeated_reference`: A or F with a live reference, U whose new reference is live (its own old one included);
 * - `beyond_quantity`: E, C or X of more shares than remain;
 * - `zero_quantity`: A, F, E, C, X or U of no shares;
 * - `locate_mismatch`: E, C, X, D or U that names another stock than its order has.
 *
 * The reasons are checked in the order: unknown reference, locate mismatch, zero quantity, repeated reference, beyond
 * quantity. E, C and X leave an order its place in the queue; U sends it to the end of its new level's queue, whatever
 * changed.
 */
import { createHash } from 'node:crypto';
import { type ItchMessage, ItchReader, increment, type Side, type Tally } from './itch_reader.js';

export interface Order {
  readonly reference: number;
  readonly book: ReferenceBook;
  readonly side: Side;
  readonly price: number;
  shares: number;
}

/** What a reader of depth sees of one level. */
export type Level = [price: number, shares: number, orders: number];

/** One price's orders. A Set iterates in the order of insertion, which is queue order. */
interface PriceLevel {
  readonly price: number;
  shares: number;
  readonly orders: Set<Order>;
}

/** One side of one book: levels by price, and their prices from best to worst. */
class BookSide {
  readonly prices: number[] = [];
  readonly #levels = new Map<number, PriceLevel>();
  readonly #side: Side;

  constructor(side: Side) {
    this.#side = side;
  }

  level(price: number): PriceLevel | undefined {
    return this.#levels.get(price);
  }

  add(order: Order): void {
    let level = this.#levels.get(order.price);
    if (level === undefined) {
      level = { price: order.price, shares: 0, orders: new Set() };
      this.#levels.set(order.price, level);
      this.prices.splice(this.#position(order.price), 0, order.price);
    }
    level.orders.add(order);
    level.shares += order.shares;
  }

  /** Takes shares from an order where it stands; at none left, the order goes, and with its last order the level. */
  reduce(order: Order, shares: number): void {
    const level = this.#levels.get(order.price) as PriceLevel;
    order.shares -= shares;
    level.shares -= shares;
    if (order.shares > 0) return;
    level.orders.delete(order);
    if (level.orders.size > 0) return;
    this.#levels.delete(order.price);
    this.prices.splice(this.#position(order.price), 1);
  }

  /** How many levels are better than this price: its place in `prices`, by bisection. */
  #position(price: number): number {
    let low = 0;
    let high = this.prices.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.prices[middle] as number;
      if (this.#side === 'B' ? other > price : other < price) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The book of one symbol. Only `ReferenceBooks` changes it. */
export class ReferenceBook {
  readonly symbol: string;
  readonly locate: number;
  readonly #sides = { B: new BookSide('B'), S: new BookSide('S') };
  live_orders = 0;
  /** Messages that changed this book. */
  book_events = 0;

  constructor(symbol: string, locate: number) {
    this.symbol = symbol;
    this.locate = locate;
  }

  /** Every level of one side (or the best `limit`), best first. */
  levels(side: Side, limit = Number.POSITIVE_INFINITY): Level[] {
    const { prices } = this.#sides[side];
    return prices.slice(0, limit).map((price) => {
      const level = this.#sides[side].level(price) as PriceLevel;
      return [price, level.shares, level.orders.size];
    });
  }

  /** Price and shares of the best level, or null where the side is empty. */
  best(side: Side): [price: number, shares: number] | null {
    const price = this.#sides[side].prices[0];
    if (price === undefined) return null;
    return [price, (this.#sides[side].level(price) as PriceLevel).shares];
  }

  /** The orders of one level in queue order; none where there is no such level. */
  queue(side: Side, price: number): Order[] {
    return [...(this.#sides[side].level(price)?.orders ?? [])];
  }

  /** True where the best bid is not below the best ask. */
  lockedOrCrossed(): boolean {
    const bid = this.#sides.B.prices[0];
    const ask = this.#sides.S.prices[0];
    return bid !== undefined && ask !== undefined && bid >= ask;
  }

  /**
   * SHA-256 over lines `side,price,reference,shares\n`: bids best first, then asks best first, queue order within a
   * level.
   */
  l3Sha256(): string {
    const hash = createHash('sha256');
    for (const side of ['B', 'S'] as const)
      for (const price of this.#sides[side].prices)
        for (const order of this.queue(side, price))
          hash.update(`${side},${price},${order.reference},${order.shares}\n`);
    return hash.digest('hex');
  }

  add(order: Order): void {
    this.#sides[order.side].add(order);
    this.live_orders++;
  }

  reduce(order: Order, shares: number): void {
    this.#sides[order.side].reduce(order, shares);
    if (order.shares === 0) this.live_orders--;
  }
}

type Reason = 'unknown_reference' | 'repeated_reference' | 'beyond_quantity' | 'zero_quantity' | 'locate_mismatch';
type OnOrder = ItchMessage<'E' | 'C' | 'X' | 'D' | 'U'>;

/** All books of one feed. `apply` every message in order, then ask. */
export class ReferenceBooks {
  /** Messages that changed a book, by type. */
  readonly applied: Tally = {};
  /** Messages skipped, by reason and type. */
  readonly skipped: Record<Reason, Tally> = {
    unknown_reference: {},
    repeated_reference: {},
    beyond_quantity: {},
    zero_quantity: {},
    locate_mismatch: {},
  };
  /** Applied messages after which their book was locked or crossed. */
  locked_or_crossed_events = 0;

  readonly #orders = new Map<number, Order>();
  readonly #by_locate = new Map<number, ReferenceBook>();

  get live_orders(): number {
    return this.#orders.size;
  }

  /** The live order of this reference. */
  order(reference: number): Order | undefined {
    return this.#orders.get(reference);
  }

  byLocate(locate: number): ReferenceBook | undefined {
    return this.#by_locate.get(locate);
  }

  /** Every book, one for each locate that R, A or F named, sorted by symbol. */
  all(): ReferenceBook[] {
    return [...this.#by_locate.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  /** Applies one message; returns the book that it changed, if it changed one. */
  apply(message: ItchMessage): ReferenceBook | undefined {
    const book = this.#change(message);
    if (book === undefined) return undefined;
    book.book_events++;
    increment(this.applied, message.type);
    if (book.lockedOrCrossed()) this.locked_or_crossed_events++;
    return book;
  }

  #change(message: ItchMessage): ReferenceBook | undefined {
    switch (message.type) {
      case 'R':
        this.#bookOf(message.locate, message.stock);
        return undefined;
      case 'A':
      case 'F':
        return this.#add(message);
      case 'E':
      case 'C':
      case 'X':
      case 'D':
      case 'U':
        return this.#onOrder(message);
      default:
        return undefined;
    }
  }

  /** The book of a locate. The first R, A or F of a locate names its symbol. */
  #bookOf(locate: number, symbol: string): ReferenceBook {
    let book = this.#by_locate.get(locate);
    if (book === undefined) {
      book = new ReferenceBook(symbol, locate);
      this.#by_locate.set(locate, book);
    }
    return book;
  }

  #skip(reason: Reason, message: ItchMessage): undefined {
    increment(this.skipped[reason], message.type);
  }

  #add(message: ItchMessage<'A' | 'F'>): ReferenceBook | undefined {
    const { reference, side, price, shares } = message;
    const book = this.#bookOf(message.locate, message.stock);
    if (shares === 0) return this.#skip('zero_quantity', message);
    if (this.#orders.has(reference)) return this.#skip('repeated_reference', message);
    this.#insert({ reference, book, side, price, shares });
    return book;
  }

  #onOrder(message: OnOrder): ReferenceBook | undefined {
    const order = this.#orders.get(message.reference);
    if (order === undefined) return this.#skip('unknown_reference', message);
    const { book, side } = order;
    if (book.locate !== message.locate) return this.#skip('locate_mismatch', message);
    if (message.type === 'D') {
      this.#reduce(order, order.shares);
      return book;
    }
    const { shares } = message;
    if (shares === 0) return this.#skip('zero_quantity', message);
    if (message.type === 'U') {
      const { new_reference: reference, price } = message;
      if (this.#orders.has(reference)) return this.#skip('repeated_reference', message);
      this.#reduce(order, order.shares);
      this.#insert({ reference, book, side, price, shares });
      return book;
    }
    if (shares > order.shares) return this.#skip('beyond_quantity', message);
    this.#reduce(order, shares);
    return book;
  }

  #insert(order: Order): void {
    this.#orders.set(order.reference, order);
    order.book.add(order);
  }

  #reduce(order: Order, shares: number): void {
    order.book.reduce(order, shares);
    if (order.shares === 0) this.#orders.delete(order.reference);
  }
}

export const bbo_header = 'msg_index,type,timestamp_ns,locate,best_bid,best_bid_shares,best_ask,best_ask_shares';

/**
 * One row of expected_bbo.csv: the best bid and offer of `book` after `message`. Indices count all messages of a file
 * from 0.
 */
export function bboRow(message_index: number, message: ItchMessage, book: ReferenceBook): string {
  const { type, timestamp_ns, locate } = message;
  const bid = book.best('B') ?? ['', ''];
  const ask = book.best('S') ?? ['', ''];
  return [message_index, type, timestamp_ns, locate, ...bid, ...ask].join();
}

/**
 * Replays a length-prefixed file into new books. `onMessage` is called after each message that has a record, with the
 * books as they are then: message numbers start at 1, `changed` is the book that the message changed.
 */
export function replayItch(
  bytes: Buffer,
  onMessage: (
    message: ItchMessage,
    message_number: number,
    changed: ReferenceBook | undefined,
    books: ReferenceBooks,
  ) => void = () => {},
): { books: ReferenceBooks; reader: ItchReader } {
  const books = new ReferenceBooks();
  const reader = new ItchReader(bytes);
  for (const message of reader.messages()) onMessage(message, reader.message_count, books.apply(message), books);
  return { books, reader };
}
