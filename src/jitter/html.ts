/** One page that needs nothing else: percentiles, latency over time, stages, causes. Pure. */
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { duration, grouped } from '../view/format.js';
import { cause_texts, causes } from './attribution.js';
import { percentilePoints, type Quantiles, quantile_names } from './histograms.js';
import { type EncodedQuantiles, feed_stages, type JitterResult, type StageName } from './result.js';

const width = 900;
const height = 340;
const margin = { left: 70, right: 20, top: 20, bottom: 40 };
const colours = ['#2563a8', '#7aa6d6', '#c2571a', '#e3a077', '#4f8f4f', '#8a5aa8', '#a8323e', '#777777'];

const stage_words: Record<(typeof feed_stages)[number], string> = {
  due_to_ingest: 'waits until the publisher takes it',
  ingest_to_sequenced: 'sequenced, booked, encoded',
  sequenced_to_send: 'rest of the packet encoded',
  send_to_kernel: 'send call, until the kernel has it for the receiver',
  kernel_to_received: 'lies in the receiver’s socket',
  received_to_applied: 'checked, arbitrated, applied to the book',
};

const time = (ns: number) => duration(ns, true);
const escaped = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

type Scale = (value: number) => number;

function logScale(low: number, high: number, from: number, to: number): Scale {
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  return (value) => from + ((Math.log10(Math.max(value, low)) - bottom) / (top - bottom || 1)) * (to - from);
}

function decadesWithin(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power++) ticks.push(10 ** power);
  return ticks;
}

function latencyAxis(y: Scale, low: number, high: number): string {
  return decadesWithin(low, high)
    .map(
      (tick) =>
        `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick)}" y2="${y(tick)}" class="grid"/>` +
        `<text x="${margin.left - 8}" y="${y(tick) + 4}" text-anchor="end">${time(tick)}</text>`,
    )
    .join('');
}

function svg(body: string, label: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">${body}</svg>`;
}

function legend(names: readonly string[]): string {
  return `<p class="legend">${names
    .map((name, index) => `<span><i style="background:${colours[index % colours.length]}"></i>${escaped(name)}</span>`)
    .join('')}</p>`;
}

const curves = ['feed', 'feed_without_stalls', 'floor', 'floor_without_stalls'] as const;

function percentilePlot(result: JitterResult): string {
  const points = curves.map((name) => percentilePoints(decodeFromCompressedBase64(result[name].histogram)));
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
        `<line x1="${x(tick)}" x2="${x(tick)}" y1="${margin.top}" y2="${height - margin.bottom}" class="grid"/>` +
        `<text x="${x(tick)}" y="${height - margin.bottom + 18}" text-anchor="middle">${tick} %</text>`,
    );
  const lines = points.map(
    (curve, index) =>
      `<polyline fill="none" stroke="${colours[index]}" stroke-width="2"${index % 2 === 1 ? ' stroke-dasharray="5 4"' : ''} points="${curve
        .map(([percentile, ns]) => `${x(percentile).toFixed(1)},${y(ns).toFixed(1)}`)
        .join(' ')}"/>`,
  );
  const names = ['feed', 'feed without proved stalls', 'floor', 'floor without proved stalls'];
  return svg(latencyAxis(y, low, high) + ticks.join('') + lines.join(''), 'percentiles of latency') + legend(names);
}

function timePlot(result: JitterResult): string {
  const { series, stalls, pairs, conditions } = result;
  const slice_ns = Number(conditions.slice_ms) * 1e6;
  const total_ns = slice_ns * pairs.length;
  const values = series.map(({ worst }) => worst).filter((ns) => ns > 0);
  const low = Math.max(100, Math.min(...series.map(({ median }) => median).filter((ns) => ns > 0), 1e9));
  const high = Math.max(...values, 10 * low);
  const x: Scale = (ns) => margin.left + (ns / total_ns) * (width - margin.left - margin.right);
  const y = logScale(low, high, height - margin.bottom, margin.top);
  const marks = stalls.longest.map(({ slice, at, length, machine, side }) => {
    const begin = x(slice * slice_ns + Math.max(0, at));
    const wide = Math.max(1.5, (length / total_ns) * (width - margin.left - margin.right));
    const top = side === 'publisher' ? margin.top : margin.top + 8;
    return `<rect x="${begin.toFixed(1)}" y="${top}" width="${wide.toFixed(1)}" height="7" fill="${machine ? '#a8323e' : '#c9a227'}"><title>${time(length)}, ${side}</title></rect>`;
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
    `<p class="legend"><span><i style="background:${colours[2]}"></i>worst of its moment</span><span><i style="background:${colours[0]}"></i>median</span>` +
    '<span><i style="background:#a8323e"></i>proved stall of the machine</span><span><i style="background:#c9a227"></i>gap that the kernel’s counts explain (upper row: publisher, lower: subscriber)</span></p>'
  );
}

/** Where the time goes: for the median, and for each of the worst episodes, its stages side by side. */
function stagePlot(result: JitterResult): string {
  const rows: { name: string; stages: number[] }[] = [
    { name: 'median of each stage', stages: feed_stages.map((name) => result.stages[name].p50) },
    { name: 'p99.9 of each stage', stages: feed_stages.map((name) => result.stages[name].p99_9) },
    ...result.attribution.worst.slice(0, 12).map(({ cause, latency, stages }) => ({
      name: `${time(latency)}: ${cause.replace('_', ' ')}`,
      stages,
    })),
  ];
  const bars = rows.map(({ name, stages }) => {
    const sum = stages.reduce((total, ns) => total + Math.max(0, ns), 0) || 1;
    const parts = stages.map((ns, index) => {
      const share = (100 * Math.max(0, ns)) / sum;
      return `<b style="width:${share.toFixed(2)}%;background:${colours[index]}" title="${escaped(stage_words[feed_stages[index] ?? 'due_to_ingest'])}: ${time(Math.max(0, ns))}"></b>`;
    });
    return `<tr><td>${escaped(name)}</td><td class="bar">${parts.join('')}</td><td class="number">${time(sum)}</td></tr>`;
  });
  return `<table class="bars">${bars.join('')}</table>${legend(feed_stages.map((name) => stage_words[name]))}`;
}

function quantileTable(rows: readonly [string, Quantiles][]): string {
  const heads = quantile_names.map((name) => `<th>${name.replace('_', '.')}</th>`).join('');
  const body = rows
    .map(
      ([name, quantiles]) =>
        `<tr><td>${escaped(name)}</td>${quantile_names.map((one) => `<td class="number">${time(quantiles[one])}</td>`).join('')}<td class="number">${grouped(quantiles.count)}</td></tr>`,
    )
    .join('');
  return `<table><tr><th></th>${heads}<th>messages</th></tr>${body}</table>`;
}

function causeTable({ attribution }: JitterResult): string {
  const rows = causes
    .map((cause) => ({ cause, ...attribution.causes[cause] }))
    .filter(({ episodes }) => episodes > 0)
    .sort((a, b) => b.messages - a.messages)
    .map(
      ({ cause, episodes, messages, worst }) =>
        `<tr><td>${escaped(cause_texts[cause])}</td><td class="number">${grouped(episodes)}</td><td class="number">${grouped(messages)}</td><td class="number">${time(worst)}</td></tr>`,
    );
  if (rows.length === 0) return `<p>No message took longer than ${time(attribution.threshold)}.</p>`;
  return `<table><tr><th>cause of the worst packet</th><th>episodes</th><th>messages</th><th>worst</th></tr>${rows.join('')}</table>`;
}

/** What the slowest thousandth is made of, in one sentence. */
function verdict({ feed, feed_without_stalls, floor, attribution, stalls }: JitterResult): string {
  const found = causes.filter((cause) => attribution.causes[cause].messages > 0);
  const all = found.reduce((sum, cause) => sum + attribution.causes[cause].messages, 0);
  const parts = found
    .sort((a, b) => attribution.causes[b].messages - attribution.causes[a].messages)
    .slice(0, 3)
    .map((cause) => `${((100 * attribution.causes[cause].messages) / all).toFixed(0)} % ${cause_texts[cause]}`);
  const why = parts.length === 0 ? 'no message was an outlier' : `of the messages in outliers, ${parts.join('; ')}`;
  return (
    `Half of the messages were in the client’s book within ${time(feed.p50)} of when they were due, and 999 of 1,000 within ` +
    `${time(feed.p99_9)} (${time(feed_without_stalls.p99_9)} without the machine’s proved stalls, which took ` +
    `${(100 * stalls.excluded_share).toFixed(3)} % of the time). The same datagrams with nothing done for them: ${time(floor.p50)} and ${time(floor.p99_9)}. ` +
    `Beyond ${time(attribution.threshold)}: ${why}.`
  );
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}svg{width:100%;height:auto;font:11px system-ui,sans-serif}
.grid{stroke:#ddd}.seam{stroke:#eee}table{border-collapse:collapse;width:100%;font-size:13px}td,th{padding:3px 8px;border-bottom:1px solid #eee;text-align:left}
th{text-align:right}th:first-child{text-align:left}.number{text-align:right;white-space:nowrap}.legend span{margin-right:1.4em;font-size:13px}.legend i{display:inline-block;width:12px;height:12px;margin-right:5px}
.bars td:first-child{white-space:nowrap;width:1%}.bar{width:70%}.bar b{display:inline-block;height:15px;vertical-align:middle}.beware{background:#fdf3d8;padding:.6em 1em}.lead{font-size:1.05em}`;

export function renderHtml(result: JitterResult): string {
  const { conditions, warnings, budget, recurrences } = result;
  const latencies: [string, EncodedQuantiles][] = [
    ['feed', result.feed],
    ['feed without proved stalls', result.feed_without_stalls],
    ['floor', result.floor],
    ['floor without proved stalls', result.floor_without_stalls],
  ];
  const stages = feed_stages.map((name): [string, Quantiles] => [stage_words[name], result.stages[name]]);
  const others: [string, StageName][] = [
    ['the send call itself, all lines', 'send_call'],
    ['due to kernel receive', 'due_to_kernel'],
    ['inter-arrival jitter (packets)', 'inter_arrival'],
  ];
  const rhythm = recurrences.map(
    ({ interval_ms, spikes, beside }) =>
      `<li>every ${interval_ms.toFixed(1)} ms, ${spikes} times: ${escaped(beside.join(', ') || 'nothing that is known runs at that interval')}</li>`,
  );
  const around = Object.entries(conditions).map(
    ([name, value]) => `<tr><td>${escaped(name)}</td><td>${escaped(String(value))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>depthcast jitter</title><style>${style}</style></head><body>
<h1>depthcast jitter: from when a message was due to the client’s book</h1>
<p class="lead">${escaped(verdict(result))}</p>
${warnings.map((warning) => `<p class="beware">Beware: ${escaped(warning)}.</p>`).join('\n')}
${budget.map(({ text, kept, measured_ns }) => `<p class="${kept ? '' : 'beware'}">Budget ${escaped(text)}: ${kept ? 'kept' : 'missed'}, ${time(measured_ns)} without proved stalls.</p>`).join('\n')}
<h2>Latency by percentile</h2>${percentilePlot(result)}${quantileTable(latencies)}
<h2>Latency over time</h2>${timePlot(result)}
<h2>Where the time goes</h2><p>Each bar is one whole; hover for ns. Below the first two: the worst episodes, with their cause.</p>${stagePlot(result)}
${quantileTable([...stages, ...others.map(([text, name]): [string, Quantiles] => [text, result.stages[name]])])}
<h2>Causes of outliers</h2>${causeTable(result)}
<h2>Spikes that recur</h2>${rhythm.length === 0 ? '<p>None at a fixed interval.</p>' : `<ul>${rhythm.join('')}</ul>`}
<h2>Conditions</h2><table>${around.join('')}</table>
</body></html>
`;
}
