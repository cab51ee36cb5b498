/** The recovery service end to end: a distributor, and a client that knows nothing but the document. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { channelLines, serveOn, until } from '../channel.js';
import type { Test } from '../data.js';
import { packetHead } from '../faults/packets.js';
import { openReceiver } from '../faults/sockets.js';
import { type Answer, RawClient } from './raw_client.js';
import { readSnapshot } from './snapshot_check.js';

const flow = { simulate: { symbols: 8, messages: 30_000, liveOrders: 500 } };
const endless = { simulate: { symbols: 8, liveOrders: 500 }, rate: 20_000 };

async function serve(t: Test, number: number, more: ServeOptionsInput = {}): Promise<Distributor> {
  const made = new Distributor(serveOn(number, { ...flow, ...more }));
  t.teardown(() => made.close());
  await made.start();
  return made;
}

async function greet(t: Test, made: Distributor): Promise<{ client: RawClient; session: string }> {
  const { client, welcome } = await RawClient.open(String(made.control));
  t.teardown(() => client.close());
  t.equal(welcome.type, 'welcome');
  return { client, session: String(made.session) };
}

/** First and last number of each datagram. */
function numbersOf(answer: Answer): [number, number][] {
  return answer.datagrams.map((datagram) => {
    const { first, count } = packetHead(datagram);
    return [first, first + count - 1];
  });
}

function codes(answer: Answer): unknown[] {
  return (answer.done.refused as { first: string; last: string; code: string }[]).map((one) => [
    one.first,
    one.last,
    one.code,
  ]);
}

t.test('givesBackEveryDatagramAsItWasMulticast', async (t) => {
  const receiver = await openReceiver(channelLines(60).lineA);
  t.teardown(() => receiver.close());
  const received = new Map<number, Buffer>();
  receiver.on('message', (datagram) => {
    const { first, count } = packetHead(datagram);
    if (count > 0) received.set(first, datagram);
  });
  const made = await serve(t, 60, { rate: 15_000 });
  await made.ended;
  const { client, session } = await greet(t, made);
  const { sequence } = made.stats();
  const answer = await client.retransmit(session, [[1n, sequence]]);
  t.same(answer.done, {
    type: 'done',
    id: 1,
    sent: [['1', String(sequence)]],
    refused: [],
  });
  const numbers = numbersOf(answer);
  t.equal(numbers[0]?.[0], 1);
  t.equal(numbers.at(-1)?.[1], Number(sequence));
  t.ok(
    numbers.every(([first], index) => index === 0 || first === (numbers[index - 1]?.[1] ?? 0) + 1),
    'each once and in order',
  );
  t.ok(received.size > 100, `${received.size} were received by multicast`);
  const byFirst = new Map(answer.datagrams.map((datagram) => [packetHead(datagram).first, datagram]));
  const differing = [...received].filter(([first, datagram]) => !byFirst.get(first)?.equals(datagram));
  t.equal(differing.length, 0, 'the very bytes');
});

t.test('answersSeveralRangesInOneRequestEachDatagramOnce', async (t) => {
  const made = await serve(t, 61);
  await made.ended;
  const { client, session } = await greet(t, made);
  const ranges: [number, number][] = [
    [5, 5],
    [7, 8],
    [1_000, 1_500],
    [20_000, 20_000],
  ];
  const answer = await client.retransmit(session, ranges);
  t.same(
    answer.done.sent,
    ranges.map((range) => range.map(String)),
  );
  const numbers = numbersOf(answer);
  t.equal(new Set(numbers.map(([first]) => first)).size, numbers.length, 'each once');
  for (const [first, last] of ranges)
    for (let number = first; number <= last; number++)
      if (!numbers.some(([from, to]) => from <= number && number <= to)) t.fail(`${number} is missing`);
  t.ok(
    numbers.every(([from, to]) => ranges.some(([first, last]) => from <= last && to >= first)),
    'and no others',
  );
});

t.test('saysWhatCannotBeHadAndWhy', async (t) => {
  const made = await serve(t, 62, { ring: { bytes: 2 ** 20 } });
  await made.ended;
  const { client, session } = await greet(t, made);
  const welcome = client.texts[0] as unknown as { next: string; oldest: string };
  const [next, oldest] = [BigInt(welcome.next), BigInt(welcome.oldest)];
  t.equal(next, made.stats().sequence + 1n);
  t.ok(oldest > 1n, 'the ring has forgotten the beginning');
  const answer = await client.retransmit(session, [
    [1, 2],
    [oldest - 1n, oldest],
    [next - 1n, next + 5n],
    [next + 7n, next + 8n],
  ]);
  t.same(codes(answer), [
    ['1', '2', 'too_low'],
    [String(oldest - 1n), String(oldest - 1n), 'too_low'],
    [String(next), String(next + 5n), 'too_high'],
    [String(next + 7n), String(next + 8n), 'too_high'],
  ]);
  t.same(answer.done.sent, [
    [String(oldest), String(oldest)],
    [String(next - 1n), String(next - 1n)],
  ]);
  const wrong = await client.retransmit('42', [[1, 2]]);
  t.equal(wrong.done.code, 'wrong_session');
  const told = await client.text(({ type }) => type === 'session');
  t.equal(told.session, session);
  const none = await client.ask({ type: 'snapshot', session, before: '5' });
  t.equal(none.done.code, 'no_snapshot', 'no checkpoints are kept');
  t.equal(none.done.waitMs, undefined);
});

t.test('givesSnapshotsWholeAndProvedByTheirDigests', async (t) => {
  const made = await serve(t, 63);
  await made.ended;
  const { client, session } = await greet(t, made);
  const { counters, sequence } = made.stats();
  await until('the replica', () => made.stats().recovery.native.sequence === sequence);
  const answer = await client.ask({ type: 'snapshot', session });
  t.equal(answer.done.sequence, String(sequence));
  const found = readSnapshot(answer.datagrams);
  t.equal(found.sequence, sequence);
  t.equal(found.digest, counters.digest);
  t.equal(found.channelDigest, counters.digest);
  t.equal(BigInt(found.orders), counters.liveOrders);
  t.equal(found.definitions, 8);
  t.same(found.instruments, [0, 1, 2, 3, 4, 5, 6, 7, 8]);

  const chosen = readSnapshot((await client.ask({ type: 'snapshot', session, instruments: [2, 5] })).datagrams);
  t.same(chosen.instruments, [2, 5]);
  t.equal(chosen.definitions, 2);
  t.ok(chosen.orders < found.orders);

  const { native } = made.stats().recovery;
  t.ok((native.digestsChecked ?? 0n) > 0n, 'the replica compares digests');
  t.equal(native.mismatched, 0n);
  t.equal(native.snapshotsHeld, 0n, 'nothing is kept for those who have it');
});

t.test('joinsSnapshotAndLiveWhileMessagesCome', async (t) => {
  const made = await serve(t, 64, endless);
  await until('some messages', () => made.stats().sequence > 2_000n);
  const { client, session } = await greet(t, made);
  for (let round = 0; round < 5; round++) {
    const from = made.stats().sequence;
    const answer = await client.ask({ type: 'snapshot', session, from: String(from) });
    const { sequence, digest, channelDigest } = readSnapshot(answer.datagrams);
    t.equal(digest, channelDigest);
    // The publisher's figures may be behind the snapshot for a moment.
    await until('a message behind the snapshot', () => made.stats().sequence > sequence);
    const rest = await client.retransmit(session, [[sequence + 1n, made.stats().sequence]]);
    t.same(codes(rest), [], 'retransmission goes on where the snapshot ends');
  }
});

t.test('isPacedByTheBucketAndSaysWhenToComeBack', async (t) => {
  const made = await serve(t, 65, { recovery: { bytesPerSecond: 100_000, burstBytes: 65_536 } });
  await made.ended;
  const { client, session } = await greet(t, made);
  const { sequence } = made.stats();
  const answer = await client.retransmit(session, [[1n, sequence]]);
  const [refused] = answer.done.refused as { first: string; last: string; code: string; waitMs: number }[];
  t.equal(refused?.code, 'rate_limited');
  t.ok(Number(refused?.waitMs) > 100 && Number(refused?.waitMs) <= 30_000);
  t.ok(answer.bytes <= 65_536 + 100_000, `${answer.bytes} bytes came`);
  const sent = answer.done.sent as [string, string][];
  t.same(sent, [['1', String(BigInt(refused?.first ?? 0) - 1n)]], 'and it tells exactly what came');
  const next = BigInt(refused?.first ?? 0);
  await new Promise((resolve) => setTimeout(resolve, Number(refused?.waitMs) + 50));
  const later = await client.retransmit(session, [[next, next + 500n]]);
  t.same(later.done.sent, [[String(next), String(next + 500n)]], 'whoever waits as told is served');
  const snapshot = await client.ask({ type: 'snapshot', session });
  t.equal(snapshot.done.type, 'done', 'a snapshot may take the bucket into debt');
  let again = await client.ask({ type: 'snapshot', session });
  for (let round = 0; round < 5 && again.done.type === 'done'; round++)
    again = await client.ask({ type: 'snapshot', session });
  t.equal(again.done.code, 'rate_limited');
  t.ok(Number(again.done.waitMs) > 0);
});

t.test('cancelsAnAnswerThatIsOnItsWay', async (t) => {
  const made = await serve(t, 66, { recovery: { bytesPerSecond: 400_000, burstBytes: 65_536 } });
  await made.ended;
  const { client, session } = await greet(t, made);
  client.send({ type: 'retransmit', id: 9, session, ranges: [['1', String(made.stats().sequence)]] });
  client.send({ type: 'cancel', id: 9 });
  client.send({ type: 'cancel', id: 77 });
  const { done } = await client.answer(9);
  t.equal(done.type, 'done');
  const again = await client.retransmit(session, [[1, 1]]);
  t.ok(again.done.type === 'done' || again.done.code === 'rate_limited', 'the socket is still of use');
  t.equal(made.stats().recovery.service?.requestsOpen, 0);
});

t.test('refusesWhatIsWrongAndGoesOn', async (t) => {
  const made = await serve(t, 67);
  await made.ended;
  const { client, session } = await greet(t, made);
  const wrong: (object | string)[] = [
    'no json',
    '[]',
    '{"type":"nothing"}',
    { type: 'hello', version: 1, channel: 1 },
    { type: 'retransmit', id: 1, session, ranges: [] },
    { type: 'retransmit', id: 1, session, ranges: [['5', '4']] },
    { type: 'retransmit', id: 1, session, ranges: [['0', '4']] },
    {
      type: 'retransmit',
      id: 1,
      session,
      ranges: [
        ['5', '9'],
        ['9', '12'],
      ],
    },
    { type: 'retransmit', id: 1, session, ranges: [['1', '18446744073709551616']] },
    { type: 'retransmit', id: -1, session, ranges: [['1', '2']] },
    { type: 'retransmit', id: 1, session: 5, ranges: [['1', '2']] },
    { type: 'snapshot', id: 1, session, instruments: [] },
    { type: 'snapshot', id: 1, session, instruments: [3, 3] },
    { type: 'snapshot', id: 1, session, more: true },
  ];
  for (const message of wrong) client.send(message);
  await client.until(() => client.texts.filter(({ code }) => code === 'invalid').length === wrong.length, 'refusals');
  t.ok(client.texts.filter(({ code }) => code === 'invalid').every(({ message }) => typeof message === 'string'));
  const answer = await client.retransmit(session, [[1, 1]]);
  t.equal(answer.datagrams.length, 1);
  // But not for ever.
  for (let index = 0; index < 5; index++) client.send('rubbish');
  await client.until(() => client.closed !== undefined, 'the end');
  t.equal(client.closed?.code, 4_400);

  const { client: large } = await greet(t, made);
  large.send('x'.repeat(70_000));
  await large.until(() => large.closed !== undefined, 'the end of a huge frame');

  const { client: binary } = await greet(t, made);
  binary.socket.send(Buffer.from([1, 2, 3]));
  const refused = await binary.text(({ code }) => code === 'invalid');
  t.match(refused.message, /text/);
  t.ok((made.stats().recovery.service?.invalid ?? 0) > wrong.length);
});

t.test('letsInWhoeverMayComeInAndNobodyElse', async (t) => {
  const made = await serve(t, 68, { recovery: { token: 'sesame', clientsMax: 3 } });
  const control = String(made.control);
  const without = await RawClient.open(control);
  t.equal(without.welcome.code, 'unauthorised');
  await without.client.until(() => without.client.closed !== undefined, 'the end');
  t.equal(without.client.closed?.code, 4_401);
  const wrong = await RawClient.open(control, 1, 'sesamE');
  t.equal(wrong.welcome.code, 'unauthorised');
  const right = await RawClient.open(control, 1, 'sesame');
  t.equal(right.welcome.type, 'welcome');
  const channel = await RawClient.open(control, 2, 'sesame');
  t.equal(channel.welcome.code, 'invalid');
  const early = await RawClient.connect(control);
  early.send({ type: 'retransmit', id: 1, session: '1', ranges: [['1', '2']] });
  await early.until(() => early.closed !== undefined, 'the end');
  t.equal(early.closed?.code, 4_400);
  const version = await RawClient.connect(control);
  version.send({ type: 'hello', version: 2, channel: 1, token: 'sesame' });
  await version.until(() => version.closed !== undefined, 'the end');

  await t.rejects(RawClient.connect(control, { origin: 'http://example.com' }), /HTTP 403/);
  await t.rejects(RawClient.connect(control, { headers: { host: 'example.com' } }), /HTTP 403/);

  await until('the others to be gone', () => made.stats().recovery.service?.clients === 1);
  const second = await RawClient.open(control, 1, 'sesame');
  const third = await RawClient.open(control, 1, 'sesame');
  t.equal(third.welcome.type, 'welcome');
  const fourth = await RawClient.connect(control);
  await fourth.until(() => fourth.closed !== undefined, 'the end of the fourth');
  t.equal(fourth.closed?.code, 4_429);
  for (const { client } of [right, second, third]) client.close();
});

t.test('holdsLittleForAReaderThatDoesNotRead', async (t) => {
  const made = await serve(t, 69, { simulate: { symbols: 8, messages: 200_000, liveOrders: 500 } });
  await made.ended;
  const { client, session } = await greet(t, made);
  const { client: other } = await greet(t, made);
  client.socket.pause();
  const { sequence } = made.stats();
  for (let id = 1; id <= 8; id++)
    client.send({ type: 'retransmit', id: 100 + id, session, ranges: [['1', String(sequence)]] });
  // The kernel's buffers take some megabytes first.
  await until('a full socket', () => (made.stats().recovery.service?.bufferedBytes ?? 0) > 0);
  for (let round = 0; round < 20; round++) {
    const answer = await other.retransmit(session, [[round * 1_000 + 1, round * 1_000 + 900]]);
    t.same(codes(answer), [], 'others are served meanwhile');
  }
  const most = made.stats().recovery.service?.bufferedBytesMost ?? 0;
  t.ok(most <= 2 ** 20 + 262_144, `${most} bytes were waiting at most`);
  client.socket.resume();
  const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((id) => client.answer(100 + id)));
  for (const { done } of answers)
    t.ok(
      done.code === 'rate_limited' || (done.refused as { code: string }[]).every(({ code }) => code === 'rate_limited'),
    );
});

t.test('endsWithItsDistributorAtAnyMoment', async (t) => {
  for (let round = 0; round < 5; round++) {
    const made = await serve(t, 70, endless);
    const { client, session } = await greet(t, made);
    client.send({ type: 'snapshot', id: 1, session });
    client.send({ type: 'retransmit', id: 2, session, ranges: [['1', '5000000']] });
    if (round % 2 === 1) await client.answer(2);
    await made.close();
    await client.until(() => client.closed !== undefined, 'the end');
  }
});

t.test('servesFromTheJournalWhatTheRingHasForgotten', async (t) => {
  const state = t.testdir({});
  const journal = { checkpointMs: 200 };
  const made = await serve(t, 71, { ring: { bytes: 2 ** 20 }, state, journal, rate: 30_000 });
  await made.ended;
  const { client, session } = await greet(t, made);
  const { sequence, counters } = made.stats();
  const written = () => BigInt(made.stats().journal.sequence ?? 0n);
  await until('the journal', () => written() >= sequence);
  const answer = await client.retransmit(session, [[1n, sequence]]);
  t.same(answer.done.sent, [['1', String(sequence)]]);
  t.ok((made.stats().recovery.native.journalDatagrams ?? 0n) > 0n);
  await until('a checkpoint', () => (made.stats().recovery.native.checkpoints ?? 0n) > 0n);
  t.ok(readdirSync(join(state, 'checkpoints')).length > 0);
  const before = await client.ask({ type: 'snapshot', session, before: String(sequence) });
  const found = readSnapshot(before.datagrams);
  t.ok(found.sequence <= sequence);
  t.equal(found.digest, found.channelDigest);
  if (found.sequence === sequence) t.equal(found.digest, counters.digest);
});
