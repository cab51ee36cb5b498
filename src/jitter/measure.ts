/** One measurement: slices of feed and floor by turns, and the round trip between the cores after each pair. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeJitterReceived } from '../native.js';
import type { JitterPlan } from './plan.js';
import { SideProcess } from './processes.js';
import type { ReceiverSide } from './receiver_side.js';
import type { SenderSide, SentSlice } from './sender_side.js';
import { machineIntervals } from './stalls.js';

export interface MeasuredSlice extends SentSlice {
  received: NativeJitterReceived;
}

export interface MeasuredPair {
  /** Messages of the load. */
  messages: number;
  feed: MeasuredSlice;
  floor: MeasuredSlice;
  /** ns, by hundreds. */
  roundTrips: Float64Array;
}

export interface MeasuredEnd {
  publisher: Record<string, bigint>;
  subscriber: Awaited<ReturnType<ReceiverSide['stats']>>;
}

/** For the floor's last datagrams, and at most for the feed's last messages. */
const settle_ms = 100;
const settle_ms_max = 3_000;
const adopt_ms_max = 10_000;

/** Threads: one. `run` once; `close` any number of times, at any moment. */
export class Measurement {
  readonly #receiver = new SideProcess<ReceiverSide>('the subscriber');
  readonly #sender = new SideProcess<SenderSide>('the publisher');

  constructor(readonly plan: JitterPlan) {}

  /** Hands over each pair as it is measured. Rejects where a process fails. */
  async run(onPair: (pair: MeasuredPair, index: number) => void): Promise<MeasuredEnd> {
    const { plan } = this;
    await this.#receiver.callNamed('openReceiver', plan, this.#messagesMax());
    await this.#sender.callNamed('openSender', plan);
    await this.#adopted();
    await this.#sender.call('preload');
    if (!(await this.#caughtUp(adopt_ms_max)))
      throw new Error('the subscriber did not get what fills the books: it was lost on both lines');
    for (let index = 0; index < plan.pairs; index++) {
      const messages = await this.#sender.call('prepare');
      if (messages === 0) throw new Error(`the source has ended after ${index} pairs of slices`);
      const feed = await this.#slice('feed');
      const floor = await this.#slice('floor');
      onPair({ messages, feed, floor, roundTrips: await this.#roundTrips() }, index);
    }
    return { publisher: await this.#sender.call('counters'), subscriber: await this.#receiver.call('stats') };
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.close(), this.#receiver.close()]);
  }

  // A message of the source may make several of the feed; bursts and Poisson may give more than the mean.
  #messagesMax(): number {
    const { load, slice_ns } = this.plan;
    const most = load.pattern === 'file' ? 2 ** 23 : (load.rate * slice_ns) / 1e9;
    return Math.min(2 ** 25, Math.ceil(most * 2.5) + 65_536);
  }

  async #slice(what: 'feed' | 'floor'): Promise<MeasuredSlice> {
    await this.#receiver.call('begin', what);
    const { base, sent } = await this.#sender.call(what);
    if (what === 'feed') await this.#caughtUp(settle_ms_max);
    else await delay(settle_ms);
    const received = await this.#receiver.call('end', base, machineIntervals(sent.stalls));
    return { base, sent, received };
  }

  async #roundTrips(): Promise<Float64Array> {
    await this.#sender.call('preparePing');
    await this.#receiver.call('begin', 'ping');
    const trips = await this.#sender.call('ping');
    await this.#receiver.call('end', 0n, new Float64Array());
    return trips;
  }

  async #adopted(): Promise<void> {
    for (const begin = performance.now(); performance.now() - begin < adopt_ms_max; await delay(20)) {
      if ((await this.#receiver.call('stats')).counters.session !== 0n) return;
    }
    throw new Error(`nothing came from the publisher within ${adopt_ms_max / 1_000} s: is multicast allowed here?`);
  }

  async #caughtUp(ms_max: number): Promise<boolean> {
    const { sequence = 0n } = await this.#sender.call('counters');
    for (const begin = performance.now(); performance.now() - begin < ms_max; await delay(20)) {
      if (((await this.#receiver.call('stats')).counters.sequence ?? 0n) >= sequence) return true;
    }
    return false;
  }
}
