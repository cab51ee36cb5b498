/** What has changed since it was asked last, for `for await`: bounded, however slow the loop is. */
import type { Print } from './prints.js';

export interface FeedChange {
  /** The last message that is in it. */
  sequence: bigint;
  /** Those whose book or window has changed, by number, each once: read it as it stands now. */
  instruments: number[];
  /** Mode trades: oldest first. */
  prints: Print[];
  /** Of prints, how many older ones the loop was too slow for. */
  printsLost: number;
}

const prints_max = 65_536;

/** Threads: one. Ends with its feed, or when the loop is left. */
export class Changes implements AsyncIterableIterator<FeedChange> {
  readonly #onEnd: (changes: Changes) => void;
  readonly #instruments = new Set<number>();
  #prints: Print[] = [];
  #lost = 0;
  #sequence = 0n;
  #waiting: ((result: IteratorResult<FeedChange>) => void)[] = [];
  #ended = false;

  /** `onEnd`: nothing is to be noted any more. */
  constructor(onEnd: (changes: Changes) => void) {
    this.#onEnd = onEnd;
  }

  note(instruments: Iterable<number>, sequence: bigint): void {
    // 0 is the channel itself: it has no book.
    for (const instrument of instruments) if (instrument !== 0) this.#instruments.add(instrument);
    this.#sequence = sequence;
    this.#give();
  }

  notePrints(prints: readonly Print[], sequence: bigint): void {
    for (const print of prints) this.#prints.push(print);
    const over = this.#prints.length - prints_max;
    if (over > 0) {
      this.#prints.splice(0, over);
      this.#lost += over;
    }
    this.#sequence = sequence;
    this.#give();
  }

  /** What has been noted is still given. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
    this.#onEnd(this);
  }

  next(): Promise<IteratorResult<FeedChange>> {
    const change = this.#take();
    if (change !== undefined) return Promise.resolve({ done: false, value: change });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<FeedChange>> {
    this.#instruments.clear();
    this.#prints = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #give(): void {
    if (this.#waiting.length === 0) return;
    const change = this.#take();
    if (change !== undefined) this.#waiting.shift()?.({ done: false, value: change });
  }

  #take(): FeedChange | undefined {
    if (this.#instruments.size === 0 && this.#prints.length === 0) return undefined;
    const change = {
      sequence: this.#sequence,
      instruments: [...this.#instruments],
      prints: this.#prints,
      printsLost: this.#lost,
    };
    this.#instruments.clear();
    this.#prints = [];
    this.#lost = 0;
    return change;
  }
}
