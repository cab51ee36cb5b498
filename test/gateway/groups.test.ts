/** Sessions that are carried in groups, on real sockets: each is sent and told what it would be alone. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import type { NativeGateway } from '../../src/native.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { packetHead } from '../faults/packets.js';
import { endAfter, gatewayOn } from './gateway_on.js';
import { LineRecorder } from './line_recorder.js';
import { compareWithLine, levelsOf, RawGatewayClient } from './raw_client.js';

const exact = (id = 1, more = {}) => ({ type: 'subscribe', id, channel: 1, mode: 'exact', ...more });

function tls(t: Test) {
  const folder = t.testdir();
  const files = { keyFile: join(folder, 'key.pem'), certificateFile: join(folder, 'certificate.pem') };
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const out = ['-keyout', files.keyFile, '-out', files.certificateFile];
  execFileSync('openssl', [...request, ...subject, ...out], { stdio: 'ignore' });
  return files;
}

async function open(
  t: Test,
  number: number,
  ...[given, more]: [Parameters<typeof gatewayOn>[2], Parameters<typeof gatewayOn>[3]?]
) {
  const made = await gatewayOn(t, number, given, more);
  const connect = async () => {
    const ca = more?.tls === undefined ? {} : { ca: readFileSync(more.tls.certificateFile) };
    const client = await RawGatewayClient.open(made.server.port, ca);
    t.teardown(() => client.close());
    return client;
  };
  return { ...made, connect, published: publishedOf(made.native) };
}

/** Frames that were composed for groups. */
function publishedOf(native: NativeGateway): () => number {
  const compose = native.composeGroup.bind(native);
  let frames = 0;
  const value: NativeGateway['composeGroup'] = (group, out) => {
    const composed = compose(group, out);
    if (composed % 2 ** 32 > 0) frames++;
    return composed;
  };
  Object.defineProperty(native, 'composeGroup', { value });
  return () => frames;
}

const lastOf = ({ packets }: RawGatewayClient) => {
  const packet = packets.at(-1);
  return packet === undefined ? 0 : packetHead(packet).first + packetHead(packet).count - 1;
};

async function joined(published: () => number): Promise<void> {
  const before = published();
  await until('groups are served', () => published() > before + 5);
}

for (const secure of [false, true])
  t.test(`everyoneGetsTheLineAndTheirOwnCounts${secure ? 'OverTls' : ''}`, { timeout: 300_000 }, async (t) => {
    const number = secure ? 91 : 90;
    const recorder = await LineRecorder.open(linePair(number).A);
    t.teardown(() => recorder.close());
    const { connect, distributor, published, server, sessions } = await open(
      t,
      number,
      { rate: 10_000, ring: { bytes: '16MiB' } },
      secure ? { tls: tls(t) } : {},
    );
    await until('the first messages', () => distributor.stats().sequence > 500n);
    const clients = await Promise.all(Array.from({ length: 8 }, connect));
    const [, counting, changing, adding, revoked, leaving] = clients as [
      RawGatewayClient,
      RawGatewayClient,
      RawGatewayClient,
      RawGatewayClient,
      RawGatewayClient,
      RawGatewayClient,
    ];
    await Promise.all(clients.map((client, index) => client.ask(exact(index + 1), 'subscribed')));
    await joined(published);
    // Each of these takes one out of its group; what it is told is about just what it was sent before.
    for (let times = 0; times < 10; times++) {
      await counting.ask({ type: 'count', id: 2 }, 'counts');
      await joined(published);
    }
    t.equal((await changing.ask({ type: 'change', id: 3, mode: 'trades' }, 'changed')).type, 'changed');
    t.equal((await changing.ask({ type: 'change', id: 3, mode: 'exact' }, 'changed')).type, 'changed');
    await adding.ask({ type: 'subscribe', id: 9, channel: 1, mode: 'trades' }, 'subscribed');
    const refused = { code: 'forbidden', message: 'no more' } as const;
    // They have logged in in any order: whose it is, its subscription's number says.
    const theirs = sessions.find(({ subscriptions }) => subscriptions.has(5));
    if (theirs !== undefined) server.state.regrant(theirs, { refuse: () => refused });
    await until('the end of what is revoked', () => revoked.texts.some(({ type }) => type === 'unsubscribed'));
    leaving.close();
    await joined(published);
    const late = await connect();
    await late.ask(exact(1), 'subscribed');
    const prints = await adding.ask({ type: 'unsubscribe', id: 9 }, 'unsubscribed');
    t.equal(BigInt(prints.published as string), BigInt(prints.sent as string) + BigInt(prints.conflated as string));
    await endAfter(distributor, 5_000);
    const end = Number(distributor.stats().sequence);
    const readers = [...clients.filter((client) => client !== revoked && client !== leaving), late];
    await until('the last packet', () => readers.every((client) => lastOf(client) === end), 60_000);
    const line = await recorder.stop();
    for (const client of readers) {
      const id = client === late ? 1 : clients.indexOf(client) + 1;
      const counts = await client.ask({ type: 'count', id }, 'counts');
      t.equal(counts.pending, '0');
      const { compared, differing } = compareWithLine(client.packets, line);
      t.equal(differing, 0, `${compared} of ${client.packets.length} packets are those of the line`);
      t.ok(compared > 10);
      t.same(client.faults, []);
    }
    for (const client of [...clients, late])
      for (const { conflated, says, sent } of client.told) {
        const [published = 0n, ...parts] = ['published', 'sent', 'conflated', 'refused', 'pending'].map((name) =>
          BigInt(says[name] as string),
        );
        t.equal(
          published,
          parts.reduce((sum, part) => sum + part, 0n),
        );
        if (client !== changing && client !== adding) t.same([says.sent, says.conflated], [`${sent}`, `${conflated}`]);
      }
    server.finish(1_000);
    server.close(250, 'wss://elsewhere.example/feed');
    await until('the close', () => readers.every(({ closed }) => closed?.code === 4_010));
    for (const { texts } of readers) t.ok(texts.some(({ type }) => type === 'goodbye'));
  });

t.test('oneWhoStopsReadingLeavesTheOthersAndIsCountedExactly', { timeout: 300_000 }, async (t) => {
  const buffered_max = 65_536;
  const { connect, distributor, published, server } = await open(
    t,
    92,
    { rate: 20_000, ring: { bytes: '8MiB' } },
    { bufferedBytes: buffered_max },
  );
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const readers = await Promise.all([connect(), connect(), connect()]);
  const stopped = await connect();
  for (const client of [...readers, stopped]) await client.ask(exact(), 'subscribed');
  await joined(published);
  stopped.socket.pause();
  const most = () => Math.max(...server.state.sessions().map(({ bufferedBytes }) => bufferedBytes));
  let seen = 0;
  await until(
    'it is given no more',
    () => {
      seen = Math.max(seen, most());
      return seen > buffered_max;
    },
    60_000,
  );
  const before = distributor.stats().sequence;
  await until(
    'the ring has gone by',
    () => {
      seen = Math.max(seen, most());
      return distributor.stats().sequence > before + 250_000n;
    },
    60_000,
  );
  t.ok(seen <= buffered_max + 2 * 65_536, `at most ${seen} bytes waited`);
  stopped.socket.resume();
  await until('it begins anew', () => stopped.marks.some(([, why]) => why === 'slow'), 60_000);
  const counts = await stopped.ask({ type: 'count', id: 1 }, 'counts');
  t.equal(counts.type, 'counts');
  const parts = ['sent', 'conflated', 'refused', 'pending'].map((name) => BigInt(counts[name] as string));
  t.equal(
    BigInt(counts.published as string),
    parts.reduce((sum, part) => sum + part, 0n),
  );
  t.ok((parts[1] ?? 0n) > 0n, 'the snapshot covers what it missed');
  // A machine that stands still may have lapped the others too; they are told then.
  for (const { faults, packets, texts } of readers) {
    t.same(faults, []);
    const holes = packets.filter((packet, index) => {
      const previous = packets[index - 1];
      return (
        previous !== undefined && packetHead(previous).first + packetHead(previous).count < packetHead(packet).first
      );
    });
    t.ok(holes.length <= texts.filter(({ type }) => type === 'slow').length);
  }
});

t.test('anotherSessionBeginsForEveryoneInTheGroup', { timeout: 300_000 }, async (t) => {
  const { connect, distributor, published, ringPath } = await open(t, 93, { rate: 5_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const clients = await Promise.all([connect(), connect(), connect()]);
  for (const client of clients) await client.ask(exact(), 'subscribed');
  await joined(published);
  const { A: lineA, B: lineB } = linePair(93);
  await distributor.close();
  const next = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    simulate: { symbols: 8, liveOrders: 500 },
    rate: 5_000,
    ring: { path: ringPath },
  });
  t.teardown(() => next.close());
  await next.start();
  const begun = ({ marks }: RawGatewayClient) => marks.some(([, why]) => why === 'session');
  await until('the other session', () => clients.every(begun), 60_000);
  await joined(published);
  for (const client of clients) {
    const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
    const parts = ['sent', 'conflated', 'refused', 'pending'].map((name) => BigInt(counts[name] as string));
    t.equal(
      BigInt(counts.published as string),
      parts.reduce((sum, part) => sum + part, 0n),
    );
    t.same(client.faults, []);
  }
});

t.test('viewersOfTheSameGetTheSameFrames', { timeout: 300_000 }, async (t) => {
  const { connect, distributor, native, published } = await open(t, 94, { rate: 10_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const wishes = { channel: 1, mode: 'depth', levels: 5, intervalMs: 20 };
  const clients = [await connect(), await connect(), await connect()];
  for (const client of clients) {
    await client.ask({ type: 'subscribe', id: 1, ...wishes }, 'subscribed');
    await client.ask({ type: 'subscribe', id: 2, channel: 1, mode: 'trades' }, 'subscribed');
  }
  await joined(published);
  await clients[0]?.ask({ type: 'change', id: 1, ...wishes, mode: 'bbo' }, 'changed');
  await clients[0]?.ask({ type: 'change', id: 1, ...wishes }, 'changed');
  await endAfter(distributor, 10_000);
  await until('the end', () => native.state().sequence === distributor.stats().sequence, 60_000);
  for (const client of clients) {
    const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
    const prints = await client.ask({ type: 'count', id: 2 }, 'counts');
    t.equal(counts.pending, '0');
    t.equal(BigInt(counts.published as string), BigInt(counts.sent as string) + BigInt(counts.conflated as string));
    // What was conflated at the change is told by its answer, not by frames.
    if (client !== clients[0])
      t.equal(
        BigInt(counts.published as string) + BigInt(prints.published as string),
        client.sent + client.conflated,
        'both subscriptions',
      );
    t.same(client.faults, []);
    for (const [instrument, window] of client.windows)
      t.same(levelsOf(window), levelsOf(clients[1]?.windows.get(instrument) ?? window));
    t.ok(client.windows.size > 0);
  }
});
