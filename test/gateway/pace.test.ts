/** The pace of a session, and of the next one of the same login. */
import t from 'tap';
import { PaceDebts } from '../../src/gateway/access/pace_debts.js';
import { AccessDesk } from '../../src/gateway/access_desk.js';
import { SessionPace } from '../../src/gateway/pace.js';
import { fileOf, held, request, setup } from './access/parts.js';

t.test('messagesBeyondThePaceArePaidBackBeforeMoreGo', (t) => {
  const pace = new SessionPace({ messagesPerSecondMax: 100 }, 50n, 0, undefined);
  t.ok(pace.mayGo(0));
  pace.went(450n, 0);
  t.same(pace.debt(2_000), { framesMs: 0, messagesMs: 2_000 });
  t.notOk(pace.mayGo(2_999), 'a frame of 400 where 100 were saved');
  t.ok(pace.mayGo(3_001));
  t.end();
});

t.test('anotherSessionPaysForTheOneBefore', (t) => {
  const limits = { framesPerSecondMax: 2, messagesPerSecondMax: 100 };
  const first = new SessionPace(limits, 0n, 0, undefined);
  first.went(500n, 0);
  first.went(500n, 0);
  const next = new SessionPace(limits, 0n, 1_000, first.debt(1_000));
  t.notOk(next.mayGo(1_000));
  t.notOk(next.mayGo(3_999));
  t.ok(next.mayGo(4_001), 'as if it were the first one still');
  t.end();
});

t.test('debtsAreTakenOverOnceAndForgottenWhenTheyAreOver', (t) => {
  const debts = new PaceDebts();
  debts.leave({ framesMs: 0, messagesMs: 0 }, 0);
  t.equal(debts.count(0), 0);
  debts.leave({ framesMs: 100, messagesMs: 500 }, 0);
  debts.leave({ framesMs: 900, messagesMs: 0 }, 0);
  t.same(debts.take(200), { framesMs: 700, messagesMs: 0 });
  t.same(debts.take(200), { framesMs: 0, messagesMs: 300 });
  t.equal(debts.take(200), undefined);
  debts.leave({ framesMs: 100, messagesMs: 100 }, 0);
  t.equal(debts.count(101), 0);
  for (let left = 0; left < 2_000; left++) debts.leave({ framesMs: 1 + left, messagesMs: 0 }, 0);
  t.equal(debts.count(0), 1_024);
  t.equal(debts.take(0)?.framesMs, 2_000);
  t.end();
});

function desksOf() {
  const token = held();
  const { clock, control } = setup({ file: fileOf(token) });
  const desks = [new AccessDesk(control), new AccessDesk(control)] as const;
  const enter = async (desk: AccessDesk) => {
    const opened = desk.connect(request());
    const connection = 'connection' in opened ? opened.connection : 0;
    const answer = await desk.login({ connection, token: token.text, bytes: 100 });
    return { connection, debt: 'debt' in answer ? answer.debt : undefined };
  };
  return { clock, desks, enter };
}

t.test('whoReconnectsOnAnotherThreadTakesItAlong', async (t) => {
  const { clock, desks, enter } = desksOf();
  const first = await enter(desks[0]);
  t.equal(first.debt, undefined);
  desks[0].gone(first.connection, { framesMs: 0, messagesMs: 5_000 });
  clock.pass(1_000);
  const second = await enter(desks[1]);
  t.same(second.debt, { framesMs: 0, messagesMs: 4_000 });
  t.equal((await enter(desks[0])).debt, undefined, 'a third one beside it has its own');
});

t.test('whoGoesBeforeTheWelcomeLeavesWhatItTookOver', async (t) => {
  const { clock, desks, enter } = desksOf();
  desks[0].gone((await enter(desks[0])).connection, { framesMs: 0, messagesMs: 5_000 });
  clock.pass(1_000);
  desks[0].gone((await enter(desks[0])).connection);
  clock.pass(1_000);
  t.same((await enter(desks[0])).debt, { framesMs: 0, messagesMs: 3_000 });
});
