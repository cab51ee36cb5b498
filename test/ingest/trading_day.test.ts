/** Two trading days: orders that survive the night, a client that goes over, symbols that come and change, and limits. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { BookExport } from '../../src/book_export.js';
import type { Refusal } from '../../src/distributor.js';
import { FeedClient } from '../../src/feed_client.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { controlUrl, linePair } from '../faults/lines.js';
import { cutOff } from './cut_off.js';
import { feedDistributor } from './feeds.js';
import { simulatedDay } from './itch_day.js';
import { SoupServer } from './soup_server.js';

const line = 246;
const limits = { orders: 65_536, instruments: 9 };

/** Every order of every book in its queue's order, and the statuses. */
function contentOf(books: BookExport): unknown[] {
  return books.instruments.map(({ symbol, status }) => [
    symbol,
    status,
    ...(['bid', 'ask'] as const).map((side) =>
      books
        .levels(symbol, side)
        .map(({ price }) => [price, books.orders(symbol, side, price).map(({ id, quantity }) => [id, quantity])]),
    ),
  ]);
}

async function follow(t: Test): Promise<FeedClient> {
  const client = new FeedClient({
    lineA: linePair(line).A,
    lineB: null,
    control: controlUrl(line),
    limits,
    silenceMs: 200,
    receiveBufferBytes: '8MiB',
  });
  t.teardown(() => client.close());
  await client.start();
  return client;
}

/** Of the simulated exchange's stock `locate`; everything else 0. */
function itch(type: string, length: number, locate: number, fill: (message: Buffer) => void): Buffer {
  const message = Buffer.alloc(length);
  message.write(type, 0, 'latin1');
  message.writeUInt16BE(locate, 1);
  fill(message);
  return message;
}

const directory = (locate: number, name: string) =>
  itch('R', 39, locate, (message) => message.write(name.padEnd(8), 11, 'latin1'));
const deletion = (locate: number, id: bigint) => itch('D', 19, locate, (message) => message.writeBigUInt64BE(id, 11));
const addition = (locate: number, id: bigint, name: string) =>
  itch('A', 36, locate, (message) => {
    message.writeBigUInt64BE(id, 11);
    message.write('B', 19, 'latin1');
    message.writeUInt32BE(100, 20);
    message.write(name.padEnd(8), 24, 'latin1');
    message.writeUInt32BE(500_000, 32);
  });

t.test('ordersSurviveTheNightAndTheClientGoesOver', async (t) => {
  const { file } = await simulatedDay(t, 6_000n);
  const state = join(t.testdir({}), 'state');
  const common = { state, carryOver: true, limits, control: controlUrl(line) };
  const client = await follow(t);
  const first = feedDistributor(t, line, { ...common, source: `itch:${file}`, rate: 60_000 });
  await first.start();
  t.equal(first.begin.carriedSession, 0n, 'nothing was left to the first day');
  t.match(await first.ended, { reason: 'end', position: 6_000n });
  await until('the end of the day', () => client.state === 'ended');
  const evening = contentOf(await client.snapshot({ orders: true }));
  const live = first.stats().counters.liveOrders ?? 0n;
  t.ok(live > 100n);
  await first.close();

  const server = await SoupServer.listen();
  server.password = '';
  t.teardown(() => server.close());
  const sourceOfDayTwo = { source: `soupbintcp:127.0.0.1:${server.port}`, soupbintcp: { session: 'DAY2' } };
  server.session = 'DAY2';

  await cutOff(t, { ...common, ...sourceOfDayTwo }, line, 0n);
  const second = feedDistributor(t, line, { ...common, ...sourceOfDayTwo });
  const refusals: Refusal[] = [];
  second.on('refused', (refusal) => refusals.push(refusal));
  await second.start();
  t.match(second.begin, { continued: false, position: 1n, carriedOrders: live, carriedSession: first.session });
  t.match(second.begin.reason, /before anything of the source was published/, 'after a crash in the night');
  await until('the new session', () => client.session === second.session && client.state === 'synchronized');
  await until(
    'its opening',
    () => second.stats().counters.liveOrders === live && client.sequence === second.stats().sequence,
  );
  t.same(contentOf(await client.snapshot({ orders: true })), evening, 'the same books, under new numbers');

  const name = second.instrument(1)?.name ?? '';
  const [best] = (await client.snapshot({ orders: true })).levels(name, 'bid', 1);
  const [order] = (await client.snapshot({ orders: true })).orders(name, 'bid', best?.price ?? 0n);
  const locate = second.instrument(1)?.sourceCode ?? 0;
  server.messages.push(
    itch('S', 12, 0, (message) => message.write('O', 11, 'latin1')),
    directory(locate, 'RENAMED'),
    deletion(locate, order?.id ?? 0n),
    directory(100, 'ADDED'),
    addition(100, 1_000_000_001n, 'ADDED'),
    directory(101, 'BEYOND'),
    addition(101, 1_000_000_002n, 'BEYOND'),
    itch('S', 12, 0, (message) => message.write('C', 11, 'latin1')),
  );
  server.push();
  await until('the messages', () => second.stats().position === 8n);
  await until('the client', () => client.sequence === second.stats().sequence);
  await until('the new name', () => client.instrument('RENAMED')?.instrument === 1);
  t.equal(client.instrument(name), undefined, 'the old name is gone');
  t.equal((await client.snapshot()).levels('ADDED', 'bid').length, 1);
  t.equal(second.stats().counters.liveOrders, live, 'one came, one went');
  await until('the refusals', () => refusals.length === 2);
  t.match(refusals, [
    { position: 6n, reason: 'instrument_limit', kind: 'definition', sourceCode: 101, passed: false },
    { position: 7n, reason: 'unknown_instrument', kind: 'add', orderId: 1_000_000_002n },
  ]);
  server.complete = true;
  server.push();
  t.match(await second.ended, { reason: 'end', position: 8n });
  await until('the end of the second day', () => client.state === 'ended');
  t.equal(client.stats().counters.digestsMismatched, 0n);
});

t.test('tomorrowsFileOfTheSameNameIsReadFromItsBeginning', async (t) => {
  const { file } = await simulatedDay(t, 3_000n);
  const today = `${file}.today`;
  const options = { state: join(t.testdir({}), 'state'), carryOver: true, limits, source: `itch:${today}` };
  copyFileSync(file, today);
  const first = feedDistributor(t, line, options);
  await first.start();
  t.match(await first.ended, { reason: 'end', position: 3_000n });
  const live = first.stats().counters.liveOrders ?? 0n;
  await first.close();
  const [stock] = first.instruments();
  const message = deletion(stock?.sourceCode ?? 0, 1n);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  writeFileSync(today, Buffer.concat([length, message]));
  const second = feedDistributor(t, line, options);
  await second.start();
  t.match(second.begin, { position: 1n, carriedOrders: live, carriedSession: first.session });
  t.match(await second.ended, { reason: 'end', position: 1n });
});

t.test('ordersThatCannotBeCarriedOverStopTheStart', async (t) => {
  const state = join(t.testdir({}), 'state');
  const options = { state, source: 'simulate', simulate: { symbols: 4, liveOrders: 100, messages: 3_000 }, limits };
  const first = feedDistributor(t, line, options);
  await first.start();
  await first.ended;
  await first.close();
  const other = feedDistributor(t, line, { ...options, carryOver: true, limits: { orders: 50, instruments: 9 } });
  await t.rejects(other.start(), /the orders of session \d+ cannot be carried over: .*do(es)? not fit/);
  const without = feedDistributor(t, line, options);
  await without.start();
  t.equal(without.begin.carriedOrders, 0n);
  await t.rejects(
    async () => feedDistributor(t, line, { source: 'simulate', carryOver: true }),
    /carryOver is true, expected false/,
  );
});
