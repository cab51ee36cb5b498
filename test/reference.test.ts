/** The reference against what is known of the real ITCH data: every entry of its expected files, and every row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testWithData } from './data.js';
import { bbo_header, bboRow, type ReferenceBook, type ReferenceBooks, replayItch } from './reference/book.js';
import { compareWithExpected, type Expected, makeDump } from './reference/dump.js';
import { type ItchReader, increment, type Side, type Tally } from './reference/itch_reader.js';

const data_sets = [
  { folder: 'itch-bx-2019-12-30', file: 'bx.itch50' },
  { folder: 'itch-open-2019-12-30', file: 'open1000.itch50' },
];

function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(...path), 'utf8'));
}

function shares(book: ReferenceBook, side: Side): number {
  return book.levels(side).reduce((sum, level) => sum + level[1], 0);
}

function symbolSummary(book: ReferenceBook) {
  return {
    locate: book.locate,
    book_events: book.book_events,
    bid_levels: book.levels('B').length,
    bid_shares: shares(book, 'B'),
    bids: book.levels('B', 10),
    ask_levels: book.levels('S').length,
    ask_shares: shares(book, 'S'),
    asks: book.levels('S', 10),
    live_orders: book.live_orders,
    best_bid: book.best('B'),
    best_ask: book.best('S'),
    l3_sha256: book.l3Sha256(),
  };
}

function checkpointSummary(books: ReferenceBooks, after_messages: number) {
  const symbols: Record<string, unknown> = {};
  for (const book of books.all()) {
    const { live_orders, best_bid, best_ask, bid_shares, ask_shares, l3_sha256 } = symbolSummary(book);
    symbols[book.symbol] = { live_orders, best_bid, best_ask, bid_shares, ask_shares, l3_sha256 };
  }
  return { after_messages, live_orders: books.live_orders, symbols };
}

/** Replays a file and makes the whole of expected.json from it, but for the name of the file. */
function expectedDocument(bytes: Buffer) {
  const timestamps: number[] = [];
  const system_events: [string, number][] = [];
  let directory_symbols = 0;
  const { books, reader } = replayItch(bytes, (message) => {
    timestamps.push(message.timestamp_ns);
    if (message.type === 'S') system_events.push([message.event, message.timestamp_ns]);
    if (message.type === 'R') directory_symbols++;
  });
  const with_orders = books.all().filter((book) => book.live_orders > 0);
  return {
    ...readerSummary(reader),
    first_ts_ns: timestamps[0],
    last_ts_ns: timestamps.at(-1),
    timestamps_going_back: timestamps.filter((time, i) => time < (timestamps[i - 1] ?? 0)).length,
    system_events,
    directory_symbols,
    book_events_applied: Object.values(books.applied).reduce((sum, count) => sum + count, 0),
    applied_by_type: books.applied,
    orphan_refs_by_type: books.skipped.unknown_reference,
    anomalies: anomalies(books),
    events_leaving_book_locked_or_crossed: books.locked_or_crossed_events,
    live_orders_total: books.live_orders,
    symbols_with_orders: with_orders.length,
    symbols: Object.fromEntries(with_orders.map((book) => [book.symbol, symbolSummary(book)])),
  };
}

function readerSummary({ message_count, types, bad_length, unknown_types, parsed_bytes, framing_error }: ItchReader) {
  return { messages: message_count, types, bad_length, unknown_types, parsed_bytes, framing_error };
}

/** Skipped messages by reason, unknown references excepted: real data has none. */
function anomalies(books: ReferenceBooks): Tally {
  const found: Tally = {};
  for (const [reason, tally] of Object.entries(books.skipped))
    if (reason !== 'unknown_reference') for (const type of Object.keys(tally)) increment(found, `${reason} ${type}`);
  return found;
}

for (const { folder, file } of data_sets) {
  testWithData(`replayEqualsEveryEntryOfExpectedJson: ${folder}`, (t, data) => {
    const { file: _, ...expected } = readJson(data, folder, 'expected.json') as { file: string };
    t.strictSame(expectedDocument(readFileSync(join(data, folder, file))), expected);
  });

  testWithData(`bboAfterEachBookChangeEqualsEveryRow: ${folder}`, (t, data) => {
    const rows = [bbo_header];
    replayItch(readFileSync(join(data, folder, file)), (message, number, book) => {
      if (book !== undefined) rows.push(bboRow(number - 1, message, book));
    });
    t.strictSame(
      rows,
      readFileSync(join(data, folder, 'expected_bbo.csv'), 'utf8')
        .trimEnd()
        .split('\n'),
    );
  });

  testWithData(`dumpWithAndWithoutL3HasNoDifferencesFromExpectedJson: ${folder}`, (t, data) => {
    const expected = readJson(data, folder, 'expected.json') as Expected;
    const { books } = replayItch(readFileSync(join(data, folder, file)));
    const through_json = JSON.parse(JSON.stringify(makeDump(books, { l3: true })));
    t.strictSame(compareWithExpected(through_json, expected), []);
    t.strictSame(compareWithExpected(makeDump(books), expected, { l3: false }), []);
  });
}

testWithData('booksEqualEveryCheckpointAfterItsNumberOfMessages: itch-bx-2019-12-30', (t, data) => {
  const checkpoints = readJson(data, 'itch-bx-2019-12-30', 'checkpoints.json') as (Expected & {
    after_messages: number;
  })[];
  const summaries: unknown[] = [];
  const differences: string[] = [];
  replayItch(readFileSync(join(data, 'itch-bx-2019-12-30', 'bx.itch50')), (_message, number, _book, books) => {
    const checkpoint = checkpoints.find(({ after_messages }) => after_messages === number);
    if (checkpoint === undefined) return;
    summaries.push(checkpointSummary(books, number));
    differences.push(...compareWithExpected(makeDump(books, { l3: true }), checkpoint));
  });
  t.strictSame(summaries, checkpoints);
  t.strictSame(differences, []);
  t.equal(checkpoints.length, 12);
});

testWithData('expectationsOfAnotherMomentAreReportedAsDifferences: itch-bx-2019-12-30', (t, data) => {
  const checkpoints = readJson(data, 'itch-bx-2019-12-30', 'checkpoints.json') as Expected[];
  const { books } = replayItch(readFileSync(join(data, 'itch-bx-2019-12-30', 'bx.itch50')));
  const differences = compareWithExpected(makeDump(books, { l3: true }), checkpoints[0] as Expected);
  for (const symbol of ['ALC', 'BOB', 'CHAR'])
    for (const field of ['live_orders', 'bid_shares', 'l3_sha256'])
      t.ok(
        differences.some((line) => line.startsWith(`${symbol}: ${field}: expected `)),
        `${symbol} differs in ${field}`,
      );
});
