/** Rates of counters that only grow. Time is passed in. */

const interval_ms_min = 200;

/** Threads: one. */
export class RateMeter {
  #from: { at_ms: number; values: readonly bigint[] } | undefined;
  #rates: number[] = [];

  /**
   * Growth of each value per second since an earlier call that is at least 200 ms past; calls in quick succession get
   * the same answer. Zeros at first.
   */
  update(now_ms: number, values: readonly bigint[]): readonly number[] {
    const from = this.#from;
    if (from === undefined) {
      this.#from = { at_ms: now_ms, values: [...values] };
      this.#rates = values.map(() => 0);
      return this.#rates;
    }
    const elapsed_ms = now_ms - from.at_ms;
    if (elapsed_ms < interval_ms_min) return this.#rates;
    this.#rates = values.map((value, index) => (Number(value - (from.values[index] ?? 0n)) * 1000) / elapsed_ms);
    this.#from = { at_ms: now_ms, values: [...values] };
    return this.#rates;
  }
}

/** Counters by name. */
export class CounterReader {
  readonly #names: readonly string[];
  readonly #values: BigUint64Array;
  readonly #read: (out: BigUint64Array) => void;

  constructor(names: readonly string[], read: (out: BigUint64Array) => void) {
    this.#names = names;
    this.#values = new BigUint64Array(names.length);
    this.#read = read;
  }

  read(): Record<string, bigint> {
    this.#read(this.#values);
    const counters: Record<string, bigint> = {};
    for (const [index, name] of this.#names.entries()) counters[name] = this.#values[index] ?? 0n;
    return counters;
  }
}
