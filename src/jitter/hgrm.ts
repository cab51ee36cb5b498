/** .hgrm files: percentile distributions as HdrHistogram's plotters read them, in µs. Pure. */
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import type { JitterResult } from './result.js';

export interface HgrmFile {
  name: string;
  text: string;
}

const ns_per_us = 1_000;
const ticks_per_half_distance = 5;

export function hgrmFiles(result: JitterResult): HgrmFile[] {
  const { feed, feed_without_stalls, floor, floor_without_stalls, stages } = result;
  const all = { feed, feed_without_stalls, floor, floor_without_stalls, ...stages };
  return Object.entries(all)
    .filter(([, { count }]) => count > 0)
    .map(([name, { histogram }]) => ({
      name: `${name}.hgrm`,
      text: decodeFromCompressedBase64(histogram).outputPercentileDistribution(ticks_per_half_distance, ns_per_us),
    }));
}
