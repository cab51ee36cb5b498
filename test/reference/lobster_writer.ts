/** Writes the ITCH file of the LOBSTER adapter; the rules are in lobster.ts. */
import { type ReferenceBook, ReferenceBooks } from './book.js';
import { encodeItch, type ItchMessage, type Side } from './itch_reader.js';

/** Orders with this reference or a higher one stand for orders that the sample never named. */
export const synthetic_reference_first = 2 ** 40;

/** Writes the ITCH file while keeping the reference books of what it has written. */
export class LobsterWriter {
  readonly books = new ReferenceBooks();
  readonly counts = { initial: 0, direct: 0, on_synthetic: 0, settling: 0 };
  readonly #chunks: Buffer[] = [];
  readonly #symbol: string;
  readonly #locate: number;
  #synthetic_next = synthetic_reference_first;
  #match_number_next = 1;
  timestamp_ns: number;

  constructor(symbol: string, locate: number, timestamp_ns: number) {
    this.#symbol = symbol;
    this.#locate = locate;
    this.timestamp_ns = timestamp_ns;
    this.#push({ type: 'S', ...this.#header(), locate: 0, event: 'Q' });
    this.#push({
      type: 'R',
      ...this.#header(),
      stock: symbol,
      market_category: 'Q',
      financial_status: 'N',
      round_lot_size: 100,
      round_lots_only: 'N',
      issue_classification: 'C',
      issue_subtype: 'Z',
      authenticity: 'P',
      short_sale_threshold: 'N',
      ipo_flag: 'N',
      luld_tier: '1',
      etp_flag: 'N',
      etp_leverage: 0,
      inverse: 'N',
    });
    this.#push({ type: 'H', ...this.#header(), stock: symbol, trading_state: 'T', reserved: '', reason: '' });
  }

  get message_count(): number {
    return this.#chunks.length;
  }

  get book(): ReferenceBook {
    return this.books.byLocate(this.#locate) as ReferenceBook;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  add(side: Side, price: number, shares: number, reference = this.#synthetic_next++): void {
    this.#change({ type: 'A', ...this.#header(), reference, side, shares, stock: this.#symbol, price });
  }

  delete(reference: number): void {
    this.#change({ type: 'D', ...this.#header(), reference });
  }

  cancel(reference: number, shares: number): void {
    this.#change({ type: 'X', ...this.#header(), reference, shares });
  }

  execute(reference: number, shares: number): void {
    this.#change({ type: 'E', ...this.#header(), reference, shares, match_number: this.#match_number_next++ });
  }

  trade(side: Side, price: number, shares: number): void {
    const match_number = this.#match_number_next++;
    this.#push({ type: 'P', ...this.#header(), reference: 0, side, shares, stock: this.#symbol, price, match_number });
  }

  /** Takes shares from an order: all of them is a delete, fewer a cancel. */
  reduce(reference: number, shares: number): void {
    if (this.books.order(reference)?.shares === shares) this.delete(reference);
    else this.cancel(reference, shares);
  }

  #header() {
    return { locate: this.#locate, tracking: 0, timestamp_ns: this.timestamp_ns };
  }

  /** A message that must change the book; if it does not, the sample contradicts itself (or this adapter is wrong). */
  #change(message: ItchMessage): void {
    if (this.#push(message) === undefined) throw Error(`no effect: ${JSON.stringify(message)}`);
  }

  #push(message: ItchMessage): ReferenceBook | undefined {
    this.#chunks.push(encodeItch(message));
    return this.books.apply(message);
  }
}
