/** Refused input events as lines for people, at a limited rate. */
import type { Refusal } from '../distributor.js';

const lines_per_second = 10;

/** "message 17: add of order 5 refused: off_tick (instrument 3, price 1001, quantity 7)". */
export function refusalLine(refusal: Refusal): string {
  const { position, kind, orderId, passed, reason, sourceCode, price, quantity } = refusal;
  const about = orderId === 0n ? kind : `${kind} of order ${orderId}`;
  const done = passed ? 'passed on' : 'refused';
  return `message ${position}: ${about} ${done}: ${reason} (instrument ${sourceCode} of the source, price ${price}, quantity ${quantity})`;
}

/** Says at most ten lines a second, and how many it left out. Time is passed in. */
export class RefusalLines {
  readonly #say: (line: string) => void;
  #second = -1;
  #said = 0;
  #omitted = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  take(refusal: Refusal, nowMs: number): void {
    this.tick(nowMs);
    if (this.#said === lines_per_second) {
      this.#omitted++;
      return;
    }
    this.#said++;
    this.#say(refusalLine(refusal));
  }

  /** Call it now and then, and at the end, so that what was left out is told. */
  tick(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.#said = 0;
    if (this.#omitted > 0) this.#say(`${this.#omitted} more refused or passed on, not shown`);
    this.#omitted = 0;
  }
}
