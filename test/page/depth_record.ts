/** Depth as somebody else than the page reads it, by the instrument's own numbers; and as the page would write it. */
import type { Depth } from '../../src/book_types.js';
import { decimalText } from '../../src/page/format.js';

/** Of the simulated exchange. */
const exponents = { price: -4, quantity: 0 };

export function written(levels: Depth['bids']): string[][] {
  return levels.map(({ orders, price, quantity }) => [
    decimalText(price, exponents.price),
    decimalText(quantity, exponents.quantity),
    String(orders),
  ]);
}

/** Looks all the time, until stop(): some states may pass unseen. */
export class DepthRecord {
  readonly depths = new Map<number, Depth>();
  #stopped = false;

  constructor(reader: { depth(symbol: string, levels?: number): Depth | undefined }, symbol: string, levels: number) {
    const look = () => {
      const depth = reader.depth(symbol, levels);
      if (depth !== undefined) this.depths.set(depth.instrumentSequence, depth);
      if (!this.#stopped) setImmediate(look);
    };
    look();
  }

  stop(): void {
    this.#stopped = true;
  }
}
