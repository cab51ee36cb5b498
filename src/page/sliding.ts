/**
 * Percentiles, the least value and rates of the last seconds, in memory of a fixed size. Time is passed in, in ms.
 * hdr-histogram-js does more and is as large as the whole page: it brings a decoder and its WebAssembly with it.
 */

const steps = 16;
const buckets = 26 * steps;

/** Sixteen buckets for each doubling, from 1 µs to a minute: a value is told to within 4 %. */
function bucketOf(value_ms: number): number {
  if (!(value_ms > 0.001)) return 0;
  return Math.min(buckets - 1, Math.floor(Math.log2(value_ms * 1_000) * steps) + 1);
}

/** The upper end, so that nothing is told to be smaller than it was. */
function upperEnd(bucket: number): number {
  return 2 ** (bucket / steps) / 1_000;
}

/** Which of the slices a time belongs to; the slices before it that nothing fell into are cleared on the way. */
class Slices {
  #slice = Number.NEGATIVE_INFINITY;

  constructor(
    readonly count: number,
    readonly length_ms: number,
    private readonly clear: (index: number) => void,
  ) {}

  at(now: number): number {
    const slice = Math.floor(now / this.length_ms);
    for (let fresh = Math.max(this.#slice + 1, slice - this.count + 1); fresh <= slice; fresh++)
      this.clear(fresh % this.count);
    this.#slice = Math.max(this.#slice, slice);
    return this.#slice % this.count;
  }
}

export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Of the last ten seconds. */
export class SlidingPercentiles {
  readonly #counts: Uint32Array[];
  readonly #max: number[];
  readonly #slices: Slices;

  constructor() {
    this.#counts = Array.from({ length: 10 }, () => new Uint32Array(buckets));
    this.#max = this.#counts.map(() => 0);
    this.#slices = new Slices(10, 1_000, (index) => {
      this.#counts[index]?.fill(0);
      this.#max[index] = 0;
    });
  }

  add(value_ms: number, now: number): void {
    const index = this.#slices.at(now);
    const counts = this.#counts[index] as Uint32Array;
    const bucket = bucketOf(value_ms);
    counts[bucket] = (counts[bucket] as number) + 1;
    this.#max[index] = Math.max(this.#max[index] as number, value_ms);
  }

  /** NaN where there is nothing. */
  read(now: number): Percentiles {
    this.#slices.at(now);
    const total = new Uint32Array(buckets);
    let count = 0;
    for (const counts of this.#counts)
      for (let bucket = 0; bucket < buckets; bucket++) {
        total[bucket] = (total[bucket] as number) + (counts[bucket] as number);
        count += counts[bucket] as number;
      }
    const max = count === 0 ? Number.NaN : Math.max(...this.#max);
    const at = (share: number) => {
      let left = Math.ceil(count * share);
      for (let bucket = 0; bucket < buckets; bucket++) {
        left -= total[bucket] as number;
        if (left <= 0) return Math.min(upperEnd(bucket), max);
      }
      return max;
    };
    return { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max };
  }
}

/** The least value of the last minute. */
export class SlidingLeast {
  readonly #least = new Array<number>(12).fill(Number.POSITIVE_INFINITY);
  readonly #slices = new Slices(12, 5_000, (index) => {
    this.#least[index] = Number.POSITIVE_INFINITY;
  });

  add(value: number, now: number): void {
    const index = this.#slices.at(now);
    this.#least[index] = Math.min(this.#least[index] as number, value);
  }

  /** Infinite where there is none. */
  read(now: number): number {
    this.#slices.at(now);
    return Math.min(...this.#least);
  }
}

/** Growth of a figure per second over about the last two seconds. */
export class SlidingRate {
  #past: { at: number; value: number }[] = [];

  /** A figure that has become smaller begins anew. */
  update(value: number, now: number): number {
    const newest = this.#past.at(-1);
    if (newest !== undefined && value < newest.value) this.#past = [];
    this.#past.push({ at: now, value });
    while (this.#past.length > 2 && now - (this.#past[1]?.at as number) >= 2_000) this.#past.shift();
    const oldest = this.#past[0] as { at: number; value: number };
    return now > oldest.at ? ((value - oldest.value) * 1_000) / (now - oldest.at) : 0;
  }
}
