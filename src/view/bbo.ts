/** Best bid and offer as text, one line whenever they change. Pure but for what it remembers. */
import { formatDecimal as decimal } from '../decimal.js';
import type { UpdateColumns } from '../native.js';
import { left, printable, right, timeOfDay } from './format.js';
import { endsEvent, type InstrumentName } from './json_lines.js';
import { type Look, styled } from './terminal.js';

const symbol_width = 10;
const price_width = 12;
const quantity_width = 10;

export function bboHead(look: Look): string {
  const cells = [
    left('time UTC', 18),
    left('symbol', symbol_width),
    right('quantity', quantity_width),
    right('bid', price_width),
    right('ask', price_width),
    right('quantity', quantity_width),
  ];
  return `${styled(cells.join(' '), look, 'dim')}\n`;
}

/** Which updates change the best prices of their instrument; each instrument costs one entry. */
export class BboFilter {
  private readonly last = new Map<number, string>();

  /** Looks at every update, in order; true where an event has ended with other best prices than the one before. */
  changed(columns: UpdateColumns, row: number): boolean {
    const instrument = columns.instrument[row] as number;
    if (instrument === 0 || !endsEvent(columns.flags[row] as number)) return false;
    const bid = columns.bidQuantity[row] === 0n ? '' : `${columns.bidPrice[row]},${columns.bidQuantity[row]}`;
    const ask = columns.askQuantity[row] === 0n ? '' : `${columns.askPrice[row]},${columns.askQuantity[row]}`;
    const best = `${bid};${ask}`;
    if ((this.last.get(instrument) ?? ';') === best) return false;
    this.last.set(instrument, best);
    return true;
  }

  /** A new session starts over. */
  clear(): void {
    this.last.clear();
  }
}

export function bboLine(columns: UpdateColumns, row: number, name: InstrumentName, look: Look): string {
  const price = (value: bigint) => decimal(value, name.priceExponent);
  const quantity = (value: bigint) => decimal(value, name.quantityExponent);
  const [bid, ask] = [columns.bidQuantity[row] as bigint, columns.askQuantity[row] as bigint];
  // Widths grow rather than cut a number.
  const cells = [
    timeOfDay(columns.time[row] as bigint),
    printable(name.name).padEnd(symbol_width),
    styled((bid === 0n ? '-' : quantity(bid)).padStart(quantity_width), look, 'green'),
    styled((bid === 0n ? '-' : price(columns.bidPrice[row] as bigint)).padStart(price_width), look, 'bold', 'green'),
    styled((ask === 0n ? '-' : price(columns.askPrice[row] as bigint)).padStart(price_width), look, 'bold', 'red'),
    styled((ask === 0n ? '-' : quantity(ask)).padStart(quantity_width), look, 'red'),
  ];
  return `${cells.join(' ')}\n`;
}
