/** Latency figures of a receiver as histograms. */
import { build, type Histogram } from 'hdr-histogram-js';

export type { Histogram } from 'hdr-histogram-js';

function emptyHistogram(): Histogram {
  return build({ bitBucketSize: 'packed', numberOfSignificantValueDigits: 3, useWebAssembly: false });
}

/** Turns the native thread's bucket counts, which only grow, into histograms of ns. Threads: one. */
export class LatencyRecorder {
  readonly #values: readonly number[];
  readonly #read: (counts: BigUint64Array) => void;
  readonly #counts: BigUint64Array;
  readonly #counted: { whole: BigUint64Array; interval: BigUint64Array };
  readonly #whole: Histogram = emptyHistogram();
  #interval: Histogram = emptyHistogram();

  /** `values`: upper ns of each bucket. */
  constructor(values: BigUint64Array, read: (counts: BigUint64Array) => void) {
    this.#values = Array.from(values, Number);
    this.#read = read;
    this.#counts = new BigUint64Array(values.length);
    this.#counted = { whole: new BigUint64Array(values.length), interval: new BigUint64Array(values.length) };
  }

  /** Reads the counts while there are some to read: after the native thread has gone, these remain. */
  read(): void {
    this.#read(this.#counts);
  }

  /** Everything so far, in ns. The same object each time; it grows at the next call. */
  whole(): Histogram {
    this.#add(this.#whole, this.#counted.whole);
    return this.#whole;
  }

  /** What came since the last call, in ns. */
  interval(): Histogram {
    this.#interval.reset();
    this.#add(this.#interval, this.#counted.interval);
    return this.#interval;
  }

  #add(histogram: Histogram, counted: BigUint64Array): void {
    this.read();
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      const count = this.#counts[bucket] ?? 0n;
      const fresh = Number(count - (counted[bucket] ?? 0n));
      if (fresh <= 0) continue;
      histogram.recordValueWithCount(Math.min(this.#values[bucket] ?? 0, Number.MAX_SAFE_INTEGER), fresh);
      counted[bucket] = count;
    }
  }
}
