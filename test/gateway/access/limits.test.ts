/** Addresses, accounts and limits. */
import t from 'tap';
import { AccountTable } from '../../../src/gateway/access/account_table.js';
import { addressKeys } from '../../../src/gateway/access/address.js';
import { AccessLimits, type Accounts } from '../../../src/gateway/access/limits.js';
import { codeOf, entitlements, limitsOf } from './parts.js';

t.test('addressesCountByClientAndNetwork', async (t) => {
  t.same(addressKeys('10.1.2.3'), { client: '10.1.2.3', network: '10.1' });
  t.same(addressKeys('::ffff:10.1.2.3'), { client: '10.1.2.3', network: '10.1' });
  t.same(addressKeys('0000:0000:0000:0000:0000:ffff:0a01:0203'), { client: '10.1.2.3', network: '10.1' });
  const prefix = { client: '2001:db8:0:1::/64', network: '2001:db8::/32' };
  for (const text of ['2001:db8:0:1::1', '2001:DB8:0:1:ffff::2', '2001:0db8:0000:0001:a:b:c:d', '2001:db8:0:1::1%eth0'])
    t.same(addressKeys(text), prefix, text);
  t.equal(addressKeys('::1').client, '0:0:0:0::/64');
  for (const text of ['', 'x', '1.2.3', '1.2.3.4.5', ':::', '\u0000'])
    t.equal(addressKeys(text).client, 'unknown', text);
});

function opened(access: AccessLimits, address = '10.0.0.1'): Accounts {
  const answer = access.open(address, 0);
  if ('refusal' in answer) throw new Error(answer.refusal.code);
  return answer.accounts;
}

const limits = { requestsPerSecond: 1, requestsBurst: 2, loginFailuresPerMinute: 60, loginFailuresBurst: 2 };

t.test('onlyAccountsThatAreAsGoodAsNewAreDropped', async (t) => {
  const table = new AccountTable(3, limits, 1);
  const [a, b, c] = ['a', 'b', 'c'].map((key) => table.find(key, key, 0));
  a?.failures.take(2, 0);
  if (b !== undefined) b.connections = 1;
  c?.requests.take(1, 0);
  const d = table.find('d', 'net', 0);
  t.equal(table.size, 3, 'full of accounts that matter');
  t.equal(table.find('e', 'net', 0), d, 'newcomers of one network share');
  t.equal(table.find('a', 'a', 0), a, 'who owes is still known');
  t.ok((table.find('a', 'a', 0).failures.available(0) ?? 9) < 1);
  const f = table.find('f', 'net', 1_000);
  t.not(f, d, 'c has nothing left to remember');
  t.equal(table.size, 3);
  table.sweep(10_000, 100);
  t.equal(table.size, 1, 'only who is connected');
});

t.test('aFloodOfAddressesFreesNobodyOfHisDebtAndTakesNoMemory', async (t) => {
  const table = new AccountTable(1_000, limits, 7);
  const debtor = table.find('debtor', '6.6', 0);
  debtor.failures.take(2, 0);
  for (let index = 0; index < 50_000; index++) {
    const network = `${index % 251}.${index % 241}`;
    table.find(`${network}.${index}`, network, 0).failures.take(1, 0);
  }
  t.equal(table.size, 1_000);
  t.equal(table.find('debtor', '6.6', 0), debtor);
  t.ok(table.counters.shared > 48_000);
});

t.test('connectionsAreLimitedByServerAddressAndToken', async (t) => {
  const access = new AccessLimits(
    limitsOf({
      connectionsMax: 5,
      accountsMax: 10,
      perAddress: { connectionsMax: 3 },
      perToken: { connectionsMax: 2 },
    }),
    1,
  );
  const [a, b, c] = [opened(access), opened(access), opened(access)];
  t.equal(codeOf(access.open('10.0.0.1', 0)), 'address_connections');
  const [d] = [opened(access, '10.0.0.2'), opened(access, '10.0.0.2')];
  t.equal(codeOf(access.open('10.0.0.3', 0)), 'server_full');
  const bind = (accounts: Accounts, change: object = {}) =>
    codeOf(access.bind(accounts, 'token:x', entitlements(change), 0));
  t.same(
    [a, b, c].map((one) => bind(one)),
    ['ok', 'ok', 'connections_exceeded'],
  );
  t.equal(bind(c, { connectionsMax: 3 }), 'ok', 'entitlements say more');
  t.equal(bind(a), 'ok', 'a renewal takes no place');
  access.close(a);
  t.equal(bind(d, { connectionsMax: 3 }), 'ok');
  t.equal(access.connections, 4);
});

t.test('subscriptionsAndRequestsAreLimited', async (t) => {
  const access = new AccessLimits(
    limitsOf({
      perAddress: { subscriptionsMax: 10, requestsPerSecond: 10, requestsBurst: 5 },
      perToken: { subscriptionsMax: 6, requestsPerSecond: 1, requestsBurst: 3 },
    }),
    1,
  );
  const [accounts, other] = [opened(access), opened(access)];
  access.bind(accounts, 'token:x', entitlements(), 0);
  access.bind(other, 'token:y', entitlements(), 0);
  t.equal(codeOf(access.subscribe(accounts, 6)), 'ok');
  t.equal(codeOf(access.subscribe(accounts, 1)), 'subscriptions_exceeded', 'of the token');
  t.equal(codeOf(access.subscribe(other, 5)), 'subscriptions_exceeded', 'of the address');
  t.equal(codeOf(access.subscribe(other, 4)), 'ok');
  access.unsubscribe(accounts, 1_000);
  t.equal(accounts.address.subscriptions, 4, 'no more is given back than was had');
  t.match(access.request(accounts, 0), undefined);
  t.match(access.request(accounts, 0), undefined);
  t.match(access.request(accounts, 0), undefined);
  t.match(
    access.request(accounts, 0),
    { code: 'requests_exceeded', waitMs: 1_000 },
    'opening took of the address only',
  );
  t.match(access.request(other, 0), { code: 'requests_exceeded', waitMs: 100 }, 'the address has no more');
  t.match(access.request(accounts, 1_000), undefined);
  access.change(accounts, entitlements({ requestsPerSecond: 100 }), 1_000);
  t.match(access.request(accounts, 1_000), undefined, 'a new pace');
  access.close(accounts);
  access.close(other);
  t.same([access.connections, accounts.address.connections, accounts.address.subscriptions], [0, 0, 0]);
});

t.test('failedLoginsAreSlowedAlsoThoseAtTheSameTime', async (t) => {
  const access = new AccessLimits(limitsOf({ loginFailuresPerMinute: 6, loginFailuresBurst: 3 }), 1);
  const accounts = opened(access);
  const begin = (now_ms: number) => access.loginBegins(accounts, now_ms);
  t.same([begin(0), begin(0), begin(0)], [undefined, undefined, undefined]);
  t.match(begin(0), { code: 'logins_exceeded', waitMs: 10_000 });
  access.loginSucceeded(accounts, 0);
  t.equal(begin(0), undefined, 'good ones cost nothing');
  t.match(begin(5_000), { code: 'logins_exceeded', waitMs: 5_000 });
  t.equal(begin(10_000), undefined);
});

t.test('messagesAreBoundedAndShorterBeforeLogin', async (t) => {
  const access = new AccessLimits(limitsOf({ loginMessageBytesMax: 10_000, messageBytesMax: 20_000 }), 1);
  t.same(
    [access.message(10_000, false), access.message(20_000, true)].map((one) => codeOf(one)),
    ['ok', 'ok'],
  );
  t.equal(codeOf(access.message(10_001, false)), 'message_too_long');
  t.equal(codeOf(access.message(20_001, true)), 'message_too_long');
});
