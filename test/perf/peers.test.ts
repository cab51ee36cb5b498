/** The pure parts of the comparison with peers. */
import t from 'tap';
import { LogHistogram } from '../../perf/peers/log_histogram.js';
import { searchRate } from '../../perf/peers/rate_search.js';
import { figure, latency, type PeersResult, renderMarkdown } from '../../perf/peers/report.js';
import { systems } from '../../perf/peers/systems.js';

t.test('histogramFindsPercentilesWithinItsBuckets', async (t) => {
  const histogram = new LogHistogram();
  for (let ns = 1; ns <= 100_000; ns++) histogram.record(ns);
  for (const percent of [1, 50, 99, 99.9, 100]) {
    const found = histogram.percentile(percent) / (1_000 * percent);
    t.ok(found >= 1 && found < 1.012, `${percent}: ${found}`);
  }
});

t.test('histogramsOfSeveralProcessesAddUp', async (t) => {
  const one = new LogHistogram();
  const other = new LogHistogram();
  one.record(10);
  other.record(1_000);
  one.add(new LogHistogram(Array.from(other.counts)));
  t.equal(one.total, 2);
  t.ok(one.percentile(50) < 11);
  t.ok(one.percentile(100) >= 1_000);
});

t.test('histogramTakesWhatIsOutOfRange', async (t) => {
  const histogram = new LogHistogram();
  t.ok(Number.isNaN(histogram.percentile(50)));
  for (const ns of [-5, 0, 1e15]) histogram.record(ns);
  t.equal(histogram.total, 3);
});

t.test('searchFindsTheHighestRateThatHolds', async (t) => {
  for (const most of [3_000, 100_000, 150_000, 1_234_567]) {
    const found = await searchRate({ from: 100_000, to: 10_000_000, refinements: 4 }, async (rate) => rate <= most);
    t.ok(found <= most && found > most * 0.93, `${found} of ${most}`);
  }
});

t.test('searchTriesARateThatFailedOnceMore', async (t) => {
  let tries = 0;
  const holds = async (rate: number) => rate <= 400 && ++tries % 2 === 0;
  t.equal(await searchRate({ from: 100, to: 400, refinements: 2 }, holds), 400);
});

t.test('searchEndsWhereNothingHoldsOrAllDoes', async (t) => {
  t.equal(await searchRate({ from: 100, to: 1_000, refinements: 2 }, async () => false), 0);
  t.equal(await searchRate({ from: 100, to: 1_000, refinements: 2 }, async () => true), 800);
});

t.test('figuresHaveThreeDigitsAndUnits', async (t) => {
  t.same([475_683, 1_234_567, 12.34, 0.123].map(figure), ['476,000', '1,230,000', '12.3', '0.12']);
  t.same([23.4, 1_860, 1.4e6, Number.NaN].map(latency), ['23.4 µs', '1.86 ms', '1.4 s', '–']);
});

const slice = {
  rate: 1_000,
  sent: 1_000,
  received: 1_000,
  lost: 0,
  p50_us: 10,
  p99_us: 20,
  p99_9_us: 30,
  publisher_cpu: 1,
  broker_cpu: 0.5,
  subscriber_cpu: 0.25,
};
const result: PeersResult = {
  name: 'peers',
  versions: { nats: 'nats-server 1.0.0' },
  conditions: [{ cpu: 'test', cores: 2, kernel: '6', node: 'v20', load: 0, core_round_trip_ns: 100 }],
  runs: [
    { system: 'nats', subscribers: 1, slices: [{ ...slice, asked: 1_000, sustained: true }], sustained: undefined },
    {
      system: 'nats',
      subscribers: 1,
      slices: [{ ...slice, asked: 1_000, p50_us: 14, sustained: false }],
      sustained: 5_000,
    },
  ],
};

t.test('tableShowsMediansSpreadAndWhoKeptUp', async (t) => {
  const text = renderMarkdown(result);
  t.match(text, 'One subscriber.');
  t.match(text, '12 µs (10 µs to 14 µs)<br>20 µs<br>30 µs | 1 of 2 | 100 / 50 / 25');
  t.match(text, '| NATS | 40 bytes each | 5,000 |');
  t.match(text, 'nats-server 1.0.0');
});

t.test('everySystemSaysWhatItCarries', async (t) => {
  for (const { title, carries } of Object.values(systems)) t.ok(title !== '' && carries !== '');
});
