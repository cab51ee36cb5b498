/** Health, metrics, directory and page over real sockets. */
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { all_entitlements } from '../../../src/gateway/access/entitlements.js';
import { entitlements, fileOf, held } from '../access/parts.js';
import { ask, httpOn, raw, secret } from './http_on.js';

t.test('healthSaysWhetherEveryChannelIsReady', async (t) => {
  let ready = true;
  let status: 'ok' | 'ending' = 'ok';
  const { port } = await httpOn(t, { health: () => ({ status, channels: [{ channel: 1, ready }] }) });
  const well = await ask(port, '/health');
  t.equal(well.status, 200, 'without a token: a load balancer has none');
  t.same(JSON.parse(well.body), { ready: true, status: 'ok' }, 'and learns of no channel');
  t.equal(well.headers['cache-control'], 'no-store');
  ready = false;
  const ill = await ask(port, '/health');
  t.equal(ill.status, 503);
  t.equal(JSON.parse(ill.body).ready, false);
  ready = true;
  status = 'ending';
  t.equal((await ask(port, '/health')).status, 503);
});

t.test('theDirectoryTellsWhatTheTokenMayHave', async (t) => {
  const [some, all, none] = [
    held(),
    held({ entitlements: all_entitlements }),
    held({ entitlements: entitlements({ grants: [{ channels: [2], instruments: ['*'], modes: ['bbo'] }] }) }),
  ];
  const { port } = await httpOn(t, { file: fileOf(some, all, none) });
  const directory = async (text: string) => {
    const answer = await ask(port, '/channels', { authorization: `Bearer ${text}` });
    t.equal(answer.status, 200);
    return JSON.parse(answer.body);
  };
  t.same(await directory(all.text), {
    version: 1,
    channels: [
      {
        channel: 1,
        session: '18446744073709551615',
        modes: ['exact', 'filtered', 'depth', 'bbo', 'trades'],
        gateway: '/feed',
        lineA: { group: '239.1.1.1', port: 5_000 },
        lineB: null,
        recovery: 'ws://127.0.0.1:9/recovery',
        recoveryUdpPort: 5_001,
        snapshotLine: null,
        instruments: ['AAPL', 'AMZN', 'MSFT'].map((symbol, index) => ({
          instrument: index + 1,
          symbol,
          priceExponent: -4,
          quantityExponent: 0,
        })),
      },
    ],
  });
  const [channel] = (await directory(some.text)).channels;
  t.same(
    channel.instruments.map(({ symbol }: { symbol: string }) => symbol),
    ['AAPL'],
    'no name that is not theirs',
  );
  t.match(channel, { modes: ['depth', 'bbo'], lineA: null, recovery: null, recoveryUdpPort: null }, 'no packets');
  t.same((await directory(none.text)).channels, []);
  const refused = await ask(port, '/channels');
  t.equal(refused.status, 401);
  t.equal(refused.headers['www-authenticate'], 'Bearer');
  t.equal(JSON.parse(refused.body).code, 'credential_missing');
  const inUrl = await ask(port, `/channels?token=${all.text}`);
  t.equal(JSON.parse(inUrl.body).code, 'credential_in_url');
  t.equal(inUrl.status, 400);
});

t.test('anUnchangedDirectoryIsNotSentAgainAndALongOneIsSentWhole', async (t) => {
  const many = Array.from({ length: 40_000 }, (_, index) => ({
    instrument: index + 1,
    symbol: `SYMBOL${index}`,
    priceExponent: -4,
    quantityExponent: 0,
  }));
  let instruments = many;
  const { port } = await httpOn(t, { anonymous: all_entitlements, instruments: () => instruments });
  const first = await ask(port, '/channels');
  t.equal(JSON.parse(first.body).channels[0].instruments.length, many.length);
  const etag = first.headers.etag ?? '';
  const again = await ask(port, '/channels', { 'if-none-match': `"other", W/${etag}` });
  t.equal(again.status, 304);
  t.equal(again.body, '');
  instruments = many.slice(1);
  const changed = await ask(port, '/channels', { 'if-none-match': etag });
  t.equal(changed.status, 200);
  t.not(changed.headers.etag, etag);
  const head = await ask(port, '/channels', {}, 'HEAD');
  t.equal(head.body, '');
  t.equal(Number(head.headers['content-length']), changed.body.length);
});

t.test('metricsAreForTheOperator', async (t) => {
  const [desk, operator] = [held(), held({ entitlements: entitlements({ metrics: true }) })];
  const metrics = async () => ({
    gateway: { sessions: 2, errors: { bad_message: 3 }, turnMsMax: 1.5 },
    parts: { publisher: { sequence: 2n ** 63n, datagramsA: 5n, datagramsB: 6n, 'refused.unknown_order': 7n } },
  });
  const { port } = await httpOn(t, { file: fileOf(desk, operator), metrics });
  const refused = await ask(port, '/metrics', { authorization: `Bearer ${desk.text}` });
  t.equal(refused.status, 403);
  t.equal(JSON.parse(refused.body).code, 'metrics_denied');
  const answer = await ask(port, '/metrics', { authorization: `Bearer ${operator.text}` });
  t.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  for (const line of [
    '# TYPE depthcast_publisher_datagrams_total counter',
    'depthcast_publisher_datagrams_total{channel="1",line="A"} 5',
    'depthcast_publisher_datagrams_total{channel="1",line="B"} 6',
    'depthcast_publisher_sequence{channel="1"} 9223372036854775808',
    'depthcast_publisher_refused_total{channel="1",code="unknown_order"} 7',
    'depthcast_gateway_errors_total{channel="1",code="bad_message"} 3',
    'depthcast_gateway_turn_seconds_max{channel="1"} 0.0015',
  ])
    t.ok(answer.body.split('\n').includes(line), line);
});

t.test('thePageIsServedFromMemoryUnderAStrictPolicy', async (t) => {
  const { port } = await httpOn(t);
  const page = await ask(port, '/');
  t.equal(page.status, 200);
  t.match(page.headers, {
    'content-type': 'text/html; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-cache',
  });
  t.equal(
    page.headers['content-security-policy'],
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; manifest-src 'self'; " +
      `connect-src 'self' ws://127.0.0.1:${port} wss://127.0.0.1:${port}; ` +
      "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  );
  const script = await ask(port, '/assets/page.js?v=1');
  t.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
  t.equal(script.body, 'export {};');
  t.equal((await ask(port, '/', { 'if-none-match': page.headers.etag ?? '' })).status, 304);
  const head = await ask(port, '/', {}, 'HEAD');
  t.equal(head.body, '');
  t.equal(head.headers['content-length'], String(page.body.length));
  const packed = await raw(port, `GET / HTTP/1.1\r\nhost: 127.0.0.1\r\naccept-encoding: br, gzip;q=0.5\r\n\r\n`, 300);
  t.match(packed, /content-encoding: gzip/i);
  t.equal(gunzipSync(Buffer.from(packed.slice(packed.indexOf('\r\n\r\n') + 4), 'latin1')).toString(), page.body);
  for (const declined of ['gzip;q=0', 'gzip;q=0.0, br', 'xgzip'])
    t.equal((await ask(port, '/', { 'accept-encoding': declined })).headers['content-encoding'], undefined, declined);
});

t.test('noPathLeadsOutOfThePage', async (t) => {
  const { port } = await httpOn(t, { limits: { perAddress: { requestsPerSecond: 1_000, requestsBurst: 1_000 } } });
  for (const path of [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/%252e%252e%252fsecret.txt',
    '/%c0%ae%c0%ae/secret.txt',
    '/%c0%af..%c0%afsecret.txt',
    '/....//secret.txt',
    '//secret.txt',
    '/./secret.txt',
    '/assets/%00/secret.txt',
    '/index.html%00.png',
    '/link.txt',
    '/.env',
    '/page.js.map',
    '/page',
    '/assets',
    '/assets/',
    '/INDEX.HTML',
    '/etc/passwd',
    '/file:///etc/passwd',
    '/__proto__',
    '/constructor',
    '/toString',
  ]) {
    const answer = await ask(port, path);
    t.equal(answer.status, 404, path);
    t.notOk(answer.body.includes(secret) || answer.body.includes(path), `${path}: nothing comes back`);
    t.equal(JSON.parse(answer.body).code, 'not_found');
  }
});

t.test('whatIsNotUnderstoodIsRefusedWithACode', async (t) => {
  const { port } = await httpOn(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await ask(port, '/channels', { 'content-length': '0' }, method);
    t.equal(answer.status, 405, method);
    t.equal(answer.headers.allow, 'GET, HEAD, OPTIONS');
    t.equal(JSON.parse(answer.body).code, 'method_not_allowed');
  }
  const feed = await ask(port, '/feed');
  t.equal(feed.status, 426);
  t.equal(feed.headers.upgrade, 'websocket');
  t.equal(JSON.parse(feed.body).code, 'upgrade_required');
  const behind = await raw(
    port,
    'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 34\r\n\r\nGET /channels HTTP/1.1\r\nhost: x\r\n\r\n',
  );
  t.equal(behind.match(/HTTP\/1\.1 /g)?.length, 1, 'a body is no request');
  const foreign = await ask(port, '/', { host: 'evil.example' });
  t.equal(foreign.status, 403);
  t.equal(JSON.parse(foreign.body).code, 'host_refused');
  const failing = await httpOn(t, {
    admit: async () => {
      throw new Error('a secret detail');
    },
  });
  const failed = await ask(failing.port, '/health');
  t.equal(failed.status, 500);
  t.notMatch(failed.body, /secret/);
});

t.test('otherSitesGetDataOnlyWhereTheyAreAllowed', async (t) => {
  const { port } = await httpOn(t, { anonymous: all_entitlements });
  const foreign = await ask(port, '/channels', { origin: 'https://evil.example' });
  t.equal(JSON.parse(foreign.body).code, 'origin_refused');
  t.equal(foreign.headers['access-control-allow-origin'], undefined);
  t.equal((await ask(port, '/channels', { 'sec-fetch-site': 'cross-site' })).status, 403, 'as a script or an image');
  const own = await ask(port, '/channels', { origin: `http://127.0.0.1:${port}` });
  t.equal(own.status, 200);
  t.equal(own.headers['access-control-allow-origin'], undefined, 'it needs none');
  const preflight = await ask(port, '/channels', { origin: 'https://evil.example' }, 'OPTIONS');
  t.equal(preflight.status, 403);
  t.equal((await ask(port, '/', { 'sec-fetch-site': 'cross-site' })).status, 200, 'a link to the page');
});

t.test('anAllowedSiteGetsThemWithACredential', async (t) => {
  const origin = 'https://desk.example';
  const known = held();
  const { port } = await httpOn(t, { file: fileOf(known), origins: [origin] });
  const preflight = await ask(
    port,
    '/channels',
    { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    'OPTIONS',
  );
  t.equal(preflight.status, 204);
  t.match(preflight.headers, {
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'authorization, if-none-match',
  });
  const answer = await ask(port, '/channels', { origin, authorization: `Bearer ${known.text}` });
  t.equal(answer.status, 200);
  t.equal(answer.headers['access-control-allow-origin'], origin);
  t.match(answer.headers.vary, /origin/);
  const expired = await ask(port, '/channels', { origin, authorization: 'Bearer dct_nonsense' });
  t.equal(expired.status, 401);
  t.equal(expired.headers['access-control-allow-origin'], origin, 'it may read why');
});

t.test('requestsOfAnAddressAreLimitedAndLeaveNoConnectionBehind', async (t) => {
  const { port, control } = await httpOn(t, { limits: { perAddress: { requestsPerSecond: 1, requestsBurst: 5 } } });
  for (let count = 0; count < 5; count++) t.equal((await ask(port, '/health')).status, 200);
  const refused = await ask(port, '/health');
  t.equal(refused.status, 429);
  t.match(JSON.parse(refused.body), { code: 'requests_exceeded', waitMs: 1_000 });
  t.equal(refused.headers['retry-after'], '1');
  t.equal(control.limits.connections, 0);
});
