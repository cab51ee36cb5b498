/** The tape: the newest prints on top, in rows that stay where they are. */
import type { GatewayInstrument, Print } from '../browser/index.js';
import { element, make, Text } from './dom.js';
import { countText, decimalText, timeOfDay } from './format.js';
import type { Tape, TapeEntry } from './tape.js';

const rows_shown = 40;

/** Whoever came to the resting order: an execution against a bid was a sale. */
function takerOf(print: Print): { text: string; side: string } {
  if (print.kind === 'cross') return { text: 'cross', side: '' };
  if (print.kind === 'trade_break') return { text: 'broken', side: '' };
  if (print.side === 'bid') return { text: '▼ sell', side: 'ask' };
  if (print.side === 'ask') return { text: '▲ buy', side: 'bid' };
  return { text: print.kind === 'unknown' ? '?' : '·', side: '' };
}

class Row {
  readonly element: HTMLTableRowElement;
  readonly #texts: Text[];

  constructor() {
    const cells = [make('td', 'time'), make('td', 'price'), make('td', 'quantity'), make('td', 'taker')];
    this.#texts = cells.map((cell) => new Text(cell));
    this.element = make('tr', '', ...cells);
  }

  show(print: TapeEntry | undefined, instrument: GatewayInstrument | undefined): void {
    const [time, price, quantity, taker] = this.#texts as [Text, Text, Text, Text];
    if (print === 'gap' || print === undefined || instrument === undefined) {
      for (const text of this.#texts) text.set('');
      this.element.className = print === 'gap' ? 'gap' : '';
      if (print === 'gap') time.set('… not seen …');
      return;
    }
    const { text, side } = takerOf(print);
    time.set(timeOfDay(print.timeNs));
    price.set(decimalText(print.price, instrument.priceExponent));
    quantity.set(`${decimalText(print.quantity, instrument.quantityExponent)}${print.printable ? '' : '*'}`);
    taker.set(text);
    this.element.className = side;
  }
}

/** Threads: the page's. */
export class TapeView {
  readonly #volume = Text.of('tape-volume');
  readonly #rows = Array.from({ length: rows_shown }, () => new Row());
  #version = -1;
  #instrument: GatewayInstrument | undefined;

  constructor() {
    element('tape-rows', HTMLTableSectionElement).replaceChildren(...this.#rows.map((row) => row.element));
  }

  draw(tape: Tape, instrument: GatewayInstrument | undefined): void {
    if (tape.version === this.#version && instrument === this.#instrument) return;
    this.#version = tape.version;
    this.#instrument = instrument;
    for (const [age, row] of this.#rows.entries()) row.show(tape.at(age), instrument);
    const volume = instrument === undefined ? '' : decimalText(tape.volume, instrument.quantityExponent);
    this.#volume.set(
      tape.trades === 0 ? '' : `${countText(tape.trades)} seen, volume ${volume}${tape.isWhole ? '' : ', with gaps'}`,
    );
  }
}
