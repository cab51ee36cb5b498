/** The publishing process of a measurement: the publisher as it ships, with load and clock on its own thread. */
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { addon, type NativeJitterSender, type NativeJitterSent, type NativePublisher } from '../native.js';
import { CounterReader } from '../rates.js';
import { intervals_ms, type JitterPlan } from './plan.js';

const start_delay_ns = 30_000_000;
/** After the last message was due, for what waits to be sent. */
const overrun_ns = 1_000_000_000;

export interface SentSlice {
  /** CLOCK_REALTIME ns at which the first message was due: the base of all times of the slice. */
  base: bigint;
  sent: NativeJitterSent;
}

/** Threads: one. One call at a time. */
export class SenderSide {
  readonly #plan: JitterPlan;
  readonly #sender: NativeJitterSender;
  readonly #publisher: NativePublisher;
  readonly #counters: CounterReader;

  constructor(plan: JitterPlan) {
    this.#plan = plan;
    const { symbols, liveOrders, source } = plan;
    this.#sender = new addon.JitterSender({
      floorLines: plan.floorLines,
      pingPath: join(plan.folder, 'sender'),
      pingOtherPath: join(plan.folder, 'receiver'),
      descriptor: source === 'simulate' ? null : openSync(source, 'r'),
      simulate: { seed: BigInt(plan.load.seed), symbols, messages: 0n, liveOrders, messageIntervalNs: 50_000 },
    });
    const publisher = new addon.Publisher(publisherOptions(plan, this.#sender), () => {});
    this.#publisher = publisher;
    this.#counters = new CounterReader(addon.publisherCounterNames, (out) => publisher.counters(out));
    publisher.start();
  }

  /** Publishes what fills the books; returns how many messages that were. */
  async preload(): Promise<number> {
    const { preload, load } = this.#plan;
    const rate = Math.min(Math.max(load.rate, 200_000), 500_000);
    const messages = this.#prepare({ messages: preload, pattern: 'constant', rate });
    const length_ns = (messages / rate) * 1e9;
    this.#sender.startFeed(start_delay_ns, length_ns + 10 * overrun_ns);
    await this.#settled(length_ns);
    return messages;
  }

  /** Reads the messages of the next slice; returns how many there are. */
  prepare(): number {
    return this.#prepare({ messages: 0 });
  }

  async feed(): Promise<SentSlice> {
    const { slice_ns } = this.#plan;
    const base = this.#sender.startFeed(start_delay_ns, slice_ns + overrun_ns);
    await this.#settled(slice_ns);
    return { base, sent: this.#sender.result(base) };
  }

  async floor(): Promise<SentSlice> {
    const base = this.#sender.startFloor(start_delay_ns);
    await this.#settled(this.#plan.slice_ns);
    return { base, sent: this.#sender.result(base) };
  }

  preparePing(): void {
    this.#sender.preparePing();
  }

  /** ns of a cache line to the other core and back, in the mean of each hundred; few where the other side is missing. */
  async ping(): Promise<Float64Array> {
    this.#sender.startPing();
    await this.#settled(0);
    return this.#sender.result(0n).roundTrips;
  }

  counters(): Record<string, bigint> {
    return this.#counters.read();
  }

  close(): void {
    this.#sender.abort();
    this.#publisher.stop();
    this.#publisher.close();
  }

  #prepare(given: Partial<Parameters<NativeJitterSender['prepare']>[0]>): number {
    const { load, slice_ns } = this.#plan;
    return this.#sender.prepare({ ...load, seed: BigInt(load.seed), lengthNs: slice_ns, messages: 0, ...given });
  }

  // No timer runs while something is measured: it would take the core from a thread that spins.
  async #settled(length_ns: number): Promise<void> {
    await delay((start_delay_ns + length_ns) / 1e6 + 20);
    while (this.#sender.busy()) await delay(20);
  }
}

function publisherOptions(plan: JitterPlan, probe: NativeJitterSender) {
  return {
    channel: 1,
    session: BigInt(Date.now()) * 1_000_000n,
    lines: plan.lines,
    ttl: 0,
    loop: true,
    segmentation: true,
    ringBytes: 16 * 2 ** 20,
    ringPath: '',
    wait: plan.wait,
    core: plan.publisherCore,
    lockMemory: false,
    heartbeatMs: intervals_ms.heartbeat,
    digestMessages: 10_000,
    definitionsMs: intervals_ms.definitions,
    sourceIdentity: 0n,
    state: null,
    ordersMax: Math.max(2 ** 18, 4 * plan.liveOrders),
    levelsMax: 0,
    instrumentsMax: 16_384,
    depthLevels: 10,
    prefault: true,
    probe,
  };
}
