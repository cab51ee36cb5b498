/** The subscribing process of a measurement: the client as it ships, with a clock on its receiving thread. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FeedClient } from '../feed_client.js';
import { addon, jitter_receive, type NativeJitterReceived, type NativeJitterReceiver } from '../native.js';
import type { JitterPlan } from './plan.js';

const limit_ns = 600e9;

/** Threads: one. One call at a time. */
export class ReceiverSide {
  readonly #receiver: NativeJitterReceiver;
  readonly #client: FeedClient;

  constructor(plan: JitterPlan, messages_max: number) {
    const { receiveBufferBytes } = plan;
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
      },
      this.#receiver,
    );
  }

  start(): Promise<void> {
    return this.#client.start();
  }

  begin(what: 'feed' | 'floor' | 'ping'): void {
    this.#receiver.start(jitter_receive[what], limit_ns);
  }

  /** Ends what was begun. `stalls`: of the sender's machine, pairs of begin and end. */
  async end(base: bigint, stalls: Float64Array): Promise<NativeJitterReceived> {
    this.#receiver.stop();
    while (this.#receiver.busy()) await delay(5);
    return this.#receiver.result(base, stalls);
  }

  stats() {
    const { counters, missingMessages, digestMismatches } = this.#client.stats();
    return { counters, missingMessages, digestMismatches, state: this.#client.state };
  }

  async close(): Promise<void> {
    this.#receiver.stop();
    await this.#client.close();
  }
}
