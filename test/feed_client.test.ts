/** Feed clients on real lines of loopback: books, updates, losses, and every order of starting and ending. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { BookExport } from '../src/book_export.js';
import type { InstrumentInfo, SequenceRange } from '../src/book_types.js';
import type { ServeOptionsInput, SubscribeOptionsInput } from '../src/config.js';
import { Distributor } from '../src/distributor.js';
import { makeDump } from '../src/dump.js';
import { FeedClient } from '../src/feed_client.js';
import { Kind, message_flags, Side, type UpdateBatch } from '../src/updates.js';
import { serveOn, subscribeOn, until } from './channel.js';
import { type Test, testWithData } from './data.js';
import { compareWithExpected, type Dump as ReferenceDump } from './reference/dump.js';

interface Feed {
  distributor: Distributor;
  client: FeedClient;
}

/** A distributor that waits for its client; both are closed at the end of the test. */
async function feed(
  t: Test,
  number: number,
  serve: ServeOptionsInput,
  subscribe: SubscribeOptionsInput = {},
  beforeStart: (client: FeedClient) => void = () => {},
): Promise<Feed> {
  const distributor = new Distributor(serveOn(number, { waitSubscribers: 1, ...serve }));
  t.teardown(() => distributor.close());
  await distributor.start();
  const client = new FeedClient(subscribeOn(number, distributor.control, subscribe));
  t.teardown(() => client.close());
  beforeStart(client);
  await client.start();
  return { distributor, client };
}

const flow = { simulate: { symbols: 5, messages: 5_000, liveOrders: 200 } };
const endless = { simulate: { symbols: 5, liveOrders: 200 }, rate: 20_000 };
const with_updates = { delivery: { updates: true } };

function dumpOf(client: FeedClient, books: BookExport): ReferenceDump {
  const extras = { channel: 1, counters: client.stats().counters, missing: client.missing() };
  return JSON.parse(JSON.stringify(makeDump(books, extras)));
}

testWithData('aPackedFileEndsInExactlyTheExpectedBooks', async (t, data) => {
  const read = (name: string) => readFileSync(join(data, 'itch-bx-2019-12-30', name));
  const file = join(t.testdir({}), 'bx.gz');
  await writeFile(file, gzipSync(read('bx.itch50')));
  const checkpoints = JSON.parse(read('checkpoints.json').toString()) as { after_messages: number }[];
  const exported = new Map<bigint, BookExport>();
  const positions = checkpoints.map(({ after_messages }) => after_messages);
  const { distributor, client } = await feed(
    t,
    20,
    { source: `itch:${file}` },
    { exportPositions: positions, exportOrders: true },
    (client) => client.on('export', (books) => exported.set(books.position, books)),
  );
  t.match(await distributor.ended, { reason: 'end', position: 12_012n });
  t.match(await client.ended, { session: distributor.session, position: 12_012n });
  const books = await client.snapshot({ orders: true });
  const expected = JSON.parse(read('expected.json').toString());
  t.same(compareWithExpected(dumpOf(client, books), expected), []);
  t.equal(books.digest, distributor.stats().counters.digest, 'the digests are equal');
  t.equal(books.whole, true);
  for (const checkpoint of checkpoints) {
    const then = exported.get(BigInt(checkpoint.after_messages));
    if (then === undefined) t.fail(`no export after ${checkpoint.after_messages} messages`);
    else
      t.same(compareWithExpected(dumpOf(client, then), checkpoint as never), [], `after ${checkpoint.after_messages}`);
  }
});

t.test('tellsSessionDefinitionsUpdatesAndEndInThatOrder', async (t) => {
  const told: string[] = [];
  let count = 0;
  const { client, distributor } = await feed(t, 21, flow, with_updates, (client) => {
    const tell = (name: string) => told.at(-1) !== name && told.push(name);
    client.on('session', (session) => tell(`session ${session}`));
    client.on('definitions', () => told.includes('definitions') || tell('definitions'));
    client.on('updates', (batch) => {
      count += batch.count;
      // The flow's first message is the channel's own (a system event): it may come before any instrument is defined.
      const named = batch.instrument.subarray(0, batch.count).some((instrument) => instrument !== 0);
      if (named) told.includes('updates') || tell('updates');
    });
    client.on('endOfSession', () => tell('end'));
    for (const name of ['missing', 'overrun', 'digestMismatch'] as const) client.on(name, () => tell(name));
  });
  const end = await client.ended;
  t.same(told, [`session ${distributor.session}`, 'definitions', 'updates', 'end']);
  t.equal(BigInt(count), end?.sequence, 'every message was an update');
  t.equal(client.state, 'ended');
  t.same(client.instruments(), distributor.instruments());
});

t.test('updatesAreWholeEventsInOrderWithTheBestPrices', async (t) => {
  let expected = 1n;
  const wrong: string[] = [];
  const kinds = new Set<number>();
  const bids = new Map<number, [price: bigint, quantity: bigint]>();
  let memory: ArrayBufferLike | undefined;
  const look = (batch: UpdateBatch) => {
    memory ??= batch.price.buffer;
    if (batch.price.buffer !== memory) wrong.push('new memory');
    for (let row = 0; row < batch.count; row++) {
      if (batch.sequence[row] !== expected) wrong.push(`${batch.sequence[row]} where ${expected} was expected`);
      expected++;
      const kind = batch.kind[row] ?? 0;
      kinds.add(kind);
      const side = batch.side[row];
      if (kind === Kind.add && side !== Side.bid && side !== Side.ask) wrong.push(`side ${side}`);
      bids.set(batch.instrument[row] ?? 0, [batch.bidPrice[row] ?? 0n, batch.bidQuantity[row] ?? 0n]);
    }
    if (((batch.flags[batch.count - 1] ?? 0) & message_flags.end_of_event) === 0) wrong.push('half an event');
  };
  const { client } = await feed(t, 22, flow, with_updates, (client) => client.on('updates', look));
  const end = await client.ended;
  t.same(wrong, []);
  t.equal(expected - 1n, end?.sequence);
  t.ok(kinds.has(Kind.add) && kinds.has(Kind.execute) && kinds.has(Kind.delete_order));
  const books = await client.snapshot();
  for (const { instrument, name } of books.instruments) {
    const best = books.levels(name, 'bid', 1)[0];
    t.same(bids.get(instrument)?.[1], best?.quantity ?? 0n, name);
    if (best !== undefined) t.equal(bids.get(instrument)?.[0], best.price);
  }
});

t.test('booksAnswerLevelsQueuesAndPlaces', async (t) => {
  const { client } = await feed(t, 23, flow);
  await client.ended;
  const books = await client.snapshot({ orders: true });
  const info = client.instruments()[0] as InstrumentInfo;
  const book = client.book(info.symbol);
  t.same(await book.levels('bid'), books.levels(info.symbol, 'bid'));
  t.same(await book.levels('bid', 2), books.levels(info.symbol, 'bid', 2));
  const best = await book.best('ask');
  t.same(best, books.levels(info.symbol, 'ask')[0]);
  const price = best?.price ?? 0n;
  const queue = await book.orders('ask', price);
  t.same(queue, books.orders(info.symbol, 'ask', price));
  const last = queue.at(-1);
  t.match(await book.order(last?.id ?? 0n), {
    side: 'ask',
    price,
    ordersAhead: queue.length - 1,
    quantity: last?.quantity,
  });
  t.equal(await book.order(2n ** 63n), undefined);
  t.same(client.depth(info.symbol, 3)?.bids, books.levels(info.instrument, 'bid', 3));
  t.same(client.bbo(info.instrument)?.ask, best);
  t.equal(client.bbo('none'), undefined);
  await t.rejects(client.book('none').levels('bid'), { message: 'instrument none is not known' });
  await t.rejects(client.snapshot({ symbol: 999 }), RangeError);
});

t.test('eachLineAloneIsEnough', async (t) => {
  for (const lines of [{ lineA: null }, { lineB: null }]) {
    const { client, distributor } = await feed(t, 24, flow, lines);
    await client.ended;
    t.equal((await client.snapshot()).digest, distributor.stats().counters.digest, JSON.stringify(lines));
    t.match(client.stats(), { missingRanges: 0, digestMismatches: 0, updatesLost: 0n });
    await client.close();
    await distributor.close();
  }
});

t.test('linesWithDifferentPacketSizesGiveOneFeed', async (t) => {
  const lines = serveOn(25);
  const sizes = { lineA: { ...lines.lineA, datagramBytes: 512 }, lineB: { ...lines.lineB, datagramBytes: 8_952 } };
  const { client, distributor } = await feed(t, 25, { ...flow, ...sizes });
  await client.ended;
  t.equal((await client.snapshot()).digest, distributor.stats().counters.digest);
  const { datagramsA = 0n, datagramsB = 0n } = distributor.stats().counters;
  t.ok(datagramsA > 2n * datagramsB, `${datagramsA} small ones, ${datagramsB} large ones`);
  t.match(client.stats(), { missingRanges: 0, digestMismatches: 0 });
});

t.test('namesWhatALateClientHasMissed', async (t) => {
  const distributor = new Distributor(serveOn(26, endless));
  t.teardown(() => distributor.close());
  await distributor.start();
  await until('some messages', () => distributor.stats().sequence > 500n);
  const client = new FeedClient(subscribeOn(26, null));
  t.teardown(() => client.close());
  t.equal(client.state, 'new');
  const ranges: SequenceRange[] = [];
  client.on('missing', (range) => ranges.push(range));
  await client.start();
  await until('the hole', () => ranges.length > 0);
  t.equal(ranges[0]?.first, 1n);
  t.ok((ranges[0]?.last ?? 0n) >= 500n);
  t.same(client.missing(), ranges);
  await until('the figures', () => client.state === 'stale');
  const stats = client.stats();
  t.equal(stats.missingMessages, ranges[0]?.last);
  t.equal(stats.joined, false);
  t.equal((await client.snapshot()).whole, false);
  await client.close();
  t.same(client.missing(), ranges, 'it can still be asked');
  t.equal(client.state, 'closed');
});

t.test('countsWhatASlowListenerLost', async (t) => {
  const counts = { delivered: 0, overrun: 0n };
  const delivery = { updates: true, capacity: 256 };
  const busy = new Int32Array(new SharedArrayBuffer(4));
  const { client } = await feed(t, 27, { simulate: { ...flow.simulate, messages: 50_000 } }, { delivery }, (client) => {
    client.on('updates', (batch) => {
      counts.delivered += batch.count;
      Atomics.wait(busy, 0, 0, 2);
    });
    client.on('overrun', (lost) => {
      counts.overrun += lost;
    });
  });
  const end = await client.ended;
  await until('the figures', () => client.stats().counters.sequence === end?.sequence);
  const { updatesDelivered, updatesLost } = client.stats();
  t.ok(updatesLost > 0n);
  t.equal(updatesDelivered + updatesLost, end?.sequence, 'each update was delivered or counted as lost');
  await until(
    'the last of them',
    () => BigInt(counts.delivered) === updatesDelivered && counts.overrun === updatesLost,
  );
  t.equal(client.stats().missingRanges, 0, 'the books did not suffer');
});

t.test('stopsDeliveryForGoodWhereThatIsThePolicy', async (t) => {
  const sequences: bigint[] = [];
  let overruns = 0;
  const delivery = { updates: true, capacity: 256, policy: 'stop' as const };
  const busy = new Int32Array(new SharedArrayBuffer(4));
  const { client } = await feed(t, 28, { simulate: { ...flow.simulate, messages: 50_000 } }, { delivery }, (client) => {
    client.on('updates', (batch) => {
      for (let row = 0; row < batch.count; row++) sequences.push(batch.sequence[row] ?? 0n);
      Atomics.wait(busy, 0, 0, 2);
    });
    client.on('overrun', () => overruns++);
  });
  const end = await client.ended;
  await until('the figures', () => client.stats().counters.sequence === end?.sequence);
  const { updatesDelivered, updatesLost } = client.stats();
  t.same(
    sequences,
    sequences.map((_, index) => BigInt(index + 1)),
    'what came before is without a hole',
  );
  t.equal(BigInt(sequences.length), updatesDelivered);
  t.ok(updatesLost > 0n && overruns > 0);
});

t.test('deliversEventsAlsoWithoutUpdates', async (t) => {
  const { client } = await feed(t, 29, flow, {}, (client) => client.on('updates', () => t.fail('none were asked for')));
  await client.ended;
  t.match(client.stats(), { updatesDelivered: 0n, updatesLost: 0n });
  t.ok(client.latency().totalCount > 0);
  t.ok(client.latencyInterval().totalCount > 0);
  t.equal(client.latencyInterval().totalCount, 0);
});

t.test('announcesItselfAndWithdraws', async (t) => {
  const { client, distributor } = await feed(t, 30, endless);
  await until('the service', () => client.stats().joined);
  t.equal(distributor.stats().subscribers, 1);
  await client.close();
  t.equal(distributor.stats().subscribers, 0);
});

t.test('followsTheNextSessionWhenTheFirstHasEnded', async (t) => {
  const { client, distributor } = await feed(t, 31, flow, { control: null, silenceMs: 50 }, () => {});
  t.equal(client.stats().joined, false);
  await distributor.close();
  const sessions: bigint[] = [];
  client.on('session', (session) => sessions.push(session));
  const second = new Distributor(serveOn(31, { ...endless, session: distributor.session + 1_000n }));
  t.teardown(() => second.close());
  await second.start();
  await until('the second session', () => sessions.includes(second.session));
  await until('its definitions', () => client.instruments().length === 5);
  await until('its books', () => client.sequence > 100n);
  t.equal(client.session, second.session);
});

t.test('closesAtAnyMoment', async (t) => {
  const never = new FeedClient(subscribeOn(32, null));
  await never.close();
  await never.close();
  t.equal(await never.ended, undefined);
  await t.rejects(never.start(), { message: 'this client was closed before' });
  await t.rejects(never.snapshot(), { message: 'this client is not running' });
  t.throws(() => never.latency(), { message: 'this client was never started' });

  const { client } = await feed(t, 32, endless, with_updates);
  await t.rejects(client.start(), { message: 'this client was started before' });
  await until('some messages', () => client.sequence > 100n && client.instruments().length > 0);
  const info = client.instruments()[0] as InstrumentInfo;
  const asked = [client.snapshot(), client.snapshot({ orders: true }), client.book(info.symbol).levels('bid')];
  const settled = Promise.allSettled(asked);
  await Promise.all([client.close(), client.close()]);
  for (const { status } of await settled) t.equal(status, 'rejected', 'what was asked for is rejected');
  t.equal(client.depth(info.symbol), undefined);
  t.equal(client.bbo(info.symbol), undefined);
  t.ok(client.stats().sequence > 100n, 'figures stay readable');
  t.same(client.instruments().includes(info), true);
  t.ok(client.latency().totalCount > 0);

  let batches = 0;
  const { client: second } = await feed(t, 33, endless, with_updates, (client) =>
    client.on('updates', () => {
      batches++;
      void client.close();
    }),
  );
  await until('its end', () => second.state === 'closed');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(batches, 1, 'closed by its own listener, nothing more is delivered');
});

t.test('refusesWhatCannotBeJoined', async (t) => {
  t.throws(() => new FeedClient({ lineA: null, lineB: null }), {
    name: 'ConfigError',
    message: /^subscribe options: /,
  });
  const client = new FeedClient(subscribeOn(34, null, { interface: '192.0.2.1' }));
  await t.rejects(client.start(), Error);
  await client.close();
  t.equal(client.state, 'closed');
});
