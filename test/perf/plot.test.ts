/** Axes and plots of docs/plots. */
import t from 'tap';
import { linearAxis, logAxis, shortMicroseconds, shortNumber, stepAxis } from '../../perf/plot/axis.js';
import { renderPlot } from '../../perf/plot/svg_plot.js';

t.test('logAxisEndsAtTicksAroundTheValues', async (t) => {
  const axis = logAxis([3, 40, 900], String);
  t.same(
    axis.ticks.map(({ value }) => value),
    [2, 5, 10, 20, 50, 100, 200, 500, 1_000],
  );
  t.equal(axis.place(2), 0);
  t.equal(axis.place(1_000), 1);
  t.ok(Math.abs(axis.place(Math.sqrt(2_000)) - 0.5) < 1e-9);
});

t.test('logAxisOverManyPowersHasTicksAtPowersOnly', async (t) => {
  const ticks = logAxis([1e3, 1e7], shortNumber).ticks;
  t.same(
    ticks.map(({ text }) => text),
    ['1k', '10k', '100k', '1M', '10M'],
  );
});

t.test('logAxisOfOneValueHasALength', async (t) => {
  const axis = logAxis([10], String);
  t.ok(Number.isFinite(axis.place(10)));
  t.ok(axis.ticks.length > 1);
});

t.test('logAxisRefusesWhatHasNoLogarithm', async (t) => {
  t.throws(() => logAxis([0, -1, Number.NaN], String), RangeError);
});

t.test('linearAxisBeginsAtZeroAndEndsAboveTheLargest', async (t) => {
  for (const most of [0.7, 1, 3, 99, 131, 5_000_001]) {
    const axis = linearAxis([most / 3, most], String);
    t.equal(axis.place(0), 0);
    t.ok(axis.place(most) <= 1 && axis.place(most) > 0.6, `${most} at ${axis.place(most)}`);
    t.ok(axis.ticks.length >= 3 && axis.ticks.length <= 7, `${most}: ${axis.ticks.length} ticks`);
    t.equal(axis.place(axis.ticks.at(-1)?.value ?? 0), 1);
  }
});

t.test('stepAxisGivesEachValueItsPlace', async (t) => {
  const axis = stepAxis([2, 1, 2], String);
  t.same([axis.place(1), axis.place(2)], [0.25, 0.75]);
});

t.test('numbersAreShortAndHaveUnits', async (t) => {
  t.same([0.5, 50, 1_000, 25_000, 12_800_000, 2e9].map(shortNumber), ['0.5', '50', '1k', '25k', '12.8M', '2G']);
  t.same([0.25, 12.34, 1_500, 2_000_000].map(shortMicroseconds), ['250 ns', '12.3 µs', '1.5 ms', '2 s']);
});

const points = [
  { x: 1, median: 10, least: 8, most: 12 },
  { x: 100, median: 20, least: 20, most: 20 },
];
const plot = {
  title: 'Cost & <more>',
  subtitle: 'conditions',
  x: { label: 'orders', axis: logAxis([1, 100], shortNumber) },
  y: { label: 'ns', axis: linearAxis([20], String) },
  series: [
    { name: 'a', points },
    { name: 'b', points },
  ],
  marks: [{ x: 100, text: 'here' }],
};

t.test('plotIsWellFormedAndInsideItsFrame', async (t) => {
  const svg = renderPlot(plot);
  t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  t.match(svg, 'Cost &amp; &lt;more&gt;');
  t.notMatch(svg, /NaN|undefined|Infinity/);
  const opened = svg.match(/<(?:svg|text|style|title)\b/g)?.length;
  t.equal(svg.match(/<\/(?:svg|text|style|title)>/g)?.length, opened);
  for (const [, x, y] of svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)) {
    t.ok(Number(x) >= 84 && Number(x) <= 736, `x ${x}`);
    t.ok(Number(y) >= 74 && Number(y) <= 396, `y ${y}`);
  }
});

t.test('plotHasABarOnlyWhereRunsDiffer', async (t) => {
  const bars = renderPlot({ ...plot, series: [{ name: 'a', points }] }).match(/class="s0 bar"/g);
  t.equal(bars?.length, 1);
});

t.test('plotReadsInDarkModeToo', async (t) => {
  t.match(renderPlot(plot), '@media (prefers-color-scheme: dark)');
});
