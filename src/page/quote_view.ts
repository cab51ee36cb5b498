/** Best bid and offer, the spread and the last trade, large. */
import type { Depth, GatewayInstrument, Print } from '../browser/index.js';
import { Text } from './dom.js';
import { decimalText } from './format.js';

/** Exact; empty where one side is missing. */
export function spreadText(depth: Depth | undefined, instrument: GatewayInstrument | undefined): string {
  const [bid, ask] = [depth?.bids[0], depth?.asks[0]];
  if (bid === undefined || ask === undefined || instrument === undefined) return '';
  return decimalText(ask.price - bid.price, instrument.priceExponent);
}

/** One sentence, for a screen reader that asks. */
export function spokenQuote(depth: Depth | undefined, instrument: GatewayInstrument | undefined): string {
  if (depth === undefined || instrument === undefined) return 'No book yet.';
  const { symbol, priceExponent, quantityExponent } = instrument;
  const side = (name: string, [best]: Depth['bids']) =>
    best === undefined
      ? `no ${name}`
      : `${name} ${decimalText(best.price, priceExponent)} for ${decimalText(best.quantity, quantityExponent)}`;
  return `${symbol}: ${side('bid', depth.bids)}, ${side('ask', depth.asks)}.`;
}

/** Threads: the page's. */
export class QuoteView {
  readonly #symbol = Text.of('symbol');
  readonly #status = Text.of('trading-status');
  readonly #spread = Text.of('spread');
  readonly #bid = { price: Text.of('bid-price'), quantity: Text.of('bid-quantity') };
  readonly #ask = { price: Text.of('ask-price'), quantity: Text.of('ask-quantity') };
  readonly #last = { price: Text.of('last-price'), quantity: Text.of('last-quantity') };

  draw(
    symbol: string,
    depth: Depth | undefined,
    instrument: GatewayInstrument | undefined,
    last: Print | undefined,
    levels: number | undefined,
  ): void {
    this.#symbol.set(symbol === '' ? '–' : symbol);
    const status = depth?.status ?? 'unknown';
    const told = [
      status === 'unknown' ? '' : status.replace('_', ' '),
      levels === 1 ? 'best level only' : `${levels} levels`,
    ];
    this.#status.set(depth === undefined ? '' : told.filter((text) => text !== '').join(' · '));
    this.#status.element.dataset.status = status;
    this.#spread.set(spreadText(depth, instrument) || '–');
    const show = (
      texts: { price: Text; quantity: Text },
      best: { price: bigint; quantity: bigint } | undefined,
    ): void => {
      const known = instrument !== undefined && best !== undefined;
      texts.price.set(known ? decimalText(best.price, instrument.priceExponent) : '–');
      texts.quantity.set(known ? decimalText(best.quantity, instrument.quantityExponent) : '');
    };
    show(this.#bid, depth?.bids[0]);
    show(this.#ask, depth?.asks[0]);
    show(this.#last, last);
  }
}
