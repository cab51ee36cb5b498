/**
 * The instruments of the channel with their best prices: a search field with a list box, as WAI-ARIA's combobox. Only the
 * rows that can be seen exist.
 */
import type { GatewayInstrument } from '../browser/index.js';
import { element, make, setAttribute, Text } from './dom.js';
import { decimalText } from './format.js';

export const row_height = 24;
const rows_most = 64;

interface Best {
  bid: { price: bigint } | undefined;
  ask: { price: bigint } | undefined;
}

export interface InstrumentListOptions {
  bestOf: (instrument: number) => Best | undefined;
  onChoose: (symbol: string) => void;
  /** The list is always there, and not only while somebody searches. */
  isWide: () => boolean;
  wake: () => void;
}

class Row {
  readonly element: HTMLElement;
  readonly #symbol: Text;
  readonly #bid: Text;
  readonly #ask: Text;
  symbol = '';

  constructor(index: number) {
    const [symbol, bid, ask] = [make('span', 'symbol'), make('span', 'bid'), make('span', 'ask')];
    this.#symbol = new Text(symbol);
    this.#bid = new Text(bid);
    this.#ask = new Text(ask);
    this.element = make('div', 'row', symbol, bid, ask);
    this.element.id = `instrument-${index}`;
    this.element.setAttribute('role', 'option');
  }

  show(at: number, of: number, instrument: GatewayInstrument, best: Best | undefined): void {
    const { symbol, priceExponent } = instrument;
    const price = (level: { price: bigint } | undefined) =>
      level === undefined ? '' : decimalText(level.price, priceExponent);
    this.symbol = symbol;
    this.#symbol.set(symbol);
    this.#bid.set(price(best?.bid));
    this.#ask.set(price(best?.ask));
    this.element.hidden = false;
    setAttribute(this.element, 'aria-posinset', String(at + 1));
    setAttribute(this.element, 'aria-setsize', String(of));
    const top = `translateY(${at * row_height}px)`;
    if (this.element.style.transform !== top) this.element.style.transform = top;
  }

  hide(): void {
    this.symbol = '';
    this.element.hidden = true;
  }
}

/** Threads: the page's. */
export class InstrumentList {
  readonly #input = element('search', HTMLInputElement);
  readonly #scroll = element('list-scroll', HTMLElement);
  readonly #box = element('instruments', HTMLElement);
  readonly #count = Text.of('search-count');
  readonly #rows = Array.from({ length: rows_most }, (_, index) => new Row(index));
  readonly #options: InstrumentListOptions;
  #all: readonly GatewayInstrument[] = [];
  #found: readonly GatewayInstrument[] = [];
  #active = -1;
  #chosen: string | undefined;
  #top = 0;
  #height = 0;

  constructor(options: InstrumentListOptions) {
    this.#options = options;
    this.#box.replaceChildren(...this.#rows.map((row) => row.element));
    for (const row of this.#rows) row.hide();
    new ResizeObserver(([entry]) => {
      this.#height = entry?.contentRect.height ?? 0;
      options.wake();
    }).observe(this.#scroll);
    this.#scroll.addEventListener('scroll', () => {
      this.#top = this.#scroll.scrollTop;
      options.wake();
    });
    // Before the field loses the focus, and with it the list its place.
    this.#box.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#box.addEventListener('click', (event) => {
      const row = this.#rows.find((one) => one.element.contains(event.target as Node));
      if (row !== undefined && row.symbol !== '') this.#choose(row.symbol);
    });
    this.#input.addEventListener('input', () => this.#search());
    this.#input.addEventListener('focus', () => this.#expand(true));
    this.#input.addEventListener('blur', () => this.#expand(false));
    this.#input.addEventListener('keydown', (event) => this.#onKey(event));
    this.#expand(false);
  }

  setInstruments(all: readonly GatewayInstrument[], hint: string): void {
    this.#all = all;
    this.#input.placeholder = hint;
    this.#search(false);
  }

  setChosen(symbol: string | undefined): void {
    this.#chosen = symbol;
    if (document.activeElement !== this.#input) this.#activate(this.#indexOf(symbol), false);
    this.#options.wake();
  }

  /** The layout has become another one. */
  refresh(): void {
    this.#expand(document.activeElement === this.#input);
  }

  focus(): void {
    this.#input.focus();
    this.#input.select();
  }

  /** The one before or after the chosen one. */
  step(by: 1 | -1): void {
    if (this.#found.length === 0) return;
    const at = this.#indexOf(this.#chosen);
    const next = at < 0 ? 0 : (at + by + this.#found.length) % this.#found.length;
    this.#activate(next);
    this.#choose((this.#found[next] as GatewayInstrument).symbol, false);
  }

  /** `is_live`: the prices are at most a second old. */
  draw(is_live: boolean): void {
    this.#scroll.classList.toggle('old', !is_live);
    const first = Math.max(0, Math.min(Math.floor(this.#top / row_height), this.#found.length - 1));
    const seen = Math.min(rows_most, Math.ceil(this.#height / row_height) + 1);
    // Whichever row shows an instrument keeps showing it while it is seen: a row's index is that of the instrument.
    const shown = new Set<number>();
    for (let at = first; at < Math.min(first + seen, this.#found.length); at++) {
      const instrument = this.#found[at] as GatewayInstrument;
      const row = this.#rows[at % rows_most] as Row;
      shown.add(at % rows_most);
      row.show(at, this.#found.length, instrument, this.#options.bestOf(instrument.instrument));
      setAttribute(row.element, 'aria-selected', String(instrument.symbol === this.#chosen));
      row.element.classList.toggle('active', at === this.#active);
    }
    for (const [index, row] of this.#rows.entries()) if (!shown.has(index)) row.hide();
    const is_seen = this.#active >= first && this.#active < first + seen;
    const active = is_seen ? `instrument-${this.#active % rows_most}` : undefined;
    setAttribute(this.#input, 'aria-activedescendant', document.activeElement === this.#input ? active : undefined);
  }

  #onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#height / row_height) - 1);
    const last = this.#found.length - 1;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const by = steps[event.key];
    if (by !== undefined) this.#activate(Math.max(0, Math.min(last, this.#active + by)));
    else if (event.key === 'Enter') this.#enter();
    else if (event.key === 'Escape') {
      if (this.#input.value === '') this.#input.blur();
      this.#input.value = '';
      this.#search();
    } else return;
    event.preventDefault();
  }

  // What is typed may also be a symbol that the list does not hold.
  #enter(): void {
    const typed = this.#input.value.trim();
    const active = this.#found[this.#active];
    if (active !== undefined) this.#choose(active.symbol);
    else if (typed !== '') this.#choose(typed);
  }

  #choose(symbol: string, is_done = true): void {
    if (is_done) {
      this.#input.value = '';
      this.#input.blur();
    }
    this.#chosen = symbol;
    if (is_done) this.#search(false);
    this.#options.onChoose(symbol);
  }

  // Those whose symbol begins with what is typed, then those that have it within.
  #search(is_typed = true): void {
    const typed = this.#input.value.trim().toUpperCase();
    if (typed === '') this.#found = this.#all;
    else {
      const begins = this.#all.filter(({ symbol }) => symbol.toUpperCase().startsWith(typed));
      const within = this.#all.filter(({ symbol }) => symbol.toUpperCase().indexOf(typed) > 0);
      this.#found = [...begins, ...within];
    }
    this.#count.set(this.#all.length === 0 ? '' : `${this.#found.length}/${this.#all.length}`);
    this.#box.style.height = `${this.#found.length * row_height}px`;
    this.#activate(typed === '' ? this.#indexOf(this.#chosen) : this.#found.length > 0 ? 0 : -1, is_typed);
  }

  #indexOf(symbol: string | undefined): number {
    return this.#found.findIndex((one) => one.symbol === symbol);
  }

  #activate(at: number, is_brought = true): void {
    this.#active = at;
    if (is_brought && at >= 0) {
      const top = at * row_height;
      if (top < this.#top) this.#scroll.scrollTop = top;
      else if (top + row_height > this.#top + this.#height) this.#scroll.scrollTop = top + row_height - this.#height;
    }
    this.#options.wake();
  }

  #expand(is_searched: boolean): void {
    const is_open = is_searched || this.#options.isWide();
    setAttribute(this.#input, 'aria-expanded', String(is_open));
    this.#scroll.classList.toggle('open', is_open);
    this.#options.wake();
  }
}
