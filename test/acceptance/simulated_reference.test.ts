/**
 * The simulated exchange's flow through `depthcast`'s publisher and a subscriber in another process, against the
 * independent reference: every order of 1,000 books at several positions and at the end, and digests all the way.
 *
 * 500,000 messages; with DEPTHCAST_FULL=1, 5,000,000 (some minutes). DEPTHCAST_SEED=n takes another flow.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Distributor } from '../../src/index.js';
import type { Test } from '../data.js';
import { controlUrl, lineFlags, linePair } from '../faults/lines.js';
import { seedsOf } from '../faults/random.js';
import { type ReferenceBooks, replayItch } from '../reference/book.js';
import { type DumpInstrument, makeDump } from '../reference/dump.js';
import type { ItchReader } from '../reference/itch_reader.js';
import { Command } from './command.js';
import type { FeedDump } from './itch_case.js';

const full = process.env.DEPTHCAST_FULL === '1';
const messages = full ? 5_000_000 : 500_000;
const live_orders = full ? 200_000 : 50_000;
const symbols = 1_000;
const rate = 300_000;
const digest_messages = 1_000;
const positions = [0.1, 0.35, 0.6, 0.85].map((share) => Math.floor(share * messages));
const lines = linePair(5);
const number = 5;
const ms_max = full ? 600_000 : 60_000;

t.setTimeout(900_000);

/** Runs a command to its end and returns what it printed. */
async function run(t: Test, ...parameters: string[]): Promise<string> {
  const { end, stdout, stderr } = await new Command(t, parameters).result(ms_max);
  t.equal(end, 'exit code 0', `${parameters[0]} ended well:\n${stderr}`);
  return stdout;
}

function hashOfFile(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Instruments that differ from the reference, one readable line each. */
function differences(instruments: Record<string, DumpInstrument>, expected: Record<string, DumpInstrument>): string[] {
  const found: string[] = [];
  for (const symbol of new Set([...Object.keys(expected), ...Object.keys(instruments)])) {
    const [actual, wanted] = [instruments[symbol], expected[symbol]].map((instrument) =>
      JSON.stringify(instrument && [instrument.live_orders, instrument.bids, instrument.asks]),
    );
    if (actual === wanted) continue;
    let at = 0;
    while (actual?.[at] !== undefined && actual[at] === wanted?.[at]) at++;
    found.push(`${symbol}: …${actual?.slice(at, at + 80)}, expected …${wanted?.slice(at, at + 80)}`);
  }
  return found.slice(0, 10);
}

interface FeedOutcome {
  dumps: Map<number, FeedDump>;
  last: FeedDump;
  publisher: Record<string, bigint>;
}

/** Publishes the file from this process and has another one dump it at the positions and at the end. */
async function throughTheFeed(t: Test, file: string, folder: string): Promise<FeedOutcome> {
  const control = controlUrl(number);
  const server = new Distributor({
    lineA: { ...lines.A, datagramBytes: 1_400 },
    lineB: { ...lines.B, datagramBytes: 704 },
    control,
    source: `itch:${file}`,
    rate,
    waitSubscribers: 1,
    waitTimeoutMs: 60_000,
    digestMessages: digest_messages,
    heartbeatMs: 20,
  });
  t.teardown(() => server.close());
  const subscriber = new Command(t, [
    'subscribe',
    ...lineFlags(lines),
    `--control=${control}`,
    `--dump=${join(folder, 'books.json')}`,
    `--dump-at=${positions.join()}`,
    '--l3',
    '--view=none',
  ]);
  await server.start();
  const source_end = await server.ended;
  t.equal(source_end.reason, 'end', source_end.message);
  const publisher = server.stats().counters;
  const { end, stderr } = await subscriber.result(ms_max);
  t.equal(end, 'exit code 0', `subscribe ended well:\n${stderr}`);
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as FeedDump;
  return {
    dumps: new Map(positions.map((position) => [position, read(`books.${position}.json`)])),
    last: read('books.json'),
    publisher,
  };
}

/** The reference's books at the positions and at the end, compared on the way. */
function compareWithReference(t: Test, bytes: Buffer, { dumps, last }: FeedOutcome) {
  const check = (where: string, dump: FeedDump, books: ReferenceBooks) => {
    const expected = makeDump(books, { l3: true }).instruments;
    t.strictSame(
      differences(dump.instruments, expected),
      [],
      `${where}: ${books.live_orders} orders as in the reference`,
    );
    t.equal(Object.keys(dump.instruments).length, symbols, `${where}: every symbol is there`);
  };
  const { books, reader } = replayItch(bytes, (_message, position, _book, now) => {
    const dump = dumps.get(position);
    if (dump !== undefined) check(`position ${position}`, dump, now);
  });
  check('the end', last, books);
  t.strictSame(Object.values(books.skipped), [{}, {}, {}, {}, {}], 'the reference skipped nothing');
  t.ok(books.live_orders > live_orders / 2, `${books.live_orders} live orders at the end`);
  return reader;
}

function checkDigests(t: Test, { last, publisher }: FeedOutcome): void {
  const { counters } = last;
  t.strictSame(
    last.missing,
    [],
    `nothing is missing (kernel drops: ${counters.kernelDropsA}, ${counters.kernelDropsB})`,
  );
  t.equal(BigInt(`0x${last.digest}`), publisher.digest, "the subscriber's digest is the writer's at the end");
  t.equal(BigInt(last.sequence), publisher.sequence, 'and so is the sequence');
  t.strictSame(
    [counters.digestsMismatched, counters.digestsUnchecked, counters.whole],
    [0, 0, 1],
    'no digest differed or went unchecked',
  );
  const least = Number(publisher.sequence) / digest_messages;
  t.ok(Number(counters.digestsChecked) >= least, `${counters.digestsChecked} digests agreed, at least ${least} wanted`);
  t.ok(Number(publisher.heartbeats) >= least, `published at ${publisher.heartbeats} points`);
}

interface Inspection {
  messages: number;
  bytes: number;
  types: Record<string, number>;
  symbols: string[];
  fault: unknown;
}

async function compareInspection(t: Test, file: string, reader: ItchReader, names: string[]): Promise<void> {
  const inspection = JSON.parse(await run(t, 'inspect', '--json', file)) as Inspection;
  t.strictSame(
    [inspection.messages, inspection.bytes, inspection.fault],
    [reader.message_count, reader.parsed_bytes, null],
    'inspect counts messages and bytes as the reader does',
  );
  t.strictSame(inspection.types, reader.types, 'and each type');
  t.strictSame([...inspection.symbols].sort(), names, 'and finds the same symbols');
  t.strictSame([reader.unknown_types, reader.bad_length, reader.framing_error], [{}, {}, null], 'the file is sound');
}

for (const seed of seedsOf(20_191_230))
  t.test(`simulated${messages}MessagesGiveTheBooksOfTheReference`, async (t) => {
    const begin = performance.now();
    const took = (what: string) => t.comment(`${what}: ${((performance.now() - begin) / 1_000).toFixed(1)} s`);
    t.comment(`seed ${seed}`);
    const folder = t.testdir({});
    const simulate = (name: string, of_seed: number) =>
      run(
        t,
        'simulate',
        `--out=${join(folder, name)}`,
        `--messages=${messages}`,
        `--seed=${of_seed}`,
        `--symbols=${symbols}`,
        `--live-orders=${live_orders}`,
      );
    await simulate('flow.itch50', seed);
    took('simulated');
    const file = join(folder, 'flow.itch50');
    const outcome = await throughTheFeed(t, file, folder);
    took('served and dumped');
    checkDigests(t, outcome);
    const reader = compareWithReference(t, readFileSync(file), outcome);
    t.equal(reader.message_count, messages, 'as many messages as asked for');
    took('compared with the reference');
    await compareInspection(t, file, reader, Object.keys(outcome.last.instruments).sort());

    await simulate('again.itch50', seed);
    await simulate('other.itch50', seed + 1);
    const hash = hashOfFile(file);
    t.equal(hashOfFile(join(folder, 'again.itch50')), hash, 'the same seed gives the same bytes');
    t.not(hashOfFile(join(folder, 'other.itch50')), hash, 'another seed gives others');
    took('all');
  });
