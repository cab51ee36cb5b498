/** What the views make of figures: the ladder, the panel, the status lines, the terminal's frames. */
import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import type { Level } from '../src/book_types.js';
import { duration, fit, grouped, printable, quantityIn, short, timeOfDay } from '../src/view/format.js';
import { bar, type LadderBook, ladder_lines_fixed, ladderLines, spreadText } from '../src/view/ladder.js';
import { type FeedStatus, feedLine, serveLine, statusPanel } from '../src/view/status.js';
import { frame, type Look, lookOf, screen, sizeOf } from '../src/view/terminal.js';

const plain: Look = { colour: false, unicode: false };
const rich: Look = { colour: true, unicode: true };

function level(price: bigint, quantity: bigint, orders: number): Level {
  return { price, quantity, orders };
}

const book: LadderBook = {
  symbol: 'ALPHA',
  status: 'trading',
  state: 'synchronized',
  timeNs: 1_577_664_000_000_000_000n + 34_200_123_456_789n,
  priceExponent: -4,
  quantityExponent: 0,
  bids: [level(204_900n, 2_000n, 13), level(204_800n, 1n, 1), level(204_700n, 8_242n, 24)],
  asks: [level(205_000n, 100n, 1), level(205_100n, 4_000n, 4)],
};

t.test('ladderHasAlignedColumnsAsksAboveBidsBelow', async (t) => {
  t.strictSame(ladderLines(book, { look: plain, columns: 60, levels: 3 }), [
    'ALPHA  trading  synchronized          09:30:00.123456789 UTC',
    '       price  quantity orders       total',
    '',
    'ask  20.5100     4,000      4       4,100  ########',
    'ask  20.5000       100      1         100  #',
    '--- spread 0.0100  mid 20.49500 ----------------------------',
    'bid  20.4900     2,000     13       2,000  ####',
    'bid  20.4800         1      1       2,001  #',
    'bid  20.4700     8,242     24      10,243  #################',
    'bids 10,243 in 3, asks 4,100 in 2 levels',
  ]);
});

t.test('ladderShowsTheBestWhereLevelsAreLimited', async (t) => {
  const lines = ladderLines(book, { look: plain, columns: 60, levels: 1 });
  t.equal(lines.length, 2 + ladder_lines_fixed);
  t.match(lines[2], /^ask {2}20\.5000 /);
  t.match(lines[4], /^bid {2}20\.4900 /);
  t.equal(lines[5], 'bids 2,000 in 1, asks 100 in 1 levels');
});

t.test('ladderFitsEveryWidthFrom40ColumnsOn', async (t) => {
  const wide: LadderBook = {
    ...book,
    symbol: 'A'.repeat(60),
    bids: [level(-(2n ** 63n), 2n ** 64n - 1n, 4_294_967_295)],
    asks: [level(2n ** 63n - 1n, 2n ** 64n - 1n, 4_294_967_295)],
  };
  for (const any of [book, wide])
    for (const look of [plain, rich])
      for (let columns = 40; columns <= 200; columns++) {
        const lines = ladderLines(any, { look, columns, levels: 3 });
        t.equal(lines.length, 2 * 3 + ladder_lines_fixed);
        const texts = lines.map((line) => stripVTControlCharacters(line));
        const widest = Math.max(...texts.map((text) => text.length));
        if (widest > columns) t.fail(`${widest} columns of ${columns}`, { lines });
        if (texts.slice(1, -1).some((text) => text.includes('~'))) t.fail('a number is cut', { lines });
      }
});

t.test('ladderIsColouredOnlyWhenTold', async (t) => {
  const text = (look: Look) => ladderLines(book, { look, columns: 80, levels: 3 }).join('\n');
  const coloured = text({ colour: true, unicode: false });
  t.equal(stripVTControlCharacters(coloured), text(plain));
  t.match(coloured, '\x1b[1;31mask  20.5000', 'the best ask is bold');
  t.match(coloured, '\x1b[31mask  20.5100', 'the others are not');
  t.match(coloured, '\x1b[1;32mbid  20.4900', 'the best bid is bold');
  t.notMatch(text(plain), '\x1b');
});

t.test('spreadSaysWhetherTheBookIsCrossedLockedOrOneSided', async (t) => {
  const [bid, ask] = [level(205_000n, 1n, 1), level(205_100n, 1n, 1)];
  const spread = (bids: Level[], asks: Level[]) => spreadText({ ...book, bids, asks });
  t.equal(spread([bid], [ask]), 'spread 0.0100  mid 20.50500');
  t.equal(spread([ask], [bid]), 'crossed by 0.0100  mid 20.50500');
  t.equal(spread([bid], [bid]), 'locked at 20.5000');
  t.equal(spread([], [ask]), 'no bids');
  t.equal(spread([bid], []), 'no asks');
  t.equal(spread([], []), 'empty');
  t.equal(spreadText({ ...book, priceExponent: -128 }).startsWith('spread 0.'), true, 'even at the smallest exponent');
});

t.test('hostileSymbolsAndExponentsDoNoHarm', async (t) => {
  for (const [priceExponent, quantityExponent] of [
    [127, 127],
    [-128, -128],
  ] as const) {
    const lines = ladderLines(
      { ...book, symbol: '\x1b]0;x\x07\u{1f600}', priceExponent, quantityExponent },
      { look: plain, columns: 40, levels: 2 },
    );
    t.match(lines[0], /^\?]0;x\?/);
    t.ok(
      lines.every((line) => line.length <= 40),
      { lines },
    );
  }
});

t.test('barsShowWhateverIsNotNothing', async (t) => {
  t.equal(bar(0, 10, true), '');
  t.equal(bar(0.0001, 10, true), '▏');
  t.equal(bar(0.5, 10, true), '█████');
  t.equal(bar(0.55, 10, true), '█████▌');
  t.equal(bar(2, 10, true), '██████████');
  t.equal(bar(0.5, 10, false), '#####');
  t.equal(bar(0.0001, 10, false), '#');
});

const status: FeedStatus = {
  channel: 7,
  session: 1_795_443_175_054_000_000n,
  state: 'synchronized',
  sequence: 91_248n,
  position: 90_000n,
  rate: 22_098.4,
  missing: 0n,
  recovered: 0n,
  snapshots: 0n,
  digests: 1_366n,
  digestsMismatched: 0n,
  kernelDrops: 0n,
  refused: 0n,
  lost: 0n,
  latency: { p50: 30_500, p99: 1_860_000, p999: 4_240_000, max: 12_400_000_000 },
};

t.test('panelFlowsIntoTheWidth', async (t) => {
  t.strictSame(statusPanel(status, plain, 80), [
    'channel 7  session 1795443175054000000  synchronized',
    'sequence 91,248   22,098 messages/s   missing 0   digests 1,366 equal',
    'latency p50 30.5 us  p99 1.86 ms  p99.9 4.24 ms  max 12.4 s',
  ]);
  t.strictSame(statusPanel(status, { colour: false, unicode: true }, 40), [
    'channel 7  session 1795443175054000000',
    'synchronized',
    'sequence 91,248   22,098 messages/s',
    'missing 0   digests 1,366 equal',
    'latency p50 30.5 µs  p99 1.86 ms',
    'p99.9 4.24 ms  max 12.4 s',
  ]);
  for (let columns = 40; columns < 200; columns++)
    for (const line of statusPanel(status, rich, columns))
      if (stripVTControlCharacters(line).length > columns) t.fail(`wider than ${columns}`, { line });
});

t.test('troubleIsShownWhereThereIsSome', async (t) => {
  const bad = {
    ...status,
    missing: 12n,
    recovered: 6n,
    snapshots: 1n,
    digestsMismatched: 2n,
    kernelDrops: 3n,
    refused: 4n,
    lost: 5_000n,
  };
  const line = feedLine(bad);
  for (const words of [
    'missing 12',
    'recovered 6',
    'snapshots 1',
    'digests 2 differ',
    'kernel drops 3',
    'refused datagrams 4',
    'updates lost 5,000',
  ])
    t.match(line, words);
  t.match(statusPanel(bad, rich, 80).join(), '\x1b[1;33mmissing 12');
  t.notMatch(feedLine(status), 'drops');
});

t.test('statusLinesAreOneLineWithoutEscapes', async (t) => {
  t.equal(
    feedLine(status),
    'synchronized, sequence 91,248, 22,098 messages/s, missing 0, digests 1,366 equal, ' +
      'latency p50 30.5 us p99 1.86 ms p99.9 4.24 ms max 12.4 s',
  );
  t.equal(
    feedLine({ ...status, session: 0n, digests: 0n, latency: undefined, state: 'waiting' }),
    'waiting, sequence 91,248, 22,098 messages/s, missing 0, digests none yet, latency none yet',
  );
  const serve = { sequence: 1_000n, position: 1_100n, rate: 5.5, datagrams: 50n, sendErrors: 0n, sendErrorLast: '' };
  t.equal(
    serveLine({ ...serve, subscribers: 1, waitingFor: 0, liveOrders: 9n, skipped: 0n }),
    'sequence 1,000, source message 1,100, 6 messages/s, 50 datagrams sent, 0 send errors, 9 live orders, 1 subscriber',
  );
  t.equal(
    serveLine({
      ...serve,
      sendErrors: 3n,
      sendErrorLast: 'ENETUNREACH',
      subscribers: 1,
      waitingFor: 2,
      liveOrders: 9n,
      skipped: 4n,
    }),
    'waiting for 2 more subscribers, sequence 1,000, source message 1,100, 6 messages/s, 50 datagrams sent, ' +
      '3 send errors (ENETUNREACH), 9 live orders, 1 subscriber, 4 source messages skipped',
  );
  const troubled = { ...serve, subscribers: 0, waitingFor: 0, liveOrders: 9n, skipped: 0n };
  t.match(
    serveLine({
      ...troubled,
      journalMissing: 1_000n,
      journalErrors: 2n,
      journalErrorLast: 'ENOSPC',
      replicaLost: true,
    }),
    /, 1,000 messages not in the journal, 2 journal errors \(ENOSPC\), no snapshots: the replica was too slow/,
  );
});

t.test('coloursNeedATerminalAndRespectNoColor', async (t) => {
  const utf8 = { LANG: 'C.UTF-8', TERM: 'xterm' };
  t.strictSame(lookOf({ isTTY: true }, utf8), { colour: true, unicode: true });
  t.strictSame(lookOf({ isTTY: false }, utf8), { colour: false, unicode: true });
  t.strictSame(lookOf({}, utf8), { colour: false, unicode: true });
  t.strictSame(lookOf({ isTTY: true }, { ...utf8, NO_COLOR: '1' }), { colour: false, unicode: true });
  t.strictSame(
    lookOf({ isTTY: true }, { ...utf8, NO_COLOR: '' }),
    { colour: true, unicode: true },
    'empty means unset',
  );
  t.strictSame(lookOf({ isTTY: true }, { TERM: 'dumb' }), { colour: false, unicode: false });
  t.strictSame(lookOf({ isTTY: true }, { LC_ALL: 'C', LANG: 'en_US.utf8' }), { colour: true, unicode: false });
  t.strictSame(sizeOf({ columns: 0 }), { columns: 80, rows: 24 });
});

t.test('framesStayWithinTheScreen', async (t) => {
  const size = { columns: 5, rows: 3 };
  const clear = screen.clearRight;
  t.equal(frame(['ab', 'cd'], size), `${screen.home}ab${clear}\r\ncd${clear}\r\n${screen.clearBelow}`);
  t.equal(frame(['1', '2', '3', '4'], size), `${screen.home}1${clear}\r\n2${clear}\r\n3${clear}`);
  // The cursor stands on the last character of a full line: clearing would take it away.
  t.equal(frame(['\x1b[1mabcde\x1b[0m'], { columns: 5, rows: 1 }), `${screen.home}\x1b[1mabcde\x1b[0m`);
});

t.test('numbersAreShortAndNeverWrong', async (t) => {
  t.equal(grouped(1_234_567n), '1,234,567');
  t.equal(grouped(-1234), '-1,234');
  t.equal(short(999), '999');
  t.equal(short(1_234_567), '1.23M');
  t.equal(short(2n ** 64n - 1n), '18.4E');
  t.equal(quantityIn(9, 1_234_567n), '1,234,567');
  t.equal(quantityIn(8, 1_234_567n), '1234567');
  t.equal(quantityIn(6, 1_234_567n), '1.23M');
  t.equal(fit('abcdef', 4), 'abc~');
  t.equal(fit('abcd', 4), 'abcd');
  t.equal(printable('a\x9bb\nc'), 'a?b?c');
  t.equal(timeOfDay(-1n), '23:59:59.999999999');
  for (const [ns, text] of [
    [0, '0 ns'],
    [999, '999 ns'],
    [1_500, '1.50 us'],
    [12_345, '12.3 us'],
    [999_999, '1000 us'],
    [123_456_789, '123 ms'],
    [61e9, '61.0 s'],
  ] as const)
    t.equal(duration(ns, false), text);
  t.equal(duration(1_500, true), '1.50 µs');
});
