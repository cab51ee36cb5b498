/** The conformance suite for FeedClient over multicast and over a gateway: the same books, order by order. */
import { join } from 'node:path';
import t from 'tap';
import { DepthColumns } from '../../src/depth_columns.js';
import { FeedClient } from '../../src/feed_client.js';
import { type ExpectedBooks, runStream } from '../browser/conformance.js';
import { datagramsOf, expectedBooks, filesOf } from '../browser/recorded.js';
import { limits, until } from '../channel.js';
import { linePair } from '../faults/lines.js';
import { endAfter, gatewayOn } from '../gateway/gateway_on.js';
import { followOn } from './gateways.js';

const messages = 20_000;
const points = Array.from({ length: 20 }, (_, index) => (index + 1) * 900);

/** Exports at every point and at the end, the states that were told, and whether updates followed each other. */
function watched(client: FeedClient) {
  const seen = { books: [] as ExpectedBooks[], states: [] as string[], next: 1n, holes: 0, digest: 0n };
  client.on('export', (books) => seen.books.push(expectedBooks(books)));
  client.on('state', (state) => seen.states.push(state));
  client.on('updates', ({ count, sequence, digest }) => {
    for (let row = 0; row < count; row++) {
      if (sequence[row] !== seen.next) seen.holes++;
      seen.next = (sequence[row] ?? 0n) + 1n;
    }
    seen.digest = digest[count - 1] ?? 0n;
  });
  return seen;
}

t.test('booksAreTheSameOverEitherTransport', async (t) => {
  const state = join(t.testdir({}), 'state');
  const simulate = { seed: 11, symbols: 6, messages, liveOrders: 400 };
  const pace = { rate: 20_000, heartbeatMs: 20, digestMessages: 500, definitionsMs: 50 };
  const control = { control: 'http://127.0.0.1:0', waitSubscribers: 1 };
  const { distributor, server } = await gatewayOn(t, 245, { state, simulate, ...pace, ...control });
  const follow = { exportPositions: points, exportOrders: true, delivery: { updates: true } };
  const over = followOn(t, server.port, follow);
  const { A: lineA, B: lineB } = linePair(245);
  const multicast = new FeedClient({ lineA, lineB, control: distributor.control, limits, ...follow });
  t.teardown(() => multicast.close());
  const seen = { gateway: watched(over), multicast: watched(multicast) };
  await over.start();
  t.equal(over.transport, 'gateway');
  await multicast.start();
  t.equal(multicast.transport, 'multicast');
  t.match(await over.ended, await multicast.ended);
  for (const [client, { books }] of [
    [over, seen.gateway],
    [multicast, seen.multicast],
  ] as const)
    books.push(expectedBooks(await client.snapshot({ orders: true })));
  const { sequence } = distributor.stats();
  await until('the last update', () => seen.gateway.next > sequence && seen.multicast.next > sequence);
  t.equal(seen.gateway.holes + seen.multicast.holes, 0);
  t.equal(seen.gateway.digest, seen.multicast.digest);
  t.equal(seen.gateway.books.length, points.length + 1);
  t.equal(over.state, 'ended');
  t.same(seen.gateway.states.includes('stale'), false, seen.gateway.states.join());
  t.equal(over.stats().digestMismatches, 0);
  t.equal(over.stats().givenUpMessages, 0n);
  t.ok(over.stats().gateway?.packets);
  for (const { name } of distributor.instruments()) t.same(over.depth(name), multicast.depth(name), name);
  await distributor.close();
  const packets = filesOf(join(state, 'journal'), '.dcj').flatMap(datagramsOf);
  for (const [transport, { books }] of Object.entries(seen)) {
    const result = runStream({ packets, snapshots: [], expected: books });
    t.comment(`${transport}: ${JSON.stringify(result)}`);
    t.equal(result.points, points.length + 1);
    t.ok(result.orders > 1_000);
  }
});

t.test('everyModeReadsAsTheDistributorsBooks', async (t) => {
  const simulate = { seed: 5, symbols: 8, liveOrders: 500 };
  const { distributor, server } = await gatewayOn(t, 162, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
  const told: string[] = [];
  const clients = modes.map((mode) => {
    const client = followOn(t, server.port, { mode, levels: 5, conflationMs: 20 });
    client.on('digestMismatch', (sequence) => told.push(`${mode} at ${sequence}`));
    client.on('snapshotRefused', (reason) => told.push(`${mode}: ${reason}`));
    return client;
  });
  let prints = 0;
  clients[4]?.on('prints', (some) => {
    prints += some.length;
  });
  let changed = 0;
  clients[2]?.on('depth', (instruments) => {
    changed += instruments.length;
  });
  await Promise.all(clients.map((client) => client.start()));
  await endAfter(distributor, 20_000);
  const [exact, filtered, depth, bbo, trades] = clients as [FeedClient, FeedClient, FeedClient, FeedClient, FeedClient];
  const reached = (client: FeedClient, levels: number) =>
    distributor.instruments().every(({ name }) => {
      const [ours, theirs] = [client.depth(name, levels), distributor.depth(name, levels)];
      return ours?.instrumentSequence === theirs?.instrumentSequence;
    });
  for (const client of [exact, filtered, depth, bbo]) await until('the last message', () => reached(client, 1));
  t.same([bbo.state, trades.state], ['synchronized', 'synchronized']);
  t.same(told, []);
  t.ok(prints > 0 && changed > 0);
  for (const { name } of distributor.instruments()) {
    const expected = distributor.depth(name, 5);
    for (const client of [exact, filtered, depth]) {
      const found = client.depth(name, 5);
      t.same([found?.bids, found?.asks, found?.status], [expected?.bids, expected?.asks, expected?.status], name);
    }
  }
  for (const { name } of distributor.instruments()) {
    const { bids, asks } = distributor.depth(name, 1) ?? {};
    t.match(bbo.bbo(name), { bid: bids?.[0], ask: asks?.[0] }, name);
  }
  const columns = new DepthColumns(5);
  t.ok(depth.readDepth(1, columns));
  t.equal(columns.bidPrice[0], Number(distributor.depth(1, 1)?.bids[0]?.price));
  t.ok(columns.exact);
  await t.rejects(depth.snapshot({ orders: true }), /mode depth keeps no books of every order/);
  await depth.change({ levels: 2 });
  await until('two levels', () => depth.depth(1)?.bids.length === 2);
});
