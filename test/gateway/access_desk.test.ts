/** What subscriptions count for while requests are on their way. */
import t from 'tap';
import { all_entitlements } from '../../src/gateway/access/entitlements.js';
import { AccessDesk } from '../../src/gateway/access_desk.js';
import { codeOf, entitlements, fileOf, held, request, setup } from './access/parts.js';

/** A desk where the token may hold ten instruments, and two connections with it. */
async function desk(test: { equal: (a: unknown, b: unknown) => unknown }) {
  const token = held({ entitlements: entitlements({ subscriptionsMax: 10 }) });
  const { control, clock } = setup({ anonymous: all_entitlements, file: fileOf(token) });
  const made = new AccessDesk(control);
  const enter = async () => {
    const opened = made.connect(request());
    const connection = 'connection' in opened ? opened.connection : 0;
    test.equal(codeOf(await made.login({ connection, token: token.text, bytes: 100 })), 'ok');
    return connection;
  };
  const wants = (connection: number, id: number, count: number) =>
    codeOf(made.request({ connection, bytes: 10, cost: 1, holds: { id, count } }));
  return { made, clock, token, control, wants, first: await enter(), second: await enter() };
}

t.test('whatAChangeGivesBackIsFreeWhenItWasCarriedOut', async (t) => {
  const { first, made, second, wants } = await desk(t);
  t.equal(wants(first, 1, 10), 'ok');
  made.held(first, { id: 1, count: 10, asked: true });
  t.equal(wants(first, 1, 1), 'ok');
  t.equal(wants(second, 1, 9), 'subscriptions_exceeded', 'it holds ten as long as the change may fail');
  made.held(first, { id: 1, count: 10, asked: true });
  t.equal(wants(second, 1, 1), 'subscriptions_exceeded', 'and it did fail');
  t.equal(wants(first, 1, 1), 'ok');
  made.held(first, { id: 1, count: 1, asked: true });
  t.equal(wants(second, 1, 9), 'ok');
});

t.test('theOutcomeOfOneRequestGivesBackNothingOfTheNext', async (t) => {
  const { first, made, second, wants } = await desk(t);
  t.equal(wants(first, 1, 5), 'ok');
  t.equal(wants(first, 1, 8), 'ok', 'asked before the first was carried out');
  made.held(first, { id: 1, count: 5, asked: true });
  t.equal(wants(second, 1, 3), 'subscriptions_exceeded');
  made.held(first, { id: 1, count: 0, asked: false });
  t.equal(wants(second, 1, 3), 'subscriptions_exceeded', 'it was ended in between, and is about to hold eight');
  made.held(first, { id: 1, count: 0, asked: true });
  t.equal(wants(second, 1, 10), 'ok');
  made.gone(second);
  t.equal(wants(first, 2, 10), 'ok', 'who goes gives back what he asked for');
});

t.test('renewingCostsOneRequest', async (t) => {
  const { clock, control, first, made, token } = await desk(t);
  clock.pass(60_000);
  const before = control.limits.addresses.find('10.0.0.1', '10.0', clock.monotonic_ms).requests;
  const had = before.available(clock.monotonic_ms);
  t.equal(codeOf(made.request({ connection: first, bytes: 100, cost: 1, holds: undefined })), 'ok');
  t.equal(codeOf(await made.login({ connection: first, token: token.text, bytes: undefined })), 'ok');
  t.equal(before.available(clock.monotonic_ms), had - 1);
});

t.test('aRequestThatIsMuchWorkCountsForMany', async (t) => {
  const { first, made, second } = await desk(t);
  const ask = (connection: number, cost: number) =>
    codeOf(made.request({ connection, bytes: 10, cost, holds: undefined }));
  for (let asked = 0; asked < 4; asked++) t.equal(ask(first, 65), 'ok');
  t.equal(ask(first, 1), 'requests_exceeded');
  t.equal(ask(second, 1), 'requests_exceeded', 'whichever connection it came by');
});
