/**
 * The dump document that `depthcast subscribe --dump` writes, made from the reference books; and the way back, from a
 * dump to differences with expected.json or one entry of checkpoints.json. Numbers are exact decimal strings, never
 * floats.
 */
import { createHash } from 'node:crypto';
import type { ReferenceBook, ReferenceBooks } from './book.js';
import type { Side } from './itch_reader.js';

/** ITCH prices count 1/10,000. */
export const itch_price_exponent = -4;

type DumpOrder = [order_id: string, quantity: string];
type DumpLevel =
  | [price: string, quantity: string, orders: number]
  | [price: string, quantity: string, orders: number, queue: DumpOrder[]];

export interface DumpInstrument {
  live_orders: number;
  /** Every level, best first. */
  bids: DumpLevel[];
  asks: DumpLevel[];
}

export interface Dump {
  instruments: Record<string, DumpInstrument>;
}

/**
 * value * 10^exponent in exactly -exponent fraction digits: decimal(205400, -4) is "20.5400". The exponent is 0 or
 * negative.
 */
export function decimal(value: number | bigint, exponent: number): string {
  if (!Number.isInteger(exponent) || exponent > 0)
    throw RangeError(`exponent ${exponent} is not 0 or a negative integer`);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw RangeError(`${value} is not an exact integer`);
  const sign = value < 0 ? '-' : '';
  const digits = String(value)
    .replace('-', '')
    .padStart(1 - exponent, '0');
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
}

/** The integer that `decimal` made the text of. Throws SyntaxError on any text that `decimal` does not make. */
export function undecimal(text: string, exponent: number): bigint {
  const value = /^-?\d+(\.\d+)?$/.test(text) ? BigInt(text.replace('.', '')) : undefined;
  if (value === undefined || decimal(value, exponent) !== text)
    throw SyntaxError(`"${text}" is not a number with exactly ${-exponent} fraction digits`);
  return value;
}

function dumpSide(book: ReferenceBook, side: Side, l3: boolean): DumpLevel[] {
  return book.levels(side).map(([price, shares, orders]) => {
    const price_text = decimal(price, itch_price_exponent);
    if (!l3) return [price_text, decimal(shares, 0), orders];
    const queue = book
      .queue(side, price)
      .map((order): DumpOrder => [String(order.reference), decimal(order.shares, 0)]);
    return [price_text, decimal(shares, 0), orders, queue];
  });
}

/** The dump of every book; with `l3`, each level carries its orders in queue order. */
export function makeDump(books: ReferenceBooks, { l3 = false }: { l3?: boolean } = {}): Dump {
  const instruments: Record<string, DumpInstrument> = {};
  for (const book of books.all())
    instruments[book.symbol] = {
      live_orders: book.live_orders,
      bids: dumpSide(book, 'B', l3),
      asks: dumpSide(book, 'S', l3),
    };
  return { instruments };
}

/**
 * The l3_sha256 of expected.json for one instrument of a dump with l3. Throws TypeError where a level has no orders
 * listed.
 */
export function l3Sha256OfDump(instrument: DumpInstrument, exponent = itch_price_exponent): string {
  const hash = createHash('sha256');
  for (const [side, levels] of [
    ['B', instrument.bids],
    ['S', instrument.asks],
  ] as const)
    for (const [price, , , queue] of levels) {
      if (queue === undefined) throw TypeError(`level ${price} lists no orders: the dump was made without l3`);
      for (const [order_id, quantity] of queue)
        hash.update(`${side},${undecimal(price, exponent)},${order_id},${quantity}\n`);
    }
  return hash.digest('hex');
}

/**
 * One symbol of expected.json or of a checkpoint. Prices are integers in ITCH units; a field that is absent is not
 * compared.
 */
export interface ExpectedSymbol {
  live_orders: number;
  l3_sha256: string;
  best_bid: [price: number, shares: number] | null;
  best_ask: [price: number, shares: number] | null;
  bid_shares: number;
  ask_shares: number;
  bid_levels?: number;
  ask_levels?: number;
  /** The best ten levels. */
  bids?: [price: number, shares: number, orders: number][];
  asks?: [price: number, shares: number, orders: number][];
}

/** expected.json, or one entry of checkpoints.json. */
export interface Expected {
  live_orders_total?: number;
  live_orders?: number;
  symbols: Record<string, ExpectedSymbol>;
}

/** What a dump says of one side, in the units and words of expected.json. */
function summarizeSide(levels: readonly DumpLevel[], exponent: number) {
  const plain = levels.map(([price, quantity, orders]) => [
    Number(undecimal(price, exponent)),
    Number(undecimal(quantity, 0)),
    orders,
  ]);
  return {
    levels: plain.length,
    shares: plain.reduce((sum, [, shares]) => sum + (shares as number), 0),
    best: plain[0]?.slice(0, 2) ?? null,
    top: plain.slice(0, 10),
  };
}

/** A dump's levels must be best first, none empty, and each the sum of the orders that it lists. */
function sideContradictions(levels: readonly DumpLevel[], side: Side, exponent: number): string[] {
  const found: string[] = [];
  levels.forEach(([price, quantity, orders, queue], index) => {
    const better = levels[index - 1];
    const step = better === undefined ? 0n : undecimal(price, exponent) - undecimal(better[0], exponent);
    if (better !== undefined && (side === 'B' ? step >= 0n : step <= 0n))
      found.push(`${side} level ${price} follows ${better[0]}`);
    if (orders < 1 || undecimal(quantity, 0) < 1n)
      found.push(`${side} level ${price} is empty: ${quantity} in ${orders} orders`);
    if (queue === undefined) return;
    const sum = queue.reduce((total, order) => total + undecimal(order[1], 0), 0n);
    if (queue.length !== orders) found.push(`${side} level ${price} says ${orders} orders and lists ${queue.length}`);
    if (decimal(sum, 0) !== quantity)
      found.push(`${side} level ${price} says ${quantity} and its orders sum to ${sum}`);
  });
  return found;
}

function instrumentDifferences(
  instrument: DumpInstrument,
  expected: ExpectedSymbol,
  l3: boolean,
  exponent: number,
): string[] {
  const bid = summarizeSide(instrument.bids, exponent);
  const ask = summarizeSide(instrument.asks, exponent);
  const hasL3 = [...instrument.bids, ...instrument.asks].every((level) => level[3] !== undefined);
  const actual: Record<string, unknown> = {
    live_orders: instrument.live_orders,
    best_bid: bid.best,
    best_ask: ask.best,
    bid_levels: bid.levels,
    ask_levels: ask.levels,
    bid_shares: bid.shares,
    ask_shares: ask.shares,
    bids: bid.top,
    asks: ask.top,
  };
  if (l3) actual.l3_sha256 = hasL3 ? l3Sha256OfDump(instrument, exponent) : '(the dump was made without l3)';
  const found = [
    ...sideContradictions(instrument.bids, 'B', exponent),
    ...sideContradictions(instrument.asks, 'S', exponent),
  ];
  const counted = [...instrument.bids, ...instrument.asks].reduce((sum, level) => sum + level[2], 0);
  if (counted !== instrument.live_orders)
    found.push(`says ${instrument.live_orders} live orders, its levels hold ${counted}`);
  for (const [name, value] of Object.entries(actual)) {
    const wanted = expected[name as keyof ExpectedSymbol];
    if (wanted !== undefined && JSON.stringify(wanted) !== JSON.stringify(value))
      found.push(`${name}: expected ${JSON.stringify(wanted)}, the dump has ${JSON.stringify(value)}`);
  }
  return found;
}

/**
 * Every difference between a dump and expected.json (or an entry of checkpoints.json), one readable line each; none
 * when equal. A dump without l3 differs by that alone, unless `l3: false` says that order by order is not to be
 * compared. An instrument that is only in the dump is a difference when it holds orders: the expected files list no
 * empty books.
 */
export function compareWithExpected(
  dump: Dump,
  expected: Expected,
  { l3 = true, exponent = itch_price_exponent }: { l3?: boolean; exponent?: number } = {},
): string[] {
  const found: string[] = [];
  for (const [symbol, wanted] of Object.entries(expected.symbols)) {
    const instrument = dump.instruments[symbol];
    if (instrument === undefined) found.push(`${symbol}: not in the dump`);
    else for (const line of instrumentDifferences(instrument, wanted, l3, exponent)) found.push(`${symbol}: ${line}`);
  }
  for (const [symbol, { live_orders, bids, asks }] of Object.entries(dump.instruments))
    if (!(symbol in expected.symbols) && (live_orders !== 0 || bids.length !== 0 || asks.length !== 0))
      found.push(`${symbol}: ${live_orders} orders in the dump, not expected at all`);
  const total = Object.values(dump.instruments).reduce((sum, { live_orders }) => sum + live_orders, 0);
  const wanted_total = expected.live_orders_total ?? expected.live_orders ?? total;
  if (total !== wanted_total)
    found.push(`live orders of all instruments: expected ${wanted_total}, the dump has ${total}`);
  return found;
}
