/** Access over the sockets of a gateway with two threads: logins, limits, ends and changes of open sessions. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { newToken, revokeToken } from '../../src/gateway/access/token_admin.js';
import { readTokenFile } from '../../src/gateway/access/token_file.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { entitlements } from './access/parts.js';
import { RawGatewayClient } from './raw_client.js';

const some_modes = { channels: '*', instruments: ['*'], modes: ['bbo', 'trades'] };

async function serve(t: Test, number: number, access: ServeOptionsInput['access'], more: ServeOptionsInput = {}) {
  const { A: lineA, B: lineB } = linePair(number);
  const simulate = { symbols: 4, liveOrders: 200 };
  const gateway = { port: 0, workers: 2 };
  const distributor = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    simulate,
    rate: 5_000,
    gateway,
    access,
    ...more,
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  await until('instruments', () => distributor.instruments().length === 4);
  const port = Number(new URL(distributor.gateway ?? '').port);
  const connect = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const client = await RawGatewayClient.connect(port, { headers });
    t.teardown(() => client.close());
    return client;
  };
  const open = async (token: string) => {
    const client = await connect();
    t.match(await client.ask({ type: 'hello', versions: [1], token }, 'welcome'), { type: 'welcome' });
    return client;
  };
  return { distributor, port, connect, open };
}

function tokensIn(t: Test) {
  const folder = t.testdir({});
  const file = join(folder, 'tokens.json');
  const make = (name: string, given: object = {}, expires_ms?: number) =>
    newToken(file, { name, expires_ms, entitlements: entitlements({ grants: [some_modes], ...given }) }, Date.now());
  return { file, audit: join(folder, 'audit.log'), make };
}

const hello = { type: 'hello', versions: [1] };
const bbo = (id: number, more: object = {}) => ({ type: 'subscribe', id, channel: 1, mode: 'bbo', ...more });

t.test('tokensLetInWhomTheyNameAndWhatIsWrongIsSaid', async (t) => {
  const { file, audit, make } = tokensIn(t);
  const good = make('desk');
  const expired = make('old', {}, Date.now() + 1);
  const { connect, distributor, open } = await serve(t, 206, { tokens: file, audit });
  const refused = async (message: object, given?: string) => {
    const client = await connect(given);
    const error = await client.ask(message, 'welcome');
    await until('the end', () => client.closed !== undefined);
    return { ...error, closed: client.closed?.code };
  };
  t.match(await refused(hello), { code: 'unauthorised', reason: 'credential_missing', closed: 4_401 });
  t.match(await refused({ ...hello, token: 'nonsense' }), { reason: 'token_malformed', closed: 4_401 });
  t.match(await refused({ ...hello, token: expired.text }), { reason: 'token_expired', closed: 4_401 });
  t.match(await refused({ ...hello, token: good.text }, good.text), { reason: 'credential_twice', closed: 4_400 });
  await t.rejects(connect('not a token'), /HTTP 401/, 'what the header shows is refused before the upgrade');
  const client = await open(good.text);
  t.match(await client.ask(bbo(1), 'subscribed'), { type: 'subscribed' });
  t.match(await client.ask(bbo(2, { mode: 'exact' }), 'subscribed'), {
    code: 'forbidden',
    reason: 'mode_denied',
    id: 2,
  });
  const byHeader = await connect(good.text);
  t.match(await byHeader.ask({ ...hello, client: 'desk 4' }, 'welcome'), { type: 'welcome' });
  const sessions = await distributor.gatewaySessions();
  t.match(
    sessions.find(({ client }) => client === 'desk 4'),
    { address: '127.0.0.1', login: `token ${good.id}`, subscriptions: [] },
  );
  await until('the audit log', () => readFileSync(audit, 'utf8').includes('mode_denied'));
  const events = readFileSync(audit, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.ok(events.some(({ event, id, detail }) => event === 'login' && id === good.id && detail === 'desk'));
  t.ok(events.some(({ event, code }) => event === 'refused' && code === 'token_expired'));
  t.notMatch(readFileSync(audit, 'utf8'), good.text);
});

t.test('openSessionsEndAndNarrowWithTheirTokens', async (t) => {
  const { file, make } = tokensIn(t);
  const [revoked, narrowed] = [make('revoked'), make('narrowed')];
  const { distributor, open } = await serve(t, 207, { tokens: file, tokensPollMs: 100 });
  const [first, second] = distributor.instruments().map(({ name }) => name);
  const ends = await open(revoked.text);
  const stays = await open(narrowed.text);
  for (const client of [ends, stays]) await client.ask(bbo(1, { instruments: ['*'] }), 'subscribed');
  await stays.ask(bbo(2, { instruments: [second] }), 'subscribed');
  await stays.ask(bbo(3, { mode: 'trades' }), 'subscribed');
  revokeToken(file, revoked.id, Date.now());
  await until('its end', () => ends.closed !== undefined);
  t.match(ends.closed, { code: 4_401, reason: 'token_revoked' });
  const content = readTokenFile(file);
  for (const entry of content.tokens)
    if (entry.id === narrowed.id)
      entry.entitlements = entitlements({ grants: [{ channels: [1], instruments: [first], modes: ['bbo'] }] });
  writeFileSync(file, JSON.stringify(content));
  await until('the change', () => stays.texts.filter(({ type }) => type === 'unsubscribed').length === 2);
  const changed = stays.texts.find(({ type }) => type === 'changed');
  t.match(changed, { id: 1, instruments: [{ symbol: first }] }, 'a pattern means what is left');
  t.match(changed, { instruments: { length: 1 } });
  const errors = stays.texts.filter(({ type }) => type === 'error');
  t.match(errors, [
    { id: 2, reason: 'instrument_denied' },
    { id: 3, reason: 'mode_denied' },
  ]);
  t.match(await stays.ask({ type: 'count', id: 1 }, 'counts'), { type: 'counts' });
});

t.test('limitsHoldOverAllThreads', async (t) => {
  const { file, make } = tokensIn(t);
  const one = make('one', { connectionsMax: 3, subscriptionsMax: 4 });
  const other = make('other');
  const { connect, open } = await serve(t, 208, {
    tokens: file,
    limits: { perAddress: { connectionsMax: 11, requestsPerSecond: 1, requestsBurst: 60 } },
  });
  const clients = await Promise.all([open(one.text), open(one.text), open(one.text)]);
  const fourth = await connect();
  t.match(await fourth.ask({ ...hello, token: one.text }, 'welcome'), {
    code: 'too_many',
    reason: 'connections_exceeded',
  });
  const [a, b] = clients as [RawGatewayClient, RawGatewayClient, RawGatewayClient];
  t.match(await a.ask(bbo(1, { instruments: [1, 2, 3] }), 'subscribed'), { type: 'subscribed' });
  t.match(await b.ask(bbo(1, { instruments: [1, 2] }), 'subscribed'), {
    code: 'too_many',
    reason: 'subscriptions_exceeded',
  });
  t.match(await b.ask(bbo(1), 'subscribed'), { type: 'subscribed' }, 'a whole channel is one');
  await a.ask({ type: 'change', id: 1, instruments: [1] }, 'changed');
  t.match(await b.ask(bbo(2, { instruments: [1, 2] }), 'subscribed'), { type: 'subscribed' }, 'what was given back');
  t.match(await b.ask(bbo(3, { instruments: ['NOSUCH'] }), 'subscribed'), { reason: 'subscriptions_exceeded' });
  a.close();
  await until('room', () => fourth.closed !== undefined);
  const strangers = await Promise.all(Array.from({ length: 8 }, () => open(other.text)));
  const last = connect();
  t.ok(
    await last.then(
      () => true,
      () => false,
    ),
    'a place is free again',
  );
  const surplus = await connect();
  await until('its end', () => surplus.closed !== undefined);
  t.match(surplus.texts, [{ code: 'too_many', reason: 'address_connections' }], 'too many of one address');
  t.match(surplus.closed, { code: 4_429, reason: 'address_connections' });
  // Everything that came from this address counts, whoever sent it and wherever it landed.
  let answer: Record<string, unknown> = {};
  for (let sent = 0; sent < 60 && answer.code === undefined; sent++)
    answer = await (strangers[sent % 8] as RawGatewayClient).ask({ type: 'ping' }, 'pong');
  t.match(answer, { code: 'rate_limited', reason: 'requests_exceeded' });
  t.ok((answer.waitMs as number) > 0);
});

t.test('requestsAreAnsweredInTheirOrder', async (t) => {
  const { connect } = await serve(t, 209, {});
  const client = await connect();
  client.send(hello);
  for (let id = 1; id <= 20; id++) {
    client.send(bbo(id));
    client.send({ type: 'ping', time: id });
  }
  client.send('{');
  await until('all', () => client.texts.some(({ code }) => code === 'bad_message'));
  const order = client.texts.filter(({ type }) => type === 'subscribed' || type === 'pong');
  t.same(
    order.map(({ type, id, time }) => [type, id ?? time]),
    Array.from({ length: 20 }, (_, index) => [
      ['subscribed', index + 1],
      ['pong', index + 1],
    ]).flat(),
  );
});

t.test('jwtExpireAndAreRenewedOnTheOpenConnection', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const folder = t.testdir({ 'key.pem': publicKey.export({ type: 'spki', format: 'pem' }) });
  const jwt = { issuer: 'i', audience: 'a', toleranceSeconds: 0, keys: [join(folder, 'key.pem')] };
  const { connect, open } = await serve(t, 210, { jwt });
  const sign = (seconds: number, change: { sub?: string; aud?: string } = {}) =>
    new SignJWT({ depthcast: { grants: [some_modes] } })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setSubject(change.sub ?? 's')
      .setIssuer('i')
      .setAudience(change.aud ?? 'a')
      .setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
      .sign(privateKey);
  const wrong = await connect();
  t.match(await wrong.ask({ ...hello, token: await sign(60, { aud: 'b' }) }, 'welcome'), { reason: 'jwt_audience' });
  // Long enough for both to be welcomed and one to be renewed, also where the machine stands still for seconds.
  const ends = await open(await sign(10));
  const stays = await open(await sign(10));
  t.match(await stays.ask({ type: 'renew', token: await sign(60, { sub: 'else' }) }, 'renewed'), {
    code: 'forbidden',
    reason: 'identity_changed',
  });
  t.match(await stays.ask({ type: 'renew', token: await sign(60) }, 'renewed'), { type: 'renewed' });
  await until('the end', () => ends.closed !== undefined);
  t.match(ends.closed, { code: 4_401, reason: 'jwt_expired' });
  t.match(await stays.ask({ type: 'ping' }, 'pong'), { type: 'pong' });
});

t.test('whatIsBeyondThePaceIsHeldBackNotDropped', async (t) => {
  const { file, make } = tokensIn(t);
  const slow = make('slow', { framesPerSecondMax: 5 });
  const { distributor, open } = await serve(
    t,
    211,
    { tokens: file },
    { simulate: { symbols: 4, messages: 20_000 }, rate: 10_000 },
  );
  const begun = Date.now();
  const client = await open(slow.text);
  await client.ask(bbo(1, { intervalMs: 0 }), 'subscribed');
  await distributor.ended;
  const { frames } = client;
  const seconds = (Date.now() - begun) / 1_000;
  t.ok(frames <= 5 + 5 * (seconds + 1), `${frames} frames in ${seconds} s`);
  let counts = await client.ask({ type: 'count', id: 1 }, 'counts');
  for (let asked = 0; counts.pending !== '0' && asked < 600; asked++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    counts = await client.ask({ type: 'count', id: 1 }, 'counts');
  }
  t.equal(counts.pending, '0');
  t.equal(BigInt(counts.published as string), client.sent + client.conflated, 'every message is accounted for');
  t.same(client.faults, []);
});

t.test('reconnectingGivesNoNewAllowanceOfMessages', async (t) => {
  const { file, make } = tokensIn(t);
  const slow = make('slow', { messagesPerSecondMax: 100 });
  const { open } = await serve(t, 199, { tokens: file });
  const begun = Date.now();
  let sent = 0n;
  for (let session = 0; session < 8; session++) {
    const client = await open(slow.text);
    await client.ask(bbo(1, { intervalMs: 0 }), 'subscribed');
    await new Promise((resolve) => setTimeout(resolve, 300));
    sent += client.sent;
    client.close();
    await until('its end', () => client.closed !== undefined);
    // The main thread hears of it from another one.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const seconds = (Date.now() - begun) / 1_000;
  // What was saved, what came by, and a frame of each session that was one too many.
  t.ok(sent <= 100 + 100 * seconds + 8 * 4, `${sent} in ${seconds} s`);
  t.ok(sent > 0n);
});
