/** Figures of a result from what was gathered. Pure. */
import { type Cause, causes, type Episode } from './attribution.js';
import { encoded, type Histogram, median, quantilesOf } from './histograms.js';
import type { TracedPacket } from './packets.js';
import type { CauseCounts, CollectingFigures, EncodedQuantiles, OutlierEntry, TailFigures } from './result.js';

export function at(stages: readonly Float64Array[], index: number): Float64Array {
  return stages[index] ?? new Float64Array();
}

export function countCauses(threshold: number, episodes: readonly Episode[]): CauseCounts {
  const figures = Object.fromEntries(causes.map((cause) => [cause, { episodes: 0, messages: 0, worst: 0 }]));
  const counts = { threshold, episodes: episodes.length, causes: figures as CauseCounts['causes'], beside: {} };
  const beside: Record<string, number> = counts.beside;
  for (const episode of episodes) {
    const one = counts.causes[episode.cause];
    one.episodes++;
    one.messages += episode.messages;
    one.worst = Math.max(one.worst, episode.latency_ns);
    for (const name of episode.beside) beside[name] = (beside[name] ?? 0) + 1;
  }
  return counts;
}

/** The messages of a packet count with its oldest: a few may lie below. */
export function tailOf(histogram: Histogram, percent: number, episodes: readonly Episode[]): TailFigures {
  const value = histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percent);
  const messages = Math.floor(histogram.totalCount * (1 - percent / 100));
  const found: Partial<Record<Cause, number>> = {};
  let outliers = 0;
  for (const { cause, members } of episodes) {
    for (let at = 0; at + 1 < members.length; at += 2) {
      if ((members[at] ?? 0) <= value) continue;
      found[cause] = (found[cause] ?? 0) + (members[at + 1] ?? 0);
      outliers += members[at + 1] ?? 0;
    }
  }
  return { value, messages: Math.max(messages, outliers), causes: found, usual: Math.max(0, messages - outliers) };
}

export function withHistogram(histogram: Histogram): EncodedQuantiles {
  return { ...quantilesOf(histogram), histogram: encoded(histogram) };
}

/** By stage, in the order of feed_stages. */
export function stagesOf(packet: TracedPacket): number[] {
  const { due_ns, ingest_ns, sequenced_ns, before_send_ns, kernel_ns, received_ns, applied_ns } = packet;
  const points = [due_ns, ingest_ns, sequenced_ns, before_send_ns, kernel_ns, received_ns, applied_ns];
  return points.slice(1).map((point, index) => point - (points[index] ?? 0));
}

export function outlierEntry(
  slice: number,
  { cause, due_ns, latency_ns, messages, worst, beside }: Episode,
): OutlierEntry {
  const line = worst.line === 0 ? 'A' : 'B';
  return { cause, slice, at: due_ns, latency: latency_ns, messages, line, stages: stagesOf(worst), beside };
}

/** `pairs`: p99.9 of each slice. */
export function collectingFigures(every_ms: number, pairs: CollectingFigures['pairs']): CollectingFigures | null {
  if (pairs.length === 0) return null;
  const spread = median(pairs.map(({ calm: [one, other] }) => Math.abs(one - other)));
  const moved = median(pairs.map(({ forced, calm: [one, other] }) => forced - (one + other) / 2));
  return { every_ms, pairs, spread, moved, within_spread: Math.abs(moved) <= spread };
}
