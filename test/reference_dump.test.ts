/**
 * A tiny file in bytes written by hand: its books, its dump, and every way in which a dump can differ from what is
 * expected.
 */
import { createHash } from 'node:crypto';
import t from 'tap';
import { bboRow, replayItch } from './reference/book.js';
import { bytesOf, framed } from './reference/bytes.js';
import { compareWithExpected, type Dump, decimal, l3Sha256OfDump, makeDump, undecimal } from './reference/dump.js';

/** R, then orders of two stocks, one of them without a directory message. */
function tinyFile(): Buffer {
  const order = (type: string, rest: string) => bytesOf(`'${type}' 0007 0000 000000000005 ${rest}`);
  return framed(
    bytesOf("'R' 0007 0000 000000000004 'ABCD    ' 'Q' 'N' 00000064 'N' 'C' 'Z ' 'P' 'N' 'N' '1' 'N' 00000000 'N'"),
    order('A', "0000000000000000 'B' 0000012C 'ABCD    ' 00032258"), // 300 at 20.5400
    order('F', "0000000000000002 'B' 00000064 'ABCD    ' 00032258 'GSCO'"),
    order('A', "0000000000000003 'S' 00000005 'ABCD    ' 00000001"), // crossed, at 0.0001
    order('E', '0000000000000000 00000064 0000000000000001'),
    order('P', "0000000000000000 'B' 00000064 'ABCD    ' 00032258 000000000000000B"),
    bytesOf("'A' 0008 0000 000000000006 0000000000000004 'S' FFFFFFFF 'XY      ' FFFFFFFF"),
    order('X', '0000000000000009 00000001'),
  );
}

const tiny_dump: Dump = {
  instruments: {
    ABCD: {
      live_orders: 3,
      bids: [
        [
          '20.5400',
          '300',
          2,
          [
            ['0', '200'],
            ['2', '100'],
          ],
        ],
      ],
      asks: [['0.0001', '5', 1, [['3', '5']]]],
    },
    XY: { live_orders: 1, bids: [], asks: [['429496.7295', '4294967295', 1, [['4', '4294967295']]]] },
  },
};

const tiny_expected = {
  live_orders_total: 4,
  symbols: {
    ABCD: {
      live_orders: 3,
      best_bid: [205_400, 300] as [number, number],
      best_ask: [1, 5] as [number, number],
      bid_levels: 1,
      ask_levels: 1,
      bid_shares: 300,
      ask_shares: 5,
      bids: [[205_400, 300, 2] as [number, number, number]],
      asks: [[1, 5, 1] as [number, number, number]],
      l3_sha256: createHash('sha256').update('B,205400,0,200\nB,205400,2,100\nS,1,3,5\n').digest('hex'),
    },
    XY: {
      live_orders: 1,
      best_bid: null,
      best_ask: [4_294_967_295, 4_294_967_295] as [number, number],
      bid_shares: 0,
      ask_shares: 4_294_967_295,
      l3_sha256: createHash('sha256').update('S,4294967295,4,4294967295\n').digest('hex'),
    },
  },
};

t.test('tinyFileGivesTheBooksWorkedOutByHand', async (t) => {
  const rows: string[] = [];
  const { books } = replayItch(tinyFile(), (message, number, book) => {
    if (book !== undefined) rows.push(bboRow(number - 1, message, book));
  });
  t.strictSame(rows, [
    '1,A,5,7,205400,300,,',
    '2,F,5,7,205400,400,,',
    '3,A,5,7,205400,400,1,5',
    '4,E,5,7,205400,300,1,5',
    '6,A,6,8,,,4294967295,4294967295',
  ]);
  t.strictSame(makeDump(books, { l3: true }), tiny_dump);
  t.strictSame(makeDump(books).instruments.ABCD?.bids, [['20.5400', '300', 2]]);
  t.strictSame(
    books.all().map((book) => [book.symbol, book.locate, book.l3Sha256()]),
    [
      ['ABCD', 7, tiny_expected.symbols.ABCD.l3_sha256],
      ['XY', 8, tiny_expected.symbols.XY.l3_sha256],
    ],
  );
  t.strictSame(compareWithExpected(makeDump(books, { l3: true }), tiny_expected), []);
});

t.test('everyDifferenceFromTheExpectationIsReported', async (t) => {
  /** The differences after one change to a copy of the right dump. */
  const after = (change: (instruments: Dump['instruments'] & { ABCD: Dump['instruments'][string] }) => void) => {
    const dump = structuredClone(tiny_dump);
    change(dump.instruments as Dump['instruments'] & { ABCD: Dump['instruments'][string] });
    return compareWithExpected(dump, tiny_expected);
  };
  t.strictSame(
    after(() => {}),
    [],
  );
  const hash = /^ABCD: l3_sha256: expected /;
  t.matchOnly(
    after(({ ABCD }) => ABCD.bids[0]?.[3]?.reverse()),
    [hash],
    'queue order',
  );
  t.matchOnly(
    after(({ ABCD }) => ABCD.bids[0]?.[3]?.splice(0, 1, ['1', '200'])),
    [hash],
    'order id',
  );
  t.matchOnly(
    after(({ ABCD }) => ABCD.bids[0]?.[3]?.splice(0, 2, ['0', '199'], ['2', '101'])),
    [hash],
    'quantities of orders',
  );
  t.matchOnly(
    after(({ ABCD }) => ABCD.asks.pop()),
    [
      'ABCD: says 3 live orders, its levels hold 2',
      'ABCD: best_ask: expected [1,5], the dump has null',
      'ABCD: ask_levels: expected 1, the dump has 0',
      'ABCD: ask_shares: expected 5, the dump has 0',
      'ABCD: asks: expected [[1,5,1]], the dump has []',
      hash,
    ],
  );
  t.matchOnly(
    after(({ ABCD }) => ABCD.bids[0]?.[3]?.pop()),
    [
      'ABCD: B level 20.5400 says 2 orders and lists 1',
      'ABCD: B level 20.5400 says 300 and its orders sum to 200',
      hash,
    ],
  );
  t.strictSame(
    after(({ ABCD }) => {
      ABCD.live_orders = 4;
    }),
    [
      'ABCD: says 4 live orders, its levels hold 3',
      'ABCD: live_orders: expected 3, the dump has 4',
      'live orders of all instruments: expected 4, the dump has 5',
    ],
  );
  t.matchOnly(
    after((instruments) => delete instruments.XY),
    ['XY: not in the dump', 'live orders of all instruments: expected 4, the dump has 3'],
  );
  const stray = { live_orders: 0, bids: [], asks: [] };
  t.strictSame(
    after((instruments) => Object.assign(instruments, { ZZ: stray })),
    [],
    'an instrument without orders may be dumped',
  );
  t.matchOnly(
    after((instruments) => Object.assign(instruments, { ZZ: instruments.XY })),
    ['ZZ: 1 orders in the dump, not expected at all', 'live orders of all instruments: expected 4, the dump has 5'],
  );
});

t.test('levelsOutOfOrderOrEmptyAreReported', async (t) => {
  const book = {
    live_orders: 3,
    bids: [
      ['1.0000', '5', 1],
      ['1.0000', '5', 1],
    ],
    asks: [
      ['2.0000', '5', 1],
      ['1.9999', '0', 0],
    ],
  };
  const differences = compareWithExpected({ instruments: { A: book } } as unknown as Dump, { symbols: {} });
  t.strictSame(differences, ['A: 3 orders in the dump, not expected at all']);
  const empty = { live_orders: 1, bids: [], asks: [] };
  t.strictSame(compareWithExpected({ instruments: { A: empty } }, { symbols: {} }), [
    'A: 1 orders in the dump, not expected at all',
  ]);
  const expected = { symbols: { A: { live_orders: 3 } } } as unknown as Parameters<typeof compareWithExpected>[1];
  t.strictSame(compareWithExpected({ instruments: { A: book } } as unknown as Dump, expected, { l3: false }), [
    'A: B level 1.0000 follows 1.0000',
    'A: S level 1.9999 follows 2.0000',
    'A: S level 1.9999 is empty: 0 in 0 orders',
  ]);
});

t.test('dumpWithoutL3DiffersUnlessL3IsNotAskedFor', async (t) => {
  const { books } = replayItch(tinyFile());
  t.strictSame(compareWithExpected(makeDump(books), tiny_expected, { l3: false }), []);
  t.matchOnly(compareWithExpected(makeDump(books), tiny_expected), [
    /ABCD: l3_sha256: .* made without l3/,
    /XY: l3_sha256: .* made without l3/,
  ]);
  t.throws(() => l3Sha256OfDump(makeDump(books).instruments.XY as Dump['instruments'][string]), TypeError);
});

t.test('decimalsAreExactAndOfFixedLength', async (t) => {
  const pairs: [bigint, number, string][] = [
    [205_400n, -4, '20.5400'],
    [1n, -4, '0.0001'],
    [0n, -4, '0.0000'],
    [-5n, -4, '-0.0005'],
    [12_345n, 0, '12345'],
    [9n, -1, '0.9'],
    [18_446_744_073_709_551_615n, -9, '18446744073.709551615'],
  ];
  for (const [value, exponent, text] of pairs) {
    t.equal(decimal(value, exponent), text);
    t.equal(undecimal(text, exponent), value);
  }
  t.equal(decimal(205_400, -4), '20.5400');
  t.throws(() => decimal(2 ** 53, 0), RangeError);
  t.throws(() => decimal(0.5, 0), RangeError);
  t.throws(() => decimal(1, 1), RangeError);
  for (const text of ['20.54', '20.54000', '20', '020.5400', '.5400', '20.5400 ', '2e1', '-0.0000', '', '20,5400'])
    t.throws(() => undecimal(text, -4), SyntaxError, `"${text}"`);
});
