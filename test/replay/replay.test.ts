/** Live and replayed feeds are the same feed: the same client code, the same events, the same updates, the same books. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import { FeedClient } from '../../src/feed_client.js';
import { addon } from '../../src/native.js';
import type { ReplayOptionsInput } from '../../src/replay/options.js';
import { Replay, type ReplayEnd } from '../../src/replay/replay.js';
import { channelLines, limits, serveOn, subscribeOn } from '../channel.js';
import type { Test } from '../data.js';
import { type Recording, record, updateText } from './recording.js';

const flow = { seed: 5n, symbols: 6, messages: 20_000n, liveOrders: 400, messageIntervalNs: 50_000 };
const day = '2024-05-06';

/** An ITCH file, and a journal of it. */
async function prepared(t: Test): Promise<{ file: string; journal: string }> {
  const folder = t.testdir({});
  const file = join(folder, 'flow.itch50');
  await addon.simulateToFile(file, flow);
  const journal = join(folder, 'journal');
  const { end } = await replayed({ source: file, date: day, output: 'journal', outJournal: journal });
  t.same(end.missing, []);
  return { file, journal };
}

/** A replay's updates as texts. */
async function replayed(options: ReplayOptionsInput): Promise<{ end: ReplayEnd; updates: string[] }> {
  const replay = await Replay.open({ limits, ...options });
  try {
    const updates: string[] = [];
    const end = await replay.run({
      onUpdates: (batch) => {
        for (let row = 0; row < batch.count; row++) updates.push(updateText(batch, row));
      },
    });
    return { end, updates };
  } finally {
    replay.close();
  }
}

/** What a client tells of a feed that `feed` sends once the client listens. */
async function followed(
  t: Test,
  number: number,
  control: string | null,
  feed: () => Promise<unknown>,
): Promise<Recording> {
  const client = new FeedClient(subscribeOn(number, control, { delivery: { updates: true, capacity: 1 << 18 } }));
  t.teardown(() => client.close());
  const recording = record(client);
  await client.start();
  await feed();
  return recording.finish();
}

t.test('aReplayedJournalIsTheLiveFeedAgain', async (t) => {
  const { file, journal } = await prepared(t);
  const state = join(journal, '..', 'state');
  const distributor = new Distributor(
    serveOn(90, {
      state,
      source: `itch:${file}`,
      date: day,
      rate: 40_000,
      waitSubscribers: 1,
    }),
  );
  t.teardown(() => distributor.close());
  await distributor.start();
  const live = await followed(t, 90, distributor.control, () => distributor.ended);
  t.equal(live.digest, distributor.stats().counters.digest);
  t.equal(live.updates.length, Number(distributor.stats().sequence));

  await distributor.close();

  // The journal that the live run wrote, one that was made of the file, and the file.
  for (const [index, source] of [state, journal, file].entries()) {
    const number = 91 + index;
    const again = await followed(t, number, null, async () => {
      const { end } = await replayed({
        source,
        date: day,
        output: 'multicast',
        ...channelLines(number),
        rate: 40_000,
      });
      t.same(end.missing, [], source);
    });
    t.same(again.events, live.events, 'the same events');
    t.equal(again.updates.length, live.updates.length);
    t.equal(again.updates.join('\n') === live.updates.join('\n'), true, 'the same updates');
    t.equal(again.books, live.books, 'the same books');
    t.equal(again.digest, live.digest);
    t.equal(again.instruments, live.instruments);
  }
  const rows = await replayed({ source: state });
  t.equal(rows.updates.join('\n') === live.updates.join('\n'), true, 'and the same as rows');
});

t.test('aRangeIsExactlyTheRangeWithTheBooksOfTheWhole', async (t) => {
  const { file, journal } = await prepared(t);
  const whole = (await replayed({ source: journal })).updates;
  const total = whole.length;
  for (const source of [journal, file]) {
    const { end, updates } = await replayed({ source, date: day, from: '7000', to: '7100' });
    t.same(updates, whole.slice(6_999, 7_100));
    t.match(end, { reason: 'end', missing: [], progress: { first: 7_000n, last: 7_100n, messages: 101n } });
  }
  const time = (row: number) => BigInt((whole[row] as string).split(' ')[2] as string);
  const [from, to] = [time(5_000), time(5_500)];
  for (const source of [journal, file]) {
    const { updates } = await replayed({ source, date: day, from: `${from}ns`, to: `${to}ns` });
    const wanted = whole.filter((_, row) => time(row) >= from && time(row) <= to);
    t.same(updates, wanted, 'by event time');
  }
  const iso = new Date(Number(from / 1_000_000n)).toISOString();
  const { end } = await replayed({ source: journal, from: iso });
  t.ok(end.progress.first > 1n && end.progress.last === BigInt(total));
});

t.test('aReplayFromTheMiddleBringsAClientToTheBooksOfTheWhole', async (t) => {
  const { journal } = await prepared(t);
  const whole = await replayed({ source: journal });
  const [number, from] = [96, 9_000];
  const snapshotLine = { group: '239.192.42.96', port: 27_999 };
  const client = new FeedClient(
    subscribeOn(number, null, { delivery: { updates: true, capacity: 1 << 18 }, recovery: { snapshotLine } }),
  );
  t.teardown(() => client.close());
  const snapshots: number[] = [];
  client.on('snapshot', ({ sequence }) => snapshots.push(Number(sequence)));
  const recording = record(client);
  await client.start();
  const { end } = await replayed({
    source: journal,
    output: 'multicast',
    from: String(from),
    ...channelLines(number),
    snapshotLine,
    rate: 10_000,
  });
  t.same(end.missing, []);
  t.ok(end.progress.first <= from && end.progress.first > from - 100);
  const { updates, digest } = await recording.finish();
  t.ok((snapshots[0] ?? 0) >= Number(end.progress.first) - 1, 'the state before it came by the snapshot group');
  const first = Number(updates[0]?.split(' ')[0]);
  t.equal(updates.length, whole.updates.length - first + 1);
  t.equal(updates.join('\n') === whole.updates.slice(first - 1).join('\n'), true, 'the same updates from there on');
  t.equal((await client.snapshot()).whole, true);
  const again = await followed(t, 97, null, () =>
    replayed({ source: journal, output: 'multicast', ...channelLines(97), rate: 40_000 }),
  );
  t.equal(digest, again.digest);
});

t.test('saysWhatIsBeyondTheEndAndWhichSessionsThereAre', async (t) => {
  const { journal } = await prepared(t);
  const { end, updates } = await replayed({ source: journal, from: '100', to: '99999999' });
  t.equal(updates.length, Number(end.progress.next) - 100);
  t.match(end.missing, [{ first: end.progress.next, last: 99_999_999n, why: 'beyond the end' }]);
  await t.rejects(replayed({ source: journal, session: 7n }), /session 7 is not in the journal, which has \d+/);
  await t.rejects(replayed({ source: join(journal, 'none') }), /there is no such file or folder/);
  await t.rejects(replayed({ source: t.testdir({}) }), /there is no journal/);
});

t.test('damageIsNamedWithSegmentAndOffsetAndTheRestStillComes', async (t) => {
  const { journal } = await prepared(t);
  const whole = (await replayed({ source: journal })).updates;
  const segment = join(journal, readdirSync(journal).find((name) => name.endsWith('.dcj')) as string);
  const bytes = readFileSync(segment);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 16;
  writeFileSync(segment, bytes);
  const { end, updates } = await replayed({ source: journal });
  t.equal(end.missing.length, 1);
  const [missing] = end.missing;
  t.equal(missing?.segment, 1n);
  t.ok(
    (missing?.offset ?? 0n) <= at && (missing?.offset ?? 0n) > at - 2_000,
    `offset ${missing?.offset}, flipped ${at}`,
  );
  const [first, last] = [Number(missing?.first), Number(missing?.last)];
  t.ok(first > 1 && last >= first && last < whole.length);
  t.equal(updates.length, whole.length - (last - first + 1), 'only those are missing');
  t.equal(updates.slice(0, first - 1).join('\n') === whole.slice(0, first - 1).join('\n'), true);
  t.equal(end.progress.booksRight, false);
  // Damage that lies behind the range is nobody's concern.
  t.same((await replayed({ source: journal, to: '10' })).end.missing, []);
});

t.test('stopsWhenAsked', async (t) => {
  const { journal } = await prepared(t);
  const abort = new AbortController();
  const replay = await Replay.open({ source: journal, limits, rate: 1_000 });
  t.teardown(() => replay.close());
  setTimeout(() => abort.abort(), 100);
  const end = await replay.run({ signal: abort.signal });
  t.equal(end.reason, 'stopped');
  t.ok(end.progress.messages < 5_000n, `${end.progress.messages} in a tenth of a second at 1,000 a second`);
});

t.test('closesInTheMiddle', async (t) => {
  const { journal } = await prepared(t);
  const replay = await Replay.open({ source: journal, limits, rate: 1_000 });
  const running = t.rejects(replay.run(), /closed/);
  setTimeout(() => replay.close(), 30);
  await running;
  replay.close();
});

t.test('refusesWhatCannotBe', async (t) => {
  const { journal } = await prepared(t);
  const refused = (options: Partial<ReplayOptionsInput>) => Replay.open({ source: journal, limits, ...options });
  await t.rejects(refused({ output: 'multicast', instrument: ['A'] }), /its numbers would have holes/);
  await t.rejects(refused({ output: 'journal' }), /outJournal is missing/);
  await t.rejects(refused({ output: 'journal', outJournal: journal }), /holds a journal already/);
  await t.rejects(refused({ from: '10', to: '9' }), /range to replay is empty/);
  await t.rejects(refused({ from: 'yesterday' }), /from is "yesterday", expected a sequence number/);
});
