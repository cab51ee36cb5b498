/** The depth ladder of one instrument as lines of text: asks above, bids below, the spread between them. Pure. */
import type { Level } from '../book_types.js';
import { formatDecimal as decimal } from '../decimal.js';
import { fit, grouped, groupedDecimal, left, printable, quantityIn, right, timeOfDay } from './format.js';
import { columns_min, type Look, type Style, styled } from './terminal.js';

export interface LadderBook {
  symbol: string;
  /** Trading status, and the feed's state: "synchronized" where the book is what the publisher has. */
  status: string;
  state: string;
  /** CLOCK_REALTIME ns of the last event. */
  timeNs: bigint;
  priceExponent: number;
  quantityExponent: number;
  /** Best first. */
  bids: readonly Level[];
  asks: readonly Level[];
}

export interface LadderOptions {
  look: Look;
  /** Width in columns; below 40 the lines are cut. */
  columns: number;
  /** Levels of each side; rows of levels that do not exist stay empty, so that nothing jumps. */
  levels: number;
}

/** Lines that a ladder takes besides its levels: title, heads, spread, totals. */
export const ladder_lines_fixed = 4;

const sides = { ask: ['ask', 'red'], bid: ['bid', 'green'] } as const satisfies Record<string, [string, Style]>;
const state_good = 'synchronized';
const bar_columns_min = 4;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** `share` (0 to 1) of `width` columns; anything above nothing shows. */
export function bar(share: number, width: number, unicode: boolean): string {
  const length = Math.max(0, Math.min(1, share)) * width;
  if (length === 0 || width <= 0) return '';
  if (!unicode) return '#'.repeat(Math.max(1, Math.round(length)));
  const steps = Math.max(1, Math.round(length * 8));
  return '█'.repeat(Math.floor(steps / 8)) + eighths[steps % 8];
}

interface Columns {
  price: number;
  quantity: number;
  orders: number;
  /** 0: not shown. */
  total: number;
  bar: number;
}

// A definition from the wire may say any exponent.
const exponent_min = -128;
const price_width_max = 24;

function priceText(price: bigint, exponent: number): string {
  const text = decimal(price, exponent);
  const nice = groupedDecimal(text);
  return fit(nice.length <= price_width_max ? nice : text, price_width_max);
}

/** Widths of the columns: the price is never cut, and what matters least goes first where room is short. */
function columnsFor(width: number, price: number): Columns {
  const columns: Columns = { price: Math.max(price, 8), quantity: 9, orders: 6, total: 0, bar: 0 };
  const used = () => 3 + 1 + columns.price + 1 + columns.quantity + (columns.orders && columns.orders + 1);
  if (width - used() - 1 < bar_columns_min) columns.orders = 0;
  if (width - used() >= 12 + bar_columns_min * 3) columns.total = 11;
  columns.bar = Math.max(0, width - used() - (columns.total && columns.total + 1) - 2);
  if (columns.bar < bar_columns_min) columns.bar = 0;
  return columns;
}

function quantityText(value: bigint, exponent: number, width: number): string {
  if (exponent >= 0) return quantityIn(width, value * 10n ** BigInt(exponent));
  const text = decimal(value, exponent);
  const nice = groupedDecimal(text);
  if (nice.length <= width) return nice;
  return text.length <= width ? text : quantityIn(width, value / 10n ** BigInt(-exponent));
}

function sum(levels: readonly Level[]): bigint {
  return levels.reduce((total, level) => total + level.quantity, 0n);
}

/** Rows of one side, best first. */
function sideRows(
  side: 'ask' | 'bid',
  levels: readonly Level[],
  book: LadderBook,
  columns: Columns,
  quantity_max: bigint,
  look: Look,
): string[] {
  const [word, colour] = sides[side];
  let total = 0n;
  return levels.map((level, index) => {
    total += level.quantity;
    const cells = [
      left(word, 3),
      priceText(level.price, book.priceExponent).padStart(columns.price),
      right(quantityText(level.quantity, book.quantityExponent, columns.quantity), columns.quantity),
    ];
    if (columns.orders > 0) cells.push(right(quantityIn(columns.orders, level.orders), columns.orders));
    if (columns.total > 0) cells.push(right(quantityText(total, book.quantityExponent, columns.total), columns.total));
    const share = quantity_max === 0n ? 0 : Number((level.quantity * 10_000n) / quantity_max) / 10_000;
    const size = bar(level.quantity > 0n ? Math.max(share, 1e-9) : 0, columns.bar, look.unicode);
    const numbers = styled(cells.join(' '), look, ...(index === 0 ? (['bold', colour] as const) : ([colour] as const)));
    return size === '' ? numbers : `${numbers}  ${styled(size, look, colour)}`;
  });
}

/** What lies between the best prices. A book may be crossed: that is shown, not hidden. */
export function spreadText(book: LadderBook): string {
  const [bid, ask] = [book.bids[0], book.asks[0]];
  if (bid === undefined && ask === undefined) return 'empty';
  if (bid === undefined) return 'no bids';
  if (ask === undefined) return 'no asks';
  const spread = ask.price - bid.price;
  const exponent = book.priceExponent;
  if (spread === 0n) return `locked at ${priceText(bid.price, exponent)}`;
  // Half of an odd sum needs one digit more.
  const mid = exponent > exponent_min ? `  mid ${priceText((ask.price + bid.price) * 5n, exponent - 1)}` : '';
  if (spread < 0n) return `crossed by ${priceText(-spread, exponent)}${mid}`;
  return `spread ${priceText(spread, exponent)}${mid}`;
}

function rule(text: string, width: number, look: Look): string {
  const line = look.unicode ? '─' : '-';
  // Where there is no room for both figures, the first one stays whole.
  const shown = text.length <= width - 5 ? text : fit(text.split('  ')[0] ?? '', width - 5);
  const head = `${line.repeat(3)} ${shown} `;
  return styled(head + line.repeat(Math.max(0, width - head.length)), look, 'dim');
}

function titleLine(book: LadderBook, width: number, look: Look): string {
  const words = `  ${book.status}  ${book.state}`;
  const symbol = fit(printable(book.symbol), width - words.length);
  const time = book.timeNs === 0n ? '' : `${timeOfDay(book.timeNs)} UTC`;
  const room = width - symbol.length - words.length - time.length;
  const state_style: Style = book.state === state_good ? 'green' : 'yellow';
  const start = `${styled(symbol, look, 'bold')}  ${book.status}  ${styled(book.state, look, state_style)}`;
  return room > 0 && time !== '' ? start + ' '.repeat(room) + styled(time, look, 'dim') : start;
}

function totalsLine(book: LadderBook, bids: readonly Level[], asks: readonly Level[], width: number) {
  const one = (word: string, levels: readonly Level[]) =>
    `${word} ${quantityText(sum(levels), book.quantityExponent, 14)} in ${grouped(levels.length)}`;
  const text = `${one('bids', bids)}, ${one('asks', asks)} levels`;
  return text.length <= width ? text : fit(`${one('bids', bids)}, ${one('asks', asks)}`, width);
}

/**
 * The lines of a ladder: always 2 * levels + 4, each at most `columns` wide (at least 40) without its escape
 * sequences.
 */
export function ladderLines(book: LadderBook, { look, columns, levels }: LadderOptions): string[] {
  const width = Math.max(columns, columns_min);
  const bids = book.bids.slice(0, levels);
  const asks = book.asks.slice(0, levels);
  const all = [...bids, ...asks];
  const price = Math.max(0, ...all.map((level) => priceText(level.price, book.priceExponent).length));
  const widths = columnsFor(width, price);
  const quantity_max = all.reduce((most, level) => (level.quantity > most ? level.quantity : most), 0n);
  const heads = [left('', 3), right('price', widths.price), right('quantity', widths.quantity)];
  if (widths.orders > 0) heads.push(right('orders', widths.orders));
  if (widths.total > 0) heads.push(right('total', widths.total));
  const empty = (count: number) => Array.from({ length: count }, () => '');
  return [
    titleLine(book, width, look),
    styled(heads.join(' '), look, 'dim'),
    ...empty(levels - asks.length),
    ...sideRows('ask', asks, book, widths, quantity_max, look).reverse(),
    rule(spreadText(book), width, look),
    ...sideRows('bid', bids, book, widths, quantity_max, look),
    ...empty(levels - bids.length),
    styled(totalsLine(book, bids, asks, width), look, 'dim'),
  ];
}
