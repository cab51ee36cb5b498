/** Guessed, stolen, misplaced and outdated tokens, foreign pages and pointed names, over the sockets of two threads. */
import { join } from 'node:path';
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import { newToken, revokeToken } from '../../src/gateway/access/token_admin.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { entitlements } from './access/parts.js';
import { ask } from './http/http_on.js';
import { RawGatewayClient } from './raw_client.js';
import { RawSocket, upgrade_headers } from './raw_socket.js';

const hello = { type: 'hello', versions: [1] };

async function serve(t: Test, number: number, access: object = {}) {
  const file = join(t.testdir(), 'tokens.json');
  const make = (name: string, given: object, expires_ms?: number) =>
    newToken(file, { name, expires_ms, entitlements: entitlements(given) }, Date.now());
  const whole = make('whole', { grants: [{ channels: '*', instruments: ['*'], modes: ['exact', 'depth'] }] });
  const { A: lineA, B: lineB } = linePair(number);
  const distributor = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    simulate: { symbols: 8, liveOrders: 200 },
    rate: 5_000,
    gateway: { port: 0, workers: 2 },
    access: { tokens: file, tokensPollMs: 100, origins: ['https://desk.example'], ...access },
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  await until('instruments', () => distributor.instruments().length === 8);
  const port = Number(new URL(distributor.gateway ?? '').port);
  const connect = async () => {
    const client = await RawGatewayClient.connect(port);
    t.teardown(() => client.close());
    return client;
  };
  const open = async (token: string) => {
    const client = await connect();
    t.match(await client.ask({ ...hello, token }, 'welcome'), { type: 'welcome' });
    return client;
  };
  return { distributor, file, make, whole, port, connect, open };
}

t.test('guessingIsSlowedDownForItsOwnAddressAndLetsNobodyIn', async (t) => {
  const { connect, port, whole } = await serve(t, 221, {
    limits: { loginFailuresBurst: 10, loginFailuresPerMinute: 1 },
  });
  const guesses = [
    '',
    'dct_',
    whole.text.slice(0, -1),
    `${whole.text.slice(0, -1)}${whole.text.endsWith('A') ? 'E' : 'A'}`,
    whole.text.toUpperCase(),
    `${whole.id}`,
    `dct_${'a'.repeat(12)}_${'A'.repeat(43)}`,
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.',
    '__proto__',
    '\u0000',
    "' OR 1=1 --",
    'x'.repeat(8_192),
    ...Array.from({ length: 10 }, (_, index) => `dct_${'b'.repeat(12)}_${String(index).repeat(43)}`),
  ];
  const codes: unknown[] = [];
  for (const token of guesses) {
    const client = await connect();
    const answer = await client.ask({ ...hello, token }, 'welcome');
    t.not(answer.type, 'welcome', `refused: ${JSON.stringify(answer)}`);
    t.notOk(token !== '' && JSON.stringify(answer).includes(token), 'it does not come back');
    codes.push(answer.code);
    await until('its end', () => client.closed !== undefined);
  }
  t.ok(codes.includes('unauthorised') && codes.includes('rate_limited'), codes.join(' '));
  const guess = await ask(port, '/channels', { authorization: 'Bearer dct_guess' });
  t.equal(JSON.parse(guess.body).code, 'logins_exceeded', 'HTTP is no way round');
  t.ok(Number(guess.headers['retry-after']) > 0);
  t.equal((await ask(port, '/health')).status, 200);
});

t.test('whatIsNotEntitledCannotEvenBeNamed', async (t) => {
  const { distributor, make, open, port } = await serve(t, 222);
  const names = distributor.instruments().map(({ name }) => name);
  const [ours = '', theirs = ''] = names;
  const { text } = make('narrow', { grants: [{ channels: [1], instruments: [ours], modes: ['depth'] }] });
  let client: RawGatewayClient | undefined;
  await until('the token', () => distributor.stats().sequence > 0n);
  for (let tries = 0; tries < 600 && client === undefined; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    client = await open(text).catch(() => undefined);
  }
  if (client === undefined) throw new Error('the new token is not taken over');
  const answers: unknown[] = [];
  for (const [index, instruments] of [[theirs], ['NO_SUCH_NAME'], [2], [9_999]].entries()) {
    const { id: _, ...answer } = await client.ask(
      { type: 'subscribe', id: index + 1, channel: 1, mode: 'depth', instruments },
      'subscribed',
    );
    answers.push(answer);
  }
  t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1, 'there or not: the same answer');
  t.match(answers[0], { type: 'error', code: 'forbidden', reason: 'instrument_denied' });
  t.match(await client.ask({ type: 'subscribe', id: 5, channel: 1, mode: 'exact' }, 'subscribed'), {
    code: 'forbidden',
  });
  t.match(await client.ask({ type: 'subscribe', id: 6, channel: 7, mode: 'depth' }, 'subscribed'), {
    reason: 'channel_denied',
  });
  const given = await client.ask(
    { type: 'subscribe', id: 7, channel: 1, mode: 'depth', instruments: ['*'], intervalMs: 0 },
    'subscribed',
  );
  t.match(given.instruments, [{ symbol: ours }]);
  t.equal((given.instruments as unknown[]).length, 1, 'a pattern gives what is entitled');
  await until('its data', () => (client?.frames ?? 0) > 20);
  t.same([...client.windows.keys()], [distributor.instruments()[0]?.instrument]);
  const elsewhere = make('elsewhere', { grants: [{ channels: [7], instruments: ['*'], modes: ['depth'] }] });
  let stranger: RawGatewayClient | undefined;
  for (let tries = 0; tries < 600 && stranger?.texts[0]?.type !== 'welcome'; tries++) {
    stranger?.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    stranger = await RawGatewayClient.connect(port);
    await stranger.ask({ ...hello, token: elsewhere.text }, 'welcome');
  }
  t.teardown(() => stranger?.close());
  t.same(stranger?.texts[0]?.channels, [], 'a channel that one may have nothing of is not named');
  t.match(client.texts[0], { type: 'welcome', channels: [{ channel: 1 }] });
  t.same(Object.keys(JSON.parse((await ask(port, '/health')).body)), ['ready', 'status']);
  const directory = await ask(port, '/channels', { authorization: `Bearer ${text}` });
  const said = directory.body + JSON.stringify(client.texts);
  for (const name of names.slice(1)) t.notOk(said.includes(`"${name}"`), `${name} was never told`);
  t.notMatch(directory.body, /239\./, 'no group');
});

t.test('tokensInUrlsForeignPagesAndPointedNamesAreRefusedAtTheDoor', async (t) => {
  const { distributor, file, open, port, whole } = await serve(t, 223);
  const authorization = `Bearer ${whole.text}`;
  const door = async (headers: Record<string, string>, path = '/feed') => {
    const socket = await RawSocket.open(port, { ...upgrade_headers, ...headers }, path);
    socket.socket.destroy();
    return socket.status;
  };
  t.equal(await door({ authorization }), 101, 'a program');
  t.equal(await door({ authorization, origin: 'https://desk.example' }), 101, 'a page that may');
  t.equal(await door({ authorization, origin: `http://127.0.0.1:${port}` }), 101, 'our own page');
  for (const origin of ['https://evil.example', 'null', 'https://desk.example.evil.example', 'http://desk.example'])
    t.equal(await door({ authorization, origin }), 403, origin);
  for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', ''])
    t.ok([400, 403].includes(await door({ authorization, host })), `host ${host}`);
  for (const path of [`/feed?token=${whole.text}`, `/feed?access_token=x`, `/feed?x=${encodeURIComponent(whole.text)}`])
    t.equal(await door({ authorization }, path), 400, path.slice(0, 20));
  t.ok([400, 401].includes(await door({ authorization: `${authorization}, Bearer x` })), 'two of them');
  const bodies = await Promise.all(['/channels', '/metrics'].map((path) => ask(port, path)));
  t.same(
    bodies.map(({ body, status }) => [status, JSON.parse(body).code]),
    [
      [401, 'credential_missing'],
      [401, 'credential_missing'],
    ],
  );
  t.equal((await ask(port, '/channels', { authorization })).status, 200);
  const client = await open(whole.text);
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'depth' }, 'subscribed');
  revokeToken(file, whole.id, Date.now());
  await until('the end of its session', () => client.closed !== undefined);
  t.equal(client.closed?.code, 4_401);
  const after = await ask(port, '/channels', { authorization });
  t.same([after.status, JSON.parse(after.body).code], [401, 'token_revoked']);
  const again = await RawGatewayClient.connect(port, { headers: { authorization } });
  t.match(await again.ask(hello, 'welcome'), { code: 'unauthorised', reason: 'token_revoked' });
  await until('its end', () => again.closed !== undefined);
  t.ok(distributor.stats().sequence > 0n);
});
