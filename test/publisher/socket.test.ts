/** Engines over real sockets: TCP, Unix, TLS, tokens, two engines, hostile bytes, a slow distributor. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import { newToken, revokeToken } from '../../src/gateway/access/token_admin.js';
import { EventBatch } from '../../src/publisher/event_batch.js';
import { connectPublisher, type EventPublisher, publisherInto } from '../../src/publisher/event_publisher.js';
import { type DistributorFrame, FrameReader, loginFrame } from '../../src/publisher/frames.js';
import type { ConnectOptions } from '../../src/publisher/socket_publisher.js';
import type { EngineNews } from '../../src/sources/source.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { distributorOn, messagesOf, pushOptions, pushTo, writeEvent } from './push.js';

async function publisherTo(t: Test, to: string, more: Partial<ConnectOptions> = {}): Promise<EventPublisher> {
  const publisher = await connectPublisher({ to, engine: 'matcher', connectMs: 60_000, ...more });
  t.teardown(() => publisher.close());
  return publisher;
}

/** What the distributor answers to these bytes, until it closes. */
function answersTo(to: string, bytes: Uint8Array): Promise<DistributorFrame[]> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader();
    const frames: DistributorFrame[] = [];
    const socket = connect(Number(to.split(':').at(-1)), '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => frames.push(...(reader.read(chunk) ?? [])));
    socket.on('error', reject);
    socket.on('close', () => resolve(frames));
    socket.on('end', () => socket.end());
  });
}

t.test('pushesOverTcpUnixAndInProcess', async (t) => {
  const path = join(t.testdir({}), 'engine.sock');
  const sources = [`tcp:127.0.0.1:0,unix:${path}`, `unix:${path}`, 'push'];
  for (const [index, source] of sources.entries()) {
    const distributor = await distributorOn(t, index, { source });
    const to = index === 1 ? `unix:${path}` : distributor.sourceAddress;
    const publisher = source === 'push' ? publisherInto(distributor) : await publisherTo(t, to);
    t.equal(publisher.next, 1n);
    t.equal(publisher.session, distributor.session);
    await pushTo(publisher, 5_000);
    await publisher.flushed();
    t.equal(publisher.acknowledged, 5_000n);
    await publisher.endOfDay();
    const end = await distributor.ended;
    t.match(end, { reason: 'end', position: 5_000n });
    const { counters } = distributor.stats();
    t.equal(Number(counters.sequence), messagesOf(5_000));
    t.equal(Object.entries(counters).filter(([name, count]) => name.startsWith('refused.') && count > 0n).length, 0);
    publisher.close();
    await distributor.close();
  }
});

t.test('tellsOfTheEnginesThatComeAndGo', async (t) => {
  const distributor = await distributorOn(t, 3);
  const news: EngineNews[] = [];
  distributor.on('engine', (one) => news.push(one));
  const first = await publisherTo(t, distributor.sourceAddress);
  await t.rejects(publisherTo(t, distributor.sourceAddress, { engine: 'second', connectMs: 100 }), {
    code: 'engine_connected',
  });
  await pushTo(first, 100);
  await first.flushed();
  first.close();
  await until('the engine to be gone', () =>
    news.some(({ kind, engine }) => kind === 'closed' && engine === 'matcher'),
  );
  const again = await publisherTo(t, distributor.sourceAddress, { engine: 'second' });
  t.equal(again.next, 101n, 'another one goes on where it stood');
  t.match(news[0], { kind: 'connected', engine: 'matcher' });
  t.ok(news.some(({ engine, refusal }) => engine === 'second' && refusal === 'engine_connected'));
});

t.test('aBatchThatTheDistributorWouldRefuseIsRefusedByThePublisher', async (t) => {
  const distributor = await distributorOn(t, 3, { ingest: { batchEventsMax: 10, frameBytesMax: 4_096 } });
  const publisher = await publisherTo(t, distributor.sourceAddress);
  const batch = new EventBatch(100);
  t.equal(publisher.push(batch), 0, 'nothing in it');
  for (let id = 0; id < 11; id++) batch.delete(1, id);
  t.throws(() => publisher.push(batch), { name: 'RangeError', message: /11 events, the distributor takes 10/ });
  batch.skip(1);
  t.equal(publisher.push(batch), 10);
  await publisher.flushed();
  // Acknowledged, since taken; no book has them, which is counted.
  await until('the count', () => distributor.stats().counters['refused.unknown_order'] === 10n);
});

t.test('aSecondEngineReplacesTheFirstWhereThatIsMeant', async (t) => {
  const distributor = await distributorOn(t, 3, { ingest: { takeover: true } });
  const first = await publisherTo(t, distributor.sourceAddress);
  await pushTo(first, 100);
  await first.flushed();
  const failed = new Promise((resolve) => first.once('failed', resolve));
  const second = await publisherTo(t, distributor.sourceAddress, { engine: 'second' });
  t.equal(second.next, 101n);
  t.match(await failed, { code: 'replaced' });
  t.throws(() => first.push(undefined as never), { code: 'replaced' });
  await pushTo(second, 200);
  await second.flushed();
});

t.test('asksForATokenWhereThereAreTokens', async (t) => {
  const tokens = join(t.testdir({}), 'tokens.json');
  // What it grants to readers is of no meaning here.
  const grants = [{ channels: '*' as const, instruments: ['*'], modes: ['bbo' as const], depthLevelsMax: null }];
  const entitlements = { grants } as Parameters<typeof newToken>[1]['entitlements'];
  const { text, id } = newToken(tokens, { name: 'engine', expires_ms: undefined, entitlements }, Date.now());
  const distributor = await distributorOn(t, 4, { ingest: { tokens } });
  const to = distributor.sourceAddress;
  for (const token of ['', 'dct_nonsense', `${text.slice(0, -4)}AAAA`])
    await t.rejects(publisherTo(t, to, { token }), { code: 'token' });
  const publisher = await publisherTo(t, to, { token: text });
  await pushTo(publisher, 10);
  await publisher.flushed();
  publisher.close();
  revokeToken(tokens, id, Date.now());
  await t.rejects(publisherTo(t, to, { token: text }), { code: 'token', message: /revoked/ });
});

/** Of localhost, made for the test: files for the distributor, and what the engine trusts. */
function certificate(t: Test) {
  const folder = t.testdir({});
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { options: { cert, key }, client: { ca: readFileSync(cert), servername: 'localhost' } };
}

t.test('speaksTlsAndRefusesToListenOpenly', async (t) => {
  const { options, client: tls } = certificate(t);
  const distributor = await distributorOn(t, 5, { ingest: { tls: options } });
  const publisher = await publisherTo(t, distributor.sourceAddress, { tls });
  await pushTo(publisher, 20_000);
  await publisher.flushed();
  t.equal(publisher.acknowledged, 20_000n);
  await t.rejects(publisherTo(t, distributor.sourceAddress, { connectMs: 100 }), { code: 'connection' });
  await t.rejects(publisherTo(t, distributor.sourceAddress, { tls: { servername: 'localhost' }, connectMs: 100 }), {
    code: 'connection',
  });
  const open = new Distributor(pushOptions(6, { source: 'tcp:0.0.0.0:0' }));
  await t.rejects(open.start(), { message: /can be reached from other machines.*--ingest-insecure/ });
  const meant = new Distributor(pushOptions(6, { source: 'tcp:0.0.0.0:0', ingest: { insecure: true } }));
  t.teardown(() => meant.close());
  await meant.start();
});

t.test('refusesWhatIsNoFrameAndOtherVersions', async (t) => {
  const distributor = await distributorOn(t, 7);
  const to = distributor.sourceAddress;
  const codeOf = async (bytes: Uint8Array) => {
    const frame = (await answersTo(to, bytes)).at(-1);
    return frame?.kind === 'refused' ? frame.name : frame?.kind;
  };
  t.equal(await codeOf(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')), 'bad_frame');
  t.equal(await codeOf(Buffer.from([0x44, 0x43, 0x49, 0x31, 255, 255, 255, 255])), 'bad_frame');
  for (const version of [1, 3])
    t.equal(await codeOf(loginFrame({ token: '', engine: 'other', oldest: 0n }, version)), 'version');
  t.equal(await codeOf(loginFrame({ token: '', engine: 'x', oldest: 5n })), 'events_unavailable');
  const stats = distributor.stats();
  t.equal(stats.source.refusals, 5n);
  t.equal(stats.position, 0n);
  // It still serves who behaves.
  const publisher = await publisherTo(t, to);
  await pushTo(publisher, 100);
  await publisher.flushed();
});

t.test('aConnectionThatDoesNotLogInIsClosed', async (t) => {
  const distributor = await distributorOn(t, 7, { ingest: { loginMs: 200 } });
  t.match(await answersTo(distributor.sourceAddress, new Uint8Array(3)), [{ kind: 'refused', name: 'login_timeout' }]);
});

t.test('anEngineThatIsGoneWithoutAWordGivesItsPlaceToTheNext', async (t) => {
  const distributor = await distributorOn(t, 7, { ingest: { heartbeatMs: 200, idleMs: 1_000 } });
  const news: EngineNews[] = [];
  distributor.on('engine', (one) => news.push(one));
  // As a machine that lost its power: the connection stays, and nothing comes of it. What it is sent, it does not read.
  const gone = connect(Number(distributor.sourceAddress.split(':').at(-1)), '127.0.0.1', () => {
    gone.write(loginFrame({ token: '', engine: 'matcher', oldest: 0n }));
    gone.pause();
  });
  t.teardown(() => gone.destroy());
  await until('the first', () => news.length > 0);
  const publisher = await publisherTo(t, distributor.sourceAddress, { connectMs: 30_000 });
  await pushTo(publisher, 100);
  await publisher.flushed();
  t.ok(news.some(({ kind, engine, refusal }) => kind === 'closed' && engine === 'matcher' && refusal === 'idle'));
});

/** Connections that never say a word, forty at a time and ever new ones, until the test ends. */
async function crowd(t: Test, to: string): Promise<void> {
  const port = Number(to.split(':').at(-1));
  const idlers = new Set<Socket>();
  let opened = 0;
  const flood = setInterval(() => {
    if (idlers.size >= 40) return;
    const socket = connect(port, '127.0.0.1', () => opened++);
    socket.on('error', () => {});
    socket.on('close', () => idlers.delete(socket));
    idlers.add(socket);
  }, 1);
  t.teardown(() => {
    clearInterval(flood);
    for (const socket of idlers) socket.destroy();
  });
  await until('many', () => opened > 100);
}

t.test('manyWhoNeverLogInKeepNoEngineOut', async (t) => {
  const distributor = await distributorOn(t, 7);
  await crowd(t, distributor.sourceAddress);
  const publisher = await publisherTo(t, distributor.sourceAddress, { connectMs: 30_000 });
  await pushTo(publisher, 1_000);
  await publisher.flushed();
  t.equal(publisher.acknowledged, 1_000n);
  t.ok((distributor.stats().source.connectionsDropped ?? 0n) >= 80n);
});

t.test('norWhereTheySpeakNoTlsAtADoorThatDoes', async (t) => {
  const { options, client } = certificate(t);
  const distributor = await distributorOn(t, 7, { ingest: { tls: options } });
  await crowd(t, distributor.sourceAddress);
  const publisher = await publisherTo(t, distributor.sourceAddress, { connectMs: 30_000, tls: client });
  await pushTo(publisher, 1_000);
  await crowd(t, distributor.sourceAddress);
  await pushTo(publisher, 2_000);
  await publisher.flushed();
  t.equal(publisher.acknowledged, 2_000n);
  t.equal(distributor.stats().source.logins, 1n, 'the engine stays');
});

t.test('aSlowDistributorHoldsTheEngineBackWithinItsMemory', async (t) => {
  const distributor = await distributorOn(t, 8, { waitSubscribers: 0, limits: { orders: 65_536, instruments: 16 } });
  const publisher = await publisherTo(t, distributor.sourceAddress, { retainBytes: 65_536 });
  let full = 0;
  // Two of them fill the memory.
  const batch = new EventBatch(600);
  const tooLarge = new EventBatch(700);
  while (!tooLarge.full) tooLarge.delete(1, 1);
  t.throws(() => publisher.push(tooLarge), RangeError);
  while (publisher.next <= 30_000n) {
    if (batch.count === 0) for (let number = Number(publisher.next); !batch.full; number++) writeEvent(batch, number);
    if (publisher.push(batch) > 0) continue;
    full++;
    t.ok(publisher.next - publisher.acknowledged <= 65_536n / 48n, 'no more than fits is unacknowledged');
    await publisher.drain();
  }
  await publisher.flushed();
  t.ok(full > 0);
  t.equal(distributor.stats().source.eventsRepeated, 0n);
});
