/** One instrument's book of the example engine: a queue of orders on each tick of a ladder. */

/** Prices are 1 to this many ticks. */
export const ticks_max = 4_095;
export const no_order = -1;

export type Side = 1 | 2; // bid, ask: as the events say it
export const bid: Side = 1;
export const ask: Side = 2;

/** The orders of all instruments: columns by slot; slots are used again. */
export class Orders {
  readonly id: Float64Array;
  readonly instrument: Uint16Array;
  readonly side: Uint8Array;
  readonly price: Uint16Array;
  readonly quantity: Uint32Array;
  /** In the queue of its tick. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** Live slots without a gap, to draw from, and where each stands there. */
  readonly live: Int32Array;
  readonly place: Int32Array;
  liveCount = 0;
  #free: number[] = [];
  #used = 0;

  constructor(readonly capacity: number) {
    this.id = new Float64Array(capacity);
    this.instrument = new Uint16Array(capacity);
    this.side = new Uint8Array(capacity);
    this.price = new Uint16Array(capacity);
    this.quantity = new Uint32Array(capacity);
    this.next = new Int32Array(capacity);
    this.previous = new Int32Array(capacity);
    this.live = new Int32Array(capacity);
    this.place = new Int32Array(capacity);
  }

  take(id: number, instrument: number, side: Side, price: number, quantity: number): number {
    const slot = this.#free.pop() ?? this.#used++;
    this.id[slot] = id;
    this.instrument[slot] = instrument;
    this.side[slot] = side;
    this.price[slot] = price;
    this.quantity[slot] = quantity;
    this.place[slot] = this.liveCount;
    this.live[this.liveCount++] = slot;
    return slot;
  }

  free(slot: number): void {
    const place = this.place[slot] as number;
    const last = this.live[--this.liveCount] as number;
    this.live[place] = last;
    this.place[last] = place;
    this.#free.push(slot);
  }
}

export class Book {
  readonly #orders: Orders;
  readonly #first = new Int32Array(ticks_max + 2).fill(no_order);
  readonly #last = new Int32Array(ticks_max + 2).fill(no_order);
  /** Best ticks; 0 and ticks_max + 1: none. Bids lie below asks: each tick has one side. */
  #bid = 0;
  #ask = ticks_max + 1;

  constructor(orders: Orders) {
    this.#orders = orders;
  }

  /** The order that an incoming one at this limit meets first. */
  meets(side: Side, limit: number): number {
    if (side === bid) return this.#ask <= limit ? (this.#first[this.#ask] as number) : no_order;
    return this.#bid >= limit && this.#bid > 0 ? (this.#first[this.#bid] as number) : no_order;
  }

  /** To the end of its queue; it must meet nothing. */
  add(slot: number): void {
    const { price, side, next, previous } = this.#orders;
    const tick = price[slot] as number;
    const last = this.#last[tick] as number;
    next[slot] = no_order;
    previous[slot] = last;
    if (last === no_order) this.#first[tick] = slot;
    else next[last] = slot;
    this.#last[tick] = slot;
    if (side[slot] === bid) this.#bid = Math.max(this.#bid, tick);
    else this.#ask = Math.min(this.#ask, tick);
  }

  remove(slot: number): void {
    const { price, next, previous } = this.#orders;
    const tick = price[slot] as number;
    const [after, before] = [next[slot] as number, previous[slot] as number];
    if (before === no_order) this.#first[tick] = after;
    else next[before] = after;
    if (after === no_order) this.#last[tick] = before;
    else previous[after] = before;
    if (this.#first[tick] !== no_order) return;
    if (tick === this.#bid) while (this.#bid > 0 && this.#first[this.#bid] === no_order) this.#bid--;
    else if (tick === this.#ask) while (this.#ask <= ticks_max && this.#first[this.#ask] === no_order) this.#ask++;
  }

  /** Slots of one side, best price first, in queue order. */
  *slots(side: Side): Generator<number> {
    const step = side === bid ? -1 : 1;
    for (let tick = side === bid ? this.#bid : this.#ask; tick > 0 && tick <= ticks_max; tick += step)
      for (let slot = this.#first[tick] as number; slot !== no_order; slot = this.#orders.next[slot] as number)
        yield slot;
  }
}
