/** The perf programs on tiny inputs, so that they cannot rot. What they measure is not judged here. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { perf } from './perf_process.js';

t.setTimeout(900_000);

t.test('bookReplayGivesTheSameDigestInEveryRun', async (t) => {
  const small = ['--messages', '20000', '--symbols', '10', '--live-orders', '500', '--orders-max', '4096'];
  const result = await perf('book_replay', '--runs', '2', ...small);
  t.match(result, { name: 'book_replay', runs: 2, messages: 20_000, audit: 'equal', digest: /^[0-9a-f]{16}$/ });
  t.ok(Number(result.ns_per_message) > 0);
});

t.test('bookMemoryCountsEveryLiveOrder', async (t) => {
  const small = ['--messages', '20000', '--symbols', '10', '--live-orders', '500', '--orders-max', '4096'];
  const result = await perf('book_memory', '--runs', '1', ...small);
  t.match(result, { instruments: 10, audit: 'equal' });
  t.ok(Number(result.live_orders) > 0);
  t.ok(Number(result.bytes_per_empty_instrument) > 0);
});

t.test('packetEncodeReadsBackWhatItWrote', async (t) => {
  const result = await perf('packet_encode', '--runs', '2', '--messages', '20000');
  t.match(result, { messages: 20_000, digest: /^[0-9a-f]{16}$/ });
});

t.test('ringBroadcastWritesEveryRecord', async (t) => {
  const result = await perf('ring_broadcast', '--runs', '2', '--records', '2000');
  t.match(result, { records: 2_000, readers: 1 });
});

t.test('publisherPushArrivesWhole', async (t) => {
  const result = await perf(
    'publisher_push',
    '--runs',
    '1',
    '--slots',
    '4096',
    '--events',
    '20000',
    '--rate',
    '100000',
    '--idle-events',
    '20',
  );
  t.match(result, { complete: 'yes', unexpected: 0, commit_timed: 20 });
  t.ok(Number(result.push_ns) > 0 && Number(result.full_ns) > 0);
});

t.test('feedThroughputEndsWithEqualBooks', async (t) => {
  const small = ['--messages', '20000', '--rate', '100000', '--symbols', '10', '--live-orders', '500'];
  const result = await perf('feed_throughput', '--runs', '1', ...small);
  t.match(result, { complete: 'yes', missing: 0, source_messages: 20_000 });
});

t.test('publisherSdkIsTakenToTheLastEventOverTcpAndInProcess', async (t) => {
  const result = await perf('publisher_sdk', '--runs', '1', '--events', '20000', '--samples', '20');
  t.match(result, { complete: 'yes', events: 20_000, samples: 20 });
  t.ok(Number(result.tcp_latency_us_p50) > 0);
});

t.test('jsReadsFindTheSameNumbersEveryWay', async (t) => {
  const result = await perf('js_reads', '--runs', '2', '--reads', '500', '--instruments', '5');
  t.match(result, { equal: 'yes', levels: 10 });
});

t.test('jsDeliveryReadsEveryUpdateBothWays', async (t) => {
  const result = await perf('js_delivery', '--runs', '1', '--messages', '20000', '--rate', '50000');
  t.match(result, { equal: 'yes' });
  t.ok(Number(result.updates) > 10_000 && Number(result.numbers_ns) > 0);
});

t.test('feedLineEndsWithEqualBooksInBothCases', async (t) => {
  const small = [
    '--messages',
    '20000',
    '--rate',
    '100000',
    '--symbols',
    '10',
    '--live-orders',
    '500',
    '--wait',
    'park',
  ];
  const cores = ['--publisher-core', 'any', '--subscriber-core', 'any'];
  const cache = await perf('feed_line', ...small, ...cores, '--passes', '2', '--floor-ms', '50');
  t.match(cache, { complete: 'yes', missing: 0, live_orders: 0, digests_mismatched: 0 });
  t.ok(Number(cache.source_messages) > 40_000 && Number(cache.floor_datagrams_per_second) > 0);
  const state = t.testdir();
  const all = ['--lines', 'AB', '--state', state, '--replica', '1', '--ring-bytes', String(16 << 20)];
  const full = await perf('feed_line', ...small, ...cores, ...all);
  t.match(full, { complete: 'yes', missing: 0, replica_books: 'equal', journal_missing: 0 });
  t.equal(full.journal_messages, full.updates);
});

t.test('snapshotTakeEndsWithEqualBooks', async (t) => {
  const small = ['--rounds', '2', '--phase-ms', '50', '--pause-ms', '5', '--rate', '50000', '--warm-messages', '20000'];
  const flow = ['--live-orders', '5000', '--symbols', '20', '--wait', 'park'];
  const result = await perf('snapshot_take', ...small, ...flow);
  t.match(result, { books: 'equal', unusable: 0 });
  t.ok(Number(result.snapshots) > 0 && Number(result.datagrams_without) > 0 && Number(result.datagrams_with) > 0);
});

t.test('recoveryStormAnswersEveryRequest', async (t) => {
  const small = [
    '--clients',
    '40',
    '--rounds',
    '1',
    '--phase-ms',
    '300',
    '--rate',
    '20000',
    '--warm-messages',
    '20000',
  ];
  const flow = ['--live-orders', '2000', '--symbols', '20', '--wait', 'park'];
  const result = await perf('recovery_storm', ...small, ...flow);
  t.match(result, { clients: 40, unanswered: 0, closed: 0 });
  t.ok(Number(result.requests) >= 80 && Number(result.served) > 0 && Number(result.datagrams_with) > 0);
  t.equal(Number(result.served) + Number(result.told) + Number(result.refused), result.requests);
});

t.test('peersCarryEveryMessage', async (t) => {
  // Those that need nothing installed.
  const names = 'depthcast,depthcast-book,uws,uws-packets,ws-json,ws-json-packets';
  const result = await perf('peers', '--only', names, '--rates', '2000', '--seconds', '0.5', '--no-search');
  const runs = result.runs as { system: string; slices: { sent: number; received: number; lost: number }[] }[];
  t.equal(runs.map(({ system }) => system).join(), names);
  for (const { system, slices } of runs) {
    const [slice] = slices;
    t.ok(slice !== undefined && slice.sent >= 1_000, system);
    t.equal(slice?.received, slice?.sent, system);
    t.equal(slice?.lost, 0, system);
  }
});

t.test('scalingKeepsDataAndPlot', async (t) => {
  const folder = t.testdir();
  const small = ['--curve', 'instruments', '--points', '1,10', '--runs', '1', '--folder', folder];
  const result = await perf('scaling', ...small);
  t.match(result, { curve: 'instruments', series: [{ points: [{ x: 1 }, { x: 10 }] }] });
  t.match(readFileSync(join(folder, 'instruments.svg'), 'utf8'), /^<svg /);
  const extended = await perf('scaling', ...small.with(3, '100'), '--extend');
  t.match(extended, { series: [{ points: [{ x: 1 }, { x: 10 }, { x: 100 }] }] });
});

const chromium = [process.env.DEPTHCAST_CHROMIUM, '/usr/bin/chromium'].find((path) => path && existsSync(path));

t.test('pageFramesDrawsBooks', { skip: chromium === undefined && 'no Chromium' }, async (t) => {
  const result = await perf('page_frames', '--runs', '1', '--seconds', '2', '--rate', '1000', '--port', '27420');
  t.match(result, { name: 'page_frames', rate: 1_000, mismatches: 0 });
  t.ok(Number(result.books_drawn_per_s) > 0);
});
