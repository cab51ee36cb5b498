/** Clients that take their time, or send heads that no browser sends. The waits are uWebSockets.js' own, run side by side. */
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { all_entitlements } from '../../src/gateway/access/entitlements.js';
import { admitHttp } from '../../src/gateway/http/admission.js';
import { addRoutes } from '../../src/gateway/http/routes.js';
import { until } from '../channel.js';
import { setup } from './access/parts.js';
import { gatewayOn } from './gateway_on.js';
import { ask, raw } from './http/http_on.js';
import { RawGatewayClient } from './raw_client.js';
import { frame, RawSocket, upgrade_headers } from './raw_socket.js';

/** Ms in which uWebSockets.js ends a request that does not become whole: 10 s, in steps of 4 s, and some more. */
const request_ms_max = 20_000;

const { control } = setup({ anonymous: all_entitlements, limits: { perAddress: { requestsPerSecond: 1e6 } } });
const many = Array.from({ length: 60_000 }, (_, index) => ({
  instrument: index + 1,
  symbol: `SYMBOL${index}`,
  priceExponent: -4,
  quantityExponent: 0,
}));

async function served(test: Parameters<typeof gatewayOn>[0], number: number) {
  return gatewayOn(test, number, { rate: 2_000 }, {}, (app) =>
    addRoutes(app, {
      pageFolder: '',
      metrics: async () => ({ gateway: {}, parts: {} }),
      channels: () => [{ channel: 1, session: '1', lineA: null, lineB: null, instruments: many.length }],
      instruments: () => many,
      health: () => ({ status: 'ok', channels: [{ channel: 1, ready: true }] }),
      admit: (request) => admitHttp(control, request),
    }),
  );
}

/** Resolves to the ms until the server has ended it; sends `drip` every half second meanwhile. */
function untilEnded(port: number, begin: string, drip: string): Promise<{ ms: number; got: string }> {
  const begun = Date.now();
  return new Promise((resolve) => {
    let got = '';
    const socket: Socket = connect(port, '127.0.0.1', () => void socket.write(begin));
    const timer = setInterval(() => drip !== '' && socket.writable && socket.write(drip), 500);
    const stop = setTimeout(() => socket.destroy(), request_ms_max + 5_000);
    socket.on('data', (data) => {
      got += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(stop);
      resolve({ ms: Date.now() - begun, got });
    });
  });
}

t.test('whoIsSlowIsEndedAndNobodyWaitsForHim', { timeout: 300_000 }, async (t) => {
  const { server } = await served(t, 225);
  const { port } = server;
  const other = await RawGatewayClient.open(port);
  t.teardown(() => other.close());
  await other.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', intervalMs: 10 }, 'subscribed');
  const head = `GET /channels HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`;
  const slow = [
    untilEnded(port, '', ''),
    untilEnded(port, head, ''),
    untilEnded(port, head, 'x-drip: 1\r\n'),
    untilEnded(port, 'G', 'E'),
    untilEnded(port, `POST /channels HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n`, 'x'),
    untilEnded(port, `${head.replace('channels', 'health')}\r\n`, ''),
    ...Array.from({ length: 50 }, () => untilEnded(port, head, 'x')),
  ];
  const hello = await RawSocket.open(port);
  const begun = Date.now();
  const dripping = setInterval(
    () => hello.send(frame('', { fin: false, opcode: Date.now() - begun < 600 ? 1 : 0 })),
    500,
  );
  t.teardown(() => clearInterval(dripping));
  // A directory of some MB that nobody reads.
  const unread = await RawSocket.open(port, {}, '/channels');
  unread.socket.pause();
  await until('no hello', () => hello.closeCode !== undefined);
  t.equal(hello.closeCode, 4_001);
  t.match(hello.texts, [{ type: 'error', code: 'hello_first' }]);
  t.ok(Date.now() - begun >= 4_000, 'it had its time');
  const ends = await Promise.all(slow);
  for (const { got, ms } of ends) t.ok(ms < request_ms_max, `${ms} ms, ${got.slice(0, 30)}`);
  t.equal((await ask(port, '/health')).status, 200);
  t.match(JSON.parse((await ask(port, '/channels')).body), { version: 1 });
  const { conflated, says, sent } = await other.askCounts({ type: 'count', id: 1 }, 'counts');
  const { pending, published } = says as Record<string, string>;
  t.equal(published, String(sent + conflated + BigInt(pending ?? '')), 'another client has missed nothing');
  unread.socket.destroy();
});

t.test('headsThatAreNoneAreRefused', async (t) => {
  const { server } = await served(t, 225);
  const { port } = server;
  const host = `host: 127.0.0.1:${port}`;
  const status = async (request: string) => Number((await raw(port, request, 300)).split(' ')[1]);
  t.equal(await status(`GET /health HTTP/1.1\r\n${host}\r\nx: ${'a'.repeat(5_000)}\r\n\r\n`), 431);
  t.equal(await status(`GET /${'a'.repeat(5_000)} HTTP/1.1\r\n${host}\r\n\r\n`), 431);
  for (const bad of [
    'GET /health HTTP/1.1\r\n\r\n',
    `GET /health HTTP/9.9\r\n${host}\r\n\r\n`,
    `GET /health\r\n${host}\r\n\r\n`,
    `GET /health HTTP/1.1\r\n${host}\r\nno colon\r\n\r\n`,
    `GET /health HTTP/1.1\r\n${host}\r\nspace : 1\r\n\r\n`,
    `POST /health HTTP/1.1\r\n${host}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /health HTTP/1.1\r\n${host}\r\ncontent-length: -5\r\n\r\n`,
    `POST /health HTTP/1.1\r\n${host}\r\ncontent-length: 99999999999999999999\r\n\r\n`,
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    '\0'.repeat(100),
  ])
    t.notOk((await status(bad)) < 400, JSON.stringify(bad.slice(0, 60)));
  for (const [what, change, path, method] of [
    ['another version', { 'sec-websocket-version': '7' }, '/feed', 'GET'],
    ['no version', { 'sec-websocket-version': '' }, '/feed', 'GET'],
    ['a short key', { 'sec-websocket-key': 'x' }, '/feed', 'GET'],
    ['no key', { 'sec-websocket-key': '' }, '/feed', 'GET'],
    ['another protocol', { upgrade: 'h2c' }, '/feed', 'GET'],
    ['POST', {}, '/feed', 'POST'],
    ['another path', {}, '/feeds', 'GET'],
    ['a path below', {}, '/feed/1', 'GET'],
    ['an encoded path', {}, '/%66eed', 'GET'],
  ] as const) {
    const socket = await RawSocket.open(port, { ...upgrade_headers, ...change }, path, method);
    t.ok([404, 405, 426].includes(socket.status), `${what}: ${socket.status}`);
    socket.socket.destroy();
  }
  t.equal(server.figures.sessions, 0);
  t.equal((await ask(port, '/health')).status, 200);
});

t.test('whoVanishesLeavesNothingBehind', async (t) => {
  const { server } = await served(t, 225);
  const gone = [
    (socket: Socket) => socket.destroy(),
    (socket: Socket) => socket.resetAndDestroy(),
    // Half open: it has ended its side, and would listen on.
    (socket: Socket) => socket.end(),
  ];
  for (const vanish of gone) {
    const client = await RawSocket.welcomed(server.port);
    client.send(frame('{"type":"subscribe","id":1,"channel":1,"mode":"exact"}'));
    await until('the subscription', () => server.figures.subscriptions === 1);
    vanish(client.socket);
    await until('its session to be gone', () => server.figures.sessions === 0);
    t.equal(server.figures.subscriptions, 0);
  }
});
