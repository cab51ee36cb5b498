/** Rates of counters, with time passed in. */
import t from 'tap';
import { CounterReader, RateMeter } from '../src/rates.js';

t.test('startsWithNoRate', async (t) => {
  t.same(new RateMeter().update(5_000, [10n, 20n]), [0, 0]);
});

t.test('dividesGrowthByTime', async (t) => {
  const meter = new RateMeter();
  meter.update(1_000, [0n, 100n]);
  t.same(meter.update(1_500, [50n, 101n]), [100, 2]);
  t.same(meter.update(2_500, [50n, 201n]), [0, 100]);
});

t.test('answersTheSameToCallsInQuickSuccession', async (t) => {
  const meter = new RateMeter();
  meter.update(0, [0n]);
  t.same(meter.update(1_000, [1_000n]), [1_000]);
  t.same(meter.update(1_001, [9_999n]), [1_000]);
  t.same(meter.update(2_000, [3_000n]), [2_000], 'and measures on from the last real look');
});

t.test('readsCountersByName', async (t) => {
  const reader = new CounterReader(['a', 'b'], (out) => out.set([1n, 2n ** 64n - 1n]));
  t.same(reader.read(), { a: 1n, b: 2n ** 64n - 1n });
});
