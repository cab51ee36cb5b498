/** The last prints of one instrument, and what they add up to since the page follows it. */
import type { Print } from '../browser/index.js';

/** `gap`: trades between its neighbours were not seen. */
export type TapeEntry = Print | 'gap';

export class Tape {
  readonly #ring: (TapeEntry | undefined)[];
  #next = 0;
  #count = 0;
  /** Changes with everything that is shown. */
  version = 0;
  volume = 0n;
  trades = 0;
  last: Print | undefined;
  /** Nothing was missed since the page follows it. */
  isWhole = true;

  constructor(readonly length: number) {
    this.#ring = new Array<TapeEntry | undefined>(length);
  }

  clear(): void {
    this.#ring.fill(undefined);
    this.#next = 0;
    this.#count = 0;
    this.volume = 0n;
    this.trades = 0;
    this.last = undefined;
    this.isWhole = true;
    this.version++;
  }

  add(prints: readonly Print[]): void {
    for (const print of prints) {
      this.#put(print);
      // A broken trade stays in what was seen: the tape says what came, and does not do the exchange's accounts.
      if (print.kind === 'trade_break' || !print.printable) continue;
      this.volume += print.quantity;
      this.trades++;
      this.last = print;
    }
    if (prints.length > 0) this.version++;
  }

  /** The connection was lost, or the gateway could not keep what was due: volume and count are at least what they say. */
  addGap(): void {
    if (this.#count === 0 || this.at(0) === 'gap') return;
    this.#put('gap');
    this.isWhole = false;
    this.version++;
  }

  /** 0: the newest. */
  at(age: number): TapeEntry | undefined {
    if (age >= this.#count) return undefined;
    return this.#ring[(this.#next - 1 - age + 2 * this.length) % this.length];
  }

  #put(entry: TapeEntry): void {
    this.#ring[this.#next] = entry;
    this.#next = (this.#next + 1) % this.length;
    this.#count = Math.min(this.#count + 1, this.length);
  }
}
