/** Publishers and subscribers of the addon that are closed too early, too often, or in the middle of everything. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { addon, type NativeSubscriber } from '../../src/native.js';
import { makeColumns } from '../../src/updates.js';
import type { Test } from '../data.js';
import {
  applied,
  descriptors,
  nativeThreads,
  openFeed,
  pause,
  published,
  publisherOptions,
  simulateEndlessly,
  subscriberOptions,
  until,
} from './native_feed.js';

const number = 100;

/** A test that must leave no thread and no descriptor behind. */
function testClosing(name: string, body: (t: Test) => void | Promise<void>): void {
  void t.test(name, async (t) => {
    const before = descriptors();
    await body(t);
    t.strictSame(nativeThreads(), [], 'no native thread is left');
    t.equal(descriptors(), before, 'no descriptor is left');
  });
}

testClosing('closeTwiceAndUseAfterCloseAreHarmless', async (t) => {
  const { publisher, subscriber } = openFeed(number);
  simulateEndlessly(publisher, 50_000);
  subscriber.start();
  publisher.start();
  publisher.release();
  await until('messages', () => applied(subscriber) > 1_000n);
  for (const native of [publisher, subscriber, publisher, subscriber]) t.doesNotThrow(() => native.close());

  const depth = new BigInt64Array(8 + 2 * 5 * 3);
  t.not(subscriber.depth(1, 5, depth), 0, 'no depth is read from what is closed');
  t.not(publisher.depth(1, 5, depth), 0);
  t.equal(subscriber.drainUpdates(), 0);
  t.strictSame(subscriber.drainEvents(), []);
  t.strictSame(subscriber.definitions(), []);
  t.strictSame(subscriber.missing(), new BigUint64Array(0));
  t.equal(applied(subscriber), 0n, 'counters are left as they were given');
  t.throws(() => subscriber.start(), /closed/);
  t.throws(() => subscriber.requestExport(1, 0, false), /closed/);
  t.throws(() => publisher.start(), /closed/);
  t.doesNotThrow(() => publisher.release());
  t.doesNotThrow(() => publisher.stop());
});

testClosing('closeBeforeStartIsHarmless', async (t) => {
  for (const step of ['open', 'source', 'released'] as const) {
    const { publisher, subscriber, end } = openFeed(number);
    if (step !== 'open') simulateEndlessly(publisher);
    if (step === 'released') publisher.release();
    publisher.close();
    subscriber.close();
    await pause(20);
    t.equal(end(), undefined, `${step}: nothing ended, since nothing began`);
  }
});

testClosing('startTwiceIsRefused', async (t) => {
  const { publisher, subscriber } = openFeed(number);
  subscriber.start();
  t.throws(() => subscriber.start(), /starts once/);
  simulateEndlessly(publisher);
  t.throws(() => simulateEndlessly(publisher), /chosen once/);
  publisher.start();
  t.throws(() => publisher.start(), /starts once/);
  publisher.close();
  subscriber.close();
});

testClosing('closeWhileSendingAtFullSpeedEndsTheThreads', async (t) => {
  for (const order of ['publisher', 'subscriber', 'publisher', 'subscriber'] as const) {
    const { publisher, subscriber, updates } = openFeed(number);
    simulateEndlessly(publisher);
    subscriber.start();
    publisher.start();
    publisher.release();
    await until('a feed at full speed', () => published(publisher) > 50_000n && updates() > 10_000);
    const begin = performance.now();
    if (order === 'publisher') publisher.close();
    subscriber.close();
    publisher.close();
    t.ok(performance.now() - begin < 5_000, `${order} first: closed in time`);
    t.strictSame(nativeThreads(), [], `${order} first: the threads are gone at once`);
  }
});

testClosing('closeInsideItsOwnCallbackIsHarmless', async (t) => {
  let woken = 0;
  const subscriber: NativeSubscriber = new addon.Subscriber(subscriberOptions(number), makeColumns(64), () => {
    woken++;
    subscriber.close();
  });
  let ended = 0;
  const publisher = new addon.Publisher(publisherOptions(number), () => {
    ended++;
    publisher.close();
  });
  simulateEndlessly(publisher, 50_000);
  subscriber.start();
  publisher.start();
  publisher.release();
  await until('a wake-up', () => woken > 0);
  publisher.stop();
  await until('the end', () => ended > 0);
  await pause(20);
  t.strictSame([woken, ended], [1, 1], 'and no call comes after it');
});

testClosing('closeWithRequestsInFlightIsHarmless', async () => {
  const { publisher, subscriber } = openFeed(number);
  simulateEndlessly(publisher);
  subscriber.start();
  publisher.start();
  publisher.release();
  await until('messages', () => applied(subscriber) > 10_000n);
  for (let id = 1; id <= 100; id++) subscriber.requestExport(id, 0, true);
  subscriber.close();
  publisher.close();
});

testClosing('closeWhileTheSourceHasNothingToReadDoesNotWaitForIt', async (t) => {
  const { publisher, subscriber } = openFeed(number);
  const [from, to] = addon.pipe();
  publisher.source({ kind: 'itch', descriptor: from, midnightNs: 0n, speed: 0, rate: 0 });
  publisher.start();
  publisher.release();
  // Half a length prefix: the reader is in the middle of a message.
  writeSync(to, Buffer.from([0]));
  await pause(50);
  const begin = performance.now();
  publisher.close();
  subscriber.close();
  t.ok(performance.now() - begin < 2_000, 'closed in time');
  closeSync(to);
});

testClosing('closeWhileTheNextMessageIsNotYetDueDoesNotWaitForIt', async (t) => {
  const { publisher, subscriber } = openFeed(number);
  simulateEndlessly(publisher, 0.01);
  publisher.start();
  publisher.release();
  await until('the first message', () => published(publisher) > 0n);
  const begin = performance.now();
  publisher.close();
  subscriber.close();
  t.ok(performance.now() - begin < 2_000, 'closed in time');
});

testClosing('wrongOptionsThrowAndLeaveNothingBehind', async (t) => {
  const wake = () => {};
  const columns = makeColumns(16);
  const line = { group: '239.192.60.100', port: 28_200, interface: '127.0.0.1', sources: [], sourceSpecific: false };
  for (let round = 0; round < 20; round++) {
    t.throws(() => new addon.Subscriber(subscriberOptions(number, { lines: [] }), columns, wake), /at least one line/);
    t.throws(
      () =>
        new addon.Subscriber(
          subscriberOptions(number, { lines: [line, { ...line, group: 'nowhere' }] }),
          columns,
          wake,
        ),
      /group is "nowhere"/,
    );
    t.throws(
      () =>
        new addon.Subscriber(subscriberOptions(number, { lines: [{ ...line, sourceSpecific: true }] }), columns, wake),
      /at least one source/,
    );
    t.throws(
      () =>
        new addon.Subscriber(
          subscriberOptions(number, { lines: [{ ...line, interface: '192.0.2.77' }] }),
          columns,
          wake,
        ),
      /join .*192\.0\.2\.77/,
    );
    const two = publisherOptions(number).lines;
    t.throws(() => new addon.Publisher(publisherOptions(number, { lines: [] }), wake), /one or two lines/);
    t.throws(
      () => new addon.Publisher(publisherOptions(number, { lines: [...two, ...two] }), wake),
      /one or two lines/,
    );
    t.throws(() => new addon.Publisher(publisherOptions(number, { ringBytes: 4_096 }), wake), /ring bytes/);
    t.throws(() => new addon.Publisher(publisherOptions(number, { ringPath: '/nowhere/at/all' }), wake), /\/nowhere/);
    t.throws(() => new addon.Publisher({} as never, wake), TypeError);
    t.throws(() => new addon.Subscriber(subscriberOptions(number), {} as never, wake), TypeError);
    t.throws(() => new addon.Subscriber(subscriberOptions(number), columns, undefined as never), TypeError);
  }
});

testClosing('descriptorOfARefusedSourceIsClosed', async (t) => {
  const file = join(t.testdir({ 'empty.itch50': '' }), 'empty.itch50');
  const { publisher, subscriber } = openFeed(number);
  const source = () => ({ kind: 'itch' as const, descriptor: openSync(file, 'r'), midnightNs: 0n, speed: 0, rate: 0 });
  publisher.source(source());
  const refused = /chosen once/;
  t.throws(() => publisher.source(source()), refused, 'a second source');
  publisher.close();
  t.throws(() => publisher.source(source()), refused, 'a source after the end');
  subscriber.close();
});
