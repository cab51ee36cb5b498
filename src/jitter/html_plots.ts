/** The page's plots: percentiles, latency over time, stages. Pure. */
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { percentilePoints } from './histograms.js';
import {
  colours,
  escaped,
  height,
  latencyAxis,
  legend,
  logScale,
  margin,
  type Scale,
  strip,
  svg,
  time,
  width,
} from './html_parts.js';
import { feed_stages, type JitterResult } from './result.js';

export const stage_words: Record<(typeof feed_stages)[number], string> = {
  due_to_ingest: 'waits until the publisher takes it',
  ingest_to_sequenced: 'sequenced, booked, encoded',
  sequenced_to_send: 'rest of the packet encoded',
  send_to_kernel: 'send call, until the kernel has it for the receiver',
  kernel_to_received: 'lies in the receiver’s socket',
  received_to_applied: 'checked, arbitrated, applied to the book',
};

const curves = [
  { key: 'feed', name: 'feed' },
  { key: 'feed_without_stalls', name: 'feed without proved stalls' },
  { key: 'floor', name: 'floor' },
  { key: 'floor_without_stalls', name: 'floor without proved stalls' },
] as const;

export function percentilePlot(result: JitterResult): string {
  const points = curves.map(({ key }) => percentilePoints(decodeFromCompressedBase64(result[key].histogram)));
  const all = points.flat().map(([, ns]) => ns);
  const low = Math.max(100, Math.min(...all.filter((ns) => ns > 0), 1e9));
  const high = Math.max(...all, 10 * low);
  const decades = Math.max(2, Math.ceil(Math.log10(Math.max(10, result.feed.count))));
  const x: Scale = (percentile) =>
    margin.left +
    (Math.min(decades, -Math.log10(Math.max(1e-9, 1 - percentile / 100))) / decades) *
      (width - margin.left - margin.right);
  const y = logScale(low, high, height - margin.bottom, margin.top);
  const ticks = [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999]
    .filter((tick) => -Math.log10(Math.max(1e-9, 1 - tick / 100)) <= decades)
    .map(
      (tick) =>
        `<line x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${margin.top}" y2="${height - margin.bottom}" class="grid"/>` +
        `<text x="${x(tick).toFixed(1)}" y="${height - margin.bottom + 18}" text-anchor="${x(tick) > width - 60 ? 'end' : 'middle'}">${tick} %</text>`,
    );
  const lines = points.map(
    (curve, index) =>
      `<polyline fill="none" stroke="${colours[index]}" stroke-width="2"${index % 2 === 1 ? ' stroke-dasharray="5 4"' : ''} points="${curve
        .map(([percentile, ns]) => `${x(percentile).toFixed(1)},${y(ns).toFixed(1)}`)
        .join(' ')}"/>`,
  );
  const caption = `<text x="${(width + margin.left) / 2}" y="${height - 4}" text-anchor="middle">share of the messages that took at most so long</text>`;
  return (
    svg(latencyAxis(y, low, high) + ticks.join('') + lines.join('') + caption, 'percentiles of latency') +
    legend(curves.map(({ name }, colour) => ({ name, colour })))
  );
}

const machine_colour = 6;
const explained_colour = 7;

export function timePlot(result: JitterResult): string {
  const { series, stalls, pairs, conditions } = result;
  const slice_ns = Number(conditions.slice_ms) * 1e6;
  const total_ns = slice_ns * Math.max(1, pairs.length);
  const values = series.map(({ worst }) => worst).filter((ns) => ns > 0);
  const low = Math.max(100, Math.min(...series.map(({ median }) => median).filter((ns) => ns > 0), 1e9));
  const high = Math.max(...values, 10 * low);
  const x: Scale = (ns) => margin.left + (ns / total_ns) * (width - margin.left - margin.right);
  const y = logScale(low, high, height - margin.bottom, margin.top + 18);
  const marks = stalls.longest.map(({ slice, at, length, machine, side }) => {
    const begin = x(slice * slice_ns + Math.max(0, at));
    const wide = Math.max(1.5, (length / total_ns) * (width - margin.left - margin.right));
    const top = side === 'publisher' ? margin.top - 8 : margin.top + 2;
    const colour = colours[machine ? machine_colour : explained_colour];
    return `<rect x="${begin.toFixed(1)}" y="${top}" width="${wide.toFixed(1)}" height="7" fill="${colour}"><title>${time(length)}, ${side}</title></rect>`;
  });
  const dots = series.flatMap(({ slice, at, median, worst }) => {
    const place = x(slice * slice_ns + at).toFixed(1);
    return [
      `<circle cx="${place}" cy="${y(worst).toFixed(1)}" r="1.6" fill="${colours[2]}"/>`,
      `<circle cx="${place}" cy="${y(median).toFixed(1)}" r="1.2" fill="${colours[0]}"/>`,
    ];
  });
  const seams = pairs.map((_, index) => {
    const place = x(index * slice_ns).toFixed(1);
    return `<line x1="${place}" x2="${place}" y1="${margin.top}" y2="${height - margin.bottom}" class="seam"/><text x="${place}" y="${height - margin.bottom + 18}">${((index * slice_ns) / 1e9).toFixed(2)} s</text>`;
  });
  const shown = seams.filter((_, index) => index % Math.ceil(pairs.length / 10) === 0);
  return (
    svg(latencyAxis(y, low, high) + shown.join('') + dots.join('') + marks.join(''), 'latency over time') +
    legend([
      { name: 'worst of its moment', colour: 2 },
      { name: 'median of its moment', colour: 0 },
      { name: 'proved stall of the machine', colour: machine_colour },
      {
        name: 'gap that the kernel’s counts explain (marks at the top: publisher above, subscriber below)',
        colour: explained_colour,
      },
    ])
  );
}

/** Where the time goes: for the median, and for each of the worst episodes, its stages side by side. */
export function stagePlot(result: JitterResult): string {
  const rows: { name: string; stages: number[] }[] = [
    { name: 'median of each stage', stages: feed_stages.map((name) => result.stages[name].p50) },
    { name: 'p99.9 of each stage', stages: feed_stages.map((name) => result.stages[name].p99_9) },
    ...result.attribution.worst.slice(0, 12).map(({ cause, latency, stages }, index) => ({
      name: `${index === 0 ? 'worst' : `no. ${index + 1}`}, ${time(latency)}: ${cause.replaceAll('_', ' ')}`,
      stages,
    })),
  ];
  const bars = rows.map(({ name, stages }) => {
    const sum = stages.reduce((total, ns) => total + Math.max(0, ns), 0) || 1;
    const parts = stages.map((ns, colour) => ({
      share: Math.max(0, ns) / sum,
      colour,
      title: `${stage_words[feed_stages[colour] ?? 'due_to_ingest']}: ${time(Math.max(0, ns))}`,
    }));
    return `<div class="row"><div>${escaped(name)}</div>${strip(parts)}<div class="number">${time(sum)}</div></div>`;
  });
  return bars.join('') + legend(feed_stages.map((name, colour) => ({ name: stage_words[name], colour })));
}
