/** What the publisher reads of a distributor: every frame, in any pieces, and any damage without harm. */
import { Builder } from 'flatbuffers';
import t from 'tap';
import { SeededRandom } from '../../src/faults/random.js';
import { Ack, Frame, FramePayload, LoginAccepted, Refused } from '../../src/generated/ingest/frames.js';
import { FrameReader, heartbeatFrame } from '../../src/publisher/frames.js';

function framed(type: FramePayload, create: (builder: Builder) => number): Buffer {
  const builder = new Builder(256);
  builder.finish(Frame.createFrame(builder, type, create(builder)));
  const root = builder.asUint8Array();
  const bytes = Buffer.alloc(8 + Math.ceil(root.length / 8) * 8);
  bytes.writeUInt32LE(0x31494344, 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.set(root, 8);
  return bytes;
}

const stream = Buffer.concat([
  framed(FramePayload.LoginAccepted, (builder) =>
    LoginAccepted.createLoginAccepted(builder, 1, 2, 7, 2n ** 63n, 41n, 4_096, 100, 1_000, 5_000),
  ),
  framed(FramePayload.Ack, (builder) => Ack.createAck(builder, 2n ** 40n)),
  heartbeatFrame(42n),
  framed(FramePayload.Refused, (builder) => Refused.createRefused(builder, 8, 43n, builder.createString('a hole'))),
]);

const expected = [
  {
    kind: 'accepted',
    channel: 7,
    session: 2n ** 63n,
    next: 41n,
    frameBytesMax: 4_096,
    batchEventsMax: 100,
    heartbeatMs: 1_000,
    idleMs: 5_000,
  },
  { kind: 'ack', event: 2n ** 40n },
  { kind: 'heartbeat' },
  { kind: 'refused', name: 'hole', expected: 43n, message: 'a hole' },
];

t.test('readsFramesInAnyPieces', async (t) => {
  t.same(new FrameReader().read(stream), expected);
  const reader = new FrameReader();
  const frames = Array.from(stream, (byte) => reader.read(Uint8Array.of(byte)) ?? []);
  t.same(frames.flat(), expected);
});

t.test('anyDamageIsToldAndDoesNoHarm', async (t) => {
  const random = new SeededRandom(7);
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from(stream);
    for (let left = random.between(1, 4); left > 0; left--)
      bytes[random.between(0, bytes.length - 1)] = random.between(0, 255);
    const reader = new FrameReader();
    const cut = random.between(0, bytes.length);
    const frames = [reader.read(bytes.subarray(0, cut)), reader.read(bytes.subarray(cut))];
    if (frames.includes(undefined)) refused++;
  }
  t.ok(refused > 1_000 && refused < 20_000);
  t.equal(new FrameReader().read(Uint8Array.of(0x44, 0x43, 0x49, 0x31, 8, 0, 1, 0)), undefined, 'longer than any');
});
