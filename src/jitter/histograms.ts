/** Histograms of ns with three significant digits, from the addon's counts, and what is said of them. */
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';

export type { Histogram } from 'hdr-histogram-js';

/** In ns; `count`: messages. */
export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  p99_9: number;
  p99_99: number;
  p99_999: number;
  max: number;
  count: number;
}

export const quantile_percents = {
  p50: 50,
  p90: 90,
  p99: 99,
  p99_9: 99.9,
  p99_99: 99.99,
  p99_999: 99.999,
  max: 100,
} as const;
export type QuantileName = keyof typeof quantile_percents;
export const quantile_names = Object.keys(quantile_percents) as QuantileName[];

export function emptyHistogram(): Histogram {
  return build({ bitBucketSize: 64, numberOfSignificantValueDigits: 3, useWebAssembly: false });
}

/** Adds pairs of a value and its count. */
export function addCounts(histogram: Histogram, pairs: Float64Array): void {
  for (let at = 0; at + 1 < pairs.length; at += 2)
    histogram.recordValueWithCount(Math.max(0, pairs[at] ?? 0), pairs[at + 1] ?? 0);
}

export function histogramOf(pairs: Float64Array): Histogram {
  const histogram = emptyHistogram();
  addCounts(histogram, pairs);
  return histogram;
}

/** Zeros where nothing was recorded. */
export function quantilesOf(histogram: Histogram): Quantiles {
  const at = (percent: number) => (histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percent));
  return {
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p99_9: at(99.9),
    p99_99: at(99.99),
    p99_999: at(99.999),
    max: histogram.totalCount === 0 ? 0 : histogram.maxValue,
    count: histogram.totalCount,
  };
}

/** As HdrHistogram's tools read it: V2, compressed, base64. */
export function encoded(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

/** Points of a percentile plot: [percentile, ns], denser towards 100. */
export function percentilePoints(histogram: Histogram): [number, number][] {
  if (histogram.totalCount === 0) return [];
  const points: [number, number][] = [];
  const steps_per_decade = 12;
  const decades = Math.ceil(Math.log10(histogram.totalCount)) + 0.5;
  for (let step = 0; step <= decades * steps_per_decade; step++) {
    const percentile = 100 * (1 - 10 ** (-step / steps_per_decade));
    points.push([percentile, histogram.getValueAtPercentile(percentile)]);
  }
  return points;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? 0;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
