/** A set of message numbers as ascending ranges: numbers come nearly in order, so there are few. Pure. */

/** Both included. */
export type NumberRange = [first: number, last: number];

/** Threads: one. */
export class NumberRanges {
  readonly #ranges: NumberRange[] = [];

  add(first: number, last: number): void {
    if (last < first) return;
    const ranges = this.#ranges;
    // The first range that touches or lies behind; mostly the last one.
    let at = ranges.length;
    while (at > 0 && (ranges[at - 1] as NumberRange)[1] >= first - 1) at--;
    let end = at;
    let [from, to] = [first, last];
    for (; end < ranges.length && (ranges[end] as NumberRange)[0] <= last + 1; end++) {
      const [low, high] = ranges[end] as NumberRange;
      from = Math.min(from, low);
      to = Math.max(to, high);
    }
    if (end - at === 1) {
      const range = ranges[at] as NumberRange;
      range[0] = from;
      range[1] = to;
    } else ranges.splice(at, end - at, [from, to]);
  }

  has(number: number): boolean {
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [first, last] = this.#ranges[middle] as NumberRange;
      if (number < first) high = middle - 1;
      else if (number > last) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** 0 where there is none. */
  get last(): number {
    return this.#ranges.at(-1)?.[1] ?? 0;
  }

  get count(): number {
    return this.#ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  ranges(): NumberRange[] {
    return this.#ranges.map(([first, last]) => [first, last]);
  }

  /** Numbers from `first` to `last` that are not in it. */
  missing(first: number, last: number): NumberRange[] {
    const holes: NumberRange[] = [];
    let next = first;
    for (const [low, high] of this.#ranges) {
      if (high < next) continue;
      if (low > last) break;
      if (low > next) holes.push([next, low - 1]);
      next = high + 1;
    }
    if (next <= last) holes.push([next, last]);
    return holes;
  }

  /** What both hold. */
  static intersection(left: readonly NumberRange[], right: readonly NumberRange[]): NumberRange[] {
    const both: NumberRange[] = [];
    for (let i = 0, j = 0; i < left.length && j < right.length; ) {
      const [a, b] = [left[i] as NumberRange, right[j] as NumberRange];
      const [first, last] = [Math.max(a[0], b[0]), Math.min(a[1], b[1])];
      if (first <= last) both.push([first, last]);
      if (a[1] < b[1]) i++;
      else j++;
    }
    return both;
  }
}

export function lengthOf(ranges: readonly NumberRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
