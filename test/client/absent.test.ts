/** FeedClient when its gateway is away, says nothing, lets nobody in, or sends it elsewhere; and points to resume from. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { GatewayServer } from '../../src/gateway/server.js';
import type { GatewayAccess } from '../../src/gateway/session_state.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { everything, gatewayOn } from '../gateway/gateway_on.js';
import { cuttable, followOn } from './gateways.js';

const simulate = { seed: 5, symbols: 6, liveOrders: 300 };
const welcome = JSON.stringify({ type: 'welcome', version: 1, channels: [], limits: {} });

/** Takes connections, and answers a WebSocket's as `depth` says: not at all, up to the upgrade, up to the welcome. */
async function silentServer(t: Test, depth: 'connect' | 'upgrade' | 'hello') {
  const sockets = new Set<Socket>();
  const feed = new WebSocketServer({ noServer: true });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    // Read, so that their end is noticed.
    if (depth === 'connect') {
      socket.resume();
      return;
    }
    socket.once('data', (head) => {
      const text = head.toString('latin1');
      const headers = Object.fromEntries(
        [...text.matchAll(/^([\w-]+): (.*)\r$/gm)].map(([, name = '', value]) => [name.toLowerCase(), value]),
      );
      const request = { method: 'GET', url: '/feed', headers } as never;
      feed.handleUpgrade(request, socket, Buffer.alloc(0), (one) => {
        one.on('error', () => {});
        if (depth === 'hello') one.once('message', () => one.send(welcome));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    feed.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

for (const [depth, reason] of [
  ['connect', /no connection within 300 ms|Opening handshake has timed out/],
  ['upgrade', /no welcome within 300 ms/],
  ['hello', /it has fallen silent/],
] as const)
  t.test(`aGatewayThatIsSilentAfter_${depth}_IsLeftAndTriedAgain`, async (t) => {
    const silent = await silentServer(t, depth);
    const client = followOn(t, silent.port, { timeoutMs: 300, mode: 'bbo', backoffMsMax: 50 });
    const said: string[] = [];
    client.on('disconnected', (text) => said.push(text));
    await client.start();
    await until('three attempts', () => said.length >= 3);
    t.match(said[0], reason);
    t.equal(client.state, 'connecting');
    await client.close();
    await until('the sockets', () => silent.sockets.size === 0);
  });

t.test('aGatewayThatIsAwayForAWhileIsFoundAgain', async (t) => {
  const { distributor, server } = await gatewayOn(t, 160, { simulate, rate: 5_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const between = await cuttable(t, server.port);
  const client = followOn(t, between.port, { delivery: { updates: true }, backoffMsMax: 100 });
  const said: string[] = [];
  let [next, holes] = [0n, 0];
  client.on('disconnected', (text) => said.push(text));
  client.on('updates', ({ count, sequence }) => {
    for (let row = 0; row < count; row++) {
      if (next !== 0n && sequence[row] !== next) holes++;
      next = (sequence[row] ?? 0n) + 1n;
    }
  });
  await client.start();
  await until('the books', () => client.state === 'synchronized' && next > 0n);
  between.to(1);
  between.cut();
  await until('some attempts', () => said.length >= 5);
  t.equal(client.state, 'recovering');
  const before = next;
  between.to(server.port);
  await until('the feed again', () => client.state === 'synchronized' && next > before + 200n);
  t.equal(holes, 0, 'it went on behind the last number');
  t.equal(client.stats().snapshots, 1);
});

t.test('loginsThatAreRefusedForNowAreTriedAgainAndForGoodAreNot', async (t) => {
  let full = true;
  const { server } = await gatewayOn(
    t,
    231,
    { simulate, rate: 5_000 },
    {
      verdict: (token) => {
        if (token !== 'right') return { code: 'unauthorised', message: 'no such token' };
        return full ? { refusal: { code: 'server_full', message: 'full' } as never } : { grant: everything };
      },
    },
  );
  const waits = followOn(t, server.port, { token: 'right', mode: 'bbo', timeoutMs: 500, backoffMsMax: 50 });
  const said: string[] = [];
  waits.on('disconnected', (text) => said.push(text));
  await waits.start();
  await until('some attempts', () => said.length >= 3);
  t.match(said[0], /closed the connection \(4503\)/);
  full = false;
  await until('the best prices', () => waits.state === 'synchronized');
  const wrong = followOn(t, server.port, { token: 'wrong' });
  await t.rejects(wrong.start(), { code: 'unauthorised', message: /no such token/, askedAgain: false });
  t.equal(wrong.state, 'closed');
});

t.test('aRestartedGatewayGoesOnBehindTheLastNumber', async (t) => {
  const { distributor, native, server } = await gatewayOn(t, 161, { simulate, rate: 5_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const between = await cuttable(t, server.port);
  const client = followOn(t, between.port, { delivery: { updates: true }, backoffMsMax: 100 });
  let [next, holes] = [0n, 0];
  client.on('updates', ({ count, sequence }) => {
    for (let row = 0; row < count; row++) {
      if (next !== 0n && sequence[row] !== next) holes++;
      next = (sequence[row] ?? 0n) + 1n;
    }
  });
  await client.start();
  await until('the books', () => client.state === 'synchronized' && next > 0n);
  server.close(1);
  const access: GatewayAccess = { login: (session) => second.state.loggedIn(session, { grant: everything }) };
  const second = new GatewayServer(
    {
      ...{ host: '127.0.0.1', port: 0, shared: false, tls: undefined, sessionsMax: 100, subscriptionsMax: 8 },
      ...{ levels: 10, bufferedBytes: 262_144, requestsPerSecond: 1_000, idleSeconds: 60 },
    },
    access,
    new Map([[1, native]]),
    undefined,
  );
  t.teardown(() => second.close());
  await second.start();
  between.to(second.port);
  const before = next;
  await until('the feed again', () => client.state === 'synchronized' && next > before + 200n);
  t.equal(holes, 0);
  t.equal(client.stats().snapshots, 1, 'the number was enough');
});

t.test('aPointOfAnotherProcessIsNoPointOfAGateways', async (t) => {
  const { distributor, server } = await gatewayOn(t, 233, { simulate, rate: 5_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const { session, sequence } = distributor.stats();
  for (const resume of [
    { session, sequence: sequence - 100n, digest: 1n },
    { session: session - 1n, sequence: 100n, digest: 1n },
    { session, sequence: sequence + 1_000_000n, digest: 1n },
  ]) {
    const client = followOn(t, server.port, { resume, delivery: { updates: true } });
    const told: string[] = [];
    let first = 0n;
    client.on('resumeFailed', (reason) => told.push(`resumeFailed: ${reason}`));
    client.on('resumed', () => told.push('resumed'));
    client.on('snapshot', (snapshot) => {
      told.push('snapshot');
      first = snapshot.sequence + 1n;
    });
    const firsts: bigint[] = [];
    client.on('updates', ({ sequence }) => firsts.push(sequence[0] ?? 0n));
    await client.start();
    await until('the books', () => client.state === 'synchronized' && firsts.length > 0);
    t.same(told, ['resumeFailed: a gateway has no books of an earlier time', 'snapshot']);
    t.equal(firsts[0], first, 'updates follow behind the snapshot');
    t.match(client.resumeToken(), { session }, 'and there is a new point, for use over multicast');
    await client.close();
  }
});
