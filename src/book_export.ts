/** All books of a channel, or one, as they stood at the end of one event. */
import {
  type InstrumentInfo,
  type InstrumentStateName,
  instrument_state_names,
  type Level,
  type PlacedOrder,
  type QueuedOrder,
  type SideName,
  type StatusName,
  statusName,
} from './book_types.js';
import { instrumentNames } from './instruments.js';
import type { NativeExport } from './native.js';

export interface ExportedInstrument extends InstrumentInfo {
  state: InstrumentStateName;
  status: StatusName;
  digest: bigint;
  instrumentSequence: number;
  liveOrders: number;
  bidLevels: number;
  askLevels: number;
}

interface Place {
  instrument: ExportedInstrument;
  /** Index of its first level, bids first, then asks. */
  level: number;
}

/** Immutable. Its memory is its own: it stays as it is while the feed goes on. */
export class BookExport {
  readonly session: bigint;
  /** The last message included. */
  readonly sequence: bigint;
  /** Position in the source of that message, or the one that was asked for. */
  readonly position: bigint;
  /** Of all instruments of the channel, also where only one is exported. */
  readonly digest: bigint;
  /** Nothing is missing: every instrument is live. */
  readonly whole: boolean;
  /** Each level's orders are here. */
  readonly withOrders: boolean;
  /** By instrument number. */
  readonly instruments: readonly ExportedInstrument[];
  readonly #native: NativeExport;
  readonly #places = new Map<number | string, Place>();
  /** For each level the index of its first order; made when first needed. */
  #firstOrders: Float64Array | undefined;

  constructor(native: NativeExport, withOrders: boolean) {
    this.#native = native;
    this.session = native.session;
    this.sequence = native.sequence;
    this.position = native.position;
    this.digest = native.digest;
    this.whole = native.whole;
    this.withOrders = withOrders;
    const names = instrumentNames(native.instruments);
    const instruments: ExportedInstrument[] = [];
    let level = 0;
    for (const { state, status, ...rest } of native.instruments) {
      const instrument: ExportedInstrument = {
        ...rest,
        name: names.get(rest.instrument) ?? '',
        state: instrument_state_names[state] ?? 'stale',
        status: statusName(status),
      };
      const place = { instrument, level };
      level += rest.bidLevels + rest.askLevels;
      // Instrument 0 is the channel itself: it has no book.
      if (rest.instrument === 0) continue;
      instruments.push(instrument);
      this.#places.set(instrument.instrument, place).set(instrument.name, place);
    }
    this.instruments = instruments.sort((a, b) => a.instrument - b.instrument);
  }

  /** By number or name. */
  instrument(key: number | string): ExportedInstrument | undefined {
    return this.#places.get(key)?.instrument;
  }

  /** Best first; none for an unknown instrument. */
  levels(key: number | string, side: SideName, limit = Number.POSITIVE_INFINITY): Level[] {
    const [first, count] = this.#span(key, side);
    const levels: Level[] = [];
    for (let index = first; index < first + Math.min(count, limit); index++) levels.push(this.#level(index));
    return levels;
  }

  /** Orders of one level in queue order; none where there is no such level. Throws Error without orders. */
  orders(key: number | string, side: SideName, price: bigint): QueuedOrder[] {
    const [first, count] = this.#span(key, side);
    for (let index = first; index < first + count; index++)
      if (this.#native.levelPrice[index] === price) return this.#ordersOf(index);
    return [];
  }

  /** Each level with its orders in queue order, best first; one at a time, for books of any size. */
  *queues(key: number | string, side: SideName): Generator<Level & { queue: QueuedOrder[] }> {
    const [first, count] = this.#span(key, side);
    for (let index = first; index < first + count; index++)
      yield { ...this.#level(index), queue: this.#ordersOf(index) };
  }

  /** One order with its place in the queue; undefined where it does not live. Throws Error without orders. */
  order(key: number | string, id: bigint): PlacedOrder | undefined {
    for (const side of ['bid', 'ask'] as const) {
      const [first, count] = this.#span(key, side);
      for (let index = first; index < first + count; index++) {
        const found = this.#orderIn(index, id);
        if (found !== undefined) return { side, price: this.#native.levelPrice[index] ?? 0n, ...found };
      }
    }
    return undefined;
  }

  #orderIn(level: number, id: bigint): Omit<PlacedOrder, 'side' | 'price'> | undefined {
    const [first, count] = this.#orderSpan(level);
    let quantityAhead = 0n;
    for (let index = first; index < first + count; index++) {
      const quantity = this.#native.orderQuantity[index] ?? 0n;
      if (this.#native.orderId[index] === id) return { id, quantity, ordersAhead: index - first, quantityAhead };
      quantityAhead += quantity;
    }
    return undefined;
  }

  #span(key: number | string, side: SideName): [first: number, count: number] {
    const place = this.#places.get(key);
    if (place === undefined) return [0, 0];
    const { bidLevels, askLevels } = place.instrument;
    return side === 'bid' ? [place.level, bidLevels] : [place.level + bidLevels, askLevels];
  }

  #level(index: number): Level {
    return {
      price: this.#native.levelPrice[index] ?? 0n,
      quantity: this.#native.levelQuantity[index] ?? 0n,
      orders: this.#native.levelOrders[index] ?? 0,
    };
  }

  #orderSpan(level: number): [first: number, count: number] {
    if (!this.withOrders) throw new Error('this export was made without orders');
    this.#firstOrders ??= this.#sumOrders();
    return [this.#firstOrders[level] ?? 0, this.#native.levelOrders[level] ?? 0];
  }

  #sumOrders(): Float64Array {
    const counts = this.#native.levelOrders;
    const firsts = new Float64Array(counts.length);
    for (let index = 1; index < counts.length; index++)
      firsts[index] = (firsts[index - 1] ?? 0) + (counts[index - 1] ?? 0);
    return firsts;
  }

  #ordersOf(level: number): QueuedOrder[] {
    const [first, count] = this.#orderSpan(level);
    const orders: QueuedOrder[] = [];
    for (let index = first; index < first + count; index++)
      orders.push({ id: this.#native.orderId[index] ?? 0n, quantity: this.#native.orderQuantity[index] ?? 0n });
    return orders;
  }
}
