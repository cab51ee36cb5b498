/** The result as text for people. Pure. */
import { duration, grouped } from '../view/format.js';
import { cause_texts, causes } from './attribution.js';
import { type Quantiles, quantile_names } from './histograms.js';
import { type CauseCounts, feed_stages, type JitterResult, type StageName } from './result.js';
import { tailSentence } from './verdict.js';

const stage_texts: Partial<Record<StageName, string>> = {
  due_to_ingest: 'due -> ingest',
  ingest_to_sequenced: 'ingest -> sequenced, booked',
  sequenced_to_send: 'sequenced -> before send',
  send_to_kernel: 'before send -> kernel receive',
  kernel_to_received: 'kernel receive -> received',
  received_to_applied: 'received -> applied to the book',
  send_call: 'the send call itself (all lines)',
  due_to_kernel: 'due -> kernel receive',
  inter_arrival: 'inter-arrival jitter',
};

const name_width = 34;
const cell_width = 10;

export function renderTable(result: JitterResult, unicode: boolean): string {
  const time = (ns: number) => duration(ns, unicode);
  const row = (name: string, quantiles: Quantiles) =>
    name.padEnd(name_width) + quantile_names.map((one) => time(quantiles[one]).padStart(cell_width)).join('');
  const heads = quantile_names.map((name) => name.replace('_', '.').padStart(cell_width)).join('');
  const lines: string[] = [];
  lines.push(describeRun(result));
  lines.push('');
  lines.push(`${'due -> applied'.padEnd(name_width)}${heads}`);
  lines.push(row('feed', result.feed));
  lines.push(row('feed without proved stalls', result.feed_without_stalls));
  lines.push(row('floor', result.floor));
  lines.push(row('floor without proved stalls', result.floor_without_stalls));
  lines.push(ratios(result));
  if (result.delivered !== null) lines.push(row('delivered to JavaScript (due ->)', result.delivered));
  lines.push('', tailSentence(result, unicode));
  lines.push('');
  lines.push(`${'stage'.padEnd(name_width)}${heads}`);
  for (const name of [...feed_stages, 'send_call', 'due_to_kernel', 'inter_arrival'] as StageName[])
    lines.push(row(stage_texts[name] ?? name, result.stages[name]));
  if (result.delivered !== null)
    lines.push(row('applied -> JavaScript (own slices)', result.stages.applied_to_javascript));
  lines.push('', ...stallLines(result, time));
  lines.push('', ...attributionLines(result, time));
  lines.push(...recurrenceLines(result), ...extraLines(result, time));
  const { p50, min, max } = result.round_trip;
  if (p50 > 0)
    lines.push('', `Core to core and back: ${time(p50)} in the median of the pairs (${time(min)} to ${time(max)}).`);
  for (const { text, kept, measured_ns, measured_with_stalls_ns, excluded_share } of result.budget) {
    lines.push(
      '',
      `Budget ${text}: ${kept ? 'kept' : 'MISSED'}, ${time(measured_ns)} without proved stalls of the machine ` +
        `(${(100 * excluded_share).toFixed(3)} % of the time), ${time(measured_with_stalls_ns)} with them.`,
    );
  }
  for (const warning of result.warnings) lines.push('', `Beware: ${warning}.`);
  return `${lines.join('\n')}\n`;
}

function describeRun({ conditions, pairs, feed }: JitterResult): string {
  return (
    `${grouped(feed.count)} messages of the feed, ${conditions.pattern} at ${grouped(Number(conditions.rate))}/s, ` +
    `${pairs.length} pairs of slices of ${Number(conditions.slice_ms)} ms, lines ${conditions.lines}, ` +
    `wait ${conditions.wait}, cores ${conditions.publisher_core} and ${conditions.subscriber_core} ` +
    `of ${conditions.cores}, load ${conditions.load}`
  );
}

function ratios({ feed, floor }: JitterResult): string {
  const cells = quantile_names.map((name) =>
    (floor[name] === 0 ? '-' : (feed[name] / floor[name]).toFixed(2)).padStart(cell_width),
  );
  return 'feed / floor'.padEnd(name_width) + cells.join('');
}

function stallLines({ stalls }: JitterResult, time: (ns: number) => string): string[] {
  const { machine, explained, excluded_share, excluded_messages } = stalls;
  return [
    `Stalls of the machine, proved: ${machine.count}, ${time(machine.total)} in all, longest ${time(machine.longest)}: ` +
      `${(100 * excluded_share).toFixed(3)} % of the time; ${grouped(excluded_messages)} messages met one.`,
    `Other gaps of spinning threads (not excluded): ${explained.count}, ${time(explained.total)} in all, longest ` +
      `${time(explained.longest)}: context switches, run delay or faults moved.`,
  ];
}

function attributionLines({ attribution }: JitterResult, time: (ns: number) => string): string[] {
  const lines = causeLines(attribution, 'Outliers', time);
  if (attribution.delivered !== null) lines.push(...causeLines(attribution.delivered, 'Waits for JavaScript', time));
  return lines;
}

function causeLines(counts: CauseCounts, what: string, time: (ns: number) => string): string[] {
  const { threshold, episodes, beside } = counts;
  if (episodes === 0) return [`${what} beyond ${time(threshold)}: none.`];
  const lines = [`${what} beyond ${time(threshold)}: ${episodes} episodes, by cause of the worst packet of each:`];
  const found = causes
    .map((cause) => ({ cause, ...counts.causes[cause] }))
    .filter((one) => one.episodes > 0)
    .sort((a, b) => b.messages - a.messages);
  for (const { cause, episodes: count, messages, worst } of found)
    lines.push(
      `  ${cause.padEnd(13)}${String(count).padStart(7)} episodes ${grouped(messages).padStart(10)} messages, ` +
        `worst ${time(worst).padStart(8)}  ${cause_texts[cause]}`,
    );
  const ran = Object.entries(beside).map(([name, count]) => `${name} during ${count} of them`);
  if (ran.length > 0) lines.push(`  Beside them ran: ${ran.join(', ')}.`);
  return lines;
}

function extraLines({ collecting, injections }: JitterResult, time: (ns: number) => string): string[] {
  const lines: string[] = [];
  if (collecting !== null) {
    const { every_ms, pairs, spread, moved, within_spread } = collecting;
    lines.push(
      '',
      `Garbage collected in the publisher's process every ${every_ms} ms: p99.9 of due -> kernel receive moved by ` +
        `${moved < 0 ? '-' : '+'}${time(Math.abs(moved))} (median of ${pairs.length} pairs); two slices without it differ by ` +
        `${time(spread)}: ${within_spread ? 'within' : 'BEYOND'} the spread.`,
    );
  }
  if (injections !== null) {
    const { kind, expected, injections: count, seen, episodes, right, causes: given, touched } = injections;
    const list = (of: typeof given) => Object.entries(of).map(([cause, number]) => `${cause} ${number}`);
    const percent = episodes === 0 ? 0 : (100 * right) / episodes;
    lines.push(
      '',
      `Injected ${kind}: ${count} times, ${seen} seen, ${episodes} episodes, of which ${right} (${percent.toFixed(1)} %) were ` +
        `called ${expected}, as they are. Called: ${list(given).join(', ') || 'nothing'}.`,
      `Episodes that met one for less than half of their worst packet's way: ${list(touched).join(', ') || 'none'}.`,
    );
  }
  return lines;
}

function recurrenceLines({ recurrences }: JitterResult): string[] {
  if (recurrences.length === 0) return ['No spikes that recur at a fixed interval.'];
  return recurrences.map(
    ({ interval_ms, share, spikes, beside }) =>
      `Spikes recur every ${interval_ms.toFixed(1)} ms (${spikes} times, ${(100 * share).toFixed(0)} % of what could): ` +
      (beside.length === 0 ? 'nothing that is known runs at that interval' : beside.join(', ')),
  );
}
