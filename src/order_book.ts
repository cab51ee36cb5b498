/** Order books in the caller's own hands: synchronous, no network. */
import {
  type Depth,
  type Level,
  type PlacedOrder,
  type QueuedOrder,
  type SideName,
  type StatusName,
  side_numbers,
  status_names,
} from './book_types.js';
import { type LimitsOptions, type LimitsOptionsInput, limitsOptions, parseOptions } from './config.js';
import type { DepthColumns } from './depth_columns.js';
import { DepthReader } from './depth_reader.js';
import { addon, type NativeBooks } from './native.js';
import { nativeLimits } from './native_limits.js';
import { Kind, message_flags } from './updates.js';

/** What became of a message: "applied", or why the books refused it and stay as they were. */
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

/** An order as messages name it: ids are unique over all instruments. */
export interface OrderKey {
  /** From 1. */
  instrument: number;
  side: SideName;
  /** 0 to 2^64 - 1. */
  id: bigint;
}

export interface OrderInput extends OrderKey {
  /** Scaled; -2^63 to 2^63 - 1. */
  price: bigint;
  /** Scaled; 1 to 2^64 - 1. */
  quantity: bigint;
}

const levels_all = 0xffff_ffff;

function unsigned64(name: string, value: bigint): bigint {
  if (value !== BigInt.asUintN(64, value)) throw new RangeError(`${name} is ${value}, expected 0 to 2^64 - 1`);
  return value;
}

function signed64(name: string, value: bigint): bigint {
  if (value !== BigInt.asIntN(64, value)) throw new RangeError(`${name} is ${value}, expected -2^63 to 2^63 - 1`);
  return value;
}

function unsigned32(name: string, value: number): number {
  if (value !== value >>> 0) throw new RangeError(`${name} is ${value}, expected a whole number from 0 to 2^32 - 1`);
  return value;
}

/**
 * The very books that distributors and clients keep. All memory is reserved by the constructor. Threads: one. Values
 * that do not fit their field throw RangeError and change nothing; what the books refuse is a result.
 */
export class OrderBooks {
  readonly limits: LimitsOptions;
  readonly #native: NativeBooks;
  readonly #depth: DepthReader;
  readonly #words = new BigInt64Array(4);
  #sequence = 0n;

  /** Throws ConfigError for wrong limits, Error where there is not so much memory. */
  constructor(limits: LimitsOptionsInput = {}) {
    this.limits = parseOptions(limitsOptions, limits, 'limits');
    this.#native = new addon.Books(nativeLimits(this.limits));
    this.#depth = new DepthReader(this.#native.depth.bind(this.#native), this.limits.depthLevels);
  }

  /** Number of the last message, from 1; refused ones count. It is the priority of an order that took a new place. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /** Over all instruments. */
  get liveOrders(): number {
    return this.#native.liveOrders();
  }

  /** Puts an order at the end of its price's queue. */
  add({ instrument, side, id, price, quantity }: OrderInput): ApplyResult {
    return this.#apply(Kind.add, instrument, side_numbers[side], 0, id, price, quantity);
  }

  /** Gives an order a new price and quantity, at the end of its queue; with `keepPriority` only a new quantity. */
  modify({
    instrument,
    side,
    id,
    price,
    quantity,
    keepPriority,
  }: OrderInput & { keepPriority?: boolean }): ApplyResult {
    const flags = keepPriority === true ? message_flags.priority_kept : 0;
    return this.#apply(Kind.modify, instrument, side_numbers[side], flags, id, price, quantity);
  }

  delete({ instrument, side, id }: OrderKey): ApplyResult {
    return this.#apply(Kind.delete_order, instrument, side_numbers[side], 0, id, 0n, 0n);
  }

  /** Takes so much from an order, and the order away when nothing is left. */
  execute({ instrument, side, id, quantity }: OrderKey & { quantity: bigint }): ApplyResult {
    return this.#apply(Kind.execute, instrument, side_numbers[side], 0, id, 0n, quantity);
  }

  /** Takes all orders of one instrument away; 0: of all instruments. */
  clear(instrument: number): ApplyResult {
    return this.#apply(Kind.clear, instrument, 0, 0, 0n, 0n, 0n);
  }

  status(instrument: number, status: StatusName): ApplyResult {
    return this.#apply(Kind.status, instrument, 0, 0, 0n, 0n, BigInt(status_names.indexOf(status)));
  }

  /** Shows what has changed to depth(); `timeNs` is the event's time. */
  endEvent(timeNs: bigint): void {
    this.#native.endEvent(this.#sequence, signed64('timeNs', timeNs));
  }

  /** Best first; every level unless `limit` says how many. Throws RangeError past the limit of instruments. */
  levels(instrument: number, side: SideName, limit: number = levels_all): Level[] {
    const wanted = limit >= levels_all ? levels_all : unsigned32('limit', limit);
    const flat = this.#native.levels(unsigned32('instrument', instrument), side_numbers[side], wanted);
    const levels: Level[] = [];
    for (let word = 0; word < flat.length; word += 3)
      levels.push({
        price: flat[word] ?? 0n,
        quantity: BigInt.asUintN(64, flat[word + 1] ?? 0n),
        orders: Number(flat[word + 2]),
      });
    return levels;
  }

  best(instrument: number, side: SideName): Level | undefined {
    return this.levels(instrument, side, 1)[0];
  }

  /** Orders of one level in queue order; none where there is no such level. */
  orders(instrument: number, side: SideName, price: bigint): QueuedOrder[] {
    const wanted = signed64('price', price);
    const flat = this.#native.orders(unsigned32('instrument', instrument), side_numbers[side], wanted);
    const orders: QueuedOrder[] = [];
    for (let word = 0; word < flat.length; word += 3)
      orders.push({ id: flat[word] ?? 0n, quantity: flat[word + 1] ?? 0n });
    return orders;
  }

  /** An order with its place in its level's queue; undefined where it does not live. */
  order(id: bigint): (PlacedOrder & { instrument: number }) | undefined {
    const place = this.#native.order(unsigned64('id', id));
    if (place === undefined) return undefined;
    const { instrument, price, quantity, ordersAhead, quantityAhead } = place;
    const side = place.side === side_numbers.bid ? 'bid' : 'ask';
    return { instrument, side, id, price, quantity, ordersAhead, quantityAhead };
  }

  /** As of the last endEvent(); at most limits.depthLevels levels. */
  depth(instrument: number, levels?: number): Depth | undefined {
    return this.#depth.read(unsigned32('instrument', instrument), levels);
  }

  /** The same into memory that is used again, making no object. False for an unknown instrument. */
  readDepth(instrument: number, columns: DepthColumns): boolean {
    return this.#depth.readInto(unsigned32('instrument', instrument), columns);
  }

  /** Of one instrument; 0: of all. docs/protocol.md says how it is made. */
  digest(instrument: number): bigint {
    return this.#native.digest(unsigned32('instrument', instrument));
  }

  /** Walks everything and compares: the first contradiction; undefined where there is none. */
  audit(): string | undefined {
    return this.#native.audit() || undefined;
  }

  #apply(
    kind: Kind,
    instrument: number,
    side: number,
    flags: number,
    id: bigint,
    price: bigint,
    quantity: bigint,
  ): ApplyResult {
    const words = this.#words;
    unsigned32('instrument', instrument);
    words[0] = unsigned64('id', id);
    words[1] = signed64('price', price);
    words[2] = unsigned64('quantity', quantity);
    words[3] = ++this.#sequence;
    return addon.applyResultNames[this.#native.apply(kind, instrument, side, flags, words)] as ApplyResult;
  }
}
