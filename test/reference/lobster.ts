/**
 * Turns a LOBSTER sample (message_N.csv and orderbook_N.csv) into an ITCH 5.0 file, and compares books with its rows.
 *
 * LOBSTER lists only the messages that touch the best N levels, and row k of the book file is those N levels after
 * message k. So a replay cannot know what it was never told. The rules, k counting from 0:
 *
 * 1. **Before row 0.** The book before message 0 is row 0 with message 0 undone. Each of its levels becomes one
 *    synthetic order of the level's whole size; synthetic references count up from 2^40, above every id in the file.
 * 2. **Message k** becomes ITCH: 1 is A, 2 is X, 3 is D, 4 is E, 5 (execution of a hidden order) is P, which changes no
 *    book. A message about an order that the replay does not know acts on the synthetic orders of its price level,
 *    oldest first, by as many shares as it says. If they hold fewer, or a known order is deleted at another size than
 *    it has, the file contradicts itself and the conversion throws.
 * 3. **The edge.** Where message k takes the last share of a level inside the window, a level that was outside enters
 *    as the last of the window. It may have changed unseen while outside, or never been seen. So after message k itself
 *    (`message_after_row[k]`) all levels must equal row k, the entering level alone excepted: the last of N levels of
 *    row k, on the side from which message k removed a level of row k-1, at a price that row k-1 does not show.
 * 4. **Settling.** If the entering level does differ, ITCH messages right after message k (and at its time) make it
 *    what row k says: orders of the replay at prices between its neighbour and it go, then a synthetic order adds what
 *    its level lacks; if it holds too much, it is reduced from the end of its queue. After them
 *    (`settled_after_row[k]`) all levels must equal row k.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order } from './book.js';
import type { Side } from './itch_reader.js';
import { LobsterWriter, synthetic_reference_first } from './lobster_writer.js';

export type LobsterLevel = [price: number, shares: number];
/** One row of the book file: the best N levels of each side, best first; missing levels are left out. */
export type LobsterRow = Record<Side, LobsterLevel[]>;

export interface LobsterMessage {
  timestamp_ns: number;
  /** 1 add, 2 partial cancel, 3 delete, 4 execution of a visible order, 5 execution of a hidden one. */
  kind: 1 | 2 | 3 | 4 | 5;
  order_id: number;
  shares: number;
  /** In 1/10,000, as in ITCH. */
  price: number;
  /** The side of the resting order. */
  side: Side;
}

function lines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

/** "34200.00426064" seconds after midnight, in nanoseconds, without passing through a float. */
function nanoseconds(text: string): number {
  const match = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) throw SyntaxError(`"${text}" is not a time in seconds with at most 9 fraction digits`);
  return Number(match[1]) * 1e9 + Number((match[2] ?? '').padEnd(9, '0'));
}

/**
 * Reads message_N.csv. Throws SyntaxError on crosses (6), halts (7) and anything else that the adapter does not
 * convert.
 */
export function parseLobsterMessages(text: string): LobsterMessage[] {
  return lines(text).map((line, index) => {
    const fields = line.split(',');
    const [kind, order_id, shares, price, direction] = fields.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const sound =
      fields.length === 6 && [1, 2, 3, 4, 5].includes(kind) && Math.abs(direction) === 1 && shares > 0 && price > 0;
    if (!sound || !(order_id >= 0 && order_id < synthetic_reference_first))
      throw SyntaxError(`message ${index}: cannot convert "${line}"`);
    const side = direction === 1 ? 'B' : 'S';
    return {
      timestamp_ns: nanoseconds(fields[0] as string),
      kind: kind as LobsterMessage['kind'],
      order_id,
      shares,
      price,
      side,
    };
  });
}

/**
 * Reads orderbook_N.csv: ask price, ask size, bid price, bid size for each level; size 0 says that there is no such
 * level.
 */
export function parseLobsterRows(text: string): LobsterRow[] {
  return lines(text).map((line) => {
    const numbers = line.split(',').map(Number);
    const row: LobsterRow = { B: [], S: [] };
    for (let i = 0; i < numbers.length; i += 4) {
      const [ask, ask_shares, bid, bid_shares] = numbers.slice(i, i + 4) as [number, number, number, number];
      if (ask_shares > 0) row.S.push([ask, ask_shares]);
      if (bid_shares > 0) row.B.push([bid, bid_shares]);
    }
    return row;
  });
}

/** Message k of the sample and row k of its book file belong together. */
export interface LobsterSample {
  messages: LobsterMessage[];
  rows: LobsterRow[];
}

/** Reads the sample of a folder: message_10.csv and orderbook_10.csv. */
export function readLobsterSample(folder: string): LobsterSample {
  return {
    messages: parseLobsterMessages(readFileSync(join(folder, 'message_10.csv'), 'utf8')),
    rows: parseLobsterRows(readFileSync(join(folder, 'orderbook_10.csv'), 'utf8')),
  };
}

function better(side: Side, price: number, other: number): boolean {
  return side === 'B' ? price > other : price < other;
}

/** Rule 1: row 0 with message 0 undone. */
export function initialRow(message: LobsterMessage, row: LobsterRow): LobsterRow {
  const { kind, side, price } = message;
  const before = { B: [...row.B], S: [...row.S] };
  if (kind === 5) return before;
  const change = kind === 1 ? -message.shares : message.shares;
  const shares = (row[side].find((level) => level[0] === price)?.[1] ?? 0) + change;
  if (shares < 0) throw Error(`row 0 holds less at ${price} than message 0 added there`);
  before[side] = before[side].filter((level) => level[0] !== price);
  if (shares > 0) before[side].push([price, shares]);
  before[side].sort((a, b) => (better(side, a[0], b[0]) ? -1 : 1));
  return before;
}

/** Rule 3: the price of the level that enters row k at the edge of the window on one side, if one does. */
export function enteringPrice(
  message: LobsterMessage,
  previous: LobsterRow | undefined,
  row: LobsterRow,
  side: Side,
): number | undefined {
  if (previous === undefined || message.side !== side) return undefined;
  const shows = (levels: LobsterLevel[], price: number) => levels.some((level) => level[0] === price);
  const removed = shows(previous[side], message.price) && !shows(row[side], message.price);
  const last = row[side].at(-1);
  if (!removed || last === undefined || row[side].length !== previous[side].length) return undefined;
  return shows(previous[side], last[0]) ? undefined : last[0];
}

/** One level of a book that is not as its row says. `edge` marks the entering level, which a replay cannot know. */
export interface LobsterDifference {
  side: Side;
  /** From 1, the best. */
  position: number;
  expected: LobsterLevel;
  actual: LobsterLevel | null;
  edge: boolean;
}

/**
 * Compares the levels of a book (best first, at least as many as the row shows) with row k, level by level, price and
 * shares. Levels beyond the window are not looked at; where the row shows fewer than `depth` levels, the book must end
 * there too.
 */
export function compareLobsterRow(
  sample: LobsterSample,
  k: number,
  levels: Record<Side, readonly (readonly [price: number, shares: number, ...rest: unknown[]])[]>,
  depth = 10,
): LobsterDifference[] {
  const row = sample.rows[k] as LobsterRow;
  const found: LobsterDifference[] = [];
  for (const side of ['B', 'S'] as const) {
    const entering = enteringPrice(sample.messages[k] as LobsterMessage, sample.rows[k - 1], row, side);
    for (let i = 0; i < depth; i++) {
      const expected = row[side][i] ?? [0, 0];
      const level = levels[side][i];
      const actual: LobsterLevel | null = level === undefined ? null : [level[0], level[1]];
      const equal = actual === null ? expected[1] === 0 : actual[0] === expected[0] && actual[1] === expected[1];
      if (!equal) found.push({ side, position: i + 1, expected, actual, edge: expected[0] === entering });
    }
  }
  return found;
}

export interface LobsterItch {
  /** The length-prefixed ITCH file: S, R and H, the initial levels, then every message with what settles it. */
  itch: Buffer;
  /**
   * For each row, the number (from 1) of the ITCH message after which the book must equal it but for an entering level.
   */
  message_after_row: number[];
  /** For each row, the number of the ITCH message after which the book must equal it without exception. */
  settled_after_row: number[];
  /**
   * ITCH messages by what they are there for: the state before row 0, a message as it is, one moved to a synthetic
   * order, rule 4.
   */
  counts: { initial: number; direct: number; on_synthetic: number; settling: number };
}

/** Rule 2, for an order that the replay knows: it must be as the message says. */
function writeOnKnown(writer: LobsterWriter, message: LobsterMessage): void {
  const { kind, order_id, shares, price, side } = message;
  const order = writer.books.order(order_id) as Order;
  const whole = order.shares === shares;
  if (order.price !== price || order.side !== side || (kind === 3 && !whole) || (kind === 2 && whole))
    throw Error(`order ${order_id} is not what ${JSON.stringify(message)} says`);
  if (kind === 4) writer.execute(order_id, shares);
  else writer.reduce(order_id, shares);
}

/** Rule 2, for an order that the replay does not know. */
function writeOnSynthetic(writer: LobsterWriter, message: LobsterMessage): void {
  let left = message.shares;
  for (const order of writer.book.queue(message.side, message.price)) {
    if (order.reference < synthetic_reference_first || left === 0) continue;
    const shares = Math.min(left, order.shares);
    left -= shares;
    if (message.kind === 4) writer.execute(order.reference, shares);
    else writer.reduce(order.reference, shares);
    writer.counts.on_synthetic++;
  }
  if (left > 0) throw Error(`order ${message.order_id} is unknown and ${message.price} lacks ${left} synthetic shares`);
}

/** Rule 2. */
function writeMessage(writer: LobsterWriter, message: LobsterMessage): void {
  const { kind, order_id, shares, price, side } = message;
  if (kind === 1) writer.add(side, price, shares, order_id);
  else if (kind === 5) writer.trade(side, price, shares);
  else if (writer.books.order(order_id) === undefined) {
    writeOnSynthetic(writer, message);
    return;
  } else writeOnKnown(writer, message);
  writer.counts.direct++;
}

/** Rule 4. */
function settle(writer: LobsterWriter, side: Side, row: LobsterRow, entering: number): void {
  const first = writer.message_count;
  const neighbour = row[side].at(-2)?.[0];
  for (const [price] of writer.book.levels(side)) {
    const between = (neighbour === undefined || better(side, neighbour, price)) && better(side, price, entering);
    if (between) for (const order of writer.book.queue(side, price)) writer.delete(order.reference);
  }
  const queue = writer.book.queue(side, entering);
  let lacking = (row[side].at(-1) as LobsterLevel)[1] - queue.reduce((sum, order) => sum + order.shares, 0);
  if (lacking > 0) writer.add(side, entering, lacking);
  for (const order of queue.reverse()) {
    if (lacking >= 0) break;
    const shares = Math.min(-lacking, order.shares);
    lacking += shares;
    writer.reduce(order.reference, shares);
  }
  writer.counts.settling += writer.message_count - first;
}

/** Converts a sample by the rules above. */
export function lobsterToItch(
  { messages, rows }: LobsterSample,
  { symbol = 'AAPL', locate = 1 }: { symbol?: string; locate?: number } = {},
): LobsterItch {
  const [message_0, row_0] = [messages[0], rows[0]];
  if (message_0 === undefined || row_0 === undefined || messages.length !== rows.length)
    throw Error(`${messages.length} messages do not go with ${rows.length} rows`);
  const writer = new LobsterWriter(symbol, locate, message_0.timestamp_ns);
  const initial = initialRow(message_0, row_0);
  for (const side of ['B', 'S'] as const) for (const [price, shares] of initial[side]) writer.add(side, price, shares);
  writer.counts.initial = writer.message_count;

  const message_after_row: number[] = [];
  const settled_after_row: number[] = [];
  messages.forEach((message, k) => {
    const row = rows[k] as LobsterRow;
    writer.timestamp_ns = message.timestamp_ns;
    writeMessage(writer, message);
    message_after_row.push(writer.message_count);
    const entering = enteringPrice(message, rows[k - 1], row, message.side);
    if (entering !== undefined) settle(writer, message.side, row, entering);
    settled_after_row.push(writer.message_count);
  });
  return { itch: writer.bytes(), message_after_row, settled_after_row, counts: writer.counts };
}
