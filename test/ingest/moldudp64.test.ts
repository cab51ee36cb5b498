/** MoldUDP64 against a sender and re-request server of its own: loss, order, sessions, bad lengths, and captures of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import { SeededRandom } from '../../src/faults/random.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { classicCapture, nextGenerationCapture, udpFrame } from './capture.js';
import { cutOff } from './cut_off.js';
import { feedDistributor, type Outcome, outcomeOf, runSource } from './feeds.js';
import { simulatedDay } from './itch_day.js';
import { type Destination, MoldServer, mold_end_of_session, moldPacket, moldPackets } from './mold_server.js';

const line = 241;
const { A: inputA, B: inputB } = linePair(242);
const destinationB = { group: inputB.group, port: inputA.port };

function sourceOf(server: MoldServer | undefined, moldudp64: ServeOptionsInput['moldudp64'] = {}): ServeOptionsInput {
  return {
    source: `moldudp64:${inputA.group}:${inputA.port}`,
    moldudp64: { servers: server === undefined ? [] : [server.address], ...moldudp64 },
  };
}

async function opened(t: Test, messages: readonly Buffer[], session = 'DAY1'): Promise<MoldServer> {
  const server = await MoldServer.open(session, messages);
  t.teardown(() => server.close());
  return server;
}

/** Sends with pauses, so that no socket buffer overflows. */
async function sendAll(server: MoldServer, to: Destination, packets: readonly Buffer[]): Promise<void> {
  for (const [index, packet] of packets.entries()) {
    await server.send(to, packet);
    if (index % 64 === 63) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function expectedOf(t: Test, file: string): Promise<Outcome> {
  return await runSource(t, line, { source: `itch:${file}` });
}

t.test('lossOrderAndRepetitionChangeNothing', async (t) => {
  const { file, messages } = await simulatedDay(t, 6_000n);
  const expected = await expectedOf(t, file);
  const server = await opened(t, messages);
  const made = feedDistributor(t, line, sourceOf(server));
  await made.start();
  const random = new SeededRandom(5);
  const packets = moldPackets('DAY1', messages, 7).filter((_, index) => index === 0 || random.between(0, 9) !== 0);
  for (let at = 1; at + 4 < packets.length; at++)
    if (random.between(0, 4) === 0) {
      const later = at + random.between(0, 3);
      [packets[at], packets[later]] = [packets[later] as Buffer, packets[at] as Buffer];
    }
  server.ignore = 2;
  await sendAll(server, inputA, packets);
  await sendAll(server, inputA, packets.slice(0, 50));
  await server.end(inputA);
  t.same(outcomeOf(made, await made.ended), expected);
  const { source } = made.stats();
  t.ok((source.feedRequests ?? 0n) > 2n, 'asked, and asked again');
  t.ok((source.feedDuplicates ?? 0n) > 300n);
  t.equal(source.feedLost, 0n);
  t.ok(server.requests.every(({ sequence, count }) => sequence >= 1 && count >= 1 && count <= 1_000));
});

t.test('twoLinesCutDifferentlyNeedNoRequests', async (t) => {
  const { file, messages } = await simulatedDay(t, 3_000n);
  const expected = await expectedOf(t, file);
  const server = await opened(t, messages);
  const made = feedDistributor(t, line, sourceOf(undefined, { groupB: destinationB.group }));
  await made.start();
  const a = moldPackets('DAY1', messages, 5).filter((_, index) => index % 3 !== 1);
  const b = moldPackets('DAY1', messages, 8);
  const hole = b.filter((_, index) => index % 100 !== 99);
  t.ok(hole.length < b.length);
  await sendAll(server, destinationB, b);
  await sendAll(server, inputA, a);
  await server.end(inputA);
  t.same(outcomeOf(made, await made.ended), expected);
});

t.test('malformedPacketsAndOtherSessionsAreCountedAndDropped', async (t) => {
  const { file, messages } = await simulatedDay(t, 400n);
  const expected = await expectedOf(t, file);
  const server = await opened(t, messages);
  const made = feedDistributor(t, line, sourceOf(server));
  await made.start();
  const packets = moldPackets('DAY1', messages, 10);
  await server.send(inputA, packets[0] as Buffer);
  const next = packets[1] as Buffer;
  const hostile = [
    Buffer.alloc(0),
    next.subarray(0, 19),
    next.subarray(0, next.length - 1),
    Buffer.concat([next, Buffer.from([0])]),
    moldPacket('DAY1', 11, messages.slice(10, 20), 11),
    moldPacket('DAY1', 11, messages.slice(10, 20), 9),
    moldPacket('DAY1', 0, []),
  ];
  for (const packet of hostile) await server.send(inputA, packet);
  await server.send(inputA, moldPacket('DAY2', 11, messages.slice(0, 10)));
  await server.send(inputA, moldPacket('DAY2', 5, [], mold_end_of_session));
  await sendAll(server, inputA, packets.slice(1));
  await server.end(inputA);
  t.same(outcomeOf(made, await made.ended), expected);
  t.match(made.stats().source, { feedMalformed: BigInt(hostile.length), feedOtherSession: 2n });
});

t.test('messagesThatNobodyGivesEndTheSourceOrAreSkipped', async (t) => {
  const { messages } = await simulatedDay(t, 100n);
  const server = await opened(t, messages);
  const packets = moldPackets('DAY1', messages, 10);
  packets.splice(3, 2);
  const run = async (lost: 'fault' | 'skip') => {
    const made = feedDistributor(t, line, sourceOf(undefined, { lost, giveUpMs: 50 }));
    await made.start();
    await sendAll(server, inputA, packets);
    await server.end(inputA);
    return { end: await made.ended, source: made.stats().source };
  };
  const fault = await run('fault');
  t.match(fault.end, { reason: 'fault', position: 30n, message: /messages 31 to 50 of session DAY1/ });
  const skip = await run('skip');
  t.match(skip.end, { reason: 'end', position: 100n });
  t.equal(skip.source.feedLost, 20n);
});

t.test('aSessionThatFallsSilentForAnotherOneEndsTheSource', async (t) => {
  const { messages } = await simulatedDay(t, 40n);
  const server = await opened(t, messages);
  const made = feedDistributor(t, line, sourceOf(server, { silenceMs: 50 }));
  await made.start();
  await sendAll(server, inputA, moldPackets('DAY1', messages, 10));
  await until('the messages', () => made.stats().position === 40n);
  const timer = setInterval(() => void server.send(inputA, moldPacket('DAY2', 1, [])), 10);
  t.teardown(() => clearInterval(timer));
  t.match(await made.ended, { reason: 'fault', position: 40n, message: /the end of session DAY1/ });
});

t.test('aLateStartAndARestartAskForWhatCameBefore', async (t) => {
  const { file, messages } = await simulatedDay(t, 2_000n);
  const expected = await expectedOf(t, file);
  const server = await opened(t, messages);
  const state = join(t.testdir({}), 'state');
  const packets = moldPackets('DAY1', messages, 10);
  const beating = setInterval(() => void server.send(inputA, moldPacket('DAY1', 1_001, [])), 20);
  t.teardown(() => clearInterval(beating));
  t.equal(await cutOff(t, { ...sourceOf(server), state }, line, 1_000n), 1_000n);
  clearInterval(beating);
  const made = feedDistributor(t, line, { ...sourceOf(server), state });
  await made.start();
  t.ok(made.begin.continued, made.begin.reason);
  await sendAll(server, inputA, packets.slice(150));
  await server.end(inputA);
  const { end, sequence, digest } = outcomeOf(made, await made.ended);
  t.same({ end, sequence, digest }, { end: expected.end, sequence: expected.sequence, digest: expected.digest });
});

t.test('capturesOfEveryKindGiveWhatTheFileGives', async (t) => {
  const { file, messages } = await simulatedDay(t, 2_000n);
  const expected = await expectedOf(t, file);
  const folder = t.testdir({});
  const packets = moldPackets('DAY1', messages, 9);
  packets.push(moldPacket('DAY1', messages.length + 1, [], mold_end_of_session));
  const swapped = packets.toSpliced(3, 2, packets[4] as Buffer, packets[3] as Buffer);
  const frames = (link: number, list: readonly Buffer[] = swapped) =>
    list.flatMap((packet) => [
      udpFrame(packet, { group: '239.192.60.9', port: 26_477, link }),
      udpFrame(Buffer.from('else'), { group: '239.192.60.8', port: 26_478, link }),
    ]);
  const captures: Record<string, Buffer> = {
    'ethernet.pcap': classicCapture(frames(1), { link: 1 }),
    'vlan.pcap': classicCapture(
      swapped.map((packet) => udpFrame(packet, { group: '239.192.60.9', port: 26_477, link: 1, vlan: 7 })),
      { link: 1 },
    ),
    'big.pcap': classicCapture(frames(101), { link: 101, big: true, nanoseconds: true }),
    'cooked.pcap': classicCapture(frames(113), { link: 113 }),
    'next.pcapng': nextGenerationCapture(frames(1), 1),
    'packed.pcap.gz': gzipSync(classicCapture(frames(228), { link: 228 })),
  };
  for (const [name, bytes] of Object.entries(captures)) {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const options = { source: `pcap:${path}`, pcap: { groups: ['239.192.60.9'], port: 26_477 } };
    t.same(await runSource(t, line, options), expected, name);
  }
  const cut = join(folder, 'cut.pcap');
  writeFileSync(cut, (captures['ethernet.pcap'] as Buffer).subarray(0, -5_000));
  const { end } = await runSource(t, line, { source: `pcap:${cut}`, pcap: { port: 26_477 } });
  t.match(end, { reason: 'end' }, 'as far as it goes');
  t.ok(end.position > 1_800n && end.position < 2_000n);
});

t.test('capturesThatLackMessagesOrAreNoneSayWhatIsWrong', async (t) => {
  const { messages } = await simulatedDay(t, 100n);
  const folder = t.testdir({});
  const packets = moldPackets('DAY1', messages, 10).toSpliced(4, 1);
  const file = join(folder, 'lacking.pcap');
  writeFileSync(
    file,
    classicCapture(
      packets.map((packet) => udpFrame(packet, { group: '239.1.1.1', port: 1, link: 1 })),
      { link: 1 },
    ),
  );
  const fault = await runSource(t, line, { source: `pcap:${file}` });
  t.match(fault.end, { reason: 'fault', position: 40n, message: /messages 41 to 50 of session DAY1/ });
  const skip = await runSource(t, line, { source: `pcap:${file}`, moldudp64: { lost: 'skip' } });
  t.match(skip.end, { reason: 'end', position: 100n });
  const none = await runSource(t, line, { source: `pcap:${file}`, pcap: { port: 2 } });
  t.match(none.end, { reason: 'fault', message: /but the capture has none/ });
  writeFileSync(file, 'no capture at all');
  t.match((await runSource(t, line, { source: `pcap:${file}` })).end, { reason: 'fault', message: /a capture \(pcap/ });
});

t.test('capturesArePacedByTheTimeOfTheirCapture', async (t) => {
  const { messages } = await simulatedDay(t, 100n);
  const file = join(t.testdir({}), 'paced.pcap');
  const frames = moldPackets('DAY1', messages, 10).map((packet) =>
    udpFrame(packet, { group: '239.1.1.1', port: 1, link: 1 }),
  );
  writeFileSync(file, classicCapture(frames, { link: 1, stepUs: 50_000 }));
  const made = feedDistributor(t, line, { source: `pcap:${file}`, speed: '2x' });
  const begin = performance.now();
  await made.start();
  t.match(await made.ended, { reason: 'end', position: 100n });
  t.ok(performance.now() - begin >= 220, '450 ms of capture at twice the speed');
});
