/** The browser's client against the gateway itself, on a live simulated feed. */
import t from 'tap';
import { WebSocket } from 'ws';
import { GatewayClient, type SocketLike } from '../../src/browser/index.js';
import type { ServeOptionsInput } from '../../src/config.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { endAfter, gatewayOn } from '../gateway/gateway_on.js';

async function open(t: Test, number: number, given: ServeOptionsInput) {
  const { distributor, server } = await gatewayOn(t, number, given);
  const sockets: WebSocket[] = [];
  class SeenSocket extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  const client = new GatewayClient({
    url: `ws://127.0.0.1:${server.port}/feed`,
    webSocket: SeenSocket as unknown as new (url: string) => SocketLike,
    backoffMs: 20,
  });
  t.teardown(() => client.close());
  const told: string[] = [];
  client.on('digestMismatch', (sequence, { options }) => told.push(`${options.mode}: mismatch at ${sequence}`));
  client.on('snapshotRefused', (reason) => told.push(reason));
  client.on('countMismatch', (fault, { options }) => told.push(`${options.mode}: ${fault}`));
  client.on('fault', (fault) => told.push(fault));
  client.on('error', (error) => told.push(String(error)));
  client.start();
  return { distributor, server, client, told, sockets };
}

const simulate = { seed: 5, symbols: 8, liveOrders: 500 };

t.test('everyModeEndsWithTheDistributorsBooks', async (t) => {
  const { distributor, client, told } = await open(t, 180, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 2_000n);
  const exact = client.subscribe({ channel: 1, mode: 'exact' });
  const depth = client.subscribe({ channel: 1, mode: 'depth', levels: 5, intervalMs: 20 });
  const bbo = client.subscribe({ channel: 1, mode: 'bbo', intervalMs: 0 });
  const trades = client.subscribe({ channel: 1, mode: 'trades' });
  let prints = 0;
  client.on('prints', (some) => {
    prints += some.length;
  });
  await exact.ready;
  const filtered = client.subscribe({ channel: 1, mode: 'filtered', instruments: [1, 3] });
  await Promise.all([depth.ready, bbo.ready, trades.ready, filtered.ready]);
  await depth.change({ intervalMs: 50 });
  const half = await Promise.all([depth, bbo, trades, exact, filtered].map((one) => one.counts()));
  t.ok(half.every(({ refused }) => refused === 0));
  await endAfter(distributor, 20_000);
  const { sequence } = distributor.stats();
  await until('the last message', () => exact.sequence === sequence);
  const counts = await Promise.all([depth, bbo, trades, exact, filtered].map((one) => one.counts()));
  t.comment(counts.map(({ published, sent, conflated }) => `${published} = ${sent} + ${conflated}`).join('; '));
  t.same(told, []);
  t.equal(exact.digest(), distributor.stats().counters.digest);
  t.ok(prints > 100, `${prints} prints`);
  for (const { instrument, symbol } of distributor.instruments()) {
    const expected = distributor.depth(symbol, 5);
    const { bids, asks, status } = depth.depth(instrument) ?? {};
    t.same({ bids, asks, status }, { bids: expected?.bids, asks: expected?.asks, status: expected?.status }, symbol);
    t.same(exact.depth(symbol, 5)?.bids, expected?.bids);
    t.same(bbo.bbo(symbol)?.ask, expected?.asks[0]);
    if (instrument === 1 || instrument === 3) t.same(filtered.depth(instrument, 5)?.asks, expected?.asks);
    t.equal(depth.instrumentState(instrument), 'live');
  }
  t.equal(client.state, 'synchronized');
  for (const one of [depth, bbo, trades, exact, filtered]) await one.unsubscribe();
  t.same(told, []);
});

t.test('changesModeInFlightAndBack', async (t) => {
  const { distributor, client, told } = await open(t, 181, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const one = client.subscribe({ channel: 1, mode: 'bbo', intervalMs: 5 });
  await one.ready;
  for (const mode of ['exact', 'depth', 'filtered', 'trades', 'exact'] as const) {
    await one.change({ mode });
    await until(mode, () => one.state === 'synchronized');
  }
  await endAfter(distributor, 5_000);
  const { sequence, counters } = distributor.stats();
  await until('the last message', () => one.sequence === sequence);
  t.equal(one.digest(), counters.digest);
  await one.unsubscribe();
  t.same(told, []);
});

t.test('comesBackToAServerThatHasGone', async (t) => {
  const { distributor, server, client, told } = await open(t, 182, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const one = client.subscribe({ channel: 1, mode: 'exact' });
  await one.ready;
  const goodbyes: string[] = [];
  client.on('goodbye', (reason) => goodbyes.push(reason));
  server.close(50);
  await until('the goodbye', () => goodbyes.length > 0);
  await until('another attempt', () => client.figures().connects > 2);
  t.ok(['recovering', 'connecting'].includes(client.state), client.state);
  t.same(told, []);
});

t.test('goesOnBehindTheLastNumberAfterALostConnection', async (t) => {
  const { distributor, client, told, sockets } = await open(t, 183, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const one = client.subscribe({ channel: 1, mode: 'exact' });
  const window = client.subscribe({ channel: 1, mode: 'depth', intervalMs: 10 });
  let snapshots = 0;
  client.on('snapshot', () => snapshots++);
  const ranges: [bigint, bigint][] = [];
  client.on('updates', ({ first, last }) => ranges.push([first, last]));
  for (let lost = 1; lost <= 3; lost++) {
    const before = one.sequence;
    await until('progress', () => one.sequence > before + 500n && window.state === 'synchronized');
    sockets.at(-1)?.terminate();
    await until('another connection', () => sockets.length > lost && client.connected);
  }
  await endAfter(distributor, 1_000);
  const { sequence, counters } = distributor.stats();
  await until('the last message', () => one.sequence === sequence);
  t.equal(one.digest(), counters.digest);
  const hole = ranges.findIndex(([first], index) => index > 0 && first !== (ranges[index - 1]?.[1] ?? 0n) + 1n);
  t.equal(hole, -1, 'every message was delivered once, in order');
  t.equal(snapshots, 1, 'one snapshot was enough');
  await Promise.all([one.counts(), window.counts()]);
  t.equal(client.state, 'synchronized');
  t.same(told, []);
});
