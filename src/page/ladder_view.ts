/** The ladder: asks above, bids below, the best in the middle; sizes as bars on both sides of the price. */
import type { Depth, GatewayInstrument, Level } from '../browser/index.js';
import { element, make, setAttribute, Text } from './dom.js';
import { countText, decimalText } from './format.js';

type SideName = 'bid' | 'ask';

/** Fractions of a bar are told to this many steps: less is not seen. */
const bar_steps = 500;
/** Levels that a small screen shows. */
const near_levels = 10;

class Row {
  readonly element: HTMLTableRowElement;
  readonly #price: Text;
  readonly #quantity: Text;
  readonly #orders: Text;
  readonly #sum: Text;
  readonly #bar: HTMLElement;
  #width = -1;

  constructor(side: SideName, distance: number) {
    const cells = Array.from({ length: 7 }, () => make('td'));
    const [bid_sum, bid_orders, bid, price, ask, ask_orders, ask_sum] = cells as HTMLTableCellElement[];
    bid_sum?.classList.add('wide');
    ask_sum?.classList.add('wide');
    price?.classList.add('price');
    const own = side === 'bid' ? [bid_sum, bid_orders, bid] : [ask_sum, ask_orders, ask];
    const [sum, orders, size] = own as HTMLTableCellElement[];
    this.#bar = make('span', 'bar');
    const figure = make('span', 'figure');
    size?.classList.add('size');
    size?.append(figure);
    this.#quantity = new Text(figure);
    this.#orders = new Text(orders as HTMLElement);
    this.#sum = new Text(sum as HTMLElement);
    // Over everything on its side of the price.
    price?.append(this.#bar);
    const text = make('span');
    price?.append(text);
    this.#price = new Text(text);
    this.element = make('tr', `${side}${distance >= near_levels ? ' far' : ''}`, ...cells);
  }

  show(level: Level | undefined, sum: bigint, most: bigint, { priceExponent, quantityExponent }: GatewayInstrument) {
    if (level === undefined) {
      this.clear();
      return;
    }
    this.#price.set(decimalText(level.price, priceExponent));
    this.#quantity.set(decimalText(level.quantity, quantityExponent));
    this.#orders.set(countText(level.orders));
    this.#sum.set(decimalText(sum, quantityExponent));
    this.#widen(most === 0n ? 0 : Number((level.quantity * BigInt(bar_steps)) / most));
  }

  clear(): void {
    for (const text of [this.#price, this.#quantity, this.#orders, this.#sum]) text.set('');
    this.#widen(0);
  }

  #widen(steps: number): void {
    if (steps === this.#width) return;
    this.#width = steps;
    this.#bar.style.transform = `scaleX(${steps / bar_steps})`;
  }
}

/** Threads: the page's. Rows are made once for a number of levels, and used again. */
export class LadderView {
  readonly #table = element('ladder', HTMLTableElement);
  readonly #asks = element('ladder-asks', HTMLTableSectionElement);
  readonly #bids = element('ladder-bids', HTMLTableSectionElement);
  readonly #middle = Text.of('middle');
  #ask_rows: Row[] = [];
  #bid_rows: Row[] = [];

  /** Undefined: nothing is known of the instrument. */
  draw(depth: Depth | undefined, instrument: GatewayInstrument | undefined, levels: number, spread: string): void {
    if (levels !== this.#ask_rows.length) this.#build(levels);
    setAttribute(this.#table, 'data-sequence', depth && String(depth.sequence));
    setAttribute(this.#table, 'data-instrument-sequence', depth && String(depth.instrumentSequence));
    this.#middle.set(spread === '' ? '' : `spread ${spread}`);
    if (depth === undefined || instrument === undefined) {
      for (const row of [...this.#ask_rows, ...this.#bid_rows]) row.clear();
      return;
    }
    let most = 0n;
    for (const { quantity } of depth.bids) if (quantity > most) most = quantity;
    for (const { quantity } of depth.asks) if (quantity > most) most = quantity;
    show(this.#ask_rows, depth.asks, most, instrument);
    show(this.#bid_rows, depth.bids, most, instrument);
  }

  #build(levels: number): void {
    const rows = (side: SideName) => Array.from({ length: levels }, (_, distance) => new Row(side, distance));
    this.#ask_rows = rows('ask');
    this.#bid_rows = rows('bid');
    this.#asks.replaceChildren(...this.#ask_rows.map((row) => row.element).reverse());
    this.#bids.replaceChildren(...this.#bid_rows.map((row) => row.element));
    this.#table.style.setProperty('--levels', String(levels));
  }
}

function show(rows: readonly Row[], levels: readonly Level[], most: bigint, instrument: GatewayInstrument): void {
  let sum = 0n;
  for (const [index, row] of rows.entries()) {
    const level = levels[index];
    sum += level?.quantity ?? 0n;
    row.show(level, sum, most, instrument);
  }
}
