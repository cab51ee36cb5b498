/** Recovery objects that end in every order, with snapshots asked for: no crash, no thread and no memory left. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { addon } from '../../src/native.js';
import { nativeThreads } from './native_feed.js';
import type { RecoveryFinish } from './recovery_worker.js';

function start(number: number, finish: RecoveryFinish): Worker {
  return new Worker(new URL('./recovery_worker.ts', import.meta.url), { workerData: { number, finish } });
}

t.setTimeout(400_000);

for (const [finish, code] of [
  ['close', 0],
  ['closeInCallback', 0],
  ['publisherFirst', 0],
  ['exit', 7],
  ['wait', 1],
] as const)
  t.test(`${finish}WithSnapshotsOnTheirWayLeavesNothing`, async (t) => {
    for (let round = 0; round < 1; round++) {
      const worker = start(130 + round, finish);
      const exited = once(worker, 'exit');
      await once(worker, 'message');
      if (finish === 'wait') await worker.terminate();
      t.equal((await exited)[0], code);
      t.strictSame(nativeThreads(), [], 'no thread is left');
    }
  });

t.test('wrongArgumentsAreRefusedByName', (t) => {
  const options = { publisher: null, ringPath: '/nowhere', journalFolder: '', checkpointsFolder: '', replica: null };
  const made = new addon.Recovery(options, () => {});
  t.same(made.state(), { channel: 0, session: 0n, next: 1n, oldest: 1n, ended: false });
  t.equal(made.read(5n, 1n, 2n, 100, 0).status, 'wrong_session');
  t.throws(() => made.read(5n, 0n, 2n, 100, 0), /first/);
  t.throws(() => made.read(5n, 1n, 2n, 1e9, 0), /bytesMax/);
  t.throws(() => made.read(5n, 1n, 2n, 100, 65), /reserve/);
  t.equal(made.requestSnapshot(1, 0n, 0n, new Uint32Array()), false, 'there is no replica');
  t.equal(made.sliceSnapshot(1, 0, 100, 8), undefined);
  made.releaseSnapshot(7);
  made.close();
  made.close();
  t.throws(() => made.state(), /closed/);
  const wrong = { ...options, publisher: {} as never };
  t.throws(() => new addon.Recovery(wrong, () => {}), /must be a Publisher/);
  t.end();
});
