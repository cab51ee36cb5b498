/**
 * How depthcast scales: latency against rate, cost of a message against instruments and live orders, subscribers, and
 * channels. Each curve is kept as data and as a plot in docs/plots; docs/scaling.md shows them.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { conditions } from './conditions.js';
import { median } from './native_program.js';
import { searchRate } from './peers/rate_search.js';
import { type BookCase, measureBook } from './scaling/book_cost.js';
import { type CurveData, type CurveSeries, renderCurve, renderCurveTable } from './scaling/curve.js';
import { measureChannels, measureSubscribers } from './scaling/feed_sessions.js';
import { addRate, runJitter, saturated_us } from './scaling/latency_by_rate.js';

const help = `perf scaling [--option value]…
  --curve NAME   rate, instruments, orders, subscribers or channels   (all of them)
  --points A,B…  instead of the curve's own points
  --runs N       runs of each point (rate: pairs of slices)           (3; rate: 10)
  --folder DIR   where NAME.json and NAME.svg are kept                (docs/plots)
  --extend       keep the points that are there, measure only these
  --render       measure nothing: draw the plots of the data again, print the tables`;

interface Settings {
  points: number[];
  runs: number;
}
type Measured = Omit<CurveData, 'conditions' | 'taken'>;
type Measure = (settings: Settings) => Promise<Measured>;

interface Curve {
  points: number[];
  runs: number;
  measure: Measure;
}

const orders_fixed = 100_000;
const symbols_fixed = 1_000;
const subscribers_rate = 2_000;
const channels_from = 400_000;

async function byRate({ points, runs }: Settings): Promise<Measured> {
  const series: CurveSeries[] = [];
  const details: CurveData['details'] = [];
  const notes: string[] = [];
  const marks: CurveData['marks'] = [];
  for (const rate of points) {
    try {
      const figures = runJitter(rate, runs * 0.5);
      addRate(series, rate, figures);
      details.push({ x: rate, excluded_share: figures.stalls.excluded_share });
      if (median(figures.pairs.map(({ feed }) => feed.p50 / 1e3)) < saturated_us) continue;
      notes.push(
        `At ${rate.toLocaleString('en-US')} messages/s half of the messages are later than ${saturated_us / 1e3} ms: not carried.`,
      );
      marks.push({ x: rate, text: 'not carried' });
    } catch (error) {
      notes.push(
        `At ${rate.toLocaleString('en-US')} messages/s: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      );
    }
    break;
  }
  return {
    curve: 'rate',
    title: 'Latency against rate, one publisher, one client',
    x: { label: 'messages/s, open loop, Poisson', axis: 'log' },
    y: { label: 'due → applied to the client’s book', axis: 'log', unit: 'us' },
    series,
    marks,
    method:
      '`depthcast jitter --rate N --pattern poisson --slice 0.25`: both lines, 100 symbols, 20,000 live orders; the runs are its pairs of slices. The floor is the same datagrams with nothing done for them.',
    notes,
    details,
  };
}

async function byBook(curve: string, points: number[], runs: number, caseOf: (x: number) => BookCase) {
  const series: CurveSeries[] = [
    { name: 'processor time of the thread', points: [] },
    { name: 'by the clock', points: [] },
  ];
  const details: CurveData['details'] = [];
  for (const x of points) {
    const cost = measureBook(x, caseOf(x), runs);
    series[0]?.points.push(cost.cpu);
    series[1]?.points.push(cost.wall);
    details.push(cost.details);
  }
  return {
    curve,
    y: { label: 'ns per message', axis: 'linear' as const, unit: 'ns' as const },
    series,
    marks: [],
    notes: [],
    details,
  };
}

async function byInstruments({ points, runs }: Settings): Promise<Measured> {
  const caseOf = (symbols: number) => ({ symbols, liveOrders: orders_fixed, messages: 2_000_000 });
  return {
    ...(await byBook('instruments', points, runs, caseOf)),
    title: 'Cost of a message in the book, against instruments',
    x: { label: `instruments, ${orders_fixed.toLocaleString('en-US')} live orders among them`, axis: 'log' },
    method:
      '`npm run perf -- book_replay --symbols N --live-orders 100000 --messages 2000000`: ITCH bytes in memory to the applied book with queues, digest and depth view, one thread; filling the books is part of it.',
  };
}

async function byOrders({ points, runs }: Settings): Promise<Measured> {
  const caseOf = (liveOrders: number) => ({
    symbols: symbols_fixed,
    liveOrders,
    messages: Math.max(2_000_000, Math.round(liveOrders * 2.5)),
  });
  return {
    ...(await byBook('orders', points, runs, caseOf)),
    title: 'Cost of a message in the book, against live orders',
    x: { label: `live orders, over ${symbols_fixed.toLocaleString('en-US')} instruments`, axis: 'log' },
    method:
      '`npm run perf -- book_replay --symbols 1000 --live-orders N --messages M`, M = 2,000,000 and at least 2.5 N; filling the books is part of it.',
  };
}

async function bySubscribers({ points, runs }: Settings): Promise<Measured> {
  const names = ['p50', 'p99', 'p99.9'] as const;
  const series: CurveSeries[] = names.map((name) => ({ name, points: [] }));
  const details: CurveData['details'] = [];
  for (const subscribers of points) {
    const slices = await measureSubscribers(subscribers, subscribers_rate, 2, runs);
    const keys = ['p50_us', 'p99_us', 'p99_9_us'] as const;
    for (const [index, key] of keys.entries())
      series[index]?.points.push({ x: subscribers, values: slices.map((slice) => slice[key]) });
    const mean = (key: 'publisher_cpu' | 'subscriber_cpu' | 'send_call_us') =>
      median(slices.map((slice) => slice[key] ?? Number.NaN));
    details.push({
      x: subscribers,
      sent: slices.reduce((sum, { sent }) => sum + sent, 0),
      missing: slices.reduce((sum, { sent, received }) => sum + sent * subscribers - received, 0),
      send_call_us_p50: mean('send_call_us'),
      subscriber_cpu: mean('subscriber_cpu'),
    });
  }
  return {
    curve: 'subscribers',
    title: 'Latency against subscribers, each a process with its books',
    x: { label: `subscribing processes, ${subscribers_rate.toLocaleString('en-US')} messages/s`, axis: 'log' },
    y: { label: 'due → JavaScript, all subscribers', axis: 'log', unit: 'us' },
    series,
    marks: [],
    method:
      'Line A on loopback, 100 symbols, 20,000 live orders, slices of 2 s; publisher `yield`, subscribers `park`, nothing pinned.',
    notes: [],
    details,
  };
}

async function byChannels({ points, runs }: Settings): Promise<Measured> {
  const values = new Map<number, number[]>();
  for (let run = 0; run < runs; run++) {
    for (const channels of points) {
      let most = 0;
      const options = { from: channels_from / channels, to: 12_800_000, refinements: 2 };
      await searchRate(options, async (rate) => {
        const slices = await measureChannels(channels, rate, 0.7);
        const kept = slices.every(({ sustained }) => sustained);
        if (kept)
          most = Math.max(
            most,
            slices.reduce((sum, slice) => sum + slice.rate, 0),
          );
        return kept;
      });
      values.set(channels, [...(values.get(channels) ?? []), most]);
    }
  }
  return {
    curve: 'channels',
    title: 'Messages carried against channels, one client each',
    x: { label: 'channels, each a publisher process and a subscriber process', axis: 'steps' },
    y: { label: 'messages/s sustained, all channels', axis: 'linear', unit: 'count' },
    series: [{ name: 'sustained', points: [...values].map(([x, each]) => ({ x, values: each })) }],
    marks: [],
    method:
      'The highest rate at which nothing is lost and the last message of 0.7 s is not more than 100 ms late; line A on loopback, the client keeps its books natively.',
    notes: [],
    details: [],
  };
}

const curves: Record<string, Curve> = {
  rate: {
    points: [50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 6_000_000],
    runs: 10,
    measure: byRate,
  },
  instruments: { points: [1, 10, 100, 1_000, 10_000], runs: 3, measure: byInstruments },
  orders: { points: [1e3, 1e4, 1e5, 1e6, 1e7], runs: 3, measure: byOrders },
  subscribers: { points: [1, 2, 4, 8, 16, 32, 64], runs: 3, measure: bySubscribers },
  channels: { points: [1, 2], runs: 3, measure: byChannels },
};

function keep(folder: string, data: CurveData): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${data.curve}.json`), `${JSON.stringify(data, undefined, 1)}\n`);
  writeFileSync(join(folder, `${data.curve}.svg`), renderCurve(data));
}

function read(file: string): CurveData {
  return JSON.parse(readFileSync(file, 'utf8')) as CurveData;
}

/** What was measured takes the place of the same points of what was known. */
function joined(known: CurveData, measured: CurveData): CurveData {
  const xs = new Set(measured.series.flatMap(({ points }) => points.map(({ x }) => x)));
  const series = measured.series.map(({ name, points }) => {
    const before = known.series.find((each) => each.name === name)?.points ?? [];
    return { name, points: [...before.filter(({ x }) => !xs.has(x)), ...points].sort((a, b) => a.x - b.x) };
  });
  const details = [...known.details.filter(({ x }) => !xs.has(Number(x))), ...measured.details];
  return { ...measured, series, details: details.sort((a, b) => Number(a.x) - Number(b.x)) };
}

function renderAll(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
    const data = read(join(folder, name));
    keep(folder, data);
    console.log(`${data.title}\n\n${renderCurveTable(data)}\n`);
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      curve: { type: 'string', default: Object.keys(curves).join() },
      points: { type: 'string' },
      runs: { type: 'string' },
      folder: { type: 'string', default: join('docs', 'plots') },
      extend: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  if (values.render) return renderAll(values.folder);
  for (const name of values.curve.split(',')) {
    const curve = curves[name];
    if (curve === undefined) throw new Error(`expected a curve of ${Object.keys(curves).join(', ')}, not "${name}"`);
    const around = { ...conditions() };
    const points = values.points?.split(',').map(Number) ?? curve.points;
    const measured = await curve.measure({ points, runs: Number(values.runs ?? curve.runs) });
    const taken = new Date().toISOString();
    let data: CurveData = { ...measured, conditions: around, taken };
    if (values.extend) data = joined(read(join(values.folder, `${name}.json`)), data);
    keep(values.folder, data);
    console.log(json ? JSON.stringify(data) : `${data.title}\n\n${renderCurveTable(data)}\n${data.notes.join('\n')}`);
  }
}
