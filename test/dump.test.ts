/** The dump document: its text, its numbers, and how it comes to its file. */
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type DumpExtras, dumpFileAt, dumpText, makeDump, writeDump } from '../src/dump.js';
import { makeExport } from './exports.js';
import { compareWithExpected, type Dump as ReferenceDump } from './reference/dump.js';

const books = [
  {
    symbol: 'ABCD',
    digest: 0x12n,
    bids: [
      [
        205400n,
        [
          [1n, 100n],
          [2n ** 64n - 1n, 2n ** 60n],
        ],
      ],
    ],
    asks: [
      [205500n, [[3n, 1n]]],
      [2n ** 62n, [[4n, 2n]]],
    ],
  },
  { symbol: '__proto__', status: 3 },
] satisfies Parameters<typeof makeExport>[0];

const extras: DumpExtras = {
  channel: 3,
  counters: { messages: 7n, digest: 2n ** 64n - 1n, plain: 8 },
  missing: [{ first: 2n, last: 2n ** 63n }],
};

t.test('writesNumbersAsExactDecimalText', async (t) => {
  const dump = JSON.parse(JSON.stringify(makeDump(makeExport(books), extras)));
  const symbol = '__proto__';
  t.same(Object.keys(dump.instruments), ['ABCD', symbol]);
  t.same(Object.getOwnPropertyDescriptor(dump.instruments, symbol)?.value, {
    live_orders: 0,
    status: 'paused',
    digest: '0000000000000002',
    bids: [],
    asks: [],
  });
  delete dump.instruments[symbol];
  t.same(dump, {
    channel: 3,
    session: '5',
    sequence: '9',
    digest: '0000000000000abc',
    counters: { messages: 7, digest: '18446744073709551615', plain: 8 },
    missing: [['2', '9223372036854775808']],
    instruments: {
      ABCD: {
        live_orders: 4,
        status: 'trading',
        digest: '0000000000000012',
        bids: [
          [
            '20.5400',
            '1152921504606847076',
            2,
            [
              ['1', '100'],
              ['18446744073709551615', '1152921504606846976'],
            ],
          ],
        ],
        asks: [
          ['20.5500', '1', 1, [['3', '1']]],
          ['461168601842738.7904', '2', 1, [['4', '2']]],
        ],
      },
    },
  });
});

t.test('leavesOrdersOutWhereTheExportHasNone', async (t) => {
  const dump = makeDump(makeExport(books, {}, false), extras);
  t.same(dump.instruments.ABCD?.asks, [
    ['20.5500', '1', 1],
    ['461168601842738.7904', '2', 1],
  ]);
});

t.test('isReadByTheIndependentReference', async (t) => {
  const dump = makeDump(makeExport([books[0] ?? {}]), extras) as ReferenceDump;
  const expected = {
    symbols: { ABCD: { live_orders: 3, l3_sha256: '', best_bid: null, best_ask: null, bid_shares: 0, ask_shares: 0 } },
  };
  const differences = compareWithExpected(dump, expected, { l3: false });
  t.match(differences[0], /^ABCD: live_orders: expected 3, the dump has 4/);
});

t.test('givesTheSameDocumentAsTextInPieces', async (t) => {
  for (const made of [makeExport(books), makeExport([]), makeExport(books, {}, false)])
    t.same(JSON.parse([...dumpText(made, extras)].join('')), JSON.parse(JSON.stringify(makeDump(made, extras))));
});

t.test('writesTheFileWholeAndLeavesNothingElse', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'depthcast-dump-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, 'out.json');
  await writeFile(file, 'old');
  await symlink(file, join(folder, 'link.json'));
  await writeDump(join(folder, 'link.json'), makeExport(books), extras);
  t.same(JSON.parse(await readFile(file, 'utf8')), JSON.parse(JSON.stringify(makeDump(makeExport(books), extras))));
  t.same((await readdir(folder)).sort(), ['link.json', 'out.json'], 'the link is still one');

  const broken = makeExport([{ ...books[0], priceExponent: 1_000 }]);
  await t.rejects(writeDump(file, broken, extras), { name: 'RangeError' });
  t.match(await readFile(file, 'utf8'), /ABCD/, 'the old one stays');
  t.same((await readdir(folder)).sort(), ['link.json', 'out.json']);
  await t.rejects(writeDump(join(folder, 'none', 'out.json'), makeExport(books), extras), { code: 'ENOENT' });
  await writeDump('/dev/null', makeExport(books), extras);
});

t.test('namesTheFileOfAPosition', async (t) => {
  t.equal(dumpFileAt('out.json', 1000n), 'out.1000.json');
  t.equal(dumpFileAt('a.b/out.json', 1n), 'a.b/out.1.json');
  t.equal(dumpFileAt('/out', 1n), '/out.1');
  t.equal(dumpFileAt('/a/out.tar.json', 2n), '/a/out.tar.2.json');
  t.equal(dumpFileAt('./.hidden', 3n), './.hidden.3');
});
