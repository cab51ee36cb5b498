/** FeedClient over a gateway when things go wrong: connections, servers, tokens, bytes. */
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import { gatewayUrl, multicastOptions } from '../../src/client/directory.js';
import { FeedClient } from '../../src/feed_client.js';
import { GatewayServer } from '../../src/gateway/server.js';
import type { GatewayAccess } from '../../src/gateway/session_state.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { endAfter, everything, gatewayOn } from '../gateway/gateway_on.js';
import { cuttable, directoryOf, followOn } from './gateways.js';

const simulate = { seed: 5, symbols: 8, liveOrders: 500 };

t.test('goesOnBehindTheLastNumberAfterALostConnection', async (t) => {
  const { distributor, server } = await gatewayOn(t, 247, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const between = await cuttable(t, server.port);
  const client = followOn(t, between.port, { delivery: { updates: true } });
  const states: string[] = [];
  let [holes, next, snapshots] = [0, 0n, 0];
  client.on('state', (state) => states.push(state));
  client.on('snapshot', () => snapshots++);
  client.on('updates', ({ count, sequence }) => {
    for (let row = 0; row < count; row++) {
      if (next !== 0n && sequence[row] !== next) holes++;
      next = (sequence[row] ?? 0n) + 1n;
    }
  });
  await client.start();
  for (let lost = 1; lost <= 3; lost++) {
    const before = next;
    await until('progress', () => next > before + 500n && client.state === 'synchronized');
    between.cut();
    await until('another connection', () => between.connections() > lost);
  }
  await endAfter(distributor, 1_000);
  await client.ended;
  const { sequence, counters } = distributor.stats();
  await until('the last update', () => next > sequence);
  t.equal(holes, 0, 'every message was delivered once, in order');
  t.equal(snapshots, 1, 'one snapshot was enough');
  t.equal(client.stats().counters.digest, counters.digest);
  t.ok(states.includes('recovering'), states.join());
  t.equal(client.stats().gateway?.connects, 4);
});

t.test('goesWhereAGatewayThatEndsSendsIt', async (t) => {
  const { distributor, native, server } = await gatewayOn(t, 248, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const access: GatewayAccess = { login: (session) => second.state.loggedIn(session, { grant: everything }) };
  const second = new GatewayServer(
    { ...serverOptions, levels: 10 },
    access,
    new Map([[distributor.options.channel, native]]),
    undefined,
  );
  t.teardown(() => second.close());
  await second.start();
  const client = followOn(t, server.port);
  const goodbyes: number[] = [];
  client.on('goodbye', (_, reconnectMs) => goodbyes.push(reconnectMs));
  await client.start();
  server.close(20, `ws://127.0.0.1:${second.port}/feed`);
  await until('the other gateway', () => second.figures.sessions === 1);
  await endAfter(distributor, 1_000);
  await client.ended;
  t.same(goodbyes, [20]);
  t.equal(client.stats().counters.digest, distributor.stats().counters.digest);
});

const serverOptions = {
  host: '127.0.0.1',
  port: 0,
  shared: false,
  tls: undefined,
  idleSeconds: 60,
  sessionsMax: 100,
  subscriptionsMax: 8,
  bufferedBytes: 262_144,
  requestsPerSecond: 1_000,
};

t.test('followsThePublishersNextSession', async (t) => {
  const first = await gatewayOn(t, 249, { simulate: { ...simulate, messages: 2_000 }, rate: 20_000 });
  const between = await cuttable(t, first.server.port);
  const client = followOn(t, between.port);
  const sessions: bigint[] = [];
  client.on('session', (session) => sessions.push(session));
  await client.start();
  await client.ended;
  first.server.close(1);
  await first.distributor.close();
  const second = await gatewayOn(t, 250, { simulate: { ...simulate, seed: 6, messages: 4_000 }, rate: 20_000 });
  // The same address, as after a restart.
  between.to(second.server.port);
  const { distributor } = second;
  await until('the end of the second', () => client.stats().counters.digest === distributor.stats().counters.digest);
  t.equal(sessions.length, 2);
  t.not(client.state, 'stale');
});

/** A server that says what the test wants. */
async function pretender(t: Test, onText: (message: Record<string, unknown>, socket: WebSocket) => void) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  server.on('connection', (socket) =>
    socket.on('message', (data) => onText(JSON.parse(String(data)) as Record<string, unknown>, socket)),
  );
  return (server.address() as AddressInfo).port;
}

const welcome = { type: 'welcome', version: 1, channels: [], limits: {} };

t.test('refusalsEndTheStart', async (t) => {
  const unauthorised = await pretender(t, (_, socket) => {
    socket.send(JSON.stringify({ type: 'error', code: 'unauthorised', message: 'no such token' }));
    socket.close(4003, 'unauthorised');
  });
  await t.rejects(followOn(t, unauthorised, { token: 'x' }).start(), { code: 'unauthorised' });
  const forbidden = await pretender(t, ({ type, id }, socket) => {
    if (type === 'hello') socket.send(JSON.stringify(welcome));
    else socket.send(JSON.stringify({ type: 'error', id, code: 'forbidden', message: 'exact' }));
  });
  await t.rejects(followOn(t, forbidden).start(), { code: 'forbidden' });
});

t.test('aRevokedTokenClosesTheClient', async (t) => {
  const sockets: WebSocket[] = [];
  const port = await pretender(t, ({ type, id }, socket) => {
    sockets.push(socket);
    if (type === 'hello') socket.send(JSON.stringify(welcome));
    else if (type === 'subscribe')
      socket.send(JSON.stringify({ type: 'subscribed', id, mode: 'exact', instruments: [] }));
  });
  const client = followOn(t, port);
  const refused: string[] = [];
  client.on('refused', ({ code }) => refused.push(code));
  await client.start();
  sockets[0]?.send(JSON.stringify({ type: 'error', code: 'unauthorised', message: 'revoked' }));
  sockets[0]?.close(4003);
  await until('the end', () => client.state === 'closed');
  t.same(refused, ['unauthorised']);
});

t.test('bytesThatAreNoPacketsAreCountedAndTheGatewayIsLeft', async (t) => {
  let connections = 0;
  const port = await pretender(t, ({ type, id }, socket) => {
    if (type === 'hello') {
      connections++;
      socket.send(JSON.stringify(welcome));
    } else if (type === 'subscribe') {
      socket.send(JSON.stringify({ type: 'subscribed', id, mode: 'exact', instruments: [] }));
      for (let frame = 0; frame < 20; frame++) socket.send(Buffer.alloc(64, frame));
    }
  });
  const client = followOn(t, port);
  await client.start();
  await until('another attempt', () => connections > 1);
  t.ok((client.stats().gateway?.faults ?? 0) >= 16);
  t.equal(client.session, 0n);
});

t.test('aDirectoryIsAllAClientNeeds', async (t) => {
  const { distributor, server } = await gatewayOn(t, 251, { simulate, rate: 20_000 });
  const { A: lineA, B: lineB } = linePair(251);
  const gateway = `ws://127.0.0.1:${server.port}/feed`;
  const entry = { channel: 1, session: '1', lineA, lineB, instruments: 8, recovery: null, gateway };
  const started = async (entries: unknown[], more = {}) => {
    const directory = await directoryOf(t, { channels: entries });
    const client = new FeedClient({ directory, limits, ...more });
    t.teardown(() => client.close());
    await client.start();
    return client;
  };
  const arrives = await started([{ ...entry, channel: 2 }, entry]);
  t.equal(arrives.transport, 'multicast');
  t.equal((await started([entry], { transport: 'gateway' })).transport, 'gateway');
  t.equal((await started([entry], { mode: 'bbo' })).transport, 'gateway');
  const silent = linePair(252);
  const elsewhere = { ...entry, lineA: silent.A, lineB: silent.B };
  const fallen = await started([elsewhere], { probeMs: 100, delivery: { updates: true } });
  t.equal(fallen.transport, 'gateway');
  await endAfter(distributor, 1_000);
  await Promise.all([arrives.ended, fallen.ended]);
  t.equal(fallen.stats().counters.digest, distributor.stats().counters.digest);
  await t.rejects(started([{ ...entry, channel: 7 }]), /knows channel 7, not 1/);
  await t.rejects(started([{ channel: 1, lineA: null, lineB: null, gateway: null }]), { name: 'DirectoryError' });
  await t.rejects(started([{ channel: 1, lineA: { group: 'x' } }]), /is no directory of channels/);
  const refusing = new FeedClient({ directory: await directoryOf(t, {}, 401) });
  await t.rejects(refusing.start(), /answered 401/);
  await refusing.close();
});

t.test('aDirectorysWaysBackAreItsOwnOrAnotherServers', (t) => {
  const options = new FeedClient({ directory: 'http://10.0.0.1:26400/channels' }).options;
  const entry = { channel: 1, lineA: { group: '239.192.1.1', port: 1_000 }, recoveryUdpPort: 7_000 };
  const beside = multicastOptions(options, { ...entry, recovery: '/recovery' });
  t.match(beside, {
    control: 'http://10.0.0.1:26400',
    recovery: { url: 'http://10.0.0.1:26400', udp: '10.0.0.1:7000' },
  });
  const elsewhere = multicastOptions(options, { ...entry, recovery: 'wss://10.0.0.2:1/recovery' });
  t.match(elsewhere, { lineB: null, recovery: { url: 'https://10.0.0.2:1', udp: '10.0.0.2:7000' } });
  t.match(multicastOptions(options, { ...entry, recovery: null }), { recovery: { url: null } });
  t.equal(gatewayUrl({ ...entry, gateway: '/feed' }, 'https://h:1/channels'), 'wss://h:1/feed');
  t.equal(gatewayUrl(entry, 'http://h:1/channels'), 'ws://h:1/feed');
  t.equal(gatewayUrl({ ...entry, gateway: null }, 'http://h:1/channels'), undefined);
  t.end();
});

t.test('optionsThatDoNotGoTogetherAreNamed', (t) => {
  const wrong = (options: ConstructorParameters<typeof FeedClient>[0]) => () => new FeedClient(options);
  t.throws(wrong({ mode: 'depth' }), /mode is "depth", expected exact, since the others come over a gateway/);
  t.throws(wrong({ gateway: 'http://x/feed' }), /gateway is "http:\/\/x\/feed", expected a URL such as "wss:/);
  t.throws(wrong({ gateway: 'ws://x/feed', directory: 'http://x/' }), /expected either gateway or directory/);
  t.throws(wrong({ gateway: 'ws://x/feed', instruments: ['A'] }), /see filtered/);
  t.throws(wrong({ gateway: 'ws://x/feed', mode: 'bbo', delivery: { updates: true } }), /delivered in mode exact/);
  t.end();
});
