/** The conformance suite in Node. */
import t from 'tap';
import { runSnapshots, runStream } from './conformance.js';
import { recorded } from './recorded.js';

t.test('booksEqualTheNativeReplicasOrderByOrder', async (t) => {
  const recording = await recorded(t, 92, { messages: 20_000, points: 25 });
  const stream = runStream(recording);
  t.comment(JSON.stringify(stream));
  t.equal(stream.points, 26);
  t.ok(stream.orders > 1_000, 'many orders were compared');
  t.ok(stream.digestsChecked > 10, "the publisher's digests were compared");
  const snapshots = runSnapshots(recording);
  t.comment(JSON.stringify(snapshots));
  t.ok(snapshots.snapshots > 0, 'snapshots were loaded');
});
