/** How long frames and packets were on their way, counted in buckets; and the clock to measure that by. Pure but for the clock. */

export interface LatencyFigures {
  count: number;
  /** ms; NaN where there is nothing. At most 1/32 above the exact value. */
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** Buckets of each doubling, from 1,024 ns on; below, one for each 32 ns. */
const per_doubling = 32;
const least_log2 = 10;
/** Up to 2^46 ns, some 19 hours: what is more is two clocks that differ. */
const doublings = 36;

/** Upper end of each bucket, ns. */
export const latency_values: readonly number[] = Array.from({ length: per_doubling * (doublings + 1) }, (_, bucket) => {
  const doubling = Math.floor(bucket / per_doubling);
  const step = (bucket % per_doubling) + 1;
  const width = 2 ** (least_log2 + Math.max(0, doubling - 1)) / per_doubling;
  return doubling === 0 ? step * width : 2 ** (least_log2 + doubling - 1) + step * width;
});

function bucketOf(ns: number): number {
  if (ns < 2 ** least_log2) return Math.floor(ns / (2 ** least_log2 / per_doubling));
  const doubling = Math.floor(Math.log2(ns)) - least_log2;
  const within = Math.floor(ns / 2 ** (least_log2 + doubling - 5)) - per_doubling;
  return Math.min(per_doubling * (doubling + 1) + within, latency_values.length - 1);
}

/** Since it was made. Threads: one. */
export class LatencyBuckets {
  /** By bucket; only grow. */
  readonly counts = new Float64Array(latency_values.length);
  #count = 0;
  #max_ns = 0;

  /** A clock that is behind the sender's makes it negative: that counts as 0. */
  record(ms: number): void {
    const ns = Number.isFinite(ms) ? Math.max(0, ms * 1e6) : 0;
    const bucket = bucketOf(ns);
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.#count++;
    this.#max_ns = Math.max(this.#max_ns, ns);
  }

  figures(): LatencyFigures {
    const at = (share: number) => {
      let left = Math.ceil(this.#count * share);
      if (left === 0) return Number.NaN;
      for (let bucket = 0; bucket < this.counts.length; bucket++) {
        left -= this.counts[bucket] as number;
        if (left <= 0) return Math.min(latency_values[bucket] as number, this.#max_ns) / 1e6;
      }
      return this.#max_ns / 1e6;
    };
    const max = this.#count === 0 ? Number.NaN : this.#max_ns / 1e6;
    return { count: this.#count, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max };
  }
}

const compare_every_ms = 1_000;
const compares_max = 16;

/**
 * The time of day with the resolution of performance.now(): Date.now() cuts to whole ms, so the greatest difference of the two
 * clocks within the last seconds is taken.
 */
export class WallClock {
  #differences: number[] = [];
  #compared_ms = Number.NEGATIVE_INFINITY;
  #difference_ms = 0;

  constructor(
    private readonly steady: () => number = () => performance.now(),
    private readonly wall: () => number = () => Date.now(),
  ) {}

  now(): number {
    const steady_ms = this.steady();
    const difference = this.wall() - steady_ms;
    // A jump of the time of day is followed at once.
    if (Math.abs(difference - this.#difference_ms) > 2) this.#differences = [];
    if (this.#differences.length === 0 || steady_ms - this.#compared_ms >= compare_every_ms) {
      this.#compared_ms = steady_ms;
      this.#differences.push(difference);
      if (this.#differences.length > compares_max) this.#differences.shift();
      this.#difference_ms = Math.max(...this.#differences);
    } else if (difference > this.#difference_ms) {
      this.#differences[this.#differences.length - 1] = difference;
      this.#difference_ms = difference;
    }
    return steady_ms + this.#difference_ms;
  }
}
