/** Curves of docs/scaling.md: what is read of other programs, and what becomes of it. */
import t from 'tap';
import { ordersMax } from '../../perf/scaling/book_cost.js';
import { type CurveData, drawable, renderCurve, renderCurveTable } from '../../perf/scaling/curve.js';
import { addRate, readJitter } from '../../perf/scaling/latency_by_rate.js';

const quantiles = (p50: number) => ({ p50, p99: 2 * p50, p99_9: 3 * p50 });
const jitter = JSON.stringify({
  pairs: [
    { messages: 10, feed: quantiles(5_000), floor: quantiles(1_000) },
    { messages: 10, feed: quantiles(7_000), floor: quantiles(2_000) },
  ],
  stalls: { excluded_share: 0 },
});

t.test('jitterResultBecomesOneValuePerPairInMicroseconds', async (t) => {
  const series: CurveData['series'] = [];
  addRate(series, 100, readJitter(jitter));
  addRate(series, 200, readJitter(jitter));
  t.same(
    series.map(({ name }) => name),
    ['p50', 'p99', 'p99.9', 'floor p50'],
  );
  t.same(series[0]?.points, [
    { x: 100, values: [5, 7] },
    { x: 200, values: [5, 7] },
  ]);
  t.same(series[3]?.points[0]?.values, [1, 2]);
});

t.test('whatIsNoJitterResultIsRefused', async (t) => {
  t.throws(() => readJitter('{}'), /depthcast jitter/);
  t.throws(() => readJitter('{"pairs":[],"stalls":{}}'), /depthcast jitter/);
  t.throws(() => readJitter('nothing'));
});

t.test('roomForOrdersIsAPowerOfTwoAboveThem', async (t) => {
  for (const orders of [1, 1_000, 1e5, 1e6, 1e7]) {
    const room = ordersMax(orders);
    t.ok(room > orders && Number.isInteger(Math.log2(room)));
  }
});

t.test('pointsAreSortedAndWhatCannotBeDrawnIsLeftOut', async (t) => {
  const series = {
    name: 'a',
    points: [
      { x: 10, values: [3, 1, 2] },
      { x: 5, values: [0, Number.NaN] },
      { x: 1, values: [4] },
    ],
  };
  t.same(drawable(series, 'log').points, [
    { x: 1, median: 4, least: 4, most: 4 },
    { x: 10, median: 2, least: 1, most: 3 },
  ]);
});

const curve: CurveData = {
  curve: 'orders',
  title: 'Cost',
  x: { label: 'orders', axis: 'log' },
  y: { label: 'ns', axis: 'linear', unit: 'ns' },
  series: [{ name: 'cost', points: [{ x: 1_000, values: [100, 110, 90] }] }],
  marks: [],
  method: '',
  notes: [],
  details: [],
  conditions: { cores: 2, cpu: 'test' },
  taken: '2026-01-01T00:00:00.000Z',
};

t.test('tableShowsMedianAndSpread', async (t) => {
  t.equal(renderCurveTable(curve), '| orders | cost |\n|---|---|\n| 1,000 | 100 ns (90 ns to 110 ns) |');
});

t.test('curveOfOnePointIsDrawn', async (t) => {
  const svg = renderCurve(curve);
  t.match(svg, 'median of 3 runs');
  t.notMatch(svg, 'NaN');
});
