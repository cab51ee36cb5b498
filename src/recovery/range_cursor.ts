/** How far the answer to one request has come: which of its ranges were sent, and which refused. Pure. */
import type { DoneMessage, RefusalCode, SequenceRange } from './protocol.js';

export type Refused = DoneMessage['refused'][number];

export class RangeCursor {
  readonly #ranges: readonly SequenceRange[];
  readonly #sent: [bigint, bigint][] = [];
  readonly #refused: Refused[] = [];
  #index = 0;
  #next: bigint;

  /** Ascending, each once, not empty. */
  constructor(ranges: readonly SequenceRange[]) {
    this.#ranges = ranges;
    this.#next = ranges[0]?.[0] ?? 0n;
  }

  /** What is still to be had of the range in turn; undefined where all is done. */
  want(): SequenceRange | undefined {
    const range = this.#ranges[this.#index];
    return range === undefined ? undefined : [this.#next, range[1]];
  }

  /** Datagrams with every wanted number below `next` were sent. They may reach into ranges behind. */
  gave(next: bigint): void {
    for (let range = this.want(); range !== undefined && next > range[0]; range = this.want()) {
      const last = next > range[1] ? range[1] : next - 1n;
      this.#add(this.#sent, range[0], last);
      this.#advance(last);
    }
  }

  /** Nothing will come of what is wanted up to `until` (in the range in turn). */
  refuse(code: RefusalCode, until: bigint): void {
    const range = this.want();
    if (range === undefined) return;
    const last = until < range[1] ? until : range[1];
    this.#refused.push({ first: range[0], last, code });
    this.#advance(last);
  }

  /** Nothing more will come at all. */
  refuseRest(code: RefusalCode, waitMs?: number): void {
    for (let range = this.want(); range !== undefined; range = this.want()) {
      this.#refused.push({ first: range[0], last: range[1], code, ...(waitMs === undefined ? {} : { waitMs }) });
      this.#advance(range[1]);
    }
  }

  get sent(): readonly [bigint, bigint][] {
    return this.#sent;
  }

  get refused(): readonly Refused[] {
    return this.#refused;
  }

  #advance(last: bigint): void {
    const range = this.#ranges[this.#index];
    if (range !== undefined && last < range[1]) {
      this.#next = last + 1n;
      return;
    }
    this.#index++;
    this.#next = this.#ranges[this.#index]?.[0] ?? 0n;
  }

  #add(list: [bigint, bigint][], first: bigint, last: bigint): void {
    const before = list[list.length - 1];
    if (before !== undefined && before[1] + 1n === first) before[1] = last;
    else list.push([first, last]);
  }
}
