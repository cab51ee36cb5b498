import t from 'tap';
import { DeliveryCheck } from '../../src/chaos/delivery_check.js';
import { MessageLog } from '../../src/chaos/message_log.js';
import { makePlan, theme_names } from '../../src/chaos/plan.js';
import { parseProfile } from '../../src/faults/profile.js';

/** A log of `count` messages of session 1, with their numbers as content. */
function published(count: number, session = 1n): MessageLog {
  const log = new MessageLog();
  for (let sequence = 1; sequence <= count; sequence++) log.session(session).put(sequence, sequence, 7 * sequence);
  return log;
}

function delivered(log: MessageLog, act: (check: DeliveryCheck, take: (...numbers: number[]) => void) => void) {
  const check = new DeliveryCheck(log);
  check.startSession(1n);
  act(check, (...numbers) => {
    for (const number of numbers) check.take(number, number, 7 * number);
  });
  check.finish();
  return { faults: check.faults, totals: check.totals };
}

t.test('everyMessageOnceInOrderIsWell', async (t) => {
  const { faults, totals } = delivered(published(5), (_, take) => take(1, 2, 3, 4, 5));
  t.same(faults, []);
  t.match(totals, { delivered: 5, equal: 5, appliedTwice: 0, skipped: 0, different: 0 });
});

t.test('findsWhatCameTwiceWasLeftOutOrDiffers', async (t) => {
  t.match(delivered(published(5), (_, take) => take(1, 2, 2, 3)).totals, { appliedTwice: 1 });
  t.match(delivered(published(5), (_, take) => take(1, 2, 5)).totals, { skipped: 2 });
  t.match(delivered(published(5), (check, take) => [take(1), check.take(2, 3, 14)]).totals, { different: 1, equal: 1 });
  t.match(delivered(published(5), (_, take) => take(1, 2, 3, 4, 5, 6)).totals, { unknown: 1 });
});

t.test('aSnapshotExplainsExactlyTheGapThatEndsWithIt', async (t) => {
  const well = delivered(published(9), (check, take) => [take(1, 2), check.announceSnapshot(1n, 6), take(7, 8)]);
  t.same(well.faults, []);
  t.match(well.totals, { jumped: 4, skipped: 0 });
  const late = delivered(published(9), (check, take) => [take(1, 2, 7, 8), check.announceSnapshot(1n, 6)]);
  t.same(late.faults, [], 'announced after the fact');
  for (const sequence of [5, 7]) {
    const { totals } = delivered(published(9), (check, take) => [
      take(1, 2),
      check.announceSnapshot(1n, sequence),
      take(7, 8),
    ]);
    t.match(totals, { skipped: 4 }, `a snapshot of ${sequence} does not`);
  }
  const other = delivered(published(9), (check, take) => [take(1, 2), check.announceSnapshot(2n, 6), take(7)]);
  t.match(other.totals, { skipped: 4 }, 'nor one of another session');
});

t.test('aNewSessionBeginsAtOne', async (t) => {
  const log = published(9);
  for (let sequence = 1; sequence <= 3; sequence++) log.session(2n).put(sequence, sequence, 7 * sequence);
  const { faults, totals } = delivered(log, (check, take) => [take(1, 2), check.startSession(2n), take(1, 2, 3)]);
  t.same(faults, []);
  t.equal(totals.sessions, 2);
  t.equal(delivered(log, (check, take) => [take(1), check.startSession(2n), take(2)]).totals.skipped, 1);
});

t.test('theLogKnowsNumbersThatWereGivenTwice', async (t) => {
  const log = published(5).session(1n);
  log.put(3, 3, 21);
  t.equal(log.conflicts, 0, 'the same again');
  log.put(3, 4, 21);
  t.match(log, { conflicts: 1, conflictFirst: 3 });
  t.equal(log.holes, 0);
});

t.test('plansAreTheSameForASeedAndCoverEveryTheme', async (t) => {
  const limits = { seconds: 5, rate: 20_000 };
  t.same(makePlan(42, limits), makePlan(42, limits));
  const themes = new Set<string>();
  let bursts = 0;
  for (let seed = 1; seed <= 240; seed++) {
    const plan = makePlan(seed, limits);
    parseProfile(plan.profile);
    for (const theme of plan.themes) themes.add(theme);
    for (const { at_ms, away_ms } of plan.actions) t.ok(at_ms + away_ms < 5_000);
    for (const { burst } of plan.profile.phases ?? []) bursts = Math.max(bursts, Number(burst?.packets ?? 0));
  }
  t.same([...themes].sort(), [...theme_names].sort());
  t.ok(bursts > 5_000, `bursts of up to ${bursts}`);
  t.same(makePlan(1, { ...limits, profile: { phases: [] } }).actions, []);
  t.same(makePlan(1, { ...limits, themes: ['bothDead', 'lateJoin'] }).themes, ['bothDead', 'lateJoin']);
});
