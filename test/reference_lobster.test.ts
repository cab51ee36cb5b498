/**
 * The LOBSTER adapter: its file replayed by the reference against every row, and a sample made by hand for its rules.
 */
import { join } from 'node:path';
import t from 'tap';
import { testWithData } from './data.js';
import { type Level, replayItch } from './reference/book.js';
import type { Side } from './reference/itch_reader.js';
import {
  compareLobsterRow,
  enteringPrice,
  type LobsterDifference,
  type LobsterItch,
  type LobsterMessage,
  type LobsterSample,
  lobsterToItch,
  parseLobsterMessages,
  parseLobsterRows,
  readLobsterSample,
} from './reference/lobster.js';

/** For each row, how the book differs from it right after its message, and when settled. */
function replayAgainstRows(
  sample: LobsterSample,
  { itch, message_after_row, settled_after_row }: LobsterItch,
  depth: number,
) {
  const snapshots = new Map<number, Record<Side, Level[]>>();
  const wanted = new Set([...message_after_row, ...settled_after_row]);
  const { books } = replayItch(itch, (_message, number, _changed, all) => {
    const book = all.byLocate(1);
    if (wanted.has(number) && book !== undefined) snapshots.set(number, { B: book.levels('B'), S: book.levels('S') });
  });
  const differences = (numbers: number[]): LobsterDifference[][] =>
    numbers.map((number, k) => compareLobsterRow(sample, k, snapshots.get(number) as Record<Side, Level[]>, depth));
  return { books, after_message: differences(message_after_row), settled: differences(settled_after_row) };
}

testWithData('lobsterReplayDiffersFromRowsOnlyWhereALevelEntersAtTheEdge', (t, data) => {
  const sample = readLobsterSample(join(data, 'lobster-aapl-2012-06-21'));
  const converted = lobsterToItch(sample);
  const { books, after_message, settled } = replayAgainstRows(sample, converted, 10);
  const equal = after_message.filter((differences) => differences.length === 0).length;
  const at_edge = after_message.filter(
    (differences) => differences.length === 1 && differences.every(({ edge, position }) => edge && position === 10),
  );
  t.comment(`${equal} of ${sample.rows.length} rows equal in full, ${at_edge.length} but for the entering level`);
  t.strictSame([equal, at_edge.length, sample.rows.length], [985, 14, 999]);
  t.strictSame(settled.flat(), [], 'when settled, every row is equal in full');
  t.strictSame(Object.values(books.skipped), [{}, {}, {}, {}, {}], 'no message is skipped');
  t.strictSame(converted.counts, { initial: 22, direct: 990, on_synthetic: 9, settling: 14 });
});

testWithData('lobsterRowComparedWithItsNeighboursBookIsReported', (t, data) => {
  const sample = readLobsterSample(join(data, 'lobster-aapl-2012-06-21'));
  const { itch, settled_after_row, ...rest } = lobsterToItch(sample);
  const one_early = {
    itch,
    ...rest,
    settled_after_row: [settled_after_row[0] as number, ...settled_after_row.slice(0, -1)],
  };
  const { settled } = replayAgainstRows(sample, one_early, 10);
  const hidden_executions = sample.messages.filter(({ kind }, k) => kind === 5 && k > 0).length;
  t.equal(hidden_executions, 61);
  t.equal(
    settled.filter((differences) => differences.length === 0).length,
    1 + hidden_executions,
    'only row 0 and rows that repeat',
  );
});

/** Two levels deep. Columns of a row: ask, size, bid, size, ask, size, bid, size. */
const small_messages = `
34200.5,1,7,30,1000000,1
34200.75,4,901,40,1000100,-1
34201,5,0,5,1000050,1
34201.000000001,3,7,30,1000000,1
34202,2,902,10,999900,1
34203,3,902,90,999900,1
34204,1,8,25,999950,1
34205,3,8,25,999950,1
34206,3,903,70,999700,1`.trim();
const small_rows = `
1000100,50,1000000,30,1000300,60,999900,100
1000100,10,1000000,30,1000300,60,999900,100
1000100,10,1000000,30,1000300,60,999900,100
1000100,10,999900,100,1000300,60,999800,80
1000100,10,999900,90,1000300,60,999800,80
1000100,10,999800,80,1000300,60,999700,70
1000100,10,999950,25,1000300,60,999800,80
1000100,10,999800,80,1000300,60,999700,50
1000100,10,999800,80,1000300,60,999600,20`.trim();

function smallSample(): LobsterSample {
  return { messages: parseLobsterMessages(small_messages), rows: parseLobsterRows(small_rows) };
}

t.test('lobsterTextIsReadWithExactTimesAndSides', async (t) => {
  const { messages, rows } = smallSample();
  t.strictSame(messages[0], {
    timestamp_ns: 34_200_500_000_000,
    kind: 1,
    order_id: 7,
    shares: 30,
    price: 1_000_000,
    side: 'B',
  });
  t.strictSame(messages[3]?.timestamp_ns, 34_201_000_000_001);
  t.strictSame(messages[1]?.side, 'S');
  t.strictSame(rows[0], {
    B: [
      [1_000_000, 30],
      [999_900, 100],
    ],
    S: [
      [1_000_100, 50],
      [1_000_300, 60],
    ],
  });
  t.strictSame(parseLobsterRows('9999999999,0,999900,5\n'), [{ B: [[999_900, 5]], S: [] }], 'size 0 is no level');
  t.throws(() => parseLobsterMessages('34200,7,0,0,-1,-1'), SyntaxError, 'a halt');
  t.throws(() => parseLobsterMessages('34200.1234567891,1,7,30,1000000,1'), SyntaxError, 'a time finer than ns');
});

t.test('lobsterEnteringLevelIsExemptOnceThenSettled', async (t) => {
  const sample = smallSample();
  t.throws(
    () => lobsterToItch(sample),
    /order 903 is unknown and 999700 lacks 20 synthetic shares/,
    'its last delete takes 70 of 50',
  );
  sample.messages[8] = { ...(sample.messages[8] as (typeof sample.messages)[0]), shares: 50 };
  const { after_message, settled } = replayAgainstRows(sample, lobsterToItch(sample), 2);
  t.strictSame(settled.flat(), []);
  const edge = (expected: [number, number], actual: [number, number] | null) => [
    { side: 'B', position: 2, expected, actual, edge: true },
  ];
  t.strictSame(after_message, [
    [],
    [],
    [],
    edge([999_800, 80], null),
    [],
    edge([999_700, 70], null),
    [],
    edge([999_700, 50], [999_700, 70]),
    edge([999_600, 20], null),
  ]);
});

t.test('lobsterGhostLevelsGoWhenAFartherLevelEnters', async (t) => {
  // The bid at 99.70 leaves the window, is deleted unseen, and 99.60 enters in its place.
  const messages = parseLobsterMessages('1,1,1,5,990000,-1\n2,1,2,5,998000,1\n3,3,2,5,998000,1');
  const rows = parseLobsterRows(
    '990000,5,997000,9,999000,1,996900,9\n990000,5,998000,5,999000,1,997000,9\n990000,5,997000,9,999000,1,996000,4',
  );
  const sample = { messages, rows };
  const { books, after_message, settled } = replayAgainstRows(sample, lobsterToItch(sample), 2);
  t.strictSame(after_message[2], [
    { side: 'B', position: 2, expected: [996_000, 4], actual: [996_900, 9], edge: true },
  ]);
  t.strictSame(settled.flat(), []);
  t.strictSame(books.byLocate(1)?.levels('B'), [
    [997_000, 9, 1],
    [996_000, 4, 1],
  ]);
});

t.test('lobsterLevelThatShrankUnseenLosesTheEndOfItsQueue', async (t) => {
  // The bid at 99.00 leaves the window twice: it returns with 12 of its 20 shares, then with 15 instead of those 12.
  const bids = ['990000,14', '990000,20', '995000,1', '990000,12', '995000,1', '990000,15', '990000,2'];
  const rows = parseLobsterRows(bids.map((bid) => `1010000,5,1000000,10,1020000,5,${bid}`).join('\n'));
  const messages = parseLobsterMessages(
    '1,1,1,4,990000,1\n2,1,2,6,990000,1\n3,1,3,1,995000,1\n4,3,3,1,995000,1\n' +
      '5,1,4,1,995000,1\n6,3,4,1,995000,1\n7,3,50,13,990000,1',
  );
  const queues = [4, 6, 7].map((end) => {
    const sample = { messages: messages.slice(0, end), rows: rows.slice(0, end) };
    const { books, settled } = replayAgainstRows(sample, lobsterToItch(sample), 2);
    t.strictSame(settled.flat(), []);
    return books
      .byLocate(1)
      ?.queue('B', 990_000)
      .map(({ reference, shares }) => [reference < 2 ** 40 ? reference : 'synthetic', shares]);
  });
  t.strictSame(queues, [
    [
      ['synthetic', 10],
      [1, 2],
    ],
    [
      ['synthetic', 10],
      [1, 2],
      ['synthetic', 3],
    ],
    [[1, 2]],
  ]);
});

t.test('lobsterLevelEntersOnlyAtTheEdgeAndOnlyForOneRemoved', async (t) => {
  const [message] = parseLobsterMessages('1,3,7,5,1000000,1') as [LobsterMessage];
  const row = (...bids: [number, number][]) => ({ B: bids, S: [] });
  const previous = row([1_000_000, 5], [999_900, 6]);
  const enters = (...bids: [number, number][]) => enteringPrice(message, previous, row(...bids), 'B');
  t.equal(enters([999_900, 6], [999_800, 7]), 999_800);
  t.equal(enters([999_950, 7], [999_900, 6]), undefined, 'a new level inside');
  t.equal(enters([999_900, 6]), undefined, 'no level was left to enter');
  t.equal(enters([1_000_000, 4], [999_800, 6]), undefined, 'its level still stands');
  t.equal(enteringPrice(message, undefined, row([999_900, 6], [999_800, 7]), 'B'), undefined, 'row 0 is exact');
  const asks = {
    B: [],
    S: [
      [999_900, 6],
      [999_800, 7],
    ] as [number, number][],
  };
  t.equal(enteringPrice(message, { B: [], S: previous.B }, asks, 'S'), undefined, 'the other side');
});

t.test('lobsterDifferenceInsideTheWindowIsNotExcused', async (t) => {
  const sample = smallSample();
  const levels = {
    S: [
      [1_000_100, 10],
      [1_000_300, 60],
    ],
    B: [
      [999_900, 99],
      [999_800, 79],
    ],
  } as const;
  t.strictSame(compareLobsterRow(sample, 3, levels, 2), [
    { side: 'B', position: 1, expected: [999_900, 100], actual: [999_900, 99], edge: false },
    { side: 'B', position: 2, expected: [999_800, 80], actual: [999_800, 79], edge: true },
  ]);
  t.strictSame(
    compareLobsterRow(sample, 4, levels, 2).map(({ position, edge }) => [position, edge]),
    [
      [1, false],
      [2, false],
    ],
    'the level that entered in row 3 is inside in row 4',
  );
});

t.test('lobsterSampleThatContradictsItselfIsRefused', async (t) => {
  const rows = parseLobsterRows('1000100,50,1000000,30\n1000100,50,999900,10');
  const converted = (messages: string) => () => lobsterToItch({ messages: parseLobsterMessages(messages), rows });
  t.throws(converted('1,1,7,30,1000000,1\n2,3,7,29,1000000,1'), /order 7 is not what/, 'a delete of another size');
  t.throws(
    converted('1,1,7,30,1000000,1\n2,2,7,30,1000000,1'),
    /order 7 is not what/,
    'a partial cancel of everything',
  );
  t.throws(converted('1,1,7,30,1000000,1\n2,1,7,30,1000000,1'), /no effect/, 'a repeated id');
  t.throws(converted('1,1,7,31,1000000,1\n2,3,7,31,1000000,1'), /row 0 holds less/, 'row 0 without message 0');
  t.throws(converted('1,1,7,30,1000000,1'), /1 messages do not go with 2 rows/);
});
