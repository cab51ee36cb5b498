/** The addon in several worker threads at once: each has its own state, and none of it outlives its worker. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { WorkerPlan } from './feed_worker.js';
import { applied, descriptors, nativeThreads, openFeed, simulateEndlessly, until } from './native_feed.js';

const workers_at_once = 3;
const number_first = 101;

function startWorker(plan: WorkerPlan): Worker {
  return new Worker(new URL('./feed_worker.ts', import.meta.url), { workerData: plan });
}

/** Workers whose feeds run, the first of them at full speed, with their exit codes to come. */
async function runningWorkers(finish: WorkerPlan['finish']): Promise<{ worker: Worker; exited: Promise<number> }[]> {
  const workers = Array.from({ length: workers_at_once }, (_, index) =>
    startWorker({ number: number_first + index, rate: index === 0 ? 0 : 20_000, finish }),
  );
  const exits = workers.map(async (worker) => (await once(worker, 'exit'))[0] as number);
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  return workers.map((worker, index) => ({ worker, exited: exits[index] as Promise<number> }));
}

t.test('workersTerminatedWhileSendingLeaveNothing', async (t) => {
  // The loader of the first worker leaves descriptors of its own.
  const first = startWorker({ number: number_first, rate: 20_000, finish: 'close' });
  t.strictSame((await once(first, 'exit'))[0], 0);
  const before = descriptors();
  const own = openFeed(number_first + workers_at_once);
  simulateEndlessly(own.publisher, 20_000);
  own.subscriber.start();
  own.publisher.start();
  own.publisher.release();

  for (let round = 0; round < 2; round++) {
    const workers = await runningWorkers('wait');
    t.ok(nativeThreads().length >= 3 * (workers_at_once + 1), `round ${round}: every worker has native threads`);
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
    t.equal(nativeThreads().length, 3, `round ${round}: only this thread's feed is left`);
    const then = applied(own.subscriber);
    await until('more messages', () => applied(own.subscriber) > then + 1_000n);
  }
  own.publisher.close();
  own.subscriber.close();
  t.strictSame(nativeThreads(), []);
  t.equal(descriptors(), before, 'no descriptor is left');
});

t.test('workersThatExitInTheMiddleOrCloseEndByThemselves', async (t) => {
  for (const [finish, code] of [
    ['exit', 7],
    ['close', 0],
  ] as const) {
    const workers = await runningWorkers(finish);
    const codes = await Promise.all(workers.map(({ exited }) => exited));
    t.strictSame(codes, Array(workers_at_once).fill(code), `${finish}: exit codes`);
    t.strictSame(nativeThreads(), [], `${finish}: no thread is left`);
  }
});
