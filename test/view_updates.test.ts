/** Updates as lines of JSON and as best prices; the report on an ITCH file. */
import t from 'tap';
import type { UpdateColumns } from '../src/native.js';
import { Kind, makeColumns, message_flags, Side } from '../src/updates.js';
import { BboFilter, bboHead, bboLine } from '../src/view/bbo.js';
import { type Inspection, inspectionLines } from '../src/view/inspection.js';
import { type InstrumentName, overrunLine, updateLine } from '../src/view/json_lines.js';
import type { Look } from '../src/view/terminal.js';

const plain: Look = { colour: false, unicode: false };
const alpha: InstrumentName = { name: 'ALPHA', priceExponent: -4, quantityExponent: 0 };
const lookup = (instrument: number) => (instrument === 1 ? alpha : undefined);

type Row = { [Name in keyof UpdateColumns]?: UpdateColumns[Name][number] };

/** Columns of one message each; what is not given is 0. */
function columnsOf(...rows: Row[]): UpdateColumns {
  const columns = makeColumns(rows.length);
  rows.forEach((row, index) => {
    for (const [name, value] of Object.entries(row))
      (columns[name as keyof UpdateColumns] as { [index: number]: number | bigint })[index] = value as number | bigint;
  });
  return columns;
}

function parsed(row: Row): unknown {
  const line = updateLine(columnsOf(row), 0, lookup);
  t.ok(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1, 'one line');
  return JSON.parse(line);
}

const end = message_flags.end_of_event;
const head = { sequence: 12n, position: 11n, time: 34_200_000_000_001n, instrument: 1 };
const head_json = { sequence: 12, position: 11, time: '34200000000001', symbol: 'ALPHA' };
const best = { bidPrice: 204_900n, bidQuantity: 700n, askPrice: 205_000n, askQuantity: 18_446_744_073_709_551_615n };
const best_json = { bid: ['20.4900', '700'], ask: ['20.5000', '18446744073709551615'] };

t.test('orderMessagesCarryExactDecimals', async (t) => {
  const order = { kind: Kind.add, side: Side.bid, price: 204_900n, quantity: 100n, orderId: 2n ** 64n - 1n };
  t.strictSame(parsed({ ...head, ...best, ...order, flags: end | message_flags.book_affecting }), {
    ...head_json,
    kind: 'add',
    side: 'bid',
    price: '20.4900',
    quantity: '100',
    order_id: '18446744073709551615',
    ...best_json,
    flags: ['end_of_event', 'book_affecting'],
  });
  const execute = { ...order, kind: Kind.execute, side: Side.ask, price: -1n, detail: 77n };
  t.match(parsed({ ...head, ...execute, flags: end | message_flags.detail | message_flags.at_price }), {
    kind: 'execute',
    side: 'ask',
    price: '-0.0001',
    detail: '77',
    bid: null,
    ask: null,
    flags: ['end_of_event', 'detail', 'at_price'],
  });
});

t.test('tradesAndAuctionsHaveTheirOwnFields', async (t) => {
  const trade = { kind: Kind.trade, side: Side.none, price: 205_000n, quantity: 5n, orderId: 9n, flags: end };
  t.strictSame(parsed({ ...head, ...best, ...trade }), {
    ...head_json,
    kind: 'trade',
    side: null,
    price: '20.5000',
    quantity: '5',
    trade_id: '9',
    code: 0,
    ...best_json,
    flags: ['end_of_event'],
  });
  const auction = { kind: Kind.auction, quantity2: 3n, price2: 1n, price3: 2n, price4: 3n, price5: 4n, code: 79 };
  t.match(parsed({ ...head, ...trade, ...auction }), {
    kind: 'auction',
    code: 79,
    quantity_2: '3',
    price_2: '0.0001',
    price_3: '0.0002',
    price_4: '0.0003',
    price_5: '0.0004',
  });
});

t.test('statusAndReferenceMessagesAreNamed', async (t) => {
  const reason = BigInt('MWC1'.charCodeAt(0)) | (BigInt('W'.charCodeAt(0)) << 8n) | (0x20n << 16n);
  const flags = end | message_flags.detail;
  t.match(parsed({ ...head, kind: Kind.status, quantity: 2n, detail: reason, flags }), {
    symbol: 'ALPHA',
    kind: 'status',
    status: 'halted',
    reason: 'MW',
  });
  t.match(parsed({ ...head, instrument: 0, kind: Kind.reference, side: 1, quantity: 79n, flags: end }), {
    symbol: null,
    kind: 'reference',
    reference: 'system_event',
    values: ['0', '0', '79'],
    bid: null,
    ask: null,
  });
  t.match(parsed({ ...head, kind: Kind.definition, flags: end }), {
    kind: 'definition',
    instrument: 1,
    price_exponent: -4,
    quantity_exponent: 0,
  });
});

t.test('pricesOfUndefinedInstrumentsAreNotMistakenForDecimals', async (t) => {
  const order = { kind: Kind.add, side: Side.bid, price: 204_900n, quantity: 100n, orderId: 4n };
  t.strictSame(parsed({ ...head, ...best, ...order, instrument: 30, flags: end }), {
    ...head_json,
    symbol: null,
    instrument: 30,
    kind: 'add',
    side: 'bid',
    price: null,
    quantity: null,
    raw_price: '204900',
    raw_quantity: '100',
    order_id: '4',
    bid: null,
    ask: null,
    flags: ['end_of_event'],
  });
});

t.test('unknownKindsAndHostileNamesStayJson', async (t) => {
  t.match(parsed({ ...head, kind: 99, flags: 0xffff }), { kind: 'kind 99', flags: ['bits 65535'] });
  const hostile: InstrumentName = { ...alpha, name: '"\\\n\x1b\x9b\u2028é' };
  const line = updateLine(columnsOf({ ...head, kind: Kind.add, flags: end }), 0, () => hostile);
  t.equal((JSON.parse(line) as { symbol: string }).symbol, hostile.name);
  t.notMatch(line.trimEnd(), /\p{Cc}/u, 'no control character reaches a terminal');
  t.strictSame(JSON.parse(overrunLine(5n)), { overrun: 5 });
});

t.test('bboChangesOnceAtTheEndOfAnEvent', async (t) => {
  const columns = columnsOf(
    { ...head, ...best, flags: 0 },
    { ...head, ...best, flags: end },
    { ...head, ...best, flags: end },
    { ...head, ...best, askQuantity: 5n, flags: end },
    { ...head, ...best, instrument: 2, flags: end },
    { ...head, ...best, instrument: 0, flags: end },
    { ...head, flags: end },
    { ...head, instrument: 3, flags: end },
  );
  const filter = new BboFilter();
  const changes = () => Array.from(columns.flags, (_, row) => filter.changed(columns, row));
  const expected = [false, true, false, true, true, false, true, false];
  t.strictSame(changes(), expected, 'an instrument starts empty');
  filter.clear();
  t.strictSame(changes(), expected);
});

t.test('bboLinesAreAligned', async (t) => {
  const columns = columnsOf({ ...head, ...best, askQuantity: 3n }, { ...head, bidPrice: 1n, bidQuantity: 2n });
  const lines = [bboHead(plain), bboLine(columns, 0, alpha, plain), bboLine(columns, 1, alpha, plain)];
  t.strictSame(lines, [
    'time UTC           symbol       quantity          bid          ask   quantity\n',
    '09:30:00.000000001 ALPHA             700      20.4900      20.5000          3\n',
    '09:30:00.000000001 ALPHA               2       0.0001            -          -\n',
  ]);
});

const types = Array.from({ length: 256 }, () => 0n);
types['A'.charCodeAt(0)] = 1_234n;
types['S'.charCodeAt(0)] = 1n;
const inspection: Inspection = {
  file: 'day.itch50',
  messages: 1_235n,
  types,
  symbols: ['ALPHA', 'B\x1b'],
  firstTimeNs: 34_200_000_000_000n,
  lastTimeNs: 57_600_000_000_000n,
  bytes: 44_000n,
  timesGoingBack: 2n,
  fault: { offset: 43_990n, expected: 'a message' },
};

t.test('inspectionReportsCountsAndWhereTheFileBreaks', async (t) => {
  t.strictSame(inspectionLines(inspection, false), [
    'day.itch50: 1,235 messages, 44,000 bytes',
    "time    09:30:00.000000000 to 16:00:00.000000000, of the exchange's day",
    '        2 messages are earlier than the one before',
    'types',
    '  A   1,234  add order',
    '  S       1  system event',
    'symbols 2',
    '  ALPHA B?',
    'whole   no: breaks at byte 43,990, expected a message',
  ]);
  const [line = '', ...rest] = inspectionLines(inspection, true);
  t.strictSame(rest, []);
  t.strictSame(JSON.parse(line), {
    file: 'day.itch50',
    messages: 1235,
    bytes: 44_000,
    types: { A: 1234, S: 1 },
    symbols: ['ALPHA', 'B\x1b'],
    first_time_ns: '34200000000000',
    last_time_ns: '57600000000000',
    times_going_back: 2,
    fault: { offset: 43_990, expected: 'a message' },
  });
  const empty = { ...inspection, messages: 0n, types: [], symbols: [], timesGoingBack: 0n, fault: undefined };
  t.strictSame(inspectionLines(empty, false), [
    'day.itch50: 0 messages, 44,000 bytes',
    'types',
    'symbols 0',
    'whole   yes',
  ]);
});
