/**
 * Opens and closes publishers and subscribers, and books that nobody closes; sends what the process then holds to its
 * parent, after a fifth of the cycles and after each further fifth.
 */
import { addon } from '../../src/native.js';
import { applied, descriptors, nativeThreads, openFeed, pause, simulateEndlessly, until } from './native_feed.js';

/** What a process holds. */
export interface Holdings {
  cycles: number;
  rss: number;
  heap: number;
  external: number;
  descriptors: number;
  threads: number;
}

const cycles = Number(process.argv[2]);
// A publisher takes 40 ms to say that its session has ended: so many do it at once.
const cycles_at_once = 10;
const number_first = 130;
const small = { ordersMax: 64, instrumentsMax: 16 };

async function cycleOnce(): Promise<void> {
  const feeds = Array.from({ length: cycles_at_once }, (_, index) =>
    openFeed(number_first + index, { publisherMore: small, subscriberMore: small }),
  );
  for (const { publisher, subscriber } of feeds) {
    simulateEndlessly(publisher, 5_000);
    subscriber.start();
    publisher.start();
    publisher.release();
  }
  await until('messages everywhere', () => feeds.every(({ subscriber }) => applied(subscriber) > 10n));
  for (const { publisher } of feeds) publisher.stop();
  await until('the end everywhere', () => feeds.every(({ end }) => end() !== undefined));
  for (const { publisher, subscriber } of feeds) {
    publisher.close();
    subscriber.close();
  }
  for (let index = 0; index < cycles_at_once; index++)
    new addon.Books({ ...small, levelsMax: 0, depthLevels: 1, prefault: true }).endEvent(1n, 1n);
}

function holdings(done: number): Holdings {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    cycles: done,
    rss,
    heap: heapUsed,
    external,
    descriptors: descriptors(),
    threads: nativeThreads().length,
  };
}

const collect = globalThis.gc;
if (collect === undefined) throw new Error('started without --expose-gc');
for (let done = 0; done < cycles; ) {
  await cycleOnce();
  done += cycles_at_once;
  collect();
  if (done % (cycles / 5) !== 0) continue;
  // What was closed or collected is freed in later turns of the event loop.
  await pause(20);
  collect();
  await pause(20);
  process.send?.(holdings(done));
}
process.disconnect?.();
