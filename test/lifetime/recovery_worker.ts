/** A worker thread with a publisher and a recovery on its ring, which ends in the way that it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { addon, type NativeRecovery } from '../../src/native.js';
import { publisherOptions, simulateEndlessly, until } from './native_feed.js';

export type RecoveryFinish = 'wait' | 'exit' | 'close' | 'publisherFirst' | 'closeInCallback';

const { number, finish } = workerData as { number: number; finish: RecoveryFinish };
const publisher = new addon.Publisher(publisherOptions(number), () => {});
let answers = 0;
const limits = { ordersMax: 8_192, levelsMax: 0, instrumentsMax: 64, depthLevels: 0, prefault: false };
const recovery: NativeRecovery = new addon.Recovery(
  {
    publisher,
    ringPath: '',
    journalFolder: '',
    checkpointsFolder: '',
    replica: {
      ...limits,
      channel: 1,
      datagramBytes: 1_400,
      ageMs: 0,
      checkpointMs: 0,
      checkpointsKept: 1,
      wait: 'park',
      core: -1,
      line: null,
      ttl: 0,
      loop: true,
      segmentation: true,
    },
  },
  (id, snapshot) => {
    answers++;
    if (finish === 'closeInCallback' && answers > 3) {
      recovery.close();
      publisher.close();
      return;
    }
    if (snapshot !== null) {
      const frame = recovery.sliceSnapshot(snapshot.handle, 0, 1_000, 8);
      // Every other one is never given back.
      if (frame !== undefined && id % 2 === 0) recovery.releaseSnapshot(snapshot.handle);
    }
    recovery.requestSnapshot(id + 1, 0n, 0n, new Uint32Array(id % 3 === 0 ? [1, 2] : []));
  },
);
simulateEndlessly(publisher, 20_000);
publisher.start();
publisher.release();
recovery.requestSnapshot(1, 0n, 0n, new Uint32Array());
recovery.requestSnapshot(101, 0n, 0n, new Uint32Array([3]));
await until('snapshots', () => answers > 3);
parentPort?.postMessage('running');
if (finish === 'exit') setTimeout(() => process.exit(7), 20);
if (finish === 'publisherFirst') {
  const { session, next } = recovery.state();
  publisher.close();
  if (recovery.read(session, next - 1n, next - 1n, 10_000, 0).datagrams !== 1) throw new Error('the ring has gone');
}
if (finish === 'close' || finish === 'publisherFirst') {
  recovery.close();
  recovery.close();
  publisher.close();
  if (recovery.requestSnapshot(5, 0n, 0n, new Uint32Array())) throw new Error('it is closed');
}
