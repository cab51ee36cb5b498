import t from 'tap';
import { compareResults, rankSigmas, readResult, renderComparison } from '../../src/jitter/compare.js';
import type { Quantiles } from '../../src/jitter/histograms.js';
import { type JitterResult, jitter_format } from '../../src/jitter/result.js';

function quantiles(p50: number): Quantiles {
  return {
    p50,
    p90: 2 * p50,
    p99: 3 * p50,
    p99_9: 4 * p50,
    p99_99: 5 * p50,
    p99_999: 6 * p50,
    max: 7 * p50,
    count: 100,
  };
}

function result(feed: readonly number[], floor: readonly number[], round_trip = 100): JitterResult {
  const pairs = feed.map((p50, index) => ({
    messages: 100,
    feed: quantiles(p50),
    feed_without_stalls: quantiles(p50),
    floor: quantiles(floor[index] ?? 0),
    round_trip,
  }));
  return {
    format: jitter_format,
    pairs,
    conditions: { rate: 1_000 },
    round_trip: { p50: round_trip, min: 0, max: 0, modes: false },
  } as unknown as JitterResult;
}

const around = (middle: number) => Array.from({ length: 10 }, (_, index) => middle * (0.95 + 0.01 * index));

t.test('aChangeBeyondTheSpreadOfThePairsIsToldFromOneWithinIt', async (t) => {
  const before = result(around(10_000), around(8_000));
  const find = (after: JitterResult, what: string) =>
    compareResults(before, after).changes.find((change) => change.what === what && change.quantile === 'p50');
  const slower = result(around(13_000), around(8_000));
  t.equal(find(slower, 'feed')?.beyond_spread, true);
  t.ok(Math.abs((find(slower, 'feed')?.change ?? 0) - 0.3) < 0.01);
  t.equal(find(slower, 'floor')?.beyond_spread, false);
  t.equal(find(slower, 'feed_to_floor')?.beyond_spread, true);
  t.equal(find(result(around(10_100), around(8_000)), 'feed')?.beyond_spread, false);
});

t.test('ranksAreComparedSoThatOneWildPairChangesNothing', async (t) => {
  t.equal(rankSigmas([1, 2, 3], [1, 2, 3]), 0);
  t.ok(rankSigmas(around(1), around(2)) > 3);
  t.ok(rankSigmas(around(2), around(1)) < -3);
  t.equal(rankSigmas([], [1]), 0);
});

t.test('otherConditionsAndAnotherModeOfTheCoresAreTold', async (t) => {
  const before = result(around(1), around(1));
  const after = result(around(1), around(1), 260);
  after.conditions.rate = 2_000;
  const { warnings } = compareResults(before, after);
  t.match(warnings.join('; '), /rate differs: 1000 and 2000.*another mode/);
  t.match(renderComparison(compareResults(before, after), false), /within the spread/);
});

t.test('whatIsNoResultIsNamed', async (t) => {
  t.throws(() => readResult('{', 'a.json'), /a\.json holds no JSON/);
  t.throws(() => readResult('{"format":"other"}', 'a.json'), /a\.json is not what/);
  t.throws(() => readResult('null', 'a.json'), /a\.json is not what/);
});
