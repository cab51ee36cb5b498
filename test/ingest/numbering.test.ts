/**
 * One numbering from one input: two distributors, the same input, other speed, batching and datagrams, one of them killed
 * on the way. Every message, instrument sequence, event and digest must be equal at every number.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { addJournal } from '../../src/chaos/journal_log.js';
import { MessageLog } from '../../src/chaos/message_log.js';
import type { ServeOptionsInput } from '../../src/config.js';
import { datagramHead } from '../../src/faults/datagram.js';
import { Heartbeat, Payload } from '../../src/generated/wire.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { cutOff } from './cut_off.js';
import { feedDistributor } from './feeds.js';
import { simulatedDay } from './itch_day.js';
import { SoupServer } from './soup_server.js';

const session = 77n;
const [slow, fast] = [243, 244];

/** Valid digests of a journal's heartbeats, by the number that they refer to. */
function digestsOf(folder: string): Map<bigint, bigint> {
  const digests = new Map<bigint, bigint>();
  const heartbeat = new Heartbeat();
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.dcj'))) {
    const bytes = readFileSync(join(folder, name));
    for (let at = 128; at + 16 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at);
      const head = bytes.readUInt8(at + 4) === 1 ? datagramHead(bytes.subarray(at + 16, at + 16 + length)) : undefined;
      if (head?.packet.payloadType() === Payload.Heartbeat && head.packet.payload(heartbeat) !== null) {
        if (heartbeat.digestValid()) digests.set(head.packet.firstSequence() - 1n, heartbeat.digest());
      }
      at = (at + 16 + length + 7) & ~7;
    }
  }
  return digests;
}

function optionsOf(state: string, source: ServeOptionsInput, datagramBytes: number, more: ServeOptionsInput) {
  return { state, session, source: '', digestMessages: 50, heartbeatMs: 20, ...source, ...more, datagramBytes };
}

type Run = ReturnType<typeof optionsOf>;

function distributorOf(t: Test, number: number, { datagramBytes, ...options }: Run) {
  return feedDistributor(t, number, { ...options, lineA: { ...linePair(number).A, datagramBytes } });
}

async function compare(t: Test, folders: [string, string], messages: bigint): Promise<void> {
  const log = new MessageLog();
  const known = folders.map((folder) => addJournal(join(folder, 'journal'), log));
  t.ok((known[0] ?? 0) > Number(messages) * 0.9, `${known[0]} messages`);
  t.equal(known[1], 0, 'the other journal has no number more');
  t.same(log.sessions, [session]);
  t.equal(log.session(session).conflicts, 0, 'every message is the same under its number');
  const [left, right] = folders.map((folder) => digestsOf(join(folder, 'journal'))) as [
    Map<bigint, bigint>,
    Map<bigint, bigint>,
  ];
  const common = [...left.keys()].filter((sequence) => right.has(sequence));
  t.ok(common.length >= 5, `${common.length} digests of the same number`);
  t.same(
    common.filter((sequence) => left.get(sequence) !== right.get(sequence)),
    [],
  );
}

t.test('aFileIsNumberedAlikeAtAnySpeedCutInAnyWayAndAfterACrash', async (t) => {
  const { file, messages } = await simulatedDay(t, 20_000n);
  const folder = t.testdir({});
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const source = { source: `itch:${file}` };
  const steady = distributorOf(t, slow, optionsOf(one, source, 512, { rate: 40_000, wait: 'yield' }));
  await steady.start();
  const jumpy = optionsOf(two, source, 8_952, { rate: 100_000 });
  const { datagramBytes, ...rest } = jumpy;
  await cutOff(t, { ...rest, lineA: { ...linePair(fast).A, datagramBytes } }, fast, 6_000n);
  const resumed = distributorOf(t, fast, { ...jumpy, rate: 0 });
  await resumed.start();
  t.ok(resumed.begin.continued, resumed.begin.reason);
  const ends = [await steady.ended, await resumed.ended];
  t.match(ends, [
    { reason: 'end', position: 20_000n },
    { reason: 'end', position: 20_000n },
  ]);
  t.equal(steady.stats().counters.digest, resumed.stats().counters.digest);
  t.equal(steady.stats().sequence, resumed.stats().sequence);
  await compare(t, [one, two], BigInt(messages.length));
});

t.test('aFeedThatTwoFollowIsNumberedAlikeThoughOneIsKilledAndTheConnectionCut', async (t) => {
  const { messages } = await simulatedDay(t, 8_000n, 12n);
  const server = await SoupServer.listen();
  server.password = '';
  t.teardown(() => server.close());
  server.messages.push(...messages);
  server.released = 3_000;
  const folder = t.testdir({});
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const source = { source: `soupbintcp:127.0.0.1:${server.port}`, soupbintcp: { backoffMs: 5, backoffMsMax: 20 } };
  const steady = distributorOf(t, slow, optionsOf(one, source, 1_400, {}));
  await steady.start();
  const jumpy = optionsOf(two, source, 600, {});
  const { datagramBytes, ...rest } = jumpy;
  await cutOff(t, { ...rest, lineA: { ...linePair(fast).A, datagramBytes } }, fast, 3_000n);
  const resumed = distributorOf(t, fast, jumpy);
  await resumed.start();
  t.ok(resumed.begin.continued, resumed.begin.reason);
  for (const released of [3_500, 4_321, 6_000]) {
    server.released = released;
    server.push();
    await until('those', () => steady.stats().position === BigInt(released));
    const logins = server.logins.length;
    server.drop();
    await until('both again', () => server.logins.length >= logins + 2);
  }
  server.released = messages.length;
  server.complete = true;
  server.push();
  t.match(await Promise.all([steady.ended, resumed.ended]), [{ position: 8_000n }, { position: 8_000n }]);
  await compare(t, [one, two], BigInt(messages.length));
});
