/**
 * depthcast's own sides: the publisher with the open loop of `depthcast jitter` on its own thread, which replaces the
 * time of each event by when it was due, and clients that deliver every update to JavaScript or only keep the books.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FeedClient, type UpdateBatch } from 'depthcast';
import { median } from '../native_program.js';
import { SliceClock } from './clock.js';
import { LogHistogram } from './log_histogram.js';
import type { PublishedSlice, PublisherSide, ReceivedSlice, SliceTask, SubscriberSide } from './side.js';
import { SliceRecord } from './slice_record.js';

type SenderModule = typeof import('../../dist/jitter/sender_side.js');
type SenderSide = InstanceType<SenderModule['SenderSide']>;
type JitterPlan = ConstructorParameters<SenderModule['SenderSide']>[0];

export interface FeedSettings {
  symbols: number;
  liveOrders: number;
  lines: 1 | 2;
  /** UDP port of line A; line B has the next. */
  port: number;
  /** How the publisher waits; the load comes on its own thread, so that it must not sleep. */
  wait: 'spin' | 'yield';
}

export const default_feed: FeedSettings = { symbols: 100, liveOrders: 20_000, lines: 1, port: 27_521, wait: 'yield' };

function linesOf({ lines, port }: FeedSettings) {
  return [1, 2].slice(0, lines).map((line) => ({ group: `239.192.77.2${line}`, port: port + line - 1 }));
}

/** Of NativeJitterSent.batches: ingest, sequenced, before send, after send, last sequence, packets. */
const batch_columns = 6;

function sendCalls(batches: Float64Array): number[] {
  const calls: number[] = [];
  for (let row = 0; row + batch_columns <= batches.length; row += batch_columns)
    calls.push((batches[row + 3] ?? 0) - (batches[row + 2] ?? 0));
  return calls;
}

export class FeedPublisher implements PublisherSide {
  readonly address = '';
  readonly #plan: JitterPlan;
  readonly #sender: SenderSide;

  private constructor(plan: JitterPlan, sender: SenderSide) {
    this.#plan = plan;
    this.#sender = sender;
  }

  static async open(settings: FeedSettings): Promise<FeedPublisher> {
    const { SenderSide } = (await import(join(process.cwd(), 'dist', 'jitter', 'sender_side.js'))) as SenderModule;
    const { symbols, liveOrders } = settings;
    const plan: JitterPlan = {
      load: { pattern: 'constant', rate: 200_000, burst: 100, speed: 1, seed: 1 },
      source: 'simulate',
      symbols,
      liveOrders,
      preload: 2 * symbols + 4 * liveOrders,
      pairs: 1,
      slice_ns: 1e9,
      delivered_ns: 0,
      gc_every_ms: 0,
      inject: null,
      journal: null,
      replica: null,
      lines: linesOf(settings).map((line) => ({ ...line, interface: '127.0.0.1', datagramBytes: 1_400 })),
      floorLines: [],
      wait: settings.wait,
      publisherCore: -1,
      subscriberCore: -1,
      publisherHelperCores: [],
      subscriberHelperCores: [],
      receiveBufferBytes: 1 << 20,
      folder: mkdtempSync(join(tmpdir(), 'depthcast-peers-')),
    };
    return new FeedPublisher(plan, new SenderSide(plan));
  }

  /** Fills the books. */
  async preload(): Promise<void> {
    await this.#sender.preload();
  }

  /** Messages published so far, those that fill the books included. */
  sequence(): number {
    return Number(this.#sender.counters().sequence);
  }

  /** `sent` counts what was published: some of the source's messages make two. */
  async publish({ rate, count }: SliceTask): Promise<PublishedSlice> {
    this.#plan.load.rate = rate;
    const length_ns = (count * 1e9) / rate;
    const before = this.sequence();
    this.#sender.prepare(length_ns);
    const cpu = process.cpuUsage();
    const { sent } = await this.#sender.feed(false);
    const { user, system } = process.cpuUsage(cpu);
    return {
      sent: this.sequence() - before - sent.unsent,
      cpu_ms: (user + system) / 1_000,
      send_call_us: median(sendCalls(sent.batches)) / 1e3,
      behind_ns: (sent.batches.at(3 - batch_columns) ?? 0) - length_ns,
    };
  }

  close(): void {
    this.#sender.close();
    rmSync(this.#plan.folder, { recursive: true, force: true });
  }
}

/** Rows of a batch for which one look at the clock does: as many as a peer's payload holds. */
const clock_rows = 32;

abstract class FeedSubscriber implements SubscriberSide {
  readonly client: FeedClient;
  #bad = 0;

  constructor(settings: FeedSettings, updates: boolean) {
    const [lineA, lineB] = linesOf(settings);
    this.client = new FeedClient({
      control: null,
      lineA: lineA ?? null,
      lineB: lineB ?? null,
      wait: 'park',
      receiveBufferBytes: 64 * 2 ** 20,
      gapWaitMs: 1_000,
      limits: { orders: Math.max(2 ** 18, 4 * settings.liveOrders), instruments: 16_384 },
      delivery: { updates, capacity: 2 ** 20 },
    });
  }

  abstract begin(task: SliceTask): void;
  abstract received(): number;
  abstract end(): ReceivedSlice;

  /** Messages lost, on the lines and on the way to JavaScript, and digests that differ, since the last call. */
  protected bad(): number {
    const { missingMessages, digestMismatches, updatesLost } = this.client.stats();
    const bad = Number(missingMessages + updatesLost) + digestMismatches;
    const since = bad - this.#bad;
    this.#bad = bad;
    return since;
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

/** Keeps the books and delivers every update to JavaScript, where it is read. */
export class DeliveredSubscriber extends FeedSubscriber {
  readonly #clock = new SliceClock();
  readonly #record = new SliceRecord();
  readonly #views = new Map<ArrayBufferLike, Int32Array>();
  /** What was due before the slice was begun belongs to another, and has come late. */
  #from = 0;
  #base_low = 0;
  #base_high = 0;

  constructor(settings: FeedSettings) {
    super(settings, true);
    this.client.on('updates', (batch) => this.#take(batch));
  }

  begin({ startMs }: SliceTask): void {
    this.bad();
    this.#clock.set(startMs);
    const base = BigInt(Math.round(startMs)) * 1_000_000n;
    this.#base_low = Number(base & 0xffff_ffffn);
    this.#base_high = Number(base >> 32n);
    this.#from = this.#clock.ns();
    this.#record.begin();
  }

  received(): number {
    return this.#record.received;
  }

  end(): ReceivedSlice {
    return this.#record.end(this.bad());
  }

  // 64-bit columns are read as two halves: no BigInt for each message.
  #take(batch: UpdateBatch): void {
    const { count, time, sequence, orderId, price } = batch;
    const times = this.#halves(time);
    const sequences = this.#halves(sequence);
    const orders = this.#halves(orderId);
    const prices = this.#halves(price);
    const record = this.#record;
    let now = 0;
    for (let row = 0; row < count; row++) {
      if (row % clock_rows === 0) now = this.#clock.ns();
      const low = (times[2 * row] ?? 0) >>> 0;
      const high = times[2 * row + 1] ?? 0;
      const due = (high - this.#base_high) * 2 ** 32 + (low - this.#base_low);
      if (due < this.#from) continue;
      record.sum ^= (orders[2 * row] ?? 0) ^ (prices[2 * row] ?? 0);
      record.message((sequences[2 * row] ?? 0) >>> 0, now - due);
    }
  }

  #halves(column: BigUint64Array | BigInt64Array): Int32Array {
    let view = this.#views.get(column.buffer);
    if (view === undefined) {
      view = new Int32Array(column.buffer);
      this.#views.set(column.buffer, view);
    }
    return view;
  }
}

/**
 * Only keeps the books, on the native thread. Its latency is the client's own: from the publisher's send to the applied
 * book, so without what passes between due and send.
 */
export class BookSubscriber extends FeedSubscriber {
  #before = 0;
  #cpu = process.cpuUsage();

  constructor(settings: FeedSettings) {
    super(settings, false);
  }

  begin(): void {
    this.bad();
    this.#before = this.#applied();
    this.client.latencyInterval();
    this.#cpu = process.cpuUsage();
  }

  received(): number {
    return this.#applied() - this.#before;
  }

  end(): ReceivedSlice {
    const { user, system } = process.cpuUsage(this.#cpu);
    const latency = this.client.latencyInterval();
    const histogram = new LogHistogram();
    for (let percent = 0.05; percent < 100; percent += 0.1) histogram.record(latency.getValueAtPercentile(percent));
    return {
      received: this.received(),
      lost: this.bad(),
      last_ns: latency.getValueAtPercentile(99.9),
      counts: Array.from(histogram.counts),
      cpu_ms: (user + system) / 1_000,
    };
  }

  #applied(): number {
    return Number(this.client.stats().counters.messages);
  }
}
