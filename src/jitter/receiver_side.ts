/** The subscribing process of a measurement: the client as it ships, with a clock on its receiving thread. */
import { join } from 'node:path';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { FeedClient } from '../feed_client.js';
import { addon, jitter_receive, type NativeJitterReceived, type NativeJitterReceiver } from '../native.js';
import type { Activity } from './attribution.js';
import { realtime_ns } from './clock.js';
import { collector, GcLog, makeBallast } from './gc_log.js';
import type { JitterPlan } from './plan.js';
import type { Interval } from './stalls.js';

const limit_ns = 600e9;
/** For updates that wait for JavaScript when a slice ends. */
const drain_ms_max = 2_000;
const ballast_objects = 20_000;

/** What a slice has left in this process. Times are ns from the base that was given. */
export interface ReceivedSlice extends NativeJitterReceived {
  gc: Activity[];
  /** Done on purpose. */
  injected: Interval[];
  /** ns: the longest that the event loop was late, of slices whose updates are delivered; else 0. */
  eventLoopDelay: number;
  /** Updates that JavaScript was too slow for. */
  updatesLost: number;
}

/** Threads: one. One call at a time. */
export class ReceiverSide {
  readonly #receiver: NativeJitterReceiver;
  readonly #client: FeedClient;
  readonly #gc = new GcLog('gc of the subscriber');
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #inject: JitterPlan['inject'];
  readonly #injected: { begin: bigint; end: bigint }[] = [];
  readonly #ballast: unknown[];
  #timer: NodeJS.Timeout | undefined;
  #calls = 0;
  #lost = 0n;

  constructor(plan: JitterPlan, messages_max: number) {
    const { receiveBufferBytes, subscriberHelperCores } = plan;
    if (subscriberHelperCores.length > 0) addon.confine(subscriberHelperCores);
    this.#inject = plan.inject?.kind === 'receiver-gc' ? plan.inject : null;
    this.#ballast = makeBallast(this.#inject === null ? 0 : ballast_objects);
    this.#receiver = new addon.JitterReceiver({
      floorLines: plan.floorLines,
      receiveBufferBytes,
      coalescing: true,
      packetsMax: messages_max,
      messagesMax: messages_max,
      pingPath: join(plan.folder, 'receiver'),
      pingOtherPath: join(plan.folder, 'sender'),
    });
    const [lineA, lineB] = plan.lines.map(({ group, port }) => ({ group, port }));
    this.#client = new FeedClient(
      {
        control: null,
        interface: plan.lines[0]?.interface,
        lineA: lineA ?? null,
        lineB: lineB ?? null,
        wait: plan.wait,
        core: plan.subscriberCore,
        receiveBufferBytes,
        // A stall of the machine is no loss.
        gapWaitMs: 1_000,
        limits: { orders: Math.max(2 ** 18, 4 * plan.liveOrders), instruments: 16_384, prefault: true },
        delivery: { updates: plan.delivered_ns > 0 },
      },
      this.#receiver,
    );
    this.#client.on('updates', ({ sequence, count }) => {
      this.#receiver.delivered(sequence[count - 1] ?? 0n);
      this.#calls++;
    });
  }

  start(): Promise<void> {
    return this.#client.start();
  }

  begin(what: 'feed' | 'floor' | 'ping' | 'delivered'): void {
    this.#lost = this.#client.stats().updatesLost;
    if (what === 'delivered') {
      this.#loop.reset();
      this.#loop.enable();
    }
    if (this.#inject !== null && (what === 'feed' || what === 'delivered')) this.#collectOften(this.#inject);
    this.#gc.take(0n);
    this.#injected.length = 0;
    this.#receiver.start(jitter_receive[what], limit_ns);
  }

  /** Ends what was begun. `stalls`: of the sender's machine, pairs of begin and end. */
  async end(base: bigint, stalls: Float64Array): Promise<ReceivedSlice> {
    this.#receiver.stop();
    clearInterval(this.#timer);
    while (this.#receiver.busy()) await delay(5);
    await this.#drained();
    this.#loop.disable();
    const eventLoopDelay = this.#loop.count > 0 ? this.#loop.max : 0;
    this.#loop.reset();
    return {
      ...this.#receiver.result(base, stalls),
      gc: this.#gc.take(base),
      injected: this.#injected.map(({ begin, end }) => ({
        begin_ns: Number(begin - base),
        end_ns: Number(end - base),
      })),
      eventLoopDelay,
      updatesLost: Number(this.#client.stats().updatesLost - this.#lost),
    };
  }

  stats() {
    const { counters, missingMessages, digestMismatches } = this.#client.stats();
    return { counters, missingMessages, digestMismatches, state: this.#client.state };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#gc.close();
    this.#ballast.length = 0;
    this.#receiver.stop();
    await this.#client.close();
  }

  #collectOften({ every_ms, length_ms }: NonNullable<JitterPlan['inject']>): void {
    const collect = collector();
    this.#timer = setInterval(() => {
      const [begin] = addon.clocks();
      do collect();
      while (realtime_ns(begin) < length_ms * 1e6);
      this.#injected.push({ begin, end: addon.clocks()[0] });
    }, every_ms);
  }

  async #drained(): Promise<void> {
    for (let calls = -1, waited = 0; calls !== this.#calls && waited < drain_ms_max; waited += 20) {
      calls = this.#calls;
      await delay(20);
    }
  }
}
