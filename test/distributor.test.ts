/** Distributors: sources and how they end, waiting for subscribers, and every order of starting and ending. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { ServeOptionsInput } from '../src/config.js';
import { ControlLink } from '../src/control/client.js';
import { Distributor, type SourceEnd } from '../src/distributor.js';
import { addon } from '../src/native.js';
import { serveOn, until } from './channel.js';
import type { Test } from './data.js';

/** Closed at the end of the test. */
function distributor(t: Test, number: number, more: ServeOptionsInput = {}): Distributor {
  const made = new Distributor(serveOn(number, { control: null, ...more }));
  t.teardown(() => made.close());
  return made;
}

/** An ITCH file of the simulated exchange, and its bytes. */
async function itchFile(t: Test, messages: bigint): Promise<{ folder: string; file: string; bytes: Buffer }> {
  const folder = t.testdir({});
  const file = join(folder, 'flow.itch50');
  const options = { seed: 3n, symbols: 5, messages, liveOrders: 200, messageIntervalNs: 1_000 };
  t.equal(await addon.simulateToFile(file, options), messages);
  return { folder, file, bytes: readFileSync(file) };
}

async function endOf(t: Test, number: number, file: string, more: ServeOptionsInput = {}): Promise<SourceEnd> {
  const made = distributor(t, number, { source: `itch:${file}`, ...more });
  await made.start();
  return made.ended;
}

const flow = { simulate: { symbols: 5, messages: 2_000, liveOrders: 100 } };
const endless = { simulate: { symbols: 5, liveOrders: 100 }, rate: 20_000 };

t.test('publishesTheWholeSourceAndTellsItsEnd', async (t) => {
  const made = distributor(t, 0, flow);
  const ends: SourceEnd[] = [];
  const defined: string[] = [];
  made.on('ended', (end) => ends.push(end));
  made.on('definition', ({ name }) => defined.push(name));
  await made.start();
  const end = await made.ended;
  t.same(end, {
    reason: 'end',
    position: 2_000n,
    fault: undefined,
    message: 'the source has ended after 2000 messages',
  });
  t.same(ends, [end]);
  const instruments = made.instruments();
  t.equal(instruments.length, 5);
  t.same(defined.sort(), instruments.map(({ name }) => name).sort(), 'each was told once');
  const stats = made.stats();
  t.equal(stats.position, 2_000n);
  t.ok(stats.sequence > 0n && stats.datagrams > 0n && stats.bytes > 0n);
  t.equal(stats.datagramsFailed, 0n);
  t.equal(stats.counters['refused.unknown_order'], 0n);
  const books = instruments.map(({ name }) => made.depth(name, 3));
  t.ok(books.some((depth) => depth !== undefined && depth.bids.length > 0));
  t.equal(made.depth('none'), undefined);
  await made.close();
  t.same(ends, [end], 'closing tells nothing new');
});

t.test('endsAFileWithItsLastMessage', async (t) => {
  const { file, folder, bytes } = await itchFile(t, 1_000n);
  t.match(await endOf(t, 1, file), { reason: 'end', position: 1_000n });
  await writeFile(join(folder, 'flow.gz'), gzipSync(bytes));
  t.match(await endOf(t, 1, join(folder, 'flow.gz')), { reason: 'end', position: 1_000n });
  await writeFile(join(folder, 'empty'), '');
  t.match(await endOf(t, 1, join(folder, 'empty')), { reason: 'end', position: 0n });
});

t.test('namesFileOffsetAndExpectationOfAFault', async (t) => {
  const { folder, bytes } = await itchFile(t, 1_000n);
  const cut = join(folder, 'cut');
  await writeFile(cut, bytes.subarray(0, bytes.length - 1));
  const end = await endOf(t, 2, cut);
  t.match(end, { reason: 'fault', position: 999n, fault: { file: cut } });
  t.ok((end.fault?.offset ?? 0n) > BigInt(bytes.length - 60) && (end.fault?.offset ?? 0n) < BigInt(bytes.length));
  t.match(end.message, new RegExp(`^${cut}: at byte ${end.fault?.offset}: expected .+; this was after 999 messages$`));

  const garbled = join(folder, 'garbled');
  await writeFile(garbled, Buffer.concat([bytes, Buffer.from([0, 3, 0x21, 0x21, 0x21])]));
  t.match(await endOf(t, 2, garbled), {
    reason: 'fault',
    position: 1_000n,
    fault: { file: garbled, offset: BigInt(bytes.length), expected: /message type/ },
  });
});

t.test('publishesWhatCameBeforeAFaultOfUnpacking', async (t) => {
  const { folder, bytes } = await itchFile(t, 1_000n);
  const cut = join(folder, 'cut.gz');
  const packed = gzipSync(bytes);
  await writeFile(cut, packed.subarray(0, packed.length - 8));
  t.match(await endOf(t, 3, cut), {
    reason: 'fault',
    position: 1_000n,
    fault: { file: cut, offset: BigInt(bytes.length), expected: /unexpected end of file/ },
  });
  const capped = await endOf(t, 3, cut, { unpackBytesMax: bytes.length - 1 });
  t.match(capped, {
    reason: 'fault',
    position: 999n,
    fault: { file: cut, offset: BigInt(bytes.length - 1), expected: /at most \d+ unpacked bytes/ },
  });
});

t.test('holdsTheSourceUntilSubscribersHaveJoined', async (t) => {
  const made = distributor(t, 4, { ...flow, control: 'http://127.0.0.1:0', waitSubscribers: 2 });
  const counts: number[] = [];
  made.on('subscriber', (count) => counts.push(count));
  await made.start();
  const url = made.control ?? '';
  const join = () => {
    const link = new ControlLink({ url, lines: ['A'], receiving: () => false });
    t.teardown(() => link.close());
    link.start();
    return link;
  };
  const first = join();
  await until('the first', () => first.joined);
  await until('heartbeats', () => made.stats().datagrams > 0n);
  t.match(made.stats(), { position: 0n, subscribers: 1 }, 'one is not enough');
  join();
  t.match(await made.ended, { reason: 'end', position: 2_000n });
  t.same(counts, [1, 2]);
  const { channels } = (await (await fetch(`${url}/channels`)).json()) as { channels: object[] };
  const line = (letter: 'lineA' | 'lineB') => ({
    group: made.options[letter]?.group,
    port: made.options[letter]?.port,
  });
  t.match(channels, [
    { channel: 1, session: String(made.session), lineA: line('lineA'), lineB: line('lineB'), instruments: 5 },
  ]);
});

t.test('givesUpWaitingAfterItsTime', async (t) => {
  const waiting = { control: 'http://127.0.0.1:0', waitSubscribers: 1, waitTimeoutMs: 50 };
  const made = distributor(t, 5, { ...flow, ...waiting });
  await made.start();
  t.match(await made.ended, {
    reason: 'fault',
    position: 0n,
    message: 'expected 1 subscribers within 50 ms, but 0 came; this was after 0 messages',
  });
});

t.test('stopEndsAnEndlessSource', async (t) => {
  const made = distributor(t, 6, endless);
  await made.start();
  await until('some messages', () => made.stats().position > 100n);
  await made.stop();
  const end = await made.ended;
  t.equal(end.reason, 'stopped');
  t.ok(end.position > 100n);
  t.equal(made.stats().position, end.position, 'all that was taken was published');
  await made.stop();
  await made.close();
  t.equal(made.stats().position, end.position, 'figures stay readable');
});

t.test('stopBeforeTheSourceWasReleased', async (t) => {
  const made = distributor(t, 6, { ...flow, control: 'http://127.0.0.1:0', waitSubscribers: 1 });
  await made.start();
  await made.stop();
  t.match(await made.ended, { reason: 'stopped', position: 0n });
});

t.test('takesItsSessionFromTheOptionsOrTheClock', async (t) => {
  t.equal(new Distributor(serveOn(7, { session: '77' })).session, 77n);
  const before = BigInt(Date.now()) * 1_000_000n;
  const { session } = new Distributor(serveOn(7));
  t.ok(session >= before && session <= BigInt(Date.now()) * 1_000_000n);
});

t.test('closesAtAnyMoment', async (t) => {
  const never = distributor(t, 8, flow);
  await never.close();
  await never.close();
  t.match(await never.ended, { reason: 'stopped', position: 0n });
  await t.rejects(never.start(), { message: 'this distributor was closed before' });

  const starting = distributor(t, 8, { ...flow, control: 'http://127.0.0.1:0' });
  const start = t.rejects(starting.start(), { message: 'this distributor was closed while it started' });
  await starting.close();
  await start;

  const running = distributor(t, 8, endless);
  await running.start();
  await t.rejects(running.start(), { message: 'this distributor was started before' });
  await until('some messages', () => running.stats().position > 0n);
  await Promise.all([running.close(), running.close(), running.stop()]);
  t.equal((await running.ended).reason, 'stopped');
  t.equal(running.depth(1), undefined);

  const listened = distributor(t, 8, flow);
  listened.on('ended', () => void listened.close());
  await listened.start();
  t.equal((await listened.ended).reason, 'end', 'closed by its own event');
});

t.test('leavesNothingOpenWhenItCannotStart', async (t) => {
  const first = distributor(t, 9, { ...endless, control: 'http://127.0.0.1:0' });
  await first.start();
  const second = distributor(t, 9, { ...flow, control: first.control });
  await t.rejects(second.start(), { message: /^the control service cannot listen on 127\.0\.0\.1:\d+/ });
  t.match(await second.ended, { reason: 'stopped' });
  await t.rejects(distributor(t, 9, { source: 'itch:/nonexistent' }).start(), {
    message: 'cannot open /nonexistent: there is no such file',
  });
  const elsewhere = distributor(t, 9, { ...flow, interface: '192.0.2.1', control: 'http://127.0.0.1:0' });
  await t.rejects(elsewhere.start(), Error);
  await t.rejects(fetch(`${elsewhere.control}/health`), TypeError, 'its control service is gone too');
  t.throws(() => new Distributor({ lineA: { port: 0 } }), {
    name: 'ConfigError',
    message: 'serve options: lineA.port is 0, expected a whole number from 1 to 65535',
  });
});
