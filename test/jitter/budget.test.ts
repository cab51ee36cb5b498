import t from 'tap';
import { checkBudget, parseBudget } from '../../src/jitter/budget.js';
import { emptyHistogram, quantilesOf } from '../../src/jitter/histograms.js';

t.test('aBudgetNamesAQuantileALimitAndItsUnit', async (t) => {
  t.match(parseBudget('p99.9<200us'), { quantile: 'p99_9', limit_ns: 200_000 });
  t.match(parseBudget(' max < 1.5 ms '), { quantile: 'max', limit_ns: 1_500_000 });
  t.match(parseBudget('p50<800ns'), { quantile: 'p50', limit_ns: 800 });
  for (const wrong of ['', 'p99.9', 'p99.9<', 'p99.9<200', 'p98<1ms', 'p99.9>1ms', 'max<0us', 'max<1h'])
    t.equal(parseBudget(wrong), undefined, wrong);
});

t.test('aBudgetIsCheckedWithoutProvedStallsAndSaysWhatTheyHid', async (t) => {
  const budget = parseBudget('max<1ms');
  if (budget === undefined) throw new Error('no budget');
  const all = emptyHistogram();
  const without = emptyHistogram();
  for (const histogram of [all, without]) histogram.recordValueWithCount(10_000, 1_000);
  all.recordValue(5_000_000);
  const verdict = checkBudget(budget, quantilesOf(all), quantilesOf(without), 0.002);
  t.equal(verdict.kept, true);
  t.ok(verdict.measured_with_stalls_ns >= 5_000_000);
  t.equal(verdict.excluded_share, 0.002);
  t.equal(checkBudget(budget, quantilesOf(all), quantilesOf(all), 0).kept, false);
  const nothing = quantilesOf(emptyHistogram());
  t.equal(checkBudget(budget, nothing, nothing, 0).kept, false, 'a run that measured nothing keeps no budget');
});
