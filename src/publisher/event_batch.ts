/** Events of an engine, written into memory that is used again: no object and no bigint for each of them. */

import { batchFrameBytes, definition_bytes, event_bytes, trade_bytes, writeBatchFrame } from './batch_layout.js';
import {
  checkFields,
  checkPart,
  checkRange,
  checkSigned,
  checkUnsigned,
  type EngineAuction,
  type EngineDefinition,
  type EngineReference,
  type EngineSide,
  type EngineStatus,
  type EngineTradeFields,
  type EngineTradeKind,
  engineSide,
  engineTradeKind,
  letters,
  type Whole,
  writeFields,
} from './event_values.js';
import { parseSymbol } from './symbol.js';

export * from './event_values.js';

const kind = {
  add: 1,
  execute: 2,
  cancel: 3,
  delete: 4,
  replace: 5,
  status: 6,
  reference: 7,
  trade: 8,
  definition: 9,
  clear: 10,
  delist: 11,
  limits: 12,
} as const;
const bit = { detail: 1, nonPrintable: 2, atPrice: 4, goesOn: 8 } as const;

// Words of 32 bits within an event: every 64-bit field is two of them.
const order_id = 0;
const detail = 2;
const price_at = 4;
const quantity_at = 6;
const time_at = 8;
const instrument_at = 10;
const kind_byte = 44;
const event_words = event_bytes / 4;
const two_32 = 4_294_967_296;
const low_mask = 0xffff_ffffn;

/** Grows where one more would not fit. */
function roomFor(memory: Uint8Array, used: number, more: number): Uint8Array {
  if (used + more <= memory.byteLength) return memory;
  const grown = new Uint8Array(Math.max(2 * memory.byteLength, used + more));
  grown.set(memory.subarray(0, used));
  return grown;
}

/**
 * Threads: one. The methods that write an event return false where the batch is full, and nothing was written then; they
 * throw RangeError for what no event can hold. Whether an event fits the book is found out by the distributor.
 */
export class EventBatch {
  readonly capacity: number;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  #trades: Uint8Array = new Uint8Array(0);
  #definitions: Uint8Array = new Uint8Array(0);
  #trade_count = 0;
  #definition_count = 0;
  #count = 0;
  #begin = 0;
  #trade_begin = 0;
  #definition_begin = 0;
  #time_low = 0;
  #time_high = 0;

  /** `capacity`: events, 1 to 16,384 (what a distributor takes by default). */
  constructor(capacity = 1_024) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 16_384)
      throw new RangeError(`capacity is ${capacity}, expected a whole number from 1 to 16384`);
    this.capacity = capacity;
    this.#words = new Uint32Array(capacity * event_words);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** Events that have not been taken yet. */
  get count(): number {
    return this.#count - this.#begin;
  }

  get full(): boolean {
    return this.#count === this.capacity;
  }

  clear(): void {
    this.#count = this.#begin = 0;
    this.#trade_count = this.#trade_begin = 0;
    this.#definition_count = this.#definition_begin = 0;
  }

  /** CLOCK_REALTIME of the events that follow, in ns. */
  setTime(time_ns: bigint): void {
    if (time_ns < 0n || time_ns >= 2n ** 62n) throw new RangeError(`time is ${time_ns}, expected 0 to 2^62 - 1 ns`);
    this.#time_low = Number(time_ns & low_mask);
    this.#time_high = Number(time_ns >> 32n);
  }

  /** The same in seconds and ns of the second, without a bigint. */
  setTimeParts(seconds: number, nanoseconds: number): void {
    if (!Number.isInteger(seconds) || seconds < 0 || seconds >= 2 ** 32)
      throw new RangeError(`seconds are ${seconds}, expected a whole number from 0 to 2^32 - 1`);
    if (!Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds >= 1e9)
      throw new RangeError(`nanoseconds are ${nanoseconds}, expected a whole number from 0 to 999999999`);
    // In halves of 16 bits, so that each product is exact.
    const low = (seconds & 0xffff) * 1e9 + nanoseconds;
    const high = Math.floor(seconds / 65_536) * 1e9;
    const sum = low + (high % 65_536) * 65_536;
    this.#time_low = sum % two_32;
    this.#time_high = Math.floor(high / 65_536) + Math.floor(sum / two_32);
  }

  /** Tells what an instrument is, before its first order; `instrument`: the engine's own number, 1 to 65,535. */
  define(instrument: number, definition: EngineDefinition): boolean {
    const [first, second] = parseSymbol(definition.symbol);
    const { lotSize = 1, priceIncrement = 0, priceLow = 0, priceHigh = 0 } = definition;
    if (instrument < 1 || instrument > 0xffff)
      throw new RangeError(`instrument is ${instrument}, expected a whole number from 1 to 65535`);
    checkRange(priceLow, priceHigh);
    checkPart(lotSize, 'lot size', 0, two_32 - 1);
    checkPart(priceIncrement, 'price increment', 0, two_32 - 1);
    checkPart(definition.priceExponent ?? 0, 'price exponent', -128, 127);
    checkPart(definition.quantityExponent ?? 0, 'quantity exponent', -128, 127);
    if (this.full) return false;
    const at = this.#definition_count * definition_bytes;
    this.#definitions = roomFor(this.#definitions, at, definition_bytes);
    const view = new DataView(this.#definitions.buffer, at, definition_bytes);
    view.setBigUint64(0, first, true);
    view.setBigUint64(8, second, true);
    view.setBigInt64(16, BigInt(priceLow), true);
    view.setBigInt64(24, BigInt(priceHigh), true);
    view.setUint32(32, lotSize, true);
    view.setUint32(36, priceIncrement, true);
    view.setInt8(40, definition.priceExponent ?? 0);
    view.setInt8(41, definition.quantityExponent ?? 0);
    view.setUint16(42, 0, true);
    view.setUint32(44, 0, true);
    this.#event(kind.definition, instrument, 0, 0, 0, 0, 0, 0);
    this.#definition_count++;
    return true;
  }

  /** A new order at the end of its queue. `attribution`: what the engine wants to tell of its owner; none where left out. */
  add(
    instrument: number,
    orderId: Whole,
    side: EngineSide,
    price: Whole,
    quantity: Whole,
    attribution?: Whole,
  ): boolean {
    if (this.full) return false;
    const bits = attribution === undefined ? 0 : bit.detail;
    this.#event(kind.add, instrument, orderId, attribution ?? 0, price, quantity, side, bits);
    return true;
  }

  /** A resting order has traded, at its price unless `price` says another. `match`: the trade's number. */
  execute(
    instrument: number,
    orderId: Whole,
    quantity: Whole,
    match?: Whole,
    price?: Whole,
    printable = true,
  ): boolean {
    if (this.full) return false;
    const bits =
      (match === undefined ? 0 : bit.detail) |
      (price === undefined ? 0 : bit.atPrice) |
      (printable ? 0 : bit.nonPrintable);
    this.#event(kind.execute, instrument, orderId, match ?? 0, price ?? 0, quantity, 0, bits);
    return true;
  }

  /** So much is taken away from an order, which keeps its place. */
  cancel(instrument: number, orderId: Whole, quantity: Whole): boolean {
    if (this.full) return false;
    this.#event(kind.cancel, instrument, orderId, 0, 0, quantity, 0, 0);
    return true;
  }

  delete(instrument: number, orderId: Whole): boolean {
    if (this.full) return false;
    this.#event(kind.delete, instrument, orderId, 0, 0, 0, 0, 0);
    return true;
  }

  /** An order gets another id, price and quantity, and loses its place. */
  replace(instrument: number, orderId: Whole, newOrderId: Whole, price: Whole, quantity: Whole): boolean {
    if (this.full) return false;
    this.#event(kind.replace, instrument, orderId, newOrderId, price, quantity, 0, 0);
    return true;
  }

  /** `reason`: the engine's own. */
  status(instrument: number, status: EngineStatus, reason: Whole = 0): boolean {
    if (this.full) return false;
    this.#event(kind.status, instrument, 0, reason, 0, status, 0, bit.detail);
    return true;
  }

  /** From which price to which orders may stand from now on; 0 and 0: anywhere. What stands already, stays. */
  limits(instrument: number, low: Whole, high: Whole): boolean {
    checkRange(low, high);
    if (this.full) return false;
    this.#event(kind.limits, instrument, 0, BigInt.asUintN(64, BigInt(high)), low, 0, 0, 0);
    return true;
  }

  /** Every order of the instrument goes; of instrument 0: every order. */
  clearBook(instrument: number): boolean {
    if (this.full) return false;
    this.#event(kind.clear, instrument, 0, 0, 0, 0, 0, 0);
    return true;
  }

  /** The same, and it takes no more orders until it is defined again. */
  delist(instrument: number): boolean {
    if (this.full) return false;
    this.#event(kind.delist, instrument, 0, 0, 0, 0, 0, 0);
    return true;
  }

  /** What readers are told and no book holds; its values: docs/protocol.md, "Reference messages". Instrument 0: of the channel. */
  reference(
    instrument: number,
    what: EngineReference,
    value1: Whole = 0,
    value2: Whole = 0,
    value3: Whole = 0,
  ): boolean {
    if (this.full) return false;
    this.#event(kind.reference, instrument, value1, 0, value2, value3, what, 0);
    return true;
  }

  /** A trade that executed no order of the book (else: execute). `code`: the engine's own. */
  trade(
    instrument: number,
    tradeKind: EngineTradeKind,
    tradeId: Whole,
    price: Whole,
    quantity: Whole,
    code = 0,
    fields?: EngineTradeFields,
  ): boolean {
    if (fields !== undefined) checkFields(fields);
    checkPart(code, 'code', 0, two_32 - 1);
    if (this.full) return false;
    const at = this.#trade_count * trade_bytes;
    this.#trades = roomFor(this.#trades, at, trade_bytes);
    this.#trades.fill(0, at, at + trade_bytes);
    const view = new DataView(this.#trades.buffer, at, trade_bytes);
    view.setUint32(40, code, true);
    if (fields !== undefined) writeFields(view, fields);
    this.#event(kind.trade, instrument, tradeId, 0, price, quantity, fields?.side ?? 0, 0, tradeKind);
    this.#trade_count++;
    return true;
  }

  /** Before an auction: its indicative prices, what is paired there, and what is left over. */
  auction(instrument: number, { reference, paired, imbalance = 0, side, ...more }: EngineAuction): boolean {
    const direction = side === undefined ? 'N' : side === engineSide.bid ? 'B' : 'S';
    const code = letters(direction, more.type ?? ' ', more.variation ?? ' ');
    const fields = { quantity2: imbalance, price2: more.near ?? 0, price3: more.far ?? 0 };
    return this.trade(instrument, engineTradeKind.auction, 0, reference, paired, code, fields);
  }

  /** @internal Bytes of the frame that seal() writes. */
  frameBytes(): number {
    return batchFrameBytes(this.#parts(0n));
  }

  /** @internal Writes what has not been taken as a frame, from byte `at` on; returns its bytes. */
  seal(to: Uint8Array, at: number, first: bigint): number {
    return writeBatchFrame(to, at, this.#parts(first));
  }

  /**
   * The event written last belongs to the next one: readers apply all of them at once, as the executions and the rest of one
   * order. Not for definitions and limits, and the next one must come into the same batch. Throws RangeError.
   */
  goesOn(): void {
    const at = (this.#count - 1) * event_words + instrument_at + 1;
    const which = (this.#words[at] as number) & 0xff;
    if (this.count === 0 || which === kind.definition || which === kind.limits)
      throw new RangeError('expected an event before that is neither definition nor limits');
    this.#words[at] = (this.#words[at] as number) | (bit.goesOn << 24);
  }

  /** Drops the first `count` events: an engine that makes its day again leaves out what the distributor has. */
  skip(count: number): void {
    if (!Number.isInteger(count) || count < 0 || count > this.count)
      throw new RangeError(`count is ${count}, expected a whole number from 0 to ${this.count}`);
    for (let index = this.#begin; index < this.#begin + count; index++) {
      const which = this.#bytes[index * event_bytes + kind_byte];
      if (which === kind.trade) this.#trade_begin++;
      if (which === kind.definition) this.#definition_begin++;
    }
    this.#begin += count;
    if (this.#begin === this.#count) this.clear();
  }

  #parts(first: bigint) {
    const part = (memory: Uint8Array, begin: number, end: number, struct_bytes: number) =>
      memory.subarray(begin * struct_bytes, end * struct_bytes);
    return {
      first,
      events: part(this.#bytes, this.#begin, this.#count, event_bytes),
      trades: part(this.#trades, this.#trade_begin, this.#trade_count, trade_bytes),
      definitions: part(this.#definitions, this.#definition_begin, this.#definition_count, definition_bytes),
    };
  }

  #event(
    which: number,
    instrument: number,
    orderId: Whole,
    detailValue: Whole,
    price: Whole,
    quantity: Whole,
    side: number,
    bits: number,
    tradeKind = 0,
  ): void {
    if (!Number.isInteger(instrument) || instrument < 0 || instrument > 0xffff_ffff)
      throw new RangeError(`instrument is ${instrument}, expected a whole number from 0 to 4294967295`);
    checkUnsigned(orderId, 'order id');
    checkUnsigned(detailValue, 'detail');
    checkSigned(price, 'price');
    checkUnsigned(quantity, 'quantity');
    const words = this.#words;
    const at = this.#count * event_words;
    this.#put(at + order_id, orderId);
    this.#put(at + detail, detailValue);
    this.#put(at + price_at, price);
    this.#put(at + quantity_at, quantity);
    words[at + time_at] = this.#time_low;
    words[at + time_at + 1] = this.#time_high;
    words[at + instrument_at] = instrument;
    words[at + instrument_at + 1] = which | (side << 8) | (tradeKind << 16) | (bits << 24);
    this.#count++;
  }

  // Two's complement of 64 bits; stores into the array are modulo 2^32.
  #put(at: number, value: Whole): void {
    const words = this.#words;
    if (typeof value === 'number') {
      words[at] = value;
      words[at + 1] = Math.floor(value / two_32);
    } else {
      words[at] = Number(value & low_mask);
      words[at + 1] = Number((value >> 32n) & low_mask);
    }
  }
}
