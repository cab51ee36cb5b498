/** All of access together, without sockets: logins, refusals, changes of open sessions, and a fuzzed life of it. */
import { generateKeyPairSync } from 'node:crypto';
import { CompactSign } from 'jose';
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import type { AccessControl, Connection } from '../../../src/gateway/access/access_control.js';
import { closeCode, refusal_codes } from '../../../src/gateway/access/codes.js';
import { type Credential, credentialOf } from '../../../src/gateway/access/credentials.js';
import { all_entitlements } from '../../../src/gateway/access/entitlements.js';
import { fixedKeys, KeysUnavailable } from '../../../src/gateway/access/jwks.js';
import { JwtVerifier } from '../../../src/gateway/access/jwt.js';
import { keysOfFile } from '../../../src/gateway/access/jwt_keys.js';
import { jwtOptions } from '../../../src/gateway/access/options.js';
import { begin_ms, Clock, codeOf, connected, entitlements, fileOf, held, request, setup } from './parts.js';

const pair = generateKeyPairSync('ed25519');
const jwt_options = jwtOptions.parse({ issuer: 'i', audience: 'a', keys: ['unused'], toleranceSeconds: 0 });
const keys = fixedKeys([keysOfFile(pair.publicKey.export({ type: 'spki', format: 'pem' }) as string)]);

function jwt(change: object = {}): Promise<string> {
  const claims = { iss: 'i', aud: 'a', sub: 's', exp: begin_ms / 1_000 + 60, depthcast: entitlements(), ...change };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'EdDSA' })
    .sign(pair.privateKey);
}

function credential(text: string): Credential {
  const given = credentialOf(text);
  if ('refusal' in given || given.credential === undefined) throw new Error('no credential');
  return given.credential;
}

async function loggedIn(control: AccessControl, text: string, address = '10.0.0.1'): Promise<Connection> {
  const connection = connected(control, { address });
  const answer = await control.login(connection, credential(text));
  if ('refusal' in answer) throw new Error(answer.refusal.code);
  return connection;
}

t.test('aTokenInTheHeaderOrTheFirstMessageLogsIn', async (t) => {
  const one = held();
  const { control, lines } = setup({ file: fileOf(one) });
  const opened = control.connect(request({ authorization: `Bearer ${one.text}` }));
  if ('refusal' in opened) throw new Error('refused');
  t.match(await control.login(opened.connection, opened.credential), {
    principal: { kind: 'token', id: one.entry.id },
  });
  const later = await loggedIn(control, one.text);
  t.equal(codeOf(control.subscribe(later, { use: 'subscribe', channel: 1, mode: 'bbo', instruments: ['AAPL'] })), 'ok');
  t.equal(
    codeOf(control.subscribe(later, { use: 'subscribe', channel: 2, mode: 'bbo', instruments: ['AAPL'] })),
    'channel_denied',
  );
  control.close(later);
  control.close(later);
  t.equal(control.limits.connections, 1);
  t.same(
    lines
      .slice(1)
      .map((line) => JSON.parse(line))
      .map(({ event, code, id }) => [event, code, id]),
    [
      ['login', undefined, one.entry.id],
      ['refused', 'channel_denied', one.entry.id],
      ['logout', undefined, one.entry.id],
    ],
    'the second login of the same token from the same address is summed',
  );
  t.notOk(lines.join('').includes(one.text.slice(17)), 'no secret in the log');
});

t.test('nothingIsGivenBeforeTheLogin', async (t) => {
  const { control } = setup({ file: fileOf(held()) });
  const connection = connected(control);
  t.equal(
    codeOf(control.subscribe(connection, { use: 'subscribe', channel: 1, mode: 'bbo', instruments: [] })),
    'credential_missing',
  );
  t.match(control.allows(connection, { use: 'retransmit', channel: 1 }), {
    allowed: false,
    refusal: { code: 'credential_missing' },
  });
  t.equal(codeOf(await control.login(connection, undefined)), 'credential_missing');
  t.equal(codeOf(control.message(connection, 20_000)), 'message_too_long');
  t.equal(codeOf(await control.login(connection, credential('dct_x'))), 'token_malformed');
  t.equal(codeOf(await control.login(connection, credential('a.b.c'))), 'credential_kind');
});

t.test('aUrlWithATokenIsRefusedAndNeverLogged', async (t) => {
  const one = held();
  const { control, lines } = setup({ file: fileOf(one) });
  const secret = one.text.slice(17);
  t.equal(codeOf(control.connect(request({ query: `token=${one.text}` }))), 'credential_in_url');
  t.equal(codeOf(control.connect(request({ path: `/${one.text}` }))), 'credential_in_url');
  t.equal(codeOf(control.connect(request({ authorization: `Basic ${one.text}` }))), 'credential_malformed');
  t.equal(codeOf(control.connect(request({ origin: `https://${one.text}.example` }))), 'origin_refused');
  t.equal(codeOf(control.connect(request({ host: one.text }))), 'host_refused');
  t.notOk(lines.join('').includes(secret));
  t.equal(control.limits.connections, 0, 'none of them holds a place');
});

t.test('whoDoesNotLogInIsClosedInTime', async (t) => {
  const { control, clock } = setup({ limits: { loginMs: 1_000 } });
  const connection = connected(control);
  clock.pass(999);
  t.same(control.tick(), []);
  clock.pass(1);
  t.match(control.tick(), [{ connection: { id: connection.id }, act: 'close', refusal: { code: 'login_timeout' } }]);
  t.same(control.tick(), [], 'told once');
  t.equal(codeOf(control.message(connection, 1)), 'login_timeout');
  t.equal(codeOf(await control.login(connection, credential(held().text))), 'login_timeout');
});

t.test('failedLoginsAreSlowedPerAddress', async (t) => {
  const one = held();
  const { control, clock } = setup({
    file: fileOf(one),
    limits: { loginFailuresBurst: 3, loginFailuresPerMinute: 60 },
  });
  const attempt = async (text: string, address = '10.0.0.1') => {
    const connection = connected(control, { address });
    const code = codeOf(await control.login(connection, credential(text)));
    control.close(connection);
    return code;
  };
  for (let round = 0; round < 3; round++) t.equal(await attempt(held().text), 'token_unknown');
  t.equal(await attempt(one.text), 'logins_exceeded');
  t.equal(await attempt(one.text, '10.0.0.2'), 'ok', 'others are not');
  clock.pass(1_000);
  for (let round = 0; round < 10; round++) t.equal(await attempt(one.text), 'ok', 'good ones cost nothing');
});

t.test('changesOfTheTokenFileActOnOpenSessions', async (t) => {
  const [gone, revoked, narrowed, replaced, same] = [held(), held(), held(), held(), held()];
  const { control } = setup({ file: fileOf(gone, revoked, narrowed, replaced, same) });
  const open = [];
  for (const one of [gone, revoked, narrowed, replaced, same]) open.push(await loggedIn(control, one.text));
  const less = entitlements({ grants: [{ channels: [1], instruments: ['AAPL'], modes: ['bbo'] }] });
  const actions = control.tokensChanged({
    version: 1,
    tokens: [
      { ...revoked.entry, revoked: '2026-01-01T00:00:00Z' },
      { ...narrowed.entry, entitlements: less },
      { ...held().entry, id: replaced.entry.id },
      structuredClone({ ...same.entry, name: 'renamed' }),
    ],
    denied: [],
  });
  t.same(
    actions.map((action) => [
      action.connection.id,
      action.act,
      'refusal' in action ? action.refusal.code : action.entitlements,
    ]),
    [
      [open[0]?.id, 'close', 'token_unknown'],
      [open[1]?.id, 'close', 'token_revoked'],
      [open[2]?.id, 'change', less],
      [open[3]?.id, 'close', 'token_unknown'],
    ],
  );
  const depth = { use: 'subscribe', channel: 1, mode: 'depth', instruments: ['AAPL'], levels: 1 } as const;
  const codes = open.map((connection) => codeOf(control.subscribe(connection, depth)));
  t.same(
    codes,
    ['token_unknown', 'token_revoked', 'mode_denied', 'token_unknown', 'ok'],
    'before the socket is closed',
  );
});

t.test('fewerConnectionsEndTheNewest', async (t) => {
  const one = held();
  const { control } = setup({ file: fileOf(one) });
  const open = [
    await loggedIn(control, one.text),
    await loggedIn(control, one.text),
    await loggedIn(control, one.text),
  ];
  const actions = control.tokensChanged(
    fileOf({ ...one, entry: { ...one.entry, entitlements: entitlements({ connectionsMax: 1 }) } }),
  );
  t.same(
    actions.filter(({ act }) => act === 'close').map(({ connection }) => connection.id),
    open.slice(1).map(({ id }) => id),
  );
  for (const { connection, act } of actions) if (act === 'close') control.close(connection);
  const connection = connected(control);
  t.equal(codeOf(await control.login(connection, credential(one.text))), 'connections_exceeded');
  t.equal(
    codeOf(await control.login(connection, credential(one.text))),
    'connections_exceeded',
    'and no place was taken',
  );
});

t.test('expiryEndsOpenSessionsAndARenewalPutsItOff', async (t) => {
  const expiring = held({ expires: '2026-01-01T00:00:10Z' });
  const clock = new Clock();
  const { control } = setup({ clock, file: fileOf(expiring), jwt: new JwtVerifier(jwt_options, keys) });
  const token = await loggedIn(control, expiring.text);
  const renewing = await loggedIn(control, await jwt());
  const ending = await loggedIn(control, await jwt({ sub: 't' }));
  clock.pass(9_999);
  t.same(control.tick(), []);
  clock.pass(1);
  t.match(control.tick(), [{ connection: { id: token.id }, refusal: { code: 'token_expired' } }]);
  t.equal(codeOf(await control.login(renewing, credential(await jwt({ sub: 'other' })))), 'identity_changed');
  t.equal(codeOf(await control.login(renewing, credential(await jwt({ aud: 'b' })))), 'jwt_audience');
  t.equal(renewing.principal?.id, 's', 'the old login goes on');
  t.match(await control.login(renewing, credential(await jwt({ exp: begin_ms / 1_000 + 90 }))), {
    principal: { id: 's' },
  });
  clock.pass(50_000);
  t.match(control.tick(), [{ connection: { id: ending.id }, refusal: { code: 'jwt_expired' } }]);
  clock.pass(30_000);
  t.match(control.tick(), [{ connection: { id: renewing.id }, refusal: { code: 'jwt_expired' } }]);
});

t.test('deniedSubjectsAndIdsEnd', async (t) => {
  const { control } = setup({ jwt: new JwtVerifier(jwt_options, keys) });
  const [first, second, third] = [
    await loggedIn(control, await jwt({ sub: 'x' })),
    await loggedIn(control, await jwt({ sub: 'y', jti: 'j' })),
    await loggedIn(control, await jwt({ sub: 'z', jti: 'k' })),
  ];
  const actions = control.tokensChanged({ version: 1, tokens: [], denied: [{ sub: 'x' }, { jti: 'j' }] });
  t.match(actions, [
    { connection: { id: first.id }, refusal: { code: 'jwt_denied' } },
    { connection: { id: second.id }, refusal: { code: 'jwt_denied' } },
  ]);
  t.equal(actions.length, 2);
  t.equal(third.ended, undefined);
  const connection = connected(control);
  t.equal(codeOf(await control.login(connection, credential(await jwt({ sub: 'x' })))), 'jwt_denied');
});

t.test('whatHappensWhileAnIssuerIsAskedIsSeen', async (t) => {
  let answer: () => void = () => {};
  const slow = new JwtVerifier(jwt_options, async (header, token) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return keys(header, token);
  });
  const { control } = setup({ jwt: slow });
  const begin = async (text: string) => {
    const connection = connected(control);
    const pending = control.login(connection, credential(text));
    await new Promise((resolve) => setImmediate(resolve));
    return { connection, pending };
  };
  const closing = await begin(await jwt());
  t.equal(codeOf(await control.login(closing.connection, credential(await jwt()))), 'credential_twice');
  control.close(closing.connection);
  answer();
  t.equal(codeOf(await closing.pending), 'login_timeout');
  t.equal(control.limits.tokens.size, 0, 'nobody has logged in');
  const denied = await begin(await jwt());
  control.tokensChanged({ version: 1, tokens: [], denied: [{ sub: 's' }] });
  answer();
  t.equal(codeOf(await denied.pending), 'jwt_denied');
  t.equal(control.limits.connections, 1);
});

t.test('anIssuerThatIsDownIsNoFailureOfTheClient', async (t) => {
  const down = new JwtVerifier(jwt_options, async () => {
    throw new KeysUnavailable('unreachable');
  });
  const { control } = setup({ jwt: down, limits: { loginFailuresBurst: 1 } });
  for (let round = 0; round < 5; round++) {
    const connection = connected(control);
    t.equal(codeOf(await control.login(connection, credential(await jwt()))), 'jwt_keys_unavailable');
  }
});

t.test('withoutAuthenticationEverybodyMayHaveEverything', async (t) => {
  const { control } = setup({ anonymous: all_entitlements, limits: { perToken: { connectionsMax: 1 } } });
  for (let round = 0; round < 3; round++) {
    const connection = connected(control);
    t.match(await control.login(connection, undefined), { principal: { kind: 'anonymous' } });
    t.match(control.allows(connection, { use: 'retransmit', channel: 9 }), { allowed: true });
  }
});

t.test('everyCodeHasACloseCodeOfTheRangeForApplications', async (t) => {
  for (const code of refusal_codes) t.ok(closeCode(code) >= 4_400 && closeCode(code) <= 4_503, code);
});

t.test('aFuzzedLifeKeepsItsBooks', async (t) => {
  const seed = Number(process.env.SEED ?? 20_261_124);
  t.comment(`SEED=${seed}`);
  const random = new SeededRandom(seed);
  const tokens = Array.from({ length: 5 }, () => held());
  const limits = {
    connectionsMax: 30,
    perAddress: { connectionsMax: 10, subscriptionsMax: 50 },
    perToken: { connectionsMax: 6, subscriptionsMax: 20 },
  };
  const { control, clock, lines } = setup({ file: fileOf(...tokens), limits });
  const open = new Map<Connection, number[]>();
  const drop = (connection: Connection) => {
    open.delete(connection);
    control.close(connection);
  };
  for (let step = 0; step < 20_000; step++) {
    clock.pass(random.between(0, 500));
    const known = [...open.keys()];
    const some = known.length === 0 ? undefined : random.pick(known);
    const what = random.between(0, 9);
    if (what <= 2 || some === undefined) {
      const opened = control.connect(request({ address: `10.0.0.${random.between(1, 4)}` }));
      if (!('refusal' in opened)) open.set(opened.connection, []);
    } else if (what <= 4) {
      const text = random.between(0, 3) === 0 ? held().text : random.pick(tokens).text;
      await control.login(some, credential(text));
    } else if (what <= 6) {
      const instruments = Array.from({ length: random.between(0, 8) }, () => random.pick(['AAPL', 'ESZ6', 'MSFT']));
      const mode = random.pick(['bbo', 'depth', 'exact'] as const);
      const answer = control.subscribe(some, {
        use: 'subscribe',
        channel: random.between(1, 2),
        mode,
        instruments,
        levels: random.between(0, 12),
      });
      if ('count' in answer) open.get(some)?.push(answer.count);
    } else if (what === 7) control.unsubscribe(some, open.get(some)?.pop() ?? 0);
    else if (what === 8) drop(some);
    else if (random.between(0, 20) === 0) {
      const kept = tokens.filter(() => random.between(0, 3) > 0);
      for (const { connection, act } of control.tokensChanged(fileOf(...kept))) if (act === 'close') drop(connection);
      control.tokensChanged(fileOf(...tokens));
    }
    if (step % 10 === 0) for (const { connection, act } of control.tick()) if (act === 'close') drop(connection);
    const subscriptions = [...open.values()].flat().reduce((sum, count) => sum + count, 0);
    const counted = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].map((key) =>
      control.limits.addresses.find(key, key, clock.monotonic_ms),
    );
    const sum = counted.reduce((total, account) => total + account.subscriptions, 0);
    if (control.limits.connections !== open.size || sum !== subscriptions)
      return t.fail(`SEED=${seed} step ${step}: ${control.limits.connections} ${open.size}, ${sum} ${subscriptions}`);
    if (counted.some((account) => account.connections > 10 || account.subscriptions > 50))
      return t.fail(`SEED=${seed}: over the limit`);
  }
  t.ok(control.counters.logins > 100, `${control.counters.logins} logins`);
  t.notOk(
    tokens.some(({ text }) => lines.join('').includes(text.slice(17))),
    'no secret in the log',
  );
  return undefined;
});
