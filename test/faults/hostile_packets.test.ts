/**
 * Packets of somebody else, sent into the groups of a running feed: none of them crashes a subscriber or changes a book,
 * and each is counted under its own name. DEPTHCAST_SEED=n makes others.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Payload } from '../../src/generated/wire.js';
import { Distributor, FeedClient } from '../../src/index.js';
import { Command } from '../acceptance/command.js';
import { type FeedDump, type ItchCase, readItchCase } from '../acceptance/itch_case.js';
import { type Test, testWithData } from '../data.js';
import { compareWithExpected } from '../reference/dump.js';
import { forged_order, hostile_kinds, type Overheard } from './hostile.js';
import { controlUrl, type LineName, type LinePair, line_names, lineFlags, linePair } from './lines.js';
import { bookPacket, packetHead, seal } from './packets.js';
import { Random, seedsOf } from './random.js';
import { openReceiver, openSender } from './sockets.js';

/** Slow enough for an attack in the middle, also on a slow machine. */
const rate = 4_000;
const repeats = 5;
/** A session is silent while its subscriber gets no processor; nobody may take its place then. */
const patient = ['--silence-ms=30000', '--gap-wait-ms=1000'];

function bx(data: string): ItchCase {
  return readItchCase(join(data, 'itch-bx-2019-12-30'), 'bx.itch50');
}

interface Battle {
  t: Test;
  itch: ItchCase;
  number: number;
  /** Flags of each subscriber, under its name. */
  subscribers: Record<string, string[]>;
  /** Called once the feed runs; must be done before it ends. */
  attack: (lines: LinePair, heard: () => Overheard) => Promise<void>;
}

/** Publishes bx.itch50 to subscribers in processes of their own, attacks in the middle, returns their dumps at the end. */
async function battle({ t, itch, number, subscribers, attack }: Battle): Promise<Record<string, FeedDump>> {
  const lines = linePair(number);
  const control = controlUrl(number);
  const folder = t.testdir({});
  const commands = Object.entries(subscribers).map(([name, flags]) => {
    const dump = ['--view=none', '--l3', `--dump=${join(folder, name)}.json`];
    const command = new Command(t, [
      'subscribe',
      `--control=${control}`,
      ...lineFlags(lines),
      ...dump,
      ...patient,
      ...flags,
    ]);
    return { name, command };
  });
  const server = new Distributor({
    lineA: lines.A,
    lineB: lines.B,
    control,
    source: `itch:${itch.file}`,
    rate,
    waitSubscribers: commands.length,
    waitTimeoutMs: 60_000,
    heartbeatMs: 20,
    digestMessages: 200,
  });
  t.teardown(() => server.close());

  const ear = await openReceiver(lines.A);
  t.teardown(() => ear.close());
  let datagram: Buffer | undefined;
  let next = 0;
  // The first to speak is the publisher.
  let publisher_port: number | undefined;
  ear.on('message', (message, { port }) => {
    publisher_port ??= port;
    if (port !== publisher_port) return;
    const head = packetHead(message);
    next = Math.max(next, head.first + head.count);
    if (head.payload === Payload.BookMessages) datagram = message;
  });
  const heard = (): Overheard => {
    if (datagram === undefined) throw new Error('nothing was overheard');
    return { datagram, channel: 1, session: server.session, next: BigInt(next) };
  };

  await server.start();
  for (const begin = Date.now(); next < 2_000; await new Promise((resolve) => setTimeout(resolve, 5)))
    if (Date.now() - begin > 60_000) throw new Error(`the feed stands at ${next}`);
  await attack(lines, heard);
  const { position } = server.stats();
  t.ok(position < 12_000n, `the attack was over while the feed ran: at message ${position} of the source`);
  t.equal((await server.ended).reason, 'end');

  const dumps: Record<string, FeedDump> = {};
  for (const { name, command } of commands) {
    const { end, stderr } = await command.result(30_000);
    t.equal(end, 'exit code 0', `${name} ended well:\n${stderr}`);
    dumps[name] = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as FeedDump;
  }
  return dumps;
}

/** Books, order by order, digests and completeness. */
function checkBooks(t: Test, itch: ItchCase, name: string, dump: FeedDump): void {
  const { missing, counters } = dump;
  t.strictSame(compareWithExpected(dump, itch.expected), [], `${name}: every book is what it must be`);
  t.strictSame(missing, [], `${name}: nothing is missing`);
  t.strictSame(
    [counters.digestsMismatched, counters.whole, counters.sessions],
    [0, 1, 1],
    `${name}: no digest differs`,
  );
}

async function openSenders(
  t: Test,
  lines: LinePair,
  address?: string,
): Promise<(line: LineName, datagram: Buffer) => Promise<void>> {
  const sockets = { A: await openSender(lines.A, address), B: await openSender(lines.B, address) };
  t.teardown(() => {
    for (const line of line_names) sockets[line].close();
  });
  return (line, datagram) =>
    new Promise((resolve, reject) =>
      sockets[line].send(datagram, (error) => (error === null ? resolve() : reject(error))),
    );
}

for (const seed of seedsOf(1)) {
  testWithData('hostilePacketsOfEveryKindAreCountedAndChangeNothing', async (t, data) => {
    t.comment(`seed ${seed}`);
    const itch = bx(data);
    const random = new Random(seed);
    const sent: Record<string, number> = {};
    const { subscriber } = await battle({
      t,
      itch,
      number: 50,
      subscribers: { subscriber: [] },
      attack: async (lines, heard) => {
        const send = await openSenders(t, lines);
        for (let round = 0; round < repeats; round++)
          for (const { counter, make } of hostile_kinds)
            for (const line of line_names) {
              await send(line, make(heard(), random));
              sent[counter] = (sent[counter] ?? 0) + 1;
            }
      },
    });
    const dump = subscriber as FeedDump;
    checkBooks(t, itch, 'subscriber', dump);
    const counted = Object.fromEntries(Object.keys(sent).map((counter) => [counter, dump.counters[counter]]));
    t.strictSame(counted, sent, `${hostile_kinds.length} kinds of packets, each under its own counter`);
    t.equal(dump.counters.definitionsRefused, 0);
    t.equal(dump.counters.unknownKinds, 0);
  });

  testWithData('mutatedPacketsAreAllCountedAndChangeNothing', async (t, data) => {
    t.comment(`seed ${seed}`);
    const itch = bx(data);
    const random = new Random(seed);
    const mutations = 4_000;
    const { subscriber } = await battle({
      t,
      itch,
      number: 51,
      subscribers: { subscriber: [] },
      attack: async (lines, heard) => {
        const send = await openSenders(t, lines);
        for (let count = 0; count < mutations; count++) {
          // Of a session that no change of a few bits makes ours: whatever gets past the CRC is foreign.
          const { datagram, session } = heard();
          const mutant = Buffer.from(datagram);
          const at = mutant.indexOf(sessionBytes(session));
          sessionBytes(BigInt.asUintN(64, ~session)).copy(mutant, at);
          for (let changes = 1 + random.below(3); changes > 0; changes--) {
            const byte = 16 + random.below(mutant.length - 16);
            // Not the session itself.
            if (byte < at || byte >= at + 8) mutant[byte] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
          }
          await send(random.pick(line_names), count % 2 === 0 ? seal(mutant) : mutant);
        }
      },
    });
    const dump = subscriber as FeedDump;
    checkBooks(t, itch, 'subscriber', dump);
    const { counters } = dump;
    const refused = Object.entries(counters).filter(
      ([name]) =>
        (name.startsWith('packet.') && name !== 'packet.ok') || name === 'foreignSession' || name === 'foreignChannel',
    );
    const total = refused.reduce((sum, [, count]) => sum + Number(count), 0);
    t.equal(total, mutations, `every one was counted: ${JSON.stringify(Object.fromEntries(refused))}`);
    for (const name of ['packet.wrong_crc', 'packet.malformed', 'packet.inconsistent', 'foreignSession'])
      t.ok(Number(counters[name]) > 10, `${name}: ${counters[name]}`);
  });
}

function sessionBytes(session: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(session);
  return bytes;
}

testWithData('sendersOfOtherAddressesAreRefusedByFilterAndBySourceSpecificJoin', async (t, data) => {
  const itch = bx(data);
  const forgeries = 40;
  // One that is to hear nothing: the publisher is not among its sources.
  const lines_all = linePair(52);
  const deaf = new FeedClient({
    lineA: lines_all.A,
    lineB: lines_all.B,
    control: null,
    sources: ['127.0.0.9'],
    limits: { orders: 1_024, instruments: 16 },
  });
  t.teardown(() => deaf.close());
  await deaf.start();
  const { open, filtered, specific } = (await battle({
    t,
    itch,
    number: 52,
    subscribers: {
      open: [],
      filtered: ['--sources=127.0.0.1'],
      specific: ['--sources=127.0.0.1', '--source-specific'],
    },
    attack: async (lines, heard) => {
      const send = await openSenders(t, lines, '127.0.0.2');
      // Sound packets with the next numbers: who lets them in has other books than the publisher.
      for (let count = 0; count < forgeries / 2; count++)
        for (const line of line_names) {
          const { channel, session, next } = heard();
          const first = next + BigInt(20 * count);
          await send(line, bookPacket({ channel, session, first, position: 1n }, [forged_order]));
        }
    },
  })) as Record<'open' | 'filtered' | 'specific', FeedDump>;

  // When the attack is over it may find back in time for the end.
  t.ok(Number(open.counters.instrumentGaps) > 0, 'whoever listens to anybody is deceived, and knows it');
  t.equal(filtered.counters.instrumentGaps, 0);
  checkBooks(t, itch, 'filtered', filtered);
  const refused = (dump: FeedDump) => Number(dump.counters.foreignSourcesA) + Number(dump.counters.foreignSourcesB);
  t.equal(refused(filtered), forgeries, 'the filter counts each of them');
  checkBooks(t, itch, 'specific', specific);
  t.equal(refused(specific), 0, 'the kernel keeps them from a source-specific member');

  const { sequence, counters } = deaf.stats();
  t.equal(sequence, 0n, 'nothing is applied of a publisher that is not among the sources');
  t.strictSame([counters.datagramsA, counters.datagramsB, counters.session], [0n, 0n, 0n]);
  t.ok(Number(counters.foreignSourcesA) > 1_000, `${counters.foreignSourcesA} datagrams refused on line A`);
});
