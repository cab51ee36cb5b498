/** The publishing process of a measurement: the publisher as it ships, with load and clock on its own thread. */
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  addon,
  type NativeJitterSender,
  type NativeJitterSent,
  type NativePublisher,
  type NativeRecovery,
} from '../native.js';
import { CounterReader } from '../rates.js';
import type { Activity } from './attribution.js';
import { collector, GcLog, makeBallast } from './gc_log.js';
import { intervals_ms, type JitterPlan } from './plan.js';

const start_delay_ns = 30_000_000;
/** After the last message was due, for what waits to be sent. */
const overrun_ns = 1_000_000_000;
const ballast_objects = 100_000;

export interface SentSlice {
  /** CLOCK_REALTIME ns at which the first message was due: the base of all times of the slice. */
  base: bigint;
  sent: NativeJitterSent & { gc: Activity[] };
}

/** Threads: one. One call at a time. */
export class SenderSide {
  readonly #plan: JitterPlan;
  readonly #sender: NativeJitterSender;
  readonly #publisher: NativePublisher;
  readonly #recovery: NativeRecovery | undefined;
  readonly #counters: CounterReader;
  readonly #gc = new GcLog('gc of the publisher');
  readonly #state: string | undefined;
  readonly #ballast: unknown[];
  #length_ns = 0;

  constructor(plan: JitterPlan) {
    this.#plan = plan;
    const { symbols, liveOrders, source, publisherHelperCores, journal } = plan;
    // All threads that are there and all that will be, before one of them pins itself.
    if (publisherHelperCores.length > 0 && !addon.confine(publisherHelperCores))
      throw new Error(`the system refuses cores ${publisherHelperCores.join(', ')}`);
    this.#ballast = makeBallast(plan.gc_every_ms > 0 ? ballast_objects : 0);
    this.#sender = new addon.JitterSender({
      floorLines: plan.floorLines,
      pingPath: join(plan.folder, 'sender'),
      pingOtherPath: join(plan.folder, 'receiver'),
      descriptor: source === 'simulate' ? null : openSync(source, 'r'),
      simulate: { seed: BigInt(plan.load.seed), symbols, messages: 0n, liveOrders, messageIntervalNs: 50_000 },
      injection: injectionOf(plan),
    });
    this.#state = journal === null ? undefined : mkdtempSync(join(journal.folder, 'jitter-'));
    const publisher = new addon.Publisher(publisherOptions(plan, this.#sender, this.#state), () => {});
    this.#publisher = publisher;
    this.#counters = new CounterReader(addon.publisherCounterNames, (out) => publisher.counters(out));
    this.#recovery =
      plan.replica === null
        ? undefined
        : new addon.Recovery(
            {
              publisher,
              ringPath: '',
              journalFolder: '',
              checkpointsFolder: '',
              replica: replicaOptions(plan, this.#sender),
            },
            () => {},
          );
    publisher.start();
  }

  /** Publishes what fills the books; returns how many messages that were. */
  async preload(): Promise<number> {
    const { preload, load } = this.#plan;
    const rate = Math.min(Math.max(load.rate, 200_000), 500_000);
    const messages = this.#prepare({ messages: preload, pattern: 'constant', rate });
    const length_ns = (messages / rate) * 1e9;
    this.#sender.startFeed(start_delay_ns, length_ns + 10 * overrun_ns, false);
    await this.#settled(length_ns);
    return messages;
  }

  /** Reads the messages of the next slice, due within so many ns; returns how many there are. */
  prepare(length_ns: number): number {
    this.#length_ns = length_ns;
    return this.#prepare({ messages: 0, lengthNs: length_ns });
  }

  /** `collecting`: garbage is collected meanwhile, as often as the plan says. */
  async feed(collecting: boolean): Promise<SentSlice> {
    const collect = collecting ? collector() : () => {};
    this.#gc.take(0n);
    const base = this.#sender.startFeed(start_delay_ns, this.#length_ns + overrun_ns, this.#plan.inject !== null);
    const timer = collecting ? setInterval(collect, this.#plan.gc_every_ms) : undefined;
    await this.#settled(this.#length_ns);
    clearInterval(timer);
    return { base, sent: { ...this.#sender.result(base), gc: this.#gc.take(base) } };
  }

  async floor(): Promise<SentSlice> {
    this.#gc.take(0n);
    const base = this.#sender.startFloor(start_delay_ns);
    await this.#settled(this.#length_ns);
    return { base, sent: { ...this.#sender.result(base), gc: this.#gc.take(base) } };
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
    this.#gc.close();
    this.#ballast.length = 0;
    this.#sender.abort();
    this.#publisher.stop();
    this.#recovery?.close();
    this.#publisher.close();
    if (this.#state !== undefined) rmSync(this.#state, { recursive: true, force: true });
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

function injectionOf({ inject, folder }: JitterPlan) {
  if (inject?.kind !== 'publisher-pause' && inject?.kind !== 'publisher-fsync') return null;
  return {
    what: inject.kind === 'publisher-pause' ? ('pause' as const) : ('fsync' as const),
    everyNs: inject.every_ms * 1e6,
    lengthNs: inject.length_ms * 1e6,
    path: join(folder, 'synced'),
  };
}

function limitsOf(plan: JitterPlan) {
  return {
    ordersMax: Math.max(2 ** 18, 4 * plan.liveOrders),
    levelsMax: 0,
    instrumentsMax: 16_384,
    depthLevels: 10,
    prefault: true,
  };
}

function replicaOptions(plan: JitterPlan, activities: NativeJitterSender) {
  const { replica, lines } = plan;
  return {
    ...limitsOf(plan),
    activities,
    channel: 1,
    datagramBytes: lines[0]?.datagramBytes ?? 1_400,
    ageMs: 500,
    checkpointMs: 0,
    checkpointsKept: 0,
    wait: 'park' as const,
    core: -1,
    line: replica === null ? null : { ...replica, bytesPerSecond: 8 * 2 ** 20 },
    ttl: 0,
    loop: true,
    segmentation: true,
  };
}

function publisherOptions(plan: JitterPlan, probe: NativeJitterSender, folder: string | undefined) {
  const journal = {
    fsync: plan.journal?.fsync ?? ('never' as const),
    fsyncMs: intervals_ms.fsync,
    segmentBytes: 256 * 2 ** 20,
    segmentMs: 3_600_000,
    retainBytes: 2 ** 30,
    retainMs: 0,
    activities: probe,
  };
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
    sourceRepeats: true,
    passOn: [],
    state: folder === undefined ? null : { folder, sessionWanted: 0n, carryOver: false, carryPosition: false, journal },
    ...limitsOf(plan),
    probe,
  };
}
