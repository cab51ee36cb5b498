/** One system with its processes, and slices of load on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { Broker } from './brokers.js';
import { SideChild } from './child_process.js';
import type { FeedSettings } from './depthcast_sides.js';
import { LogHistogram } from './log_histogram.js';
import type { PublishedSlice, ReceivedSlice, SliceTask } from './side.js';
import { isPeer, systemOf } from './systems.js';

export interface SessionOptions {
  system: string;
  subscribers: number;
  file: string;
  feed: FeedSettings;
  /** Whether a peer's publisher sleeps between its turns; undefined: as systems.ts says. */
  sleeps?: boolean | undefined;
}

export interface SliceFigures {
  /** Messages a second that were due. */
  rate: number;
  sent: number;
  /** Of all subscribers. */
  received: number;
  lost: number;
  /** Nothing lost, and the last message not more than 100 ms behind at any subscriber. */
  sustained: boolean;
  p50_us: number;
  p99_us: number;
  p99_9_us: number;
  /** Of one core: the publisher's process, its broker, and one subscriber's process in the mean. */
  publisher_cpu: number;
  broker_cpu: number;
  subscriber_cpu: number;
  /** Median of the publisher's send calls, where it tells. */
  send_call_us?: number;
}

/** A message that came later than this was not carried at that rate. */
export const behind_ns_max = 100e6;
const drain_ms_max = 3_000;
const connect_ms = 300;
const warm_up = { rate: 20_000, seconds: 0.4 };
/** From the call to when the first message is due: both sides set their clocks meanwhile. */
const lead_ms = 80;

/** Threads: one; one call at a time. */
export class Session {
  readonly #publisher = new SideChild('the publisher');
  readonly #subscribers: SideChild[];
  #broker: Broker | undefined;
  #slices = 0;

  private constructor(readonly options: SessionOptions) {
    this.#subscribers = Array.from({ length: options.subscribers }, (_, index) => new SideChild(`subscriber ${index}`));
  }

  /** Ready: every subscriber has received something. Rejects where one does not. */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    try {
      await session.#open();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async slice(rate: number, seconds: number): Promise<SliceFigures> {
    const startMs = Math.ceil(Date.now() + lead_ms + 25 * this.#subscribers.length);
    const task: SliceTask = { slice: ++this.#slices, rate, count: Math.round(rate * seconds), startMs };
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.call('begin', task)));
    const broker_before = this.#broker?.cpuMs() ?? 0;
    const published = await this.#publisher.call<PublishedSlice>('publish', task);
    await this.#drained(published.sent);
    const broker_cpu = ((this.#broker?.cpuMs() ?? 0) - broker_before) / (seconds * 1_000);
    const received = await Promise.all(this.#subscribers.map((subscriber) => subscriber.call<ReceivedSlice>('end')));
    return { ...figuresOf(task, published, received, seconds), broker_cpu };
  }

  async close(): Promise<void> {
    await Promise.all([this.#publisher, ...this.#subscribers].map((child) => child.close()));
    await this.#broker?.close();
  }

  async #open(): Promise<void> {
    const { system: name, file, feed, sleeps } = this.options;
    const system = systemOf(name);
    if (isPeer(system) && system.broker !== undefined) this.#broker = await Broker.open(system.broker);
    const task = { system: name, file, feed, sleeps, address: this.#broker?.address ?? '' };
    const openSubscribers = (address: string) =>
      Promise.all(this.#subscribers.map((subscriber) => subscriber.open({ ...task, role: 'subscriber', address })));
    if (isPeer(system)) {
      await openSubscribers(await this.#publisher.open({ ...task, role: 'publisher' }));
      await delay(connect_ms);
    } else {
      // Without a snapshot a client must be there before the first message.
      await openSubscribers('');
      await this.#publisher.open({ ...task, role: 'publisher' });
      await delay(connect_ms);
      await this.#publisher.call('preload');
    }
    const { lost, received, sent } = await this.slice(warm_up.rate, warm_up.seconds);
    if (received === 0 || (lost > 0 && isPeer(system)))
      throw new Error(`${name}: ${received} of ${sent} messages came, ${lost} were lost, before anything was measured`);
  }

  async #drained(sent: number): Promise<void> {
    let last = -1;
    for (const begin = performance.now(); performance.now() - begin < drain_ms_max; await delay(30)) {
      const counts = await Promise.all(this.#subscribers.map((subscriber) => subscriber.call<number>('received')));
      const sum = counts.reduce((total, count) => total + count, 0);
      if (sum >= sent * counts.length) return;
      if (sum === last && performance.now() - begin > drain_ms_max / 3) return;
      last = sum;
    }
  }
}

function figuresOf(task: SliceTask, published: PublishedSlice, slices: ReceivedSlice[], seconds: number) {
  const latency = new LogHistogram();
  for (const { counts } of slices) latency.add(new LogHistogram(counts));
  const received = slices.reduce((sum, slice) => sum + slice.received, 0);
  const lost = slices.reduce((sum, slice) => sum + slice.lost, 0);
  const whole = published.sent >= task.count && slices.every((slice) => slice.received === published.sent);
  const cpu_ms = slices.reduce((sum, slice) => sum + slice.cpu_ms, 0);
  return {
    rate: published.sent / seconds,
    sent: published.sent,
    received,
    lost,
    sustained:
      whole &&
      lost === 0 &&
      (published.behind_ns ?? 0) <= behind_ns_max &&
      slices.every(({ last_ns }) => last_ns <= behind_ns_max),
    p50_us: latency.percentile(50) / 1e3,
    p99_us: latency.percentile(99) / 1e3,
    p99_9_us: latency.percentile(99.9) / 1e3,
    ...(published.send_call_us !== undefined && { send_call_us: published.send_call_us }),
    publisher_cpu: published.cpu_ms / (seconds * 1_000),
    subscriber_cpu: cpu_ms / slices.length / (seconds * 1_000),
  };
}
