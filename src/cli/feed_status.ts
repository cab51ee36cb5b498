/** Figures of a feed client in the words of the views. */
import { build, type Histogram } from 'hdr-histogram-js';
import type { FeedClient } from '../feed_client.js';
import type { FeedStatus, LatencyFigures } from '../view/status.js';

/** Datagrams that were thrown away before they could change anything. */
const refused_pattern = /^(foreign[A-Z]|implausible$|packet\.(?!ok$))/;

function latencyFigures(histogram: Histogram): LatencyFigures | undefined {
  if (histogram.totalCount === 0) return undefined;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile);
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxValue };
}

// Not packed: it is read every second, and packed ones are slow to read.
function emptyHistogram(): Histogram {
  return build({ bitBucketSize: 32, numberOfSignificantValueDigits: 3, useWebAssembly: false });
}

const window_parts = 10;
const part_ms = 1_000;

/** Latency of late: of the last ten seconds, give or take one. Threads: one. */
class LatencyWindow {
  readonly #client: FeedClient;
  readonly #parts: Histogram[] = Array.from({ length: window_parts }, emptyHistogram);
  readonly #sum = emptyHistogram();
  #part = 0;
  #since_ms = Number.NEGATIVE_INFINITY;
  #figures: LatencyFigures | undefined;

  constructor(client: FeedClient) {
    this.#client = client;
  }

  /** New ones once a second. */
  figures(now_ms: number): LatencyFigures | undefined {
    if (now_ms - this.#since_ms < part_ms * 0.9 && this.#figures !== undefined) return this.#figures;
    this.#since_ms = now_ms;
    this.#part = (this.#part + 1) % window_parts;
    const part = this.#parts[this.#part];
    part?.reset();
    part?.add(this.#client.latencyInterval());
    this.#sum.reset();
    for (const each of this.#parts) if (each.totalCount > 0) this.#sum.add(each);
    this.#figures = latencyFigures(this.#sum);
    return this.#figures;
  }
}

/** Growth per second over the last whole second, so that a figure can be read before it changes. */
class SteadyRate {
  #from: { at_ms: number; value: bigint };
  #rate: number | undefined;

  constructor(now_ms: number, value: bigint) {
    this.#from = { at_ms: now_ms, value };
  }

  update(now_ms: number, value: bigint): number {
    const elapsed_ms = now_ms - this.#from.at_ms;
    const rate = elapsed_ms > 0 ? (Number(value - this.#from.value) * 1_000) / elapsed_ms : 0;
    // Timers come a little early or late.
    if (elapsed_ms < part_ms * 0.9) return this.#rate ?? rate;
    this.#from = { at_ms: now_ms, value };
    this.#rate = rate;
    return rate;
  }
}

/** Reads the figures that views show. Threads: one. Costs a look at every counter and latency bucket. */
export class FeedStatusReader {
  readonly #client: FeedClient;
  readonly #window: LatencyWindow;
  readonly #rate: SteadyRate;

  /** The client has been started. */
  constructor(client: FeedClient) {
    this.#client = client;
    this.#window = new LatencyWindow(client);
    this.#rate = new SteadyRate(performance.now(), client.stats().counters.messages ?? 0n);
  }

  /** Now, with the latency of the last ten seconds. */
  now(): FeedStatus {
    return this.#status(this.#window.figures(performance.now()));
  }

  /** With the latency of the whole time. */
  total(): FeedStatus {
    return this.#status(latencyFigures(this.#client.latency()));
  }

  #status(latency: LatencyFigures | undefined): FeedStatus {
    const stats = this.#client.stats();
    const { counters, recoveredMessages } = stats;
    const { line, retransmission, snapshot } = recoveredMessages;
    let refused = 0n;
    for (const [name, count] of Object.entries(counters)) if (refused_pattern.test(name)) refused += count;
    return {
      channel: this.#client.options.channel,
      session: stats.session,
      state: this.#client.state,
      sequence: stats.sequence,
      position: stats.position,
      rate: this.#rate.update(performance.now(), counters.messages ?? 0n),
      missing: stats.missingMessages - line - retransmission - snapshot,
      recovered: retransmission,
      snapshots: BigInt(stats.snapshots),
      digests: counters.digestsChecked ?? 0n,
      digestsMismatched: counters.digestsMismatched ?? 0n,
      kernelDrops: (counters.kernelDropsA ?? 0n) + (counters.kernelDropsB ?? 0n),
      refused,
      lost: stats.updatesLost,
      latency,
    };
  }
}
