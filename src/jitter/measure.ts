/** One measurement: slices of feed and floor by turns, and the round trip between the cores after each pair. */
import { setTimeout as delay } from 'node:timers/promises';
import { readActivities, readIntervals } from './activities.js';
import { clockDistance_ns, clockStep_ns } from './clock.js';
import type { InjectorSide } from './injector_side.js';
import type { JitterPlan } from './plan.js';
import { SideProcess } from './processes.js';
import type { ReceivedSlice, ReceiverSide } from './receiver_side.js';
import type { SenderSide, SentSlice } from './sender_side.js';
import { type Interval, machineIntervals } from './stalls.js';

export interface MeasuredSlice extends SentSlice {
  received: ReceivedSlice;
  /** Faults made on purpose; ns from the slice's base. */
  injections: Interval[];
}

export interface MeasuredPair {
  /** Messages of the load. */
  messages: number;
  feed: MeasuredSlice;
  floor: MeasuredSlice;
  /** The feed, with its updates delivered to JavaScript. */
  delivered: MeasuredSlice | undefined;
  /** The feed with garbage collected in the publisher's process, and once more without. */
  collecting: { forced: MeasuredSlice; calm: MeasuredSlice } | undefined;
  /** ns, by hundreds. */
  roundTrips: Float64Array;
}

export interface MeasuredEnd {
  publisher: Record<string, bigint>;
  subscriber: Awaited<ReturnType<ReceiverSide['stats']>>;
  /** ns by which CLOCK_REALTIME was set in a pair that was thrown away, each. */
  clockSteps: number[];
}

type Slice = 'feed' | 'collecting' | 'delivered' | 'floor';

/** For the floor's last datagrams, and at most for the feed's last messages. */
const settle_ms = 100;
const settle_ms_max = 3_000;
const adopt_ms_max = 10_000;

/** Threads: one. `run` once; `close` any number of times, at any moment. */
export class Measurement {
  readonly #receiver = new SideProcess<ReceiverSide>('the subscriber');
  readonly #sender = new SideProcess<SenderSide>('the publisher');
  #injector: SideProcess<InjectorSide> | undefined;

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
    await this.#openInjector();
    const clockSteps: number[] = [];
    for (let index = 0; index < plan.pairs; index++) {
      const before = clockDistance_ns();
      const pair = await this.#pair(index);
      const step = clockStep_ns(before, clockDistance_ns());
      // Its times are of two clocks: no figure can be made of them.
      if (step !== 0) clockSteps.push(step);
      else onPair(pair, index);
    }
    const publisher = await this.#sender.call('counters');
    return { publisher, subscriber: await this.#receiver.call('stats'), clockSteps };
  }

  async close(): Promise<void> {
    // The injector first: it may have stopped another one.
    await this.#injector?.close();
    await Promise.all([this.#sender.close(), this.#receiver.close()]);
  }

  async #pair(index: number): Promise<MeasuredPair> {
    const { slice_ns, delivered_ns, gc_every_ms } = this.plan;
    const messages = await this.#prepare(index, slice_ns);
    const feed = await this.#slice('feed');
    const floor = await this.#slice('floor');
    let collecting: MeasuredPair['collecting'];
    if (gc_every_ms > 0) {
      await this.#prepare(index, slice_ns);
      const forced = await this.#slice('collecting');
      await this.#prepare(index, slice_ns);
      collecting = { forced, calm: await this.#slice('feed') };
    }
    let delivered: MeasuredSlice | undefined;
    if (delivered_ns > 0) {
      await this.#prepare(index, delivered_ns);
      delivered = await this.#slice('delivered');
    }
    return { messages, feed, floor, delivered, collecting, roundTrips: await this.#roundTrips() };
  }

  async #prepare(index: number, length_ns: number): Promise<number> {
    const messages = await this.#sender.call('prepare', length_ns);
    if (messages === 0) throw new Error(`the source has ended after ${index} pairs of slices`);
    return messages;
  }

  // A message of the source may make several of the feed; bursts and Poisson may give more than the mean.
  #messagesMax(): number {
    const { load, slice_ns } = this.plan;
    const most = load.pattern === 'file' ? 2 ** 23 : (load.rate * slice_ns) / 1e9;
    return Math.min(2 ** 25, Math.ceil(most * 2.5) + 65_536);
  }

  async #openInjector(): Promise<void> {
    const { inject, publisherCore, subscriberCore } = this.plan;
    const what = inject?.kind === 'receiver-stop' ? 'stop' : 'neighbour';
    if (inject === null || !(what === 'stop' || inject.kind.endsWith('-neighbour'))) return;
    this.#injector = new SideProcess<InjectorSide>('the injector');
    const core = inject.kind === 'publisher-neighbour' ? publisherCore : subscriberCore;
    const { every_ms, length_ms } = inject;
    await this.#injector.callNamed('openInjector', { what, pid: this.#receiver.pid, core, every_ms, length_ms });
    await this.#injector.call('begin');
  }

  async #slice(what: Slice): Promise<MeasuredSlice> {
    const feeds = what !== 'floor';
    await this.#receiver.call('begin', what === 'collecting' ? 'feed' : what);
    await this.#injector?.call('take', 0n);
    const { base, sent } = feeds
      ? await this.#sender.call('feed', what === 'collecting')
      : await this.#sender.call('floor');
    if (feeds) await this.#caughtUp(settle_ms_max);
    else await delay(settle_ms);
    const received = await this.#receiver.call('end', base, machineIntervals(sent.stalls));
    return { base, sent, received, injections: await this.#injections(base, sent, received) };
  }

  async #injections(base: bigint, sent: SentSlice['sent'], received: ReceivedSlice): Promise<Interval[]> {
    const own = readActivities(sent.activities).filter(({ name }) => name === 'injected');
    const others = (await this.#injector?.call('take', base)) ?? new Float64Array();
    return [...own, ...received.injected, ...readIntervals(others)];
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
