/** The modes that only a gateway has, through FeedClient: changes, books, latency, counts; the same in `Subscription`. */
import t from 'tap';
import { WebSocket } from 'ws';
import { type FeedChange, GatewayClient, type SocketLike } from '../../src/browser/index.js';
import { LatencyBuckets, latency_values, WallClock } from '../../src/browser/latency.js';
import type { FeedClient } from '../../src/feed_client.js';
import { limits, until } from '../channel.js';
import { endAfter, gatewayOn } from '../gateway/gateway_on.js';
import { followOn } from './gateways.js';

const simulate = { seed: 5, symbols: 6, liveOrders: 400 };

/** Follows to the end of the iteration, and adds up what it was told. */
function iterated(changes: AsyncIterable<FeedChange>) {
  const seen = { instruments: new Set<number>(), prints: [] as bigint[], changes: 0, sequence: 0n, ended: false };
  const run = async () => {
    for await (const { instruments, prints, sequence } of changes) {
      for (const instrument of instruments) seen.instruments.add(instrument);
      for (const print of prints) seen.prints.push(print.sequence);
      if (sequence < seen.sequence) throw new Error(`${sequence} behind ${seen.sequence}`);
      seen.sequence = sequence;
      seen.changes++;
    }
    seen.ended = true;
  };
  return { seen, ended: run() };
}

t.test('everyModeTellsChangesBooksLatencyAndCounts', async (t) => {
  const { distributor, server } = await gatewayOn(t, 224, { simulate, rate: 10_000 });
  const modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
  const clients = new Map<string, FeedClient>();
  for (const mode of modes)
    clients.set(
      mode,
      followOn(t, server.port, { mode, levels: 5, conflationMs: 20, delivery: { updates: mode === 'exact' } }),
    );
  const of = (mode: (typeof modes)[number]) => clients.get(mode) as FeedClient;
  t.throws(() => of('depth').changes(), /not started/);
  await Promise.all([...clients.values()].map((client) => client.start()));
  const loops = modes.map((mode) => iterated(of(mode).changes()));
  const mismatches: string[] = [];
  for (const client of clients.values()) client.on('countMismatch', (fault) => mismatches.push(fault));
  await endAfter(distributor, 20_000);
  const { sequence } = distributor.stats();
  const numbers = distributor.instruments().map(({ instrument }) => instrument);
  const same = (client: FeedClient) =>
    numbers.every(
      (number) => client.depth(number)?.instrumentSequence === distributor.depth(number)?.instrumentSequence,
    );
  for (const mode of ['exact', 'filtered', 'depth', 'bbo'] as const) await until(mode, () => same(of(mode)));

  for (const mode of modes) {
    const client = of(mode);
    const histogram = client.latency();
    t.ok(histogram.totalCount > 0, mode);
    t.ok(histogram.getValueAtPercentile(99) < 60e9, 'the clocks are one');
    const counts = await client.counts();
    t.equal(counts.sent + counts.conflated + counts.refused + counts.pending, counts.published);
    t.ok(counts.sent > 0, mode);
    if (mode === 'exact') t.equal(counts.received, undefined);
    else t.match(counts.received, { sent: counts.sent, conflated: counts.conflated, comparable: true }, mode);
    if (mode !== 'exact') t.ok(client.stats().messagesPerSecond >= 0);
  }
  t.same(mismatches, []);

  const [name = ''] = distributor.instruments().map((one) => one.name);
  const exact = await of('exact').snapshot({ orders: true });
  const filtered = await of('filtered').snapshot({ orders: true });
  t.equal(filtered.digest, exact.digest);
  for (const { instrument } of exact.instruments)
    for (const side of ['bid', 'ask'] as const)
      t.same([...filtered.queues(instrument, side)], [...exact.queues(instrument, side)], `${side}s of ${instrument}`);
  const [best] = exact.levels(name, 'bid', 1);
  t.same(
    await of('filtered')
      .book(name)
      .orders('bid', best?.price ?? 0n),
    exact.orders(name, 'bid', best?.price ?? 0n),
  );
  const depth = await of('depth').snapshot();
  t.same(depth.levels(name, 'ask'), exact.levels(name, 'ask', 5));
  t.equal(depth.sequence <= sequence, true);
  t.same((await of('bbo').snapshot({ symbol: name })).levels(name, 'bid'), exact.levels(name, 'bid', 1));
  await t.rejects(of('depth').snapshot({ orders: true }), /mode depth keeps no books of every order/);
  await t.rejects(of('trades').snapshot(), /mode trades keeps no books/);
  await t.rejects(of('depth').snapshot({ symbol: 'NOSUCH' }), /NOSUCH is not known/);

  await Promise.all([...clients.values()].map((client) => client.close()));
  await Promise.all(loops.map(({ ended }) => ended));
  for (const [index, { seen }] of loops.entries()) {
    const mode = modes[index] ?? 'exact';
    t.ok(seen.ended && seen.changes > 1, mode);
    if (mode === 'trades')
      t.ok(seen.prints.length > 0 && seen.prints.every((one, at) => at === 0 || one > (seen.prints[at - 1] ?? 0n)));
    else t.same([...seen.instruments].sort(), numbers, mode);
  }
  t.same((await of('depth').changes().next()).done, true, 'nothing more comes');
});

t.test('aSubscriptionTellsTheSame', async (t) => {
  const { distributor, server } = await gatewayOn(t, 163, { simulate, rate: 10_000 });
  const client = new GatewayClient({
    url: `ws://127.0.0.1:${server.port}/feed`,
    webSocket: WebSocket as unknown as new (url: string) => SocketLike,
    limits,
  });
  t.teardown(() => client.close());
  const subscriptions = (['exact', 'filtered', 'depth'] as const).map((mode) => client.subscribe({ channel: 1, mode }));
  const loops = subscriptions.map((subscription) => iterated(subscription.changes()));
  const left = subscriptions[0]?.changes();
  client.start();
  t.equal((await left?.next())?.done, false);
  await left?.return?.();
  t.equal((await left?.next())?.done, true, 'a loop that was left gets nothing more');
  await Promise.all(subscriptions.map(({ ready }) => ready));
  await endAfter(distributor, 8_000);
  const number = distributor.instruments()[0]?.instrument ?? 0;
  const last = distributor.depth(number)?.instrumentSequence;
  for (const subscription of subscriptions)
    await until('the last message', () => subscription.depth(number)?.instrumentSequence === last);
  for (const [index, subscription] of subscriptions.entries()) {
    const { count, p50, p99, max } = subscription.latency();
    t.ok(count > 0 && p50 >= 0 && p50 <= p99 && p99 <= max && max < 60_000, JSON.stringify(subscription.latency()));
    const { sent, conflated } = (await subscription.counts()) ?? {};
    t.match(subscription.received(), { sent, conflated });
    await subscription.unsubscribe();
    await loops[index]?.ended;
    t.equal(loops[index]?.seen.instruments.size, 6);
  }
});

t.test('latencyIsCountedInBucketsThatAreNearTheValue', async (t) => {
  const one = (ms: number) => {
    const buckets = new LatencyBuckets();
    buckets.record(ms);
    return buckets.counts.findIndex((count) => count > 0);
  };
  for (let bucket = 1; bucket < latency_values.length; bucket++)
    if ((latency_values[bucket] ?? 0) <= (latency_values[bucket - 1] ?? 0)) t.fail(`bucket ${bucket} is no greater`);
  for (let ns = 1; ns < 2 ** 45; ns = Math.ceil(ns * 1.37)) {
    const upper = latency_values[one(ns / 1e6)] ?? 0;
    if (upper < ns || upper > Math.max(ns + 32, ns * (1 + 1 / 32) + 1)) t.fail(`${ns} ns in the bucket of ${upper}`);
  }
  t.same([one(-5), one(Number.NaN), one(1e12)], [0, 0, latency_values.length - 1]);
  const buckets = new LatencyBuckets();
  t.match(buckets.figures(), { count: 0, p50: Number.NaN, max: Number.NaN });
  for (let ms = 1; ms <= 1_000; ms++) buckets.record(ms);
  const { count, p50, p999, max } = buckets.figures();
  t.same([count, max], [1_000, 1_000]);
  t.ok(p50 >= 500 && p50 < 517 && p999 >= 999 && p999 <= 1_000, `${p50} ${p999}`);
});

t.test('theTimeOfDayIsAsFineAsTheSteadyClock', async (t) => {
  let steady = 0;
  let ahead = 1_000.75;
  const clock = new WallClock(
    () => steady,
    () => Math.floor(steady + ahead),
  );
  let worst = 0;
  for (; steady < 30_000; steady += 7.3) {
    const told = clock.now();
    if (steady > 500) worst = Math.max(worst, Math.abs(told - (steady + ahead)));
  }
  t.ok(worst < 0.2, `${worst} ms`);
  ahead -= 5_000;
  steady += 1;
  t.ok(Math.abs(clock.now() - (steady + ahead)) <= 1, 'a jump is followed at once');
});
