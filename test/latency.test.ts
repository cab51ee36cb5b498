/** Bucket counts that only grow, as histograms. */
import t from 'tap';
import { LatencyRecorder } from '../src/latency.js';

function recorder(): { counts: bigint[]; recorder: LatencyRecorder } {
  const counts = [0n, 0n, 0n];
  const values = BigUint64Array.of(10n, 1_000n, 2n ** 40n - 1n);
  return { counts, recorder: new LatencyRecorder(values, (out) => out.set(counts)) };
}

t.test('countsEachLatencyOnce', async (t) => {
  const { counts, recorder: latency } = recorder();
  t.equal(latency.whole().totalCount, 0);
  counts[0] = 3n;
  counts[1] = 1n;
  t.equal(latency.whole().totalCount, 4);
  t.equal(latency.whole().totalCount, 4, 'asked again, nothing is counted twice');
  counts[2] = 1n;
  const histogram = latency.whole();
  t.equal(histogram.totalCount, 5);
  t.equal(histogram.getValueAtPercentile(50), 10);
  t.ok(Math.abs(histogram.maxValue - 2 ** 40) / 2 ** 40 < 0.002, 'to three digits');
});

t.test('keepsIntervalsApartFromTheWhole', async (t) => {
  const { counts, recorder: latency } = recorder();
  counts[0] = 2n;
  t.equal(latency.interval().totalCount, 2);
  t.equal(latency.interval().totalCount, 0);
  counts[1] = 5n;
  t.equal(latency.whole().totalCount, 7);
  const interval = latency.interval();
  t.same([interval.totalCount, interval.minNonZeroValue], [5, 1_000]);
});
