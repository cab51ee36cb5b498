/**
 * Every L3 book of one channel: each order, queue order within each level, totals, digests. Applies and refuses exactly
 * what native/book/book.cc does. No BigInt on the way of a message; callers get them.
 */
import type { Level, QueuedOrder } from '../book_types.js';
import { LevelColumns, OrderColumns } from './book_columns.js';
import { orderIdentity, orderTerm, statusTerm } from './digest.js';
import { add, bigintOf, compare, compareSigned, high, highOf, low, lowOf, signedBigintOf, subtract } from './int64.js';
import { type BookMessage, flags, kinds, sides } from './messages.js';
import { OrderTable } from './order_table.js';

export type ApplyResult =
  | 'applied'
  | 'not_book_affecting'
  | 'unknown_order'
  | 'duplicate_order'
  | 'over_execution'
  | 'invalid_quantity'
  | 'invalid_side'
  | 'wrong_instrument'
  | 'wrong_price'
  | 'unknown_instrument'
  | 'order_limit'
  | 'level_limit'
  | 'quantity_overflow'
  | 'unknown_kind';

export interface BookLimits {
  /** Live orders over all instruments; levels as many. */
  orders: number;
  /** Instruments are numbered 1 … instruments. */
  instruments: number;
}

/** Levels worst first, so that most changes happen at the end. */
interface Side {
  levels: number[];
}

interface Instrument {
  sequence: number;
  status: number;
  digestHigh: number;
  digestLow: number;
  liveOrders: number;
  bid: Side;
  ask: Side;
}

function emptyInstrument(): Instrument {
  return {
    sequence: 0,
    status: 0,
    digestHigh: 0,
    digestLow: 0,
    liveOrders: 0,
    bid: { levels: [] },
    ask: { levels: [] },
  };
}

const nothing: Readonly<Instrument> = Object.freeze(emptyInstrument());

/** Threads: one. Memory grows with what lives, up to the limits. */
export class Book {
  digestHigh = 0;
  digestLow = 0;
  liveOrders = 0;
  liveLevels = 0;
  readonly #orders = new OrderColumns();
  readonly #levels = new LevelColumns();
  readonly #table = new OrderTable(this.#orders);
  readonly #instruments: (Instrument | undefined)[] = [];

  constructor(readonly limits: BookLimits) {}

  /** `sequence` is the message's number: the priority that it may give. */
  apply(message: BookMessage, sequence: number): ApplyResult {
    if (message.instrument > this.limits.instruments) return 'unknown_instrument';
    switch (message.kind) {
      case kinds.add:
        return this.add(message, highOf(sequence), lowOf(sequence));
      case kinds.modify:
      case kinds.delete_order:
      case kinds.execute:
        return this.#applyToOrder(message, sequence);
      case kinds.clear:
        return this.#clear(message.instrument);
      case kinds.status:
        if (message.instrument === 0) return 'not_book_affecting';
        this.setStatus(message.instrument, message.quantityLow & 0xff);
        return 'applied';
      case kinds.reference:
        return 'not_book_affecting';
      default:
        return 'unknown_kind';
    }
  }

  add(message: BookMessage, priority_high: number, priority_low: number): ApplyResult {
    if (this.liveOrders === this.limits.orders) return 'order_limit';
    if (this.#table.find(message.idHigh, message.idLow) !== -1) return 'duplicate_order';
    const { instrument, side } = message;
    if (instrument === 0 || instrument > this.limits.instruments) return 'unknown_instrument';
    if (side !== sides.bid && side !== sides.ask) return 'invalid_side';
    if (message.quantityHigh === 0 && message.quantityLow === 0) return 'invalid_quantity';
    const level = this.#findLevel(message);
    if (level === -1) {
      if (this.liveLevels === this.limits.orders) return 'level_limit';
    } else if (this.#overflows(level, 0, 0, message)) {
      return 'quantity_overflow';
    }
    const slot = this.#orders.take();
    this.#orders.idHigh[slot] = message.idHigh;
    this.#orders.idLow[slot] = message.idLow;
    this.#table.insert(slot);
    this.liveOrders++;
    this.#own(instrument).liveOrders++;
    this.#placeOrder(message, slot, priority_high, priority_low);
    return 'applied';
  }

  instrumentSequence(instrument: number): number {
    return this.#look(instrument).sequence;
  }

  setInstrumentSequence(instrument: number, sequence: number): void {
    this.#own(instrument).sequence = sequence;
  }

  status(instrument: number): number {
    return this.#look(instrument).status;
  }

  setStatus(instrument: number, status: number): void {
    const owner = this.#own(instrument);
    statusTerm(instrument, owner.status);
    this.#takeTerm(owner, high, low);
    statusTerm(instrument, status);
    this.#giveTerm(owner, high, low);
    owner.status = status;
  }

  liveOrdersOf(instrument: number): number {
    return this.#look(instrument).liveOrders;
  }

  instrumentDigestEquals(instrument: number, word_high: number, word_low: number): boolean {
    const { digestHigh, digestLow } = this.#look(instrument);
    return compare(digestHigh, digestLow, word_high, word_low) === 0;
  }

  digestEquals(word_high: number, word_low: number): boolean {
    return compare(this.digestHigh, this.digestLow, word_high, word_low) === 0;
  }

  digest(): bigint {
    return bigintOf(this.digestHigh, this.digestLow);
  }

  instrumentDigest(instrument: number): bigint {
    const { digestHigh, digestLow } = this.#look(instrument);
    return bigintOf(digestHigh, digestLow);
  }

  /** Best first. */
  levels(instrument: number, side: 'bid' | 'ask', limit = Number.POSITIVE_INFINITY): Level[] {
    const { levels } = this.#look(instrument)[side];
    const shown: Level[] = [];
    for (let index = levels.length - 1; index >= 0 && shown.length < limit; index--)
      shown.push(this.#showLevel(levels[index] as number));
    return shown;
  }

  /** Each level with its orders in queue order, best first. */
  *queues(instrument: number, side: 'bid' | 'ask'): Generator<Level & { queue: QueuedOrder[] }> {
    const { levels } = this.#look(instrument)[side];
    for (const level of levels.slice().reverse()) {
      const queue: QueuedOrder[] = [];
      const { idHigh, idLow, quantityHigh, quantityLow, next } = this.#orders;
      for (let slot = this.#levels.head[level] as number; slot !== -1; slot = next[slot] as number)
        queue.push({
          id: bigintOf(idHigh[slot] as number, idLow[slot] as number),
          quantity: bigintOf(quantityHigh[slot] as number, quantityLow[slot] as number),
        });
      yield { ...this.#showLevel(level), queue };
    }
  }

  /** Of the order that was added last to its level: it stands behind everyone whose priority is lower. */
  lastIsInOrder(message: BookMessage): boolean {
    const slot = this.#table.find(message.idHigh, message.idLow);
    const { previous, priorityHigh, priorityLow } = this.#orders;
    const before = previous[slot] as number;
    if (before === -1) return true;
    const [before_high, before_low] = [priorityHigh[before] as number, priorityLow[before] as number];
    return compare(before_high, before_low, priorityHigh[slot] as number, priorityLow[slot] as number) < 0;
  }

  /** Every book empty, every status unknown, every instrument's own number 0. */
  clearAll(): void {
    for (let instrument = 0; instrument < this.#instruments.length; instrument++) {
      const owner = this.#instruments[instrument];
      if (owner === undefined) continue;
      owner.sequence = 0;
      if (owner.liveOrders !== 0) this.#clearInstrument(owner);
      if (owner.status !== 0) this.setStatus(instrument, 0);
    }
  }

  #applyToOrder(message: BookMessage, sequence: number): ApplyResult {
    const slot = this.#table.find(message.idHigh, message.idLow);
    if (slot === -1) return 'unknown_order';
    const level = this.#orders.level[slot] as number;
    if (this.#levels.instrument[level] !== message.instrument || this.#levels.side[level] !== message.side)
      return 'wrong_instrument';
    if (message.kind === kinds.modify) return this.#modify(message, slot, level, sequence);
    if (message.kind === kinds.execute) return this.#execute(message, slot);
    this.#removeOrder(slot);
    return 'applied';
  }

  #modify(message: BookMessage, slot: number, level: number, sequence: number): ApplyResult {
    const { quantityHigh, quantityLow } = this.#orders;
    const [held_high, held_low] = [quantityHigh[slot] as number, quantityLow[slot] as number];
    if (message.quantityHigh === 0 && message.quantityLow === 0) return 'invalid_quantity';
    if ((message.flags & flags.priority_kept) !== 0) {
      const { priceHigh, priceLow } = this.#levels;
      if (priceHigh[level] !== message.priceHigh || priceLow[level] !== message.priceLow) return 'wrong_price';
      if (this.#overflows(level, held_high, held_low, message)) return 'quantity_overflow';
      this.#changeQuantity(slot, message.quantityHigh, message.quantityLow);
      return 'applied';
    }
    const target = this.#findLevel(message);
    if (target === -1) {
      // Its own level goes with it when it is the only order there.
      if (this.liveLevels === this.limits.orders && (this.#levels.orders[level] as number) > 1) return 'level_limit';
    } else {
      const own = target === level;
      if (this.#overflows(target, own ? held_high : 0, own ? held_low : 0, message)) return 'quantity_overflow';
    }
    this.#unlinkOrder(slot);
    this.#placeOrder(message, slot, highOf(sequence), lowOf(sequence));
    return 'applied';
  }

  #execute(message: BookMessage, slot: number): ApplyResult {
    const { quantityHigh, quantityLow } = this.#orders;
    const [held_high, held_low] = [quantityHigh[slot] as number, quantityLow[slot] as number];
    if (message.quantityHigh === 0 && message.quantityLow === 0) return 'invalid_quantity';
    const more = compare(message.quantityHigh, message.quantityLow, held_high, held_low);
    if (more > 0) return 'over_execution';
    if (more === 0) {
      this.#removeOrder(slot);
    } else {
      subtract(held_high, held_low, message.quantityHigh, message.quantityLow);
      this.#changeQuantity(slot, high, low);
    }
    return 'applied';
  }

  #clear(instrument: number): ApplyResult {
    if (instrument !== 0) this.#clearInstrument(this.#look(instrument));
    else for (const owner of this.#instruments) if (owner !== undefined) this.#clearInstrument(owner);
    return 'applied';
  }

  #clearInstrument(owner: Readonly<Instrument>): void {
    for (const { levels } of [owner.bid, owner.ask])
      while (levels.length > 0) this.#removeOrder(this.#levels.head[levels[levels.length - 1] as number] as number);
  }

  #removeOrder(slot: number): void {
    const instrument = this.#levels.instrument[this.#orders.level[slot] as number] as number;
    this.#unlinkOrder(slot);
    this.#table.remove(slot);
    this.#orders.release(slot);
    this.liveOrders--;
    this.#own(instrument).liveOrders--;
  }

  // At the end of its level's queue; the level is made where there is none.
  #placeOrder(message: BookMessage, slot: number, priority_high: number, priority_low: number): void {
    const owner = this.#own(message.instrument);
    const side = message.side === sides.bid ? owner.bid : owner.ask;
    const index = this.#indexOf(side, message);
    const levels = this.#levels;
    let level = this.#levelAt(side, index, message);
    if (level === -1) {
      level = levels.take();
      levels.priceHigh[level] = message.priceHigh;
      levels.priceLow[level] = message.priceLow;
      levels.quantityHigh[level] = 0;
      levels.quantityLow[level] = 0;
      levels.orders[level] = 0;
      levels.head[level] = -1;
      levels.tail[level] = -1;
      levels.instrument[level] = message.instrument;
      levels.side[level] = message.side;
      side.levels.splice(index, 0, level);
      this.liveLevels++;
    }
    const orders = this.#orders;
    const tail = levels.tail[level] as number;
    orders.quantityHigh[slot] = message.quantityHigh;
    orders.quantityLow[slot] = message.quantityLow;
    orders.priorityHigh[slot] = priority_high;
    orders.priorityLow[slot] = priority_low;
    orders.level[slot] = level;
    orders.previous[slot] = tail;
    orders.next[slot] = -1;
    if (tail === -1) levels.head[level] = slot;
    else orders.next[tail] = slot;
    levels.tail[level] = slot;
    this.#addToLevel(level, message.quantityHigh, message.quantityLow);
    levels.orders[level] = (levels.orders[level] as number) + 1;
    this.#computeTerm(slot, level);
    this.#giveTerm(owner, orders.termHigh[slot] as number, orders.termLow[slot] as number);
  }

  // Out of its level, and the level away when that was its last order.
  #unlinkOrder(slot: number): void {
    const orders = this.#orders;
    const levels = this.#levels;
    const level = orders.level[slot] as number;
    const owner = this.#own(levels.instrument[level] as number);
    this.#takeTerm(owner, orders.termHigh[slot] as number, orders.termLow[slot] as number);
    this.#takeFromLevel(level, orders.quantityHigh[slot] as number, orders.quantityLow[slot] as number);
    const left = (levels.orders[level] as number) - 1;
    levels.orders[level] = left;
    if (left === 0) {
      this.#dropLevel(owner, level);
      return;
    }
    const [previous, next] = [orders.previous[slot] as number, orders.next[slot] as number];
    if (previous === -1) levels.head[level] = next;
    else orders.next[previous] = next;
    if (next === -1) levels.tail[level] = previous;
    else orders.previous[next] = previous;
  }

  #dropLevel(owner: Instrument, level: number): void {
    const { priceHigh, priceLow, side: side_of } = this.#levels;
    const side_number = side_of[level] as number;
    const side = side_number === sides.bid ? owner.bid : owner.ask;
    const price = { priceHigh: priceHigh[level] as number, priceLow: priceLow[level] as number, side: side_number };
    side.levels.splice(this.#indexOf(side, price), 1);
    this.#levels.release(level);
    this.liveLevels--;
  }

  #changeQuantity(slot: number, quantity_high: number, quantity_low: number): void {
    const orders = this.#orders;
    const level = orders.level[slot] as number;
    const owner = this.#own(this.#levels.instrument[level] as number);
    this.#takeFromLevel(level, orders.quantityHigh[slot] as number, orders.quantityLow[slot] as number);
    this.#addToLevel(level, quantity_high, quantity_low);
    orders.quantityHigh[slot] = quantity_high;
    orders.quantityLow[slot] = quantity_low;
    this.#takeTerm(owner, orders.termHigh[slot] as number, orders.termLow[slot] as number);
    this.#computeTerm(slot, level);
    this.#giveTerm(owner, orders.termHigh[slot] as number, orders.termLow[slot] as number);
  }

  #computeTerm(slot: number, level: number): void {
    const { idHigh, idLow, quantityHigh, quantityLow, priorityHigh, priorityLow, termHigh, termLow } = this.#orders;
    const { instrument, side, priceHigh, priceLow } = this.#levels;
    orderIdentity(
      instrument[level] as number,
      side[level] as number,
      priceHigh[level] as number,
      priceLow[level] as number,
      idHigh[slot] as number,
      idLow[slot] as number,
    );
    const [quantity_high, quantity_low] = [quantityHigh[slot] as number, quantityLow[slot] as number];
    orderTerm(high, low, quantity_high, quantity_low, priorityHigh[slot] as number, priorityLow[slot] as number);
    termHigh[slot] = high;
    termLow[slot] = low;
  }

  #giveTerm(owner: Instrument, term_high: number, term_low: number): void {
    add(owner.digestHigh, owner.digestLow, term_high, term_low);
    owner.digestHigh = high;
    owner.digestLow = low;
    add(this.digestHigh, this.digestLow, term_high, term_low);
    this.digestHigh = high;
    this.digestLow = low;
  }

  #takeTerm(owner: Instrument, term_high: number, term_low: number): void {
    subtract(owner.digestHigh, owner.digestLow, term_high, term_low);
    owner.digestHigh = high;
    owner.digestLow = low;
    subtract(this.digestHigh, this.digestLow, term_high, term_low);
    this.digestHigh = high;
    this.digestLow = low;
  }

  #addToLevel(level: number, quantity_high: number, quantity_low: number): void {
    const { quantityHigh, quantityLow } = this.#levels;
    add(quantityHigh[level] as number, quantityLow[level] as number, quantity_high, quantity_low);
    quantityHigh[level] = high;
    quantityLow[level] = low;
  }

  #takeFromLevel(level: number, quantity_high: number, quantity_low: number): void {
    const { quantityHigh, quantityLow } = this.#levels;
    subtract(quantityHigh[level] as number, quantityLow[level] as number, quantity_high, quantity_low);
    quantityHigh[level] = high;
    quantityLow[level] = low;
  }

  // Would the level's total, less what it held of the order, and the new quantity be 2^64 or more?
  #overflows(level: number, held_high: number, held_low: number, message: BookMessage): boolean {
    const { quantityHigh, quantityLow } = this.#levels;
    subtract(quantityHigh[level] as number, quantityLow[level] as number, held_high, held_low);
    return compare(high, low, ~message.quantityHigh, ~message.quantityLow) > 0;
  }

  #findLevel(message: BookMessage): number {
    const owner = this.#look(message.instrument);
    const side = message.side === sides.bid ? owner.bid : owner.ask;
    return this.#levelAt(side, this.#indexOf(side, message), message);
  }

  #levelAt(side: Side, index: number, { priceHigh, priceLow }: { priceHigh: number; priceLow: number }): number {
    const level = side.levels[index];
    if (level === undefined) return -1;
    return this.#levels.priceHigh[level] === priceHigh && this.#levels.priceLow[level] === priceLow ? level : -1;
  }

  // Index of the first level that is not worse than that price.
  #indexOf(side: Side, price: { priceHigh: number; priceLow: number; side: number }): number {
    const { priceHigh, priceLow } = this.#levels;
    const better = price.side === sides.bid ? 1 : -1;
    let first = 0;
    let end = side.levels.length;
    while (first < end) {
      const middle = (first + end) >>> 1;
      const level = side.levels[middle] as number;
      const order = compareSigned(
        priceHigh[level] as number,
        priceLow[level] as number,
        price.priceHigh,
        price.priceLow,
      );
      if (order * better < 0) first = middle + 1;
      else end = middle;
    }
    return first;
  }

  #showLevel(level: number): Level {
    const { priceHigh, priceLow, quantityHigh, quantityLow, orders } = this.#levels;
    return {
      price: signedBigintOf(priceHigh[level] as number, priceLow[level] as number),
      quantity: bigintOf(quantityHigh[level] as number, quantityLow[level] as number),
      orders: orders[level] as number,
    };
  }

  #look(instrument: number): Readonly<Instrument> {
    return this.#instruments[instrument] ?? nothing;
  }

  #own(instrument: number): Instrument {
    let owner = this.#instruments[instrument];
    if (owner === undefined) {
      owner = emptyInstrument();
      // No holes in the array: those stay slow.
      while (this.#instruments.length < instrument) this.#instruments.push(undefined);
      this.#instruments[instrument] = owner;
    }
    return owner;
  }
}
