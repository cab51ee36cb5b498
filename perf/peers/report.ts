/** Tables of what was measured: medians over the runs, with the spread. Pure. */
import { median } from '../native_program.js';
import type { SliceFigures } from './session.js';
import { systemOf } from './systems.js';

export interface PeersSlice extends SliceFigures {
  /** Messages a second that were asked for. */
  asked: number;
}

export interface PeersRun {
  system: string;
  subscribers: number;
  slices: PeersSlice[];
  /** Messages a second; undefined: not looked for. */
  sustained: number | undefined;
}

export interface PeersResult {
  name: 'peers';
  /** By system. */
  versions: Record<string, string>;
  conditions: Record<string, string | number>[];
  runs: PeersRun[];
}

interface Row {
  system: string;
  runs: PeersRun[];
}

/** Three digits, and words for what is large. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString('en-US', { maximumFractionDigits: Math.abs(rounded) < 10 ? 2 : rounded < 100 ? 1 : 0 });
}

/** A latency in µs with a unit that suits it. */
export function latency(us: number): string {
  if (!Number.isFinite(us)) return '–';
  return us < 1_000 ? `${figure(us)} µs` : us < 1e6 ? `${figure(us / 1e3)} ms` : `${figure(us / 1e6)} s`;
}

function spread(values: number[], format: (value: number) => string): string {
  if (values.length === 0) return '–';
  const middle = format(median(values));
  if (values.length === 1) return middle;
  const [least, most] = [format(Math.min(...values)), format(Math.max(...values))];
  return least === most ? middle : `${middle} (${least} to ${most})`;
}

function rowsOf(result: PeersResult, subscribers: number): Row[] {
  const names = [...new Set(result.runs.map(({ system }) => system))];
  return names
    .map((system) => ({
      system,
      runs: result.runs.filter((run) => run.system === system && run.subscribers === subscribers),
    }))
    .filter(({ runs }) => runs.length > 0);
}

function percent(value: number): string {
  return `${Math.round(value * 100)}`;
}

function rateCells(slices: PeersSlice[]): string[] {
  if (slices.length === 0) return ['–', '–', '–'];
  const kept = slices.filter(({ sustained }) => sustained).length;
  const pick = (key: 'p50_us' | 'p99_us' | 'p99_9_us') =>
    spread(
      slices.map((slice) => slice[key]),
      latency,
    );
  const cpu = (key: 'publisher_cpu' | 'broker_cpu' | 'subscriber_cpu') =>
    percent(median(slices.map((slice) => slice[key])));
  return [
    [pick('p50_us'), pick('p99_us'), pick('p99_9_us')].join('<br>'),
    kept === slices.length ? 'all' : `${kept} of ${slices.length}`,
    `${cpu('publisher_cpu')} / ${cpu('broker_cpu')} / ${cpu('subscriber_cpu')}`,
  ];
}

function table(result: PeersResult, subscribers: number): string[] {
  const rows = rowsOf(result, subscribers);
  const rates = [
    ...new Set(rows.flatMap(({ runs }) => runs.flatMap(({ slices }) => slices.map(({ asked }) => asked)))),
  ];
  const searched = rows.some(({ runs }) => runs.some((run) => run.sustained !== undefined));
  const head = ['', 'carries', ...(searched ? ['sustained, messages/s'] : [])];
  for (const rate of rates.sort((a, b) => a - b)) {
    const text = rate.toLocaleString('en-US');
    head.push(`latency at ${text}/s:<br>p50<br>p99<br>p99.9`, 'kept up', 'CPU %: publisher / broker / subscriber');
  }
  const lines = [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`];
  for (const { system, runs } of rows) {
    const { title, carries } = systemOf(system);
    const sustained = runs.map((run) => run.sustained).filter((value) => value !== undefined);
    const cells = [title, carries, ...(searched ? [spread(sustained, figure)] : [])];
    for (const rate of rates)
      cells.push(...rateCells(runs.flatMap(({ slices }) => slices.filter(({ asked }) => asked === rate))));
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines;
}

/** How many runs of each system there are for which that holds. */
function counted(rows: Row[], holds: (run: PeersRun) => boolean): string {
  const counts = rows.map(({ runs }) => runs.filter(holds).length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** The tables of docs/performance.md, one for each number of subscribers. */
export function renderMarkdown(result: PeersResult): string {
  const lines: string[] = [];
  for (const subscribers of [...new Set(result.runs.map((run) => run.subscribers))].sort((a, b) => a - b)) {
    const rows = rowsOf(result, subscribers);
    const rounds = counted(rows, ({ slices }) => slices.length > 0);
    const searches = counted(rows, ({ sustained }) => sustained !== undefined);
    const who = subscribers === 1 ? 'One subscriber' : `${subscribers} subscribers, each a process`;
    const trials = searches === '0' ? '' : `; sustained: ${searches} of each`;
    lines.push(`**${who}.** Latency: median of ${rounds} rounds, in brackets least and most${trials}.`, '');
    lines.push(...table(result, subscribers), '');
  }
  const versions = Object.entries(result.versions).filter(
    ([name]) => !name.endsWith('-packets') && name !== 'depthcast-book',
  );
  lines.push(
    `Versions: ${[...new Set(versions.map(([name, text]) => `${systemOf(name).title}: ${text}`))].join('; ')}.`,
  );
  const load = result.conditions.map((each) => Number(each.load));
  const trip = result.conditions.map((each) => Number(each.core_round_trip_ns));
  const { cpu, cores, kernel, node } = result.conditions[0] ?? {};
  lines.push(
    `Machine: ${cores} cores of ${cpu}, kernel ${kernel}, Node ${node}; load average before a round ${spread(load, figure)}, ` +
      `a cache line from core to core and back ${spread(trip, figure)} ns.`,
  );
  return lines.join('\n');
}

/** One line for each slice. */
export function renderText(result: PeersResult): string {
  const lines: string[] = [];
  for (const { system, subscribers, slices, sustained } of result.runs) {
    for (const slice of slices) {
      const quantiles = [slice.p50_us, slice.p99_us, slice.p99_9_us].map(latency).join('  ');
      const cpu = [slice.publisher_cpu, slice.broker_cpu, slice.subscriber_cpu].map(percent).join('/');
      const kept = slice.sustained
        ? 'kept up'
        : `fell behind, ${slice.received} of ${slice.sent * subscribers}, ${slice.lost} lost`;
      lines.push(
        `${system.padEnd(16)} ${subscribers}  ${String(slice.asked).padStart(8)}/s  ${quantiles}  cpu ${cpu}  ${kept}`,
      );
    }
    if (sustained !== undefined) lines.push(`${system.padEnd(16)} ${subscribers}  sustained ${figure(sustained)}/s`);
  }
  return lines.join('\n');
}
