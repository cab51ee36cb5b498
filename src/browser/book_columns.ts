/** Pools of orders and levels as columns of typed arrays, which grow by doubling up to a limit. */

const first_length = 1_024;

function longer<Column extends Uint32Array | Int32Array | Uint8Array>(column: Column, length: number): Column {
  const made = new (column.constructor as new (length: number) => Column)(length);
  made.set(column);
  return made;
}

/** Free slots are chained through `next`. */
export class OrderColumns {
  idHigh = new Uint32Array(first_length);
  idLow = new Uint32Array(first_length);
  quantityHigh = new Uint32Array(first_length);
  quantityLow = new Uint32Array(first_length);
  priorityHigh = new Uint32Array(first_length);
  priorityLow = new Uint32Array(first_length);
  /** What the order contributes to the digest. */
  termHigh = new Uint32Array(first_length);
  termLow = new Uint32Array(first_length);
  level = new Int32Array(first_length);
  previous = new Int32Array(first_length);
  next = new Int32Array(first_length);
  #free = -1;
  #fresh = 0;

  take(): number {
    if (this.#free !== -1) {
      const slot = this.#free;
      this.#free = this.next[slot] as number;
      return slot;
    }
    if (this.#fresh === this.next.length) this.#grow();
    return this.#fresh++;
  }

  release(slot: number): void {
    this.next[slot] = this.#free;
    this.#free = slot;
  }

  #grow(): void {
    const length = 2 * this.next.length;
    this.idHigh = longer(this.idHigh, length);
    this.idLow = longer(this.idLow, length);
    this.quantityHigh = longer(this.quantityHigh, length);
    this.quantityLow = longer(this.quantityLow, length);
    this.priorityHigh = longer(this.priorityHigh, length);
    this.priorityLow = longer(this.priorityLow, length);
    this.termHigh = longer(this.termHigh, length);
    this.termLow = longer(this.termLow, length);
    this.level = longer(this.level, length);
    this.previous = longer(this.previous, length);
    this.next = longer(this.next, length);
  }
}

/** Free levels are chained through `head`. */
export class LevelColumns {
  priceHigh = new Int32Array(first_length);
  priceLow = new Uint32Array(first_length);
  quantityHigh = new Uint32Array(first_length);
  quantityLow = new Uint32Array(first_length);
  orders = new Uint32Array(first_length);
  head = new Int32Array(first_length);
  tail = new Int32Array(first_length);
  instrument = new Uint32Array(first_length);
  side = new Uint8Array(first_length);
  #free = -1;
  #fresh = 0;

  take(): number {
    if (this.#free !== -1) {
      const level = this.#free;
      this.#free = this.head[level] as number;
      return level;
    }
    if (this.#fresh === this.head.length) this.#grow();
    return this.#fresh++;
  }

  release(level: number): void {
    this.head[level] = this.#free;
    this.#free = level;
  }

  #grow(): void {
    const length = 2 * this.head.length;
    this.priceHigh = longer(this.priceHigh, length);
    this.priceLow = longer(this.priceLow, length);
    this.quantityHigh = longer(this.quantityHigh, length);
    this.quantityLow = longer(this.quantityLow, length);
    this.orders = longer(this.orders, length);
    this.head = longer(this.head, length);
    this.tail = longer(this.tail, length);
    this.instrument = longer(this.instrument, length);
    this.side = longer(this.side, length);
  }
}
