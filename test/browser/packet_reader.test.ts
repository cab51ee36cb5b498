/** Golden packets, and mutated ones: the verdict is the native reader's, and nothing is ever thrown. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { crc32c } from '../../src/browser/crc32c.js';
import { eachBlock } from '../../src/browser/frame_reader.js';
import { PacketReader, type PacketStatus } from '../../src/browser/packet_reader.js';
import { FeedClient } from '../../src/feed_client.js';
import { addon } from '../../src/native.js';
import { channelLines, subscribeOn, until } from '../channel.js';
import { seal } from '../faults/packets.js';
import { Random, seedsOf } from '../faults/random.js';
import { openSender } from '../faults/sockets.js';

const folder = join(import.meta.dirname ?? 'test/browser', '..', '..', 'native', 'test', 'golden', 'v1');
const names = readdirSync(folder).filter((name) => name.endsWith('.bin'));
const golden = names.map((name) => readFileSync(join(folder, name)));

/** One to four bytes or words of a golden packet are others; mostly under a right CRC. */
function mutated(random: Random): Buffer {
  const bytes = Buffer.from(random.pick(golden));
  for (let left = random.between(1, 4); left > 0; left--) {
    // The structure is at the beginning of a table's buffer and at its end: everywhere is looked for.
    const at = random.between(16, bytes.length - 5);
    const draw = random.below(4);
    if (draw === 0) bytes.writeUInt8(random.below(256), at);
    else if (draw === 1) bytes.writeUInt32LE(random.below(2 ** 32), at - (at % 4));
    else if (draw === 2) bytes.writeUInt16LE(random.below(64), at - (at % 2));
    else bytes.writeInt32LE(random.between(-128, 512), at - (at % 4));
  }
  const fate = random.below(16);
  if (fate === 0) return bytes;
  if (fate === 1) return seal(Buffer.from(bytes.subarray(0, 8 * random.between(2, bytes.length / 8))));
  if (fate === 2) {
    seal(bytes).writeUInt8(random.below(256), random.below(16));
    return bytes;
  }
  return seal(bytes);
}

t.test('takesTheGoldenPackets', async (t) => {
  const reader = new PacketReader();
  t.ok(golden.length >= 11);
  for (const [index, bytes] of golden.entries())
    t.ok(['ok', 'inexact_number'].includes(reader.read(bytes)), `${names[index]} is ${reader.read(bytes)}`);
});

t.test('readsFieldsOfAGoldenPacket', async (t) => {
  const reader = new PacketReader();
  t.equal(reader.read(readFileSync(join(folder, 'book_details_and_steps.bin'))), 'ok');
  t.equal(reader.itemCount, reader.count);
  t.ok(reader.count > 0 && reader.details > 0 && reader.steps > 0);
});

t.test('computesCrcAsTheAddonDoes', async (t) => {
  const random = new Random(3);
  for (let length = 0; length < 70; length++) {
    const bytes = random.bytes(length);
    if (crc32c(0, bytes) !== addon.crc32c(bytes)) t.fail(`${length} bytes`);
    const cut = random.below(length + 1);
    t.equal(crc32c(crc32c(0, bytes, 0, cut), bytes, cut), addon.crc32c(bytes), `${length} bytes, cut at ${cut}`);
  }
});

t.test('refusesNeverThrowsAndStaysInside', async (t) => {
  for (const seed of seedsOf(1, 2, 3)) {
    const random = new Random(seed);
    const reader = new PacketReader();
    const seen = new Map<PacketStatus, number>();
    for (let left = 40_000; left > 0; left--) {
      // In the middle of a larger buffer: what is read beyond the end would be other bytes, not an error.
      const bytes = mutated(random);
      const frame = new Uint8Array(bytes.length + 64).fill(random.below(2) * 255);
      frame.set(bytes, 32);
      const inside = frame.subarray(32, 32 + bytes.length);
      const status = reader.read(inside);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      const other = frame.slice().fill(random.below(256));
      other.set(bytes, 32);
      const again = new PacketReader();
      if (again.read(other.subarray(32, 32 + bytes.length)) !== status) t.fail(`DEPTHCAST_SEED=${seed}: ${left} left`);
    }
    t.comment(`seed ${seed}: ${JSON.stringify([...seen])}`);
    t.ok(seen.size >= 6, 'many verdicts occur');
  }
});

t.test('agreesWithTheNativeReader', async (t) => {
  const client = new FeedClient(
    subscribeOn(93, null, { lineB: null, coalescing: false, recovery: { enabled: false } }),
  );
  t.teardown(() => client.close());
  await client.start();
  const socket = await openSender(channelLines(93).lineA);
  t.teardown(() => socket.close());
  const reader = new PacketReader();
  const expected = new Map<string, number>();
  let sent = 0;
  for (const seed of seedsOf(11, 12, 13, 14, 15, 16, 17, 18)) {
    const random = new Random(seed);
    for (let left = 500; left > 0; left--) {
      const bytes = mutated(random);
      const status = reader.read(bytes);
      // The native reader takes numbers of 64 bits.
      const verdict = status === 'inexact_number' ? 'ok' : status;
      expected.set(verdict, (expected.get(verdict) ?? 0) + 1);
      socket.send(bytes);
      sent++;
    }
    await until(`${sent} datagrams`, () => client.stats().counters.datagramsA === BigInt(sent));
    const { counters } = client.stats();
    for (const [status, count] of expected)
      t.equal(counters[`packet.${status}`], BigInt(count), `DEPTHCAST_SEED=${seed}: ${status}`);
  }
});

t.test('walksBlocks', async (t) => {
  const walk = (bytes: Uint8Array) => {
    const lengths: number[] = [];
    const fault = eachBlock(
      bytes,
      (block) => lengths.push(block.length),
      (block) => lengths.push(-block.length),
    );
    return { fault, lengths };
  };
  const [one, two] = [golden[0] as Buffer, golden[1] as Buffer];
  t.same(walk(Buffer.concat([one, two])), { fault: undefined, lengths: [one.length, two.length] });
  t.same(walk(new Uint8Array(0)), { fault: undefined, lengths: [] });
  t.equal(walk(Buffer.concat([one, two.subarray(0, 8)])).fault, 'too_short');
  t.equal(walk(Buffer.concat([one, two.subarray(0, 40)])).fault, 'wrong_length');
  t.equal(walk(Buffer.concat([one, Buffer.alloc(32)])).fault, 'wrong_magic');
});
