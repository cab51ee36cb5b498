/** The best levels of one instrument as a conflated subscription holds them: docs/gateway.md, "DepthFrame". */
import type { Level } from '../book_types.js';
import { mix64 } from './digest.js';
import { depth_level_bytes, type FrameReader } from './frame_reader.js';
import { bigintOf, compare, compareSigned, high, low, numberOf, signedBigintOf } from './int64.js';
import { sides } from './messages.js';

interface WindowLevel {
  priceHigh: number;
  priceLow: number;
  quantityHigh: number;
  quantityLow: number;
  orders: number;
}

export type WindowResult = 'applied' | 'wrong_base' | 'wrong_hash';

/** Threads: one. */
export class DepthWindow {
  /** Its last message; 0: none yet. */
  sequence = 0;
  instrumentSequence = 0;
  timeHigh = 0;
  timeLow = 0;
  status = 0;
  /** 0 live, 1 unconfirmed, 2 stale: as the gateway sees it. */
  state = 0;
  /** False once an entry did not fit, until a full one comes. */
  proved = false;
  #bids: WindowLevel[] = [];
  #asks: WindowLevel[] = [];

  /** Entry `at` of a frame that was read; `levels` a side are held. A window that is wrong takes full entries only. */
  apply(frame: FrameReader, at: number, levels: number): WindowResult {
    const { view } = frame;
    const full = view.getUint8(at + 58) === 1;
    const wide = (offset: number) => numberOf(view.getUint32(at + offset + 4, true), view.getUint32(at + offset, true));
    this.instrumentSequence = view.getUint32(at + 44, true);
    if (full) {
      this.#bids = [];
      this.#asks = [];
    } else if (!this.proved || wide(16) !== this.sequence) {
      this.proved = false;
      return 'wrong_base';
    }
    const first = frame.levels + depth_level_bytes * view.getUint32(at + 52, true);
    const count = view.getUint16(at + 56, true);
    for (let index = 0; index < count; index++) this.#lay(view, first + depth_level_bytes * index);
    if (this.#bids.length > levels) this.#bids.length = levels;
    if (this.#asks.length > levels) this.#asks.length = levels;
    this.sequence = wide(8);
    this.timeLow = view.getUint32(at + 32, true);
    this.timeHigh = view.getInt32(at + 36, true);
    this.status = view.getUint8(at + 59);
    this.state = view.getUint8(at + 60);
    this.#hash();
    this.proved = compare(high, low, view.getUint32(at + 28, true), view.getUint32(at + 24, true)) === 0;
    return this.proved ? 'applied' : 'wrong_hash';
  }

  /** Best first. */
  levels(side: 'bid' | 'ask', limit = Number.POSITIVE_INFINITY): Level[] {
    return (side === 'bid' ? this.#bids : this.#asks).slice(0, limit).map((level) => ({
      price: signedBigintOf(level.priceHigh, level.priceLow),
      quantity: bigintOf(level.quantityHigh, level.quantityLow),
      orders: level.orders,
    }));
  }

  // Replaces the level at its price, takes it away, or puts it in its place.
  #lay(view: DataView, at: number): void {
    const level: WindowLevel = {
      priceLow: view.getUint32(at, true),
      priceHigh: view.getInt32(at + 4, true),
      quantityLow: view.getUint32(at + 8, true),
      quantityHigh: view.getUint32(at + 12, true),
      orders: view.getUint32(at + 16, true),
    };
    const is_bid = view.getUint8(at + 20) === sides.bid;
    const side = is_bid ? this.#bids : this.#asks;
    let index = 0;
    let order = 1;
    for (; index < side.length; index++) {
      const held = side[index] as WindowLevel;
      order = compareSigned(held.priceHigh, held.priceLow, level.priceHigh, level.priceLow);
      // Best first: bids fall, asks rise.
      if (is_bid ? order <= 0 : order >= 0) break;
    }
    const found = index < side.length && order === 0;
    if (level.quantityHigh === 0 && level.quantityLow === 0) {
      if (found) side.splice(index, 1);
    } else {
      side.splice(index, found ? 1 : 0, level);
    }
  }

  #hash(): void {
    let word_high = 0x9e37_79b9;
    let word_low = 0x7f4a_7c15;
    const mix = (with_high: number, with_low: number) => {
      mix64((word_high ^ with_high) >>> 0, (word_low ^ with_low) >>> 0);
      word_high = high;
      word_low = low;
    };
    const mix_side = (levels: readonly WindowLevel[], side: number) => {
      for (const level of levels) {
        mix(level.priceHigh, level.priceLow);
        mix(level.quantityHigh, level.quantityLow);
        mix(side, level.orders);
      }
    };
    mix_side(this.#bids, sides.bid);
    mix_side(this.#asks, sides.ask);
    mix(0, this.status);
  }
}
