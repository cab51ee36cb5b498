/** Counts of latencies in buckets 1.1 % wide: cheap to record, and those of several processes add up. */

const buckets_per_octave = 64;
const bucket_count = buckets_per_octave * 40; // up to 2^40 ns

export class LogHistogram {
  readonly counts: Uint32Array;

  constructor(counts?: ArrayLike<number>) {
    this.counts = new Uint32Array(bucket_count);
    if (counts !== undefined) this.counts.set(counts);
  }

  /** What is below one ns counts as one. */
  record(ns: number): void {
    const bucket = ns > 1 ? Math.min(Math.floor(Math.log2(ns) * buckets_per_octave), bucket_count - 1) : 0;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }

  add(other: LogHistogram): void {
    for (let bucket = 0; bucket < bucket_count; bucket++)
      this.counts[bucket] = (this.counts[bucket] ?? 0) + (other.counts[bucket] ?? 0);
  }

  clear(): void {
    this.counts.fill(0);
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Upper edge, in ns, of the bucket in which so many percent end; NaN where there is nothing. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((this.total * percent) / 100));
    let seen = 0;
    for (let bucket = 0; bucket < bucket_count; bucket++) {
      seen += this.counts[bucket] ?? 0;
      if (seen >= wanted) return 2 ** ((bucket + 1) / buckets_per_octave);
    }
    return Number.NaN;
  }
}
