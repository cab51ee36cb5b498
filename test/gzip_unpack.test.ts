/** Unpacking: every byte before a fault comes out, whatever zlib withholds. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { piece_bytes, unpackGzip } from '../src/gzip_unpack.js';

/** Bytes that pack to about half: seeded, the same each time. */
function someBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = (state >>> 24) & 0x0f;
  }
  return bytes;
}

async function unpack(packed: Buffer, limit = Number.POSITIVE_INFINITY) {
  const parts: Buffer[] = [];
  let length = 0;
  const broken = await unpackGzip(
    async (offset, wanted) => packed.subarray(offset, offset + wanted),
    async (bytes) => {
      parts.push(Buffer.from(bytes));
      length += bytes.length;
      return length < limit;
    },
  );
  return { bytes: Buffer.concat(parts), broken };
}

t.test('unpacksFilesOfAnySize', async (t) => {
  for (const length of [0, 1, 100, piece_bytes, 1_000_000]) {
    const bytes = someBytes(length);
    const result = await unpack(gzipSync(bytes));
    t.equal(result.broken, undefined);
    t.ok(result.bytes.equals(bytes), `${length} bytes`);
  }
});

t.test('unpacksMembersOneAfterTheOther', async (t) => {
  const parts = [someBytes(40_000, 1), someBytes(0), someBytes(50_000, 2)];
  const result = await unpack(Buffer.concat(parts.map((part) => gzipSync(part))));
  t.equal(result.broken, undefined);
  t.ok(result.bytes.equals(Buffer.concat(parts)));
});

t.test('ignoresZerosBehindTheEnd', async (t) => {
  const result = await unpack(Buffer.concat([gzipSync(someBytes(1_000)), Buffer.alloc(50_000)]));
  t.equal(result.broken, undefined);
  t.equal(result.bytes.length, 1_000);
});

t.test('givesEverythingBeforeATruncation', async (t) => {
  const bytes = someBytes(200_000);
  const packed = gzipSync(bytes);
  for (const length of [packed.length - 1, packed.length - 8, packed.length >> 1, piece_bytes, 11]) {
    const result = await unpack(packed.subarray(0, length));
    t.match(result.broken, { message: 'unexpected end of file', offset: length });
    const share = result.bytes.length / bytes.length;
    t.ok(result.bytes.equals(bytes.subarray(0, result.bytes.length)));
    t.ok(share <= 1 && share > (length - 500) / packed.length, `${result.bytes.length} bytes of ${length} packed ones`);
  }
  t.equal(
    (await unpack(packed.subarray(0, packed.length - 8))).bytes.length,
    bytes.length,
    'only the trailer is missing',
  );
});

t.test('givesEverythingBeforeAWrongChecksum', async (t) => {
  const bytes = someBytes(100_000);
  for (const from_end of [8, 1]) {
    const packed = gzipSync(bytes);
    packed.writeUInt8((packed.at(-from_end) ?? 0) ^ 1, packed.length - from_end);
    const result = await unpack(packed);
    t.match(result.broken?.message, from_end === 8 ? 'incorrect data check' : 'incorrect length check');
    t.ok(result.bytes.equals(bytes), 'all of it was unpacked before');
  }
});

t.test('givesEverythingBeforeAnInvalidBlock', async (t) => {
  // Stored blocks, so that the place of the fault is known: the third one contradicts itself.
  const bytes = someBytes(3 * 20_000);
  const blocks = [0, 1, 2].map((index) => {
    const part = bytes.subarray(index * 20_000, (index + 1) * 20_000);
    const head = Buffer.from([0, 0x20, 0x4e, 0xdf, 0xb1]);
    if (index === 2) head[4] = 0;
    return Buffer.concat([head, part]);
  });
  const packed = Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), ...blocks]);
  const result = await unpack(packed);
  t.match(result.broken, { message: 'invalid stored block lengths', offset: 10 + 2 * 20_005 + 4 });
  t.equal(result.bytes.length, 40_000);
  t.ok(result.bytes.equals(bytes.subarray(0, 40_000)));
});

t.test('saysWhatIsNoGzipAtAll', async (t) => {
  t.match(await unpack(Buffer.from('no gzip')), { broken: { message: 'incorrect header check', offset: 1 } });
  t.match(await unpack(Buffer.alloc(0)), { broken: { message: 'unexpected end of file' } });
  t.match(await unpack(deflateRawSync(someBytes(10))), { broken: { message: 'incorrect header check' } });
});

t.test('stopsWhenNoMoreIsWanted', async (t) => {
  const result = await unpack(gzipSync(someBytes(1_000_000)), 100_000);
  t.equal(result.broken, undefined);
  t.ok(result.bytes.length >= 100_000 && result.bytes.length < 300_000);
});

t.test('passesOnFaultsOfReading', async (t) => {
  const broken = unpackGzip(
    () => Promise.reject(new Error('EIO')),
    async () => true,
  );
  await t.rejects(broken, { message: 'EIO' });
});
