/** Origins, hosts, where tokens may stand, where a server may listen. */
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import { credentialOf, credentialOfHeader, urlRefusal } from '../../../src/gateway/access/credentials.js';
import { isLoopback, listeningFault } from '../../../src/gateway/access/listening.js';
import { type BrowserUse, checkOrigin, normalOrigin } from '../../../src/gateway/access/origin.js';
import { codeOf, held } from './parts.js';

const policy = { hosts: ['feed.example'], bindHost: 'gw.internal', origins: ['https://desk.example'], tls: false };

t.test('pagesOfOurOwnAndOfListedOriginsMayConnect', async (t) => {
  const check = (origin: string, host: string, fetchSite = '', use: BrowserUse = 'websocket', tls = false) => {
    const answer = checkOrigin({ origin, host, fetchSite }, { ...policy, tls }, use);
    return 'refusal' in answer ? answer.refusal.code : (answer.crossOrigin ?? 'own');
  };
  t.equal(check('', 'feed.example:8443'), 'own', 'no browser');
  t.equal(check('https://feed.example', 'feed.example'), 'own');
  t.equal(check('https://FEED.example:443', 'feed.example'), 'own');
  t.equal(check('http://127.0.0.1:26400', '127.0.0.1:26400'), 'own');
  t.equal(check('http://[::1]:26400', '[::1]:26400'), 'own');
  t.equal(
    check('http://feed.example', 'feed.example', '', 'websocket', true),
    'origin_refused',
    'a plain page of a TLS server',
  );
  t.equal(check('https://desk.example', 'gw.internal:1'), 'https://desk.example');
  const evil = [
    'https://evil.example',
    'null',
    'https://desk.example.evil.example',
    'http://desk.example',
    'https://desk.example:444',
    'file://',
    'https://desk.example/',
    'https://u@desk.example',
    'https://feed.example, https://desk.example',
    '\u0000',
    'https://feed.example:1',
    'https://',
  ];
  for (const origin of evil) t.equal(check(origin, 'feed.example'), 'origin_refused', origin);
  for (const host of [
    '',
    'evil.example',
    'feed.example.evil.example',
    'evil.example:feed.example',
    'feed.example@evil.example',
    'feed.example:x',
  ])
    t.equal(check('https://feed.example', host), 'host_refused', host);
  t.equal(check('', 'evil.example', '', 'page'), 'host_refused', 'the page too: a name that was pointed here');
  t.equal(check('', 'feed.example', 'cross-site', 'page'), 'own', 'a link to the page');
  t.equal(check('', 'feed.example', 'cross-site', 'data'), 'origin_refused');
  t.equal(check('', 'feed.example', 'same-site', 'data'), 'origin_refused');
  t.equal(check('', 'feed.example', 'same-origin', 'data'), 'own');
  t.equal(check('', 'feed.example', 'none', 'data'), 'own', 'typed by the user');
});

t.test('originsAreReadAsBrowsersWriteThem', async (t) => {
  t.equal(normalOrigin('HTTPS://Desk.Example:443'), 'https://desk.example');
  t.equal(normalOrigin('http://[::1]:80'), 'http://[::1]');
  for (const bad of ['', 'desk.example', 'ws://desk.example', 'https://', 'https://a b', 'https://a/b', '*'])
    t.equal(normalOrigin(bad), undefined, bad);
});

t.test('headersHoldOneBearerToken', async (t) => {
  const { text } = held();
  t.same(credentialOfHeader(''), { credential: undefined });
  t.same(credentialOfHeader(`Bearer ${text}`), { credential: { kind: 'token', text } });
  t.same(credentialOfHeader(`bearer  ${text} `), { credential: { kind: 'token', text } });
  t.same(credentialOfHeader('Bearer a.b.c'), { credential: { kind: 'jwt', text: 'a.b.c' } });
  for (const bad of [
    'Bearer',
    'Bearer ',
    text,
    `Basic ${text}`,
    `Bearer ${text}, Bearer ${text}`,
    `Bearer ${text} x`,
    'Bearer é',
    'Bearer a\u0000',
    'Bearer "a"',
    `Bearer ${'a'.repeat(9_000)}`,
    ' Bearer a',
  ])
    t.equal(codeOf(credentialOfHeader(bad)), 'credential_malformed', bad.slice(0, 40));
  for (const bad of ['', ' ', 'a b', 'a\n', 'é', 'a'.repeat(9_000)])
    t.equal(codeOf(credentialOf(bad)), 'credential_malformed', JSON.stringify(bad.slice(0, 40)));
  t.match(credentialOf('hello'), { credential: { kind: 'token' } });
});

t.test('aTokenInAUrlIsFoundHoweverItIsWritten', async (t) => {
  const { text } = held();
  const jwt = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.';
  const hex = (from: string) => [...from].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
  const bad: [string, string][] = [
    ['/stream', 'token=x'],
    ['/stream', 'a=1&ACCESS_TOKEN=x'],
    ['/stream', 'access-token'],
    ['/stream', 'x;api_key=1'],
    ['/stream', `${hex('token')}=x`],
    ['/stream', `${hex(hex('jwt'))}=x`],
    ['/stream', `q=${text}`],
    ['/stream', `q=${hex(text)}`],
    [`/${text}/stream`, ''],
    [`/stream/${jwt}`, ''],
    ['/stream', `q=${encodeURIComponent(jwt)}`],
    ['/stream', 'header=Bearer%20abc'],
  ];
  for (const [path, query] of bad) {
    const refusal = urlRefusal(path, query);
    t.equal(codeOf(refusal), 'credential_in_url', `${path}?${query}`);
    t.notOk(refusal?.message.includes(text));
  }
  for (const [path, query] of [
    ['/stream', ''],
    ['/', 'instrument=TOKEN'],
    ['/stream', 'symbol=AUTH&levels=5'],
    ['/%', '%'],
    ['/%zz', '%e0%a4%a'],
  ] as const)
    t.equal(urlRefusal(path, query), undefined, `${path}?${query}`);
});

t.test('parsersOfHeadersAndUrlsSurviveAnything', async (t) => {
  const seed = Number(process.env.SEED ?? 5);
  const random = new SeededRandom(seed);
  const letters = [
    ...'%25%&=;?/\\:@[]., \t\u0000\u007f\u202eé\ud800',
    'bearer ',
    'token',
    'https://',
    '%ff',
    'eyJ',
    'dct_',
    'null',
  ];
  const text = () => Array.from({ length: random.between(0, 30) }, () => random.pick(letters)).join('');
  for (let run = 0; run < 20_000; run++) {
    const [a, b, c] = [text(), text(), text()];
    urlRefusal(a, b);
    credentialOfHeader(c);
    credentialOf(c);
    const answer = checkOrigin({ host: a, origin: b, fetchSite: c }, policy, 'websocket');
    if (b !== '' && 'crossOrigin' in answer && normalOrigin(b) === undefined) t.fail(`SEED=${seed}: ${a} ${b}`);
    listeningFault({ host: a, tls: true, auth: false, insecure: false });
  }
});

t.test('listeningBeyondThisMachineNeedsTlsAndAuthOrTheFlag', async (t) => {
  const loopback = [
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    'LOCALHOST',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
  ];
  for (const host of loopback) {
    t.equal(isLoopback(host), true, host);
    t.equal(listeningFault({ host, tls: false, auth: false, insecure: false }), undefined);
  }
  const open = [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'feed.example',
    '128.0.0.1',
    '',
    '127.0.0.1.evil.example',
    '1::1',
    '127',
    '::ffff:10.0.0.1',
    'localhost.evil',
  ];
  for (const host of open) {
    t.equal(isLoopback(host), false, host);
    t.equal(listeningFault({ host, tls: true, auth: true, insecure: false }), undefined);
    t.equal(listeningFault({ host, tls: false, auth: false, insecure: true }), undefined);
    for (const [tls, auth] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const)
      t.match(listeningFault({ host, tls, auth, insecure: false }), /can be reached from other machines/);
  }
  t.equal(
    listeningFault({ host: '0.0.0.0', tls: false, auth: false, insecure: false }),
    '"0.0.0.0" can be reached from other machines, and TLS and authentication is missing: give a certificate and key and ' +
      'name a token file or JWT issuer (and no anonymous entitlements), listen on 127.0.0.1, or say --access-insecure ' +
      'where this is meant',
  );
});
