/** Files as the addon gets them: read to their end through the descriptor, plain and packed. */
import { closeSync, read as readCallback, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { openItchFile } from '../src/itch_source.js';
import { until } from './channel.js';
import type { Test } from './data.js';

const read = promisify(readCallback);

async function folderFor(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'depthcast-itch-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

async function readAll(descriptor: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const { bytesRead, buffer } = await read(descriptor, Buffer.alloc(65_536), 0, 65_536, null);
    if (bytesRead === 0) break;
    parts.push(buffer.subarray(0, bytesRead));
  }
  closeSync(descriptor);
  return Buffer.concat(parts);
}

/** Descriptors of this process that are pipes or files below `folder`. */
function openDescriptors(folder: string): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) >> 7));
const all = { unpackBytesMax: 2 ** 40 };

t.test('givesThePlainBytes', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'plain'), content);
  const file = await openItchFile(join(folder, 'plain'), all);
  t.ok((await readAll(file.take())).equals(content));
  t.equal(file.fault, undefined);
  file.close();
  file.close();
  t.equal(openDescriptors(folder), 0);
});

t.test('knowsPackedFilesByNameOrByTheirFirstBytes', async (t) => {
  const folder = await folderFor(t);
  for (const name of ['packed.gz', 'packed']) {
    await writeFile(join(folder, name), gzipSync(content));
    const file = await openItchFile(join(folder, name), all);
    t.ok((await readAll(file.take())).equals(content), name);
    t.equal(file.fault, undefined);
  }
  await until('the packed files to be closed', () => openDescriptors(folder) === 0);
});

t.test('namesOffsetAndExpectationOfABrokenPackedFile', async (t) => {
  const folder = await folderFor(t);
  const packed = gzipSync(content);
  await writeFile(join(folder, 'cut.gz'), packed.subarray(0, packed.length - 4));
  const cut = await openItchFile(join(folder, 'cut.gz'), all);
  t.ok((await readAll(cut.take())).equals(content));
  t.same(cut.fault, {
    offset: BigInt(content.length),
    expected: `gzip data, but zlib says "unexpected end of file" near byte ${packed.length - 4} of the packed file`,
  });
  await writeFile(join(folder, 'text.gz'), 'text');
  const text = await openItchFile(join(folder, 'text.gz'), all);
  t.equal((await readAll(text.take())).length, 0);
  t.match(text.fault, { offset: 0n, expected: /zlib says "incorrect header check"/ });
});

t.test('stopsAtTheCapOfUnpackedBytes', async (t) => {
  const folder = await folderFor(t);
  // A thousand times its packed size.
  await writeFile(join(folder, 'bomb.gz'), gzipSync(Buffer.alloc(50_000_000)));
  for (const unpackBytesMax of [1, 1_000_000]) {
    const file = await openItchFile(join(folder, 'bomb.gz'), { unpackBytesMax });
    t.equal((await readAll(file.take())).length, unpackBytesMax);
    t.same(file.fault, {
      offset: BigInt(unpackBytesMax),
      expected: `at most ${unpackBytesMax} unpacked bytes (unpackBytesMax), but there are more`,
    });
  }
  const exactly = await openItchFile(join(folder, 'bomb.gz'), { unpackBytesMax: 50_000_000 });
  t.equal((await readAll(exactly.take())).length, 50_000_000);
  t.equal(exactly.fault, undefined, 'as much as allowed is no fault');
});

t.test('endsWhenTheReaderGoesOrItIsClosed', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'big.gz'), gzipSync(Buffer.alloc(10_000_000)));
  const path = join(folder, 'big.gz');
  const left = await openItchFile(path, all);
  const descriptor = left.take();
  await read(descriptor, Buffer.alloc(10), 0, 10, null);
  closeSync(descriptor);
  const closed = await openItchFile(path, all);
  closed.close();
  closed.close();
  const taken = await openItchFile(path, all);
  const reader = readAll(taken.take());
  taken.close();
  t.ok((await reader).length < 10_000_000);
  await until('all to be closed', () => openDescriptors(folder) === 0);
  t.throws(() => taken.take(), { message: `${path} is taken already` });
});

t.test('saysWhyAFileCannotBeOpened', async (t) => {
  const folder = await folderFor(t);
  await t.rejects(openItchFile(join(folder, 'none'), all), {
    message: `cannot open ${join(folder, 'none')}: there is no such file`,
  });
  await t.rejects(openItchFile(folder, all), { message: `cannot open ${folder}: it is a directory` });
});
