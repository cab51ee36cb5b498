/** Price-time matching: plain orders in, events out. */
import { type EventBatch, engineStatus } from 'depthcast';
import { ask, Book, bid, no_order, Orders, type Side } from './book.js';

/** Events that one order can make: what would meet more than so many is cancelled beyond. */
export const events_max = 64;

const fnv_basis = 0xcbf29ce484222325n;
const fnv_prime = 0x100000001b3n;
const mask = (1n << 64n) - 1n;

/** Threads: one. The batch has room for events_max events whenever an order is entered. */
export class MatchingEngine {
  readonly orders: Orders;
  /** Messages that a distributor makes of the events so far: one each, two of a replace. */
  messages = 0;
  /** Events so far. */
  events = 0;
  readonly #books: Book[] = [];
  #id = 0;
  #match = 0;

  constructor(
    readonly instruments: number,
    capacity: number,
  ) {
    this.orders = new Orders(capacity);
    for (let instrument = 0; instrument <= instruments; instrument++) this.#books.push(new Book(this.orders));
  }

  /** The first events of a day: one instrument. */
  open(instrument: number, batch: EventBatch): void {
    batch.define(instrument, { symbol: `EX${instrument}`, priceExponent: -2 });
    batch.status(instrument, engineStatus.trading);
    this.#count(2);
  }

  /** A limit order: executes what it meets, and rests what is left. */
  enter(instrument: number, side: Side, limit: number, quantity: number, batch: EventBatch): void {
    const { orders } = this;
    const book = this.#books[instrument] as Book;
    let left = quantity;
    for (let executions = 0; left > 0; executions++) {
      const resting = book.meets(side, limit);
      if (resting === no_order) break;
      if (executions === events_max - 1) return;
      const executed = Math.min(left, orders.quantity[resting] as number);
      // One order's executions, and what is left of it, are one event.
      if (executions > 0) batch.goesOn();
      batch.execute(instrument, orders.id[resting] as number, executed, ++this.#match);
      this.#count(1);
      left -= executed;
      orders.quantity[resting] = (orders.quantity[resting] as number) - executed;
      if (orders.quantity[resting] === 0) this.#remove(resting);
    }
    if (left === 0 || orders.liveCount === orders.capacity) return;
    if (left < quantity) batch.goesOn();
    const slot = orders.take(++this.#id, instrument, side, limit, left);
    book.add(slot);
    batch.add(instrument, this.#id, side, limit, left);
    this.#count(1);
  }

  cancel(slot: number, batch: EventBatch): void {
    batch.delete(this.orders.instrument[slot] as number, this.orders.id[slot] as number);
    this.#remove(slot);
    this.#count(1);
  }

  /** Less of it, in its place. */
  reduce(slot: number, quantity: number, batch: EventBatch): void {
    const { orders } = this;
    orders.quantity[slot] = (orders.quantity[slot] as number) - quantity;
    batch.cancel(orders.instrument[slot] as number, orders.id[slot] as number, quantity);
    this.#count(1);
  }

  /** Another limit and quantity, behind all that stand there. */
  replace(slot: number, limit: number, quantity: number, batch: EventBatch): void {
    const { orders } = this;
    const instrument = orders.instrument[slot] as number;
    const side = orders.side[slot] as Side;
    const book = this.#books[instrument] as Book;
    if (book.meets(side, limit) !== no_order) {
      this.cancel(slot, batch);
      this.enter(instrument, side, limit, quantity, batch);
      return;
    }
    const old = orders.id[slot] as number;
    this.#remove(slot);
    const fresh = orders.take(++this.#id, instrument, side, limit, quantity);
    book.add(fresh);
    batch.replace(instrument, old, this.#id, limit, quantity);
    this.messages += 2;
    this.events++;
  }

  /** FNV-1a over every order: instrument, side, price, id, quantity; bids first, best price first, in queue order. */
  hash(): string {
    const { orders } = this;
    let hash = fnv_basis;
    const take = (word: number | undefined) => {
      for (let rest = BigInt(word ?? 0), byte = 0; byte < 8; byte++, rest >>= 8n)
        hash = ((hash ^ (rest & 0xffn)) * fnv_prime) & mask;
    };
    for (let instrument = 1; instrument <= this.instruments; instrument++)
      for (const side of [bid, ask])
        for (const slot of (this.#books[instrument] as Book).slots(side))
          for (const word of [instrument, side, orders.price[slot], orders.id[slot], orders.quantity[slot]]) take(word);
    return hash.toString(16).padStart(16, '0');
  }

  #remove(slot: number): void {
    (this.#books[this.orders.instrument[slot] as number] as Book).remove(slot);
    this.orders.free(slot);
  }

  #count(events: number): void {
    this.messages += events;
    this.events += events;
  }
}
