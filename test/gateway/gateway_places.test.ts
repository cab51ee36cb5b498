/** Where access holds besides the gateway's sockets, and where a gateway may listen: recovery, TLS, the command line. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import WebSocket from 'ws';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { FeedClient } from '../../src/feed_client.js';
import { newToken, revokeToken } from '../../src/gateway/access/token_admin.js';
import { limits, until } from '../channel.js';
import { Cli, ensureBuilt, small } from '../cli_process.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { RawClient } from '../recovery/raw_client.js';
import { entitlements } from './access/parts.js';

function optionsOn(number: number, more: ServeOptionsInput): ServeOptionsInput {
  const { A: lineA, B: lineB } = linePair(number);
  return { lineA, lineB, control: 'http://127.0.0.1:0', limits, simulate: { symbols: 4 }, rate: 5_000, ...more };
}

async function serve(t: Test, number: number, more: ServeOptionsInput) {
  const distributor = new Distributor(optionsOn(number, more));
  t.teardown(() => distributor.close());
  await distributor.start();
  await until('messages', () => distributor.stats().sequence > 1_000n);
  return distributor;
}

t.test('theRecoveryServiceAsksForTheSameTokens', async (t) => {
  const file = join(t.testdir({}), 'tokens.json');
  const make = (grant: object) =>
    newToken(file, { name: 'n', expires_ms: undefined, entitlements: entitlements({ grants: [grant] }) }, Date.now());
  const whole = make({ channels: '*', instruments: ['*'], modes: ['exact'] });
  const some = make({ channels: '*', instruments: ['D*'], modes: ['filtered'] });
  const distributor = await serve(t, 212, { access: { tokens: file, tokensPollMs: 100 } });
  const url = distributor.control ?? '';
  const without = await RawClient.open(url);
  t.match(without.welcome, { type: 'refused', code: 'unauthorised', message: /^credential_missing/ });
  await until('its end', () => without.client.closed !== undefined);
  t.equal(without.client.closed?.code, 4_401);
  await t.rejects(RawClient.connect(url, { headers: { authorization: 'nonsense' } }), /HTTP 401/);

  const { client, welcome } = await RawClient.open(url, 1, whole.text);
  t.match(welcome, { type: 'welcome' });
  const session = welcome.session as string;
  client.send({ type: 'retransmit', id: 1, session, ranges: [['1', '100']] });
  t.match(await client.text(({ id }) => id === 1), { type: 'done', sent: [['1', '100']] });

  const { client: narrow } = await RawClient.open(url, 1, some.text);
  const known = distributor.instruments().find(({ name }) => name.startsWith('D'))?.instrument ?? 0;
  narrow.send({ type: 'retransmit', id: 1, session, ranges: [['1', '100']] });
  t.match(await narrow.text(({ id }) => id === 1), { type: 'refused', code: 'unauthorised', message: /^mode_denied/ });
  narrow.send({ type: 'snapshot', id: 2, session });
  t.match(await narrow.text(({ id }) => id === 2), { type: 'refused', code: 'unauthorised' });
  narrow.send({ type: 'snapshot', id: 3, session, instruments: [known] });
  t.match(await narrow.text(({ id }) => id === 3), { type: 'done' });

  const { lineA, lineB } = distributor.options;
  const late = (token: string) => {
    const address = (line: typeof lineA) => (line === null ? null : { group: line.group, port: line.port });
    const lines = { lineA: address(lineA), lineB: address(lineB) };
    return new FeedClient({ ...lines, control: url, limits, recovery: { token } });
  };
  const feed = late(whole.text);
  t.teardown(() => feed.close());
  await feed.start();
  await until('the books', () => feed.state === 'synchronized');
  revokeToken(file, whole.id, Date.now());
  await until('its end', () => client.closed !== undefined);
  t.match(client.closed, { code: 4_401, reason: 'token_revoked' });
});

t.test('whatWouldGoAroundAccessIsRefusedAtStart', async (t) => {
  const access = { tokens: '/nonexistent/tokens.json' };
  const faulty = (more: ServeOptionsInput) => new Distributor(optionsOn(213, { access, ...more }));
  t.throws(() => faulty({ recovery: { token: 'x' } }), /recovery\.token is "x", expected nothing/);
  t.throws(() => faulty({ recovery: { udpPort: 5 } }), /recovery\.udpPort is 5, expected 0/);
  await t.rejects(faulty({}).start(), /nonexistent/);
  await t.rejects(
    faulty({ control: 'http://0.0.0.0:0' }).start(),
    /control: "0\.0\.0\.0" can be reached .* TLS is missing/,
  );
  const open = { host: '0.0.0.0', port: 0 };
  const openly = new Distributor(optionsOn(213, { gateway: open }));
  await t.rejects(openly.start(), /TLS and authentication is missing.* say --access-insecure/);
});

t.test('theGatewaySpeaksTls', async (t) => {
  const folder = t.testdir({});
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...request, '-subj', '/CN=localhost', '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'ignore',
  });
  const distributor = await serve(t, 214, { gateway: { port: 0, workers: 2, tls: { keyFile, certificateFile } } });
  t.match(distributor.gateway, /^https:\/\/127\.0\.0\.1:\d+$/);
  const socket = new WebSocket(`${distributor.gateway?.replace('http', 'ws')}/feed`, { rejectUnauthorized: false });
  t.teardown(() => socket.terminate());
  socket.on('open', () => socket.send('{"type":"hello","versions":[1]}'));
  const text = await new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('error', reject);
  });
  t.match(text, /"type":"welcome"/);
  const missing = { keyFile: join(folder, 'no.pem'), certificateFile };
  await t.rejects(serve(t, 215, { gateway: { port: 0, tls: missing } }), /no\.pem/);
});

t.test('serveTellsItsPageAndSaysGoodbye', async (t) => {
  await ensureBuilt();
  const { A, B } = linePair(216);
  const lines = [
    `--line-a-group=${A.group}`,
    `--line-a-port=${A.port}`,
    `--line-b-group=${B.group}`,
    `--line-b-port=${B.port}`,
  ];
  const flags = ['--no-control', '--rate=2000', '--gateway-port=0', '--gateway-workers=2', '--status-ms=0'];
  const server = new Cli(t, ['serve', ...lines, ...small, ...flags, '--gateway-goodbye-url=ws://b.example:1']);
  await server.said(/page: http:\/\/127\.0\.0\.1:\d+\/\n/);
  const port = /page: http:\/\/127\.0\.0\.1:(\d+)/.exec(server.stderr)?.[1];
  const health = await fetch(`http://127.0.0.1:${port}/health`);
  t.match(await health.json(), { status: 'ok' });
  const texts: string[] = [];
  const socket = new WebSocket(`ws://127.0.0.1:${port}/feed`);
  t.teardown(() => socket.terminate());
  socket.on('open', () => socket.send('{"type":"hello","versions":[1]}'));
  socket.on('message', (data) => texts.push(String(data)));
  await until('the welcome', () => texts.length === 1);
  server.kill('SIGTERM');
  const { end } = await server.ended();
  t.equal(end, 0);
  t.match(texts.at(-1), /"type":"goodbye".*"url":"ws:\/\/b\.example:1"/);
});
