/** Key sets by URL: a hostile server on loopback, and the cache without one. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errors } from 'jose';
import t from 'tap';
import { JwksCache } from '../../../src/gateway/access/jwks.js';
import { FetchError, fetchLimited, httpsUrl } from '../../../src/gateway/access/jwks_fetch.js';
import type { Test } from '../../data.js';

async function serve(t: Test, listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`);
}

const limits = { timeoutMs: 300, bytesMax: 10_000 };

t.test('onlyHttpsUrlsAreFetched', async (t) => {
  for (const url of ['https://a.example/jwks', 'https://a.example:8443/x?y=z', 'HTTPS://A.example'])
    t.ok(httpsUrl(url), url);
  for (const url of [
    'http://a.example',
    'file:///etc/passwd',
    'https://u:p@a.example',
    'ftp://a',
    'data:,x',
    '',
    'https://',
    '//a',
    'https://a.example/#x',
  ])
    t.equal(httpsUrl(url), undefined, url);
});

t.test('fetchesWhatIsSmallAndQuickEnough', async (t) => {
  const url = await serve(t, (asked, answer) => {
    t.equal(asked.headers['accept-encoding'], 'identity');
    answer.end('{"keys":[]}');
  });
  t.equal(await fetchLimited(url, limits, request), '{"keys":[]}');
});

t.test('endsWhatIsTooLongHoweverItComes', async (t) => {
  let sent = 0;
  let closed: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const url = await serve(t, (_, answer) => {
    answer.on('close', () => closed());
    const more = () => {
      while (!answer.destroyed && answer.write('x'.repeat(4_096))) sent += 4_096;
      if (!answer.destroyed) answer.once('drain', more);
    };
    more();
  });
  await t.rejects(fetchLimited(url, limits, request), new FetchError('longer than 10000 bytes'));
  await gone;
  t.ok(sent < 50 * 2 ** 20, 'the connection was cut, not read to its end');
});

t.test('endsASlowServerAtTheTimeout', async (t) => {
  const dripping = await serve(t, (_, answer) => {
    const timer = setInterval(() => answer.write(' '), 20);
    answer.on('close', () => clearInterval(timer));
  });
  await t.rejects(fetchLimited(dripping, limits, request), /no whole answer within 300 ms/);
  const silent = await serve(t, () => {});
  await t.rejects(fetchLimited(silent, limits, request), /no whole answer within 300 ms/);
});

t.test('refusesRedirectsStatusCompressionAndBrokenAnswers', async (t) => {
  let asked = 0;
  const elsewhere = await serve(t, (_, answer) => {
    asked++;
    answer.end('{"keys":[]}');
  });
  const cases: [RequestListener, RegExp][] = [
    [(_, answer) => answer.writeHead(302, { location: elsewhere.href }).end(), /redirect refused \(302\)/],
    [(_, answer) => answer.writeHead(404).end('secret'), /^status 404$/],
    [(_, answer) => answer.writeHead(304).end(), /redirect refused/],
    [(_, answer) => answer.setHeader('content-encoding', 'gzip').end('x'), /compressed/],
    [(_, answer) => answer.writeHead(200, { 'content-length': 100 }).write('x', () => answer.destroy()), /broken off/],
    [(_, answer) => answer.destroy(), /unreachable/],
  ];
  for (const [listener, message] of cases)
    await t.rejects(fetchLimited(await serve(t, listener), limits, request), { name: 'FetchError', message });
  t.equal(asked, 0, 'no redirect was followed');
  await t.rejects(fetchLimited(new URL('https://127.0.0.1:1/'), limits), /unreachable: ECONNREFUSED/);
  await t.rejects(fetchLimited(elsewhere, limits), /cannot be asked/, 'http is refused by what ships');
});

const key = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid });
const [one, two] = [key('one'), key('two')];
const header = (kid: string) => ({ alg: 'EdDSA', kid });
const token = { payload: '', signature: '' };

function cache(answers: (string | Error)[]) {
  const state = { now_ms: 0 };
  const made = new JwksCache(
    { cacheMs: 1_000, cooldownMs: 100, staleMs: 5_000 },
    async () => {
      const next = answers.shift() ?? new Error('asked too often');
      if (next instanceof Error) throw next;
      return next;
    },
    () => state.now_ms,
  );
  return { state, made, find: async (kid: string) => made.getKey(header(kid), token) };
}
const set = (...keys: object[]) => JSON.stringify({ keys });

t.test('aSetIsKeptAndFetchedAgainForAKeyThatIsNotInIt', async (t) => {
  const { state, made, find } = cache([set(one), set(one, two), set(two)]);
  await Promise.all([find('one'), find('one'), find('one')]);
  t.equal(made.counters.fetches, 1, 'one fetch for all who wait');
  await t.rejects(find('two'), errors.JWKSNoMatchingKey, 'not before the cooldown is over');
  state.now_ms = 100;
  t.ok(await find('two'));
  t.equal(made.counters.fetches, 2);
  state.now_ms = 1_100;
  await t.rejects(find('one'), errors.JWKSNoMatchingKey, 'a key that the issuer withdrew is gone');
  t.equal(made.counters.fetches, 3);
});

t.test('strangeKeyNamesCauseNoStormOfFetches', async (t) => {
  const { state, made, find } = cache(new Array(20).fill(set(one)));
  for (let index = 0; index < 1_000; index++) {
    state.now_ms = index; // a thousand tokens in a second
    await t.rejects(find(`strange ${index}`), errors.JWKSNoMatchingKey);
  }
  t.equal(made.counters.fetches, 10, 'one for each cooldown');
});

t.test('anIssuerThatIsDownKeepsItsKeysForAWhile', async (t) => {
  const down = new FetchError('unreachable: ECONNREFUSED');
  const { state, made, find } = cache([down, set(one), down, 'not json', down]);
  await t.rejects(find('one'), { name: 'KeysUnavailable', message: 'unreachable: ECONNREFUSED' });
  await t.rejects(find('one'), { name: 'KeysUnavailable' });
  t.equal(made.counters.fetches, 1, 'not asked again before the cooldown');
  state.now_ms = 100;
  t.ok(await find('one'));
  state.now_ms = 1_200;
  t.ok(await find('one'), 'stale, but good enough');
  t.equal(made.lastFailure, 'unreachable: ECONNREFUSED');
  state.now_ms = 1_300;
  t.ok(await find('one'));
  t.match(made.lastFailure, /not JSON/);
  state.now_ms = 6_101;
  await t.rejects(find('one'), { name: 'KeysUnavailable' }, 'too old');
});
