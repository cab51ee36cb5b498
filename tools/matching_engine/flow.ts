/** What the participants of the example do: from a seed, the same orders in every run. */
import type { EventBatch } from 'depthcast';
import { ask, bid, type Side } from './book.js';
import { events_max, type MatchingEngine } from './matching.js';

const middle_min = 1_000;
const middle_max = 3_000;

/** xorshift32 (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003). */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761 + 1) | 0 || 1;
  }
  below(count: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % count;
  }
}

/** Threads: one. */
export class Flow {
  readonly #random: Random;
  readonly #middles: Uint16Array;
  #opened = 0;

  constructor(
    private readonly engine: MatchingEngine,
    seed: number,
    private readonly liveTarget: number,
  ) {
    this.#random = new Random(seed);
    this.#middles = new Uint16Array(engine.instruments + 1).fill((middle_min + middle_max) / 2);
  }

  /** Orders until the batch is nearly full, at most `events` events and those of one order more; `before` each of them. */
  fill(batch: EventBatch, events: number, before: () => void): void {
    const enough = Math.min(batch.capacity - events_max - 2, events);
    while (batch.count < enough) {
      before();
      if (this.#opened < this.engine.instruments) this.engine.open(++this.#opened, batch);
      else this.#decide(batch);
    }
  }

  #decide(batch: EventBatch): void {
    const random = this.#random;
    const { orders } = this.engine;
    const choice = random.below(100);
    if (orders.liveCount < 10 || choice < (orders.liveCount < this.liveTarget ? 55 : 40)) {
      const instrument = 1 + random.below(this.engine.instruments);
      const side = random.below(2) === 0 ? bid : ask;
      this.engine.enter(instrument, side, this.#limit(instrument, side), 1 + random.below(500), batch);
      return;
    }
    const slot = orders.live[random.below(orders.liveCount)] as number;
    const quantity = orders.quantity[slot] as number;
    if (choice < 80) this.engine.cancel(slot, batch);
    else if (choice < 88 && quantity > 1) this.engine.reduce(slot, 1 + random.below(quantity - 1), batch);
    else {
      const limit = this.#limit(orders.instrument[slot] as number, orders.side[slot] as Side);
      this.engine.replace(slot, limit, 1 + random.below(500), batch);
    }
  }

  /** Near a middle that wanders; some meet the other side. */
  #limit(instrument: number, side: Side): number {
    const middle = (this.#middles[instrument] as number) + this.#random.below(3) - 1;
    this.#middles[instrument] = Math.min(Math.max(middle, middle_min), middle_max);
    const distance = this.#random.below(40) - 4;
    return (this.#middles[instrument] as number) + (side === bid ? -distance : distance);
  }
}
