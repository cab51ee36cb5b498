import t from 'tap';
import { parseOptions, serveOptions, subscribeOptions } from '../src/config.js';
import { Distributor } from '../src/distributor.js';
import { FeedClient } from '../src/feed_client.js';
import { parseCores, threadUse } from '../src/host.js';
import { applyProfile, type Host, hostWarnings, lockWarnings, receiverWarnings } from '../src/profile.js';
import { serveOn, subscribeOn, until } from './channel.js';

const four_cores: Host = { cores: [0, 1, 2, 3], hugePages: 'madvise', lockLimit: 'unlimited', sharedMemory: true };
const one_core: Host = { cores: [2], hugePages: 'never', lockLimit: '8192', sharedMemory: false };

t.test('lowLatencyGivesEachRoleACoreOfItsOwnAndMemoryThatStays', async (t) => {
  const serve = parseOptions(
    serveOptions,
    applyProfile('serve', { profile: 'low-latency' }, () => four_cores),
    '',
  );
  t.match(serve, { wait: 'spin', core: 3, lockMemory: true, limits: { prefault: true, orders: 1_048_576 } });
  t.equal(serve.ring.path, '', 'private memory needs no file');
  const subscribe = parseOptions(
    subscribeOptions,
    applyProfile('subscribe', { profile: 'low-latency' }, () => four_cores),
    '',
  );
  t.match(subscribe, { wait: 'spin', core: 2, busyPollUs: 50, receiveBufferBytes: 64 * 2 ** 20 });
  t.same(hostWarnings(serve, four_cores), []);
});

t.test('laptopSleepsWhenIdleAndPinsNothing', async (t) => {
  const options = parseOptions(serveOptions, applyProfile('serve', { profile: 'laptop' }), '');
  t.match(options, { wait: 'park', core: -1, lockMemory: false, ring: { bytes: 16 * 2 ** 20 } });
});

t.test('whatIsSaidExplicitlyWinsOverTheProfile', async (t) => {
  const given = { profile: 'low-latency', wait: 'park', limits: { orders: 10 }, core: 0 } as const;
  const options = parseOptions(
    serveOptions,
    applyProfile('serve', given, () => four_cores),
    '',
  );
  t.match(options, { wait: 'park', core: 0, lockMemory: true, limits: { orders: 10, prefault: true } });
});

t.test('aRingOfAStateFolderStandsInSharedMemoryUnderLowLatency', async (t) => {
  const path = (state: string, host: Host) =>
    applyProfile('serve', { profile: 'low-latency', state } as { ring?: { path: string } }, () => host).ring?.path;
  t.match(path('/var/lib/a', four_cores), /^\/dev\/shm\/depthcast-[0-9a-f]{16}\.ring$/);
  t.not(path('/var/lib/a', four_cores), path('/var/lib/b', four_cores));
  t.equal(path('/var/lib/a', one_core), undefined);
});

t.test('whatTheMachineDoesNotGiveIsTold', async (t) => {
  const options = parseOptions(
    serveOptions,
    applyProfile('serve', { profile: 'low-latency' }, () => one_core),
    '',
  );
  t.match(options, { wait: 'yield', core: -1 });
  t.match(hostWarnings(options, one_core), [/only core 2: wait is yield/, /huge pages are off/]);
  t.match(hostWarnings({ wait: 'park', core: 7 }, four_cores), [/^core 7 is not among .*0, 1, 2, 3.* not pinned$/]);
  t.match(lockWarnings(12, one_core), [/^memory is not locked: ENOMEM, limit 8192 bytes/]);
  t.same(lockWarnings(0, one_core), []);
  t.match(receiverWarnings(1_000, [1_000, 0], true), [/^receive buffer: 500 bytes granted of 1000/, /busy polling/]);
  t.same(receiverWarnings(1_000, [2_000, 2_000], false), []);
});

t.test('unknownProfilesAreRefusedByName', async (t) => {
  t.throws(() => new Distributor({ profile: 'fast' as 'laptop' }), /profile is "fast", expected one of "laptop"/);
});

t.test('coresAreReadFromTheKernelsLists', async (t) => {
  t.same(parseCores('0-3,8'), [0, 1, 2, 3, 8]);
  t.same(parseCores('5'), [5]);
  t.same(parseCores(''), []);
});

t.test('aFeedUnderBothProfilesTellsWhatItsThreadsUse', async (t) => {
  for (const profile of ['laptop', 'low-latency'] as const) {
    // A spinning thread on each core of a busy machine would keep the test from ending.
    const calm = { wait: 'park', core: -1, limits: { orders: 4_096, instruments: 64 } } as const;
    const distributor = new Distributor(serveOn(96, { ...calm, profile, simulate: { symbols: 5 }, rate: 5_000 }));
    const client = new FeedClient(subscribeOn(96, null, { ...calm, profile }));
    t.teardown(() => distributor.close());
    t.teardown(() => client.close());
    await client.start();
    await distributor.start();
    await until('500 messages', () => client.stats().sequence >= 500n);
    for (const thread of [distributor.stats().thread, client.stats().thread]) {
      t.ok(thread !== undefined && thread.cpuNs > 0 && thread.pageFaults >= 0 && thread.switchesVoluntary >= 0);
    }
    t.ok(distributor.warnings.every((warning) => /^(low-latency|huge pages|memory) /.test(warning)));
    await distributor.close();
    await client.close();
    t.equal(distributor.stats().thread, undefined);
    t.equal(client.stats().thread, undefined);
  }
  t.equal(threadUse(0), undefined);
});
