/** One page that needs nothing else: what the p99.9 is made of, percentiles, latency over time, stages, causes. Pure. */
import { createHash } from 'node:crypto';
import { grouped } from '../view/format.js';
import { cause_texts, causes } from './attribution.js';
import type { Quantiles } from './histograms.js';
import { escaped, legend, quantileTable, strip, style, table, time } from './html_parts.js';
import { percentilePlot, stage_words, stagePlot, timePlot } from './html_plots.js';
import { type CauseCounts, feed_stages, type JitterResult, type StageName } from './result.js';
import { floorSentence, tailParts, tailSentence } from './verdict.js';

const usual_colour = 11;

function causeColour(cause: (typeof causes)[number] | undefined): number {
  return cause === undefined ? usual_colour : causes.indexOf(cause) % usual_colour;
}

function cards({ feed, floor }: JitterResult): string {
  const card = (name: string, value: number, least: number) =>
    `<div><span>${name}</span><b>${time(value)}</b><span>floor ${time(least)}</span></div>`;
  return `<div class="cards">${card('half of the messages', feed.p50, floor.p50)}${card('99 of 100', feed.p99, floor.p99)}${card(
    '999 of 1,000 (p99.9)',
    feed.p99_9,
    floor.p99_9,
  )}${card('all (max)', feed.max, floor.max)}</div>`;
}

/** The messages above p99.9, by what held them up. */
function tailBar({ attribution: { p99_9 } }: JitterResult): string {
  const parts = tailParts(p99_9);
  if (parts.length === 0) return '';
  const named = parts.map(({ cause, messages, share, text }) => ({
    share,
    colour: causeColour(cause),
    title: text,
    name: `${(100 * share).toFixed(0)} %, ${grouped(messages)} messages: ${text}`,
  }));
  return `<h2>What the messages above p99.9 met</h2>${strip(named)}${legend(named)}`;
}

function causeTable(counts: CauseCounts): string {
  const rows = causes
    .map((cause) => ({ cause, ...counts.causes[cause] }))
    .filter(({ episodes }) => episodes > 0)
    .sort((a, b) => b.messages - a.messages)
    .map(({ cause, episodes, messages, worst }) => [
      `${cause.replaceAll('_', ' ')}: ${cause_texts[cause]}`,
      grouped(episodes),
      grouped(messages),
      time(worst),
    ]);
  if (rows.length === 0) return `<p>No message took longer than ${time(counts.threshold)}.</p>`;
  const beside = Object.entries(counts.beside).map(([name, count]) => `${name} during ${grouped(count)} of them`);
  return (
    table(['cause of the worst packet', 'episodes', 'messages', 'worst'], rows) +
    (beside.length > 0 ? `<p class="note">What ran beside: ${escaped(beside.join(', '))}.</p>` : '')
  );
}

function deliveredPart({ delivered, stages, attribution, conditions }: JitterResult): string {
  if (delivered === null || attribution.delivered === null) return '';
  const lost = delivered.lost > 0 ? ` JavaScript was too slow for ${grouped(delivered.lost)} updates.` : '';
  return (
    `<h2>Delivered to JavaScript</h2><p class="note">Measured in slices of their own (${Number(conditions.delivered_slice_ms)} ms in each pair), ` +
    `since JavaScript takes a core where two are spinning. The event loop was late by ${time(delivered.event_loop_delay)} at most.${lost}</p>` +
    quantileTable([
      ['due to delivered to JavaScript', delivered],
      ['of that: applied to delivered', stages.applied_to_javascript],
    ]) +
    `<p class="note">Waits for JavaScript beyond ${time(attribution.delivered.threshold)}:</p>${causeTable(attribution.delivered)}`
  );
}

function collectingPart({ collecting }: JitterResult): string {
  if (collecting === null) return '';
  const { every_ms, pairs, spread, moved, within_spread } = collecting;
  return (
    `<h2>Garbage collection in the publisher’s process</h2><p>Every ${every_ms} ms, in one slice of each of ${pairs.length} pairs: ` +
    `p99.9 of due to kernel receive moved by ${time(Math.abs(moved))} ${moved < 0 ? 'down' : 'up'} in the median; between two slices without it ` +
    `it moves by ${time(spread)}. ${within_spread ? 'Within' : 'Beyond'} the spread.</p>`
  );
}

function injectionsPart({ injections }: JitterResult): string {
  if (injections === null) return '';
  const { kind, expected, injections: count, seen, episodes, right, causes: found } = injections;
  const rows = Object.entries(found).map(([cause, number]) => [cause, grouped(number ?? 0)]);
  return (
    `<h2>Faults made on purpose</h2><p>${escaped(kind)}: ${grouped(count)} times, ${grouped(seen)} of them seen in ${grouped(episodes)} episodes; ` +
    `${grouped(right)} were given their true cause, ${escaped(expected)}.</p>${table(['cause given', 'episodes'], rows)}`
  );
}

function rhythmPart({ recurrences, activities }: JitterResult): string {
  const rhythm = recurrences.map(
    ({ interval_ms, spikes, beside }) =>
      `<li>every ${interval_ms.toFixed(1)} ms, ${spikes} times: ${escaped(beside.join(', ') || 'nothing that is known runs at that interval')}</li>`,
  );
  const ran = Object.entries(activities).map(([name, { count, total, longest }]) => [
    name.replaceAll('_', ' '),
    grouped(count),
    time(total),
    time(longest),
  ]);
  return (
    `<h2>Spikes that recur</h2>${rhythm.length === 0 ? '<p>None at a fixed interval.</p>' : `<ul>${rhythm.join('')}</ul>`}` +
    (ran.length === 0 ? '' : table(['what ran beside the path', 'times', 'in all', 'longest'], ran))
  );
}

export function renderHtml(result: JitterResult): string {
  const { conditions, warnings, budget } = result;
  const latencies: [string, Quantiles][] = [
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
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>depthcast jitter</title><style>${style}</style></head><body>
<h1>depthcast jitter: from when a message was due to the client’s book</h1>
<p class="lead">${escaped(tailSentence(result, true))}</p>
<p>${escaped(floorSentence(result, true))}</p>
${warnings.map((warning) => `<p class="beware">Beware: ${escaped(warning)}.</p>`).join('\n')}
${budget.map(({ text, kept, measured_ns }) => `<p${kept ? '' : ' class="beware"'}>Budget ${escaped(text)}: ${kept ? 'kept' : 'missed'}, ${time(measured_ns)} without proved stalls.</p>`).join('\n')}
${cards(result)}
${tailBar(result)}
<h2>Latency by percentile</h2>${percentilePlot(result)}${quantileTable(latencies)}
<h2>Latency over time</h2>${timePlot(result)}
<h2>Where the time goes</h2><p class="note">Each bar is one whole, from due (left) to the client’s book (right); hover for times. The first two are of all messages, the others are the worst outliers with their causes.</p>${stagePlot(result)}
${quantileTable([...stages, ...others.map(([text, name]): [string, Quantiles] => [text, result.stages[name]])])}
<h2>Causes of outliers</h2><p class="note">Messages that took longer than ${time(result.attribution.threshold)}; those that follow each other are one episode.</p>${causeTable(result.attribution)}
${deliveredPart(result)}
${collectingPart(result)}
${injectionsPart(result)}
${rhythmPart(result)}
<h2>Conditions</h2>${table(
    ['', ''],
    Object.entries(conditions).map(([name, value]) => [name.replaceAll('_', ' '), String(value)]),
  )}
</body></html>
`;
}
