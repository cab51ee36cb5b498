/** Order id to slot: open addressing over 32-bit halves, no object for an entry. Grows by doubling. */

const empty = -1;

export class OrderTable {
  #slots = new Int32Array(2_048).fill(empty);
  #count = 0;

  /** The ids of the slots are the owner's: columns that may be replaced by longer ones. */
  constructor(private readonly ids: { idHigh: Uint32Array; idLow: Uint32Array }) {}

  /** -1: no such order. */
  find(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    for (let place = hash(high, low) & mask; ; place = (place + 1) & mask) {
      const slot = this.#slots[place] as number;
      if (slot === empty || (this.ids.idLow[slot] === low && this.ids.idHigh[slot] === high)) return slot;
    }
  }

  /** Its id stands in the columns already, and is not in the table. */
  insert(slot: number): void {
    if (2 * ++this.#count > this.#slots.length) this.#grow();
    this.#place(slot);
  }

  remove(slot: number): void {
    const mask = this.#slots.length - 1;
    let hole = this.#home(slot, mask);
    while (this.#slots[hole] !== slot) hole = (hole + 1) & mask;
    this.#count--;
    // What stands behind moves up, so that no search ends before it.
    for (let place = (hole + 1) & mask; ; place = (place + 1) & mask) {
      const other = this.#slots[place] as number;
      if (other === empty) break;
      const home = this.#home(other, mask);
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      this.#slots[hole] = other;
      hole = place;
    }
    this.#slots[hole] = empty;
  }

  clear(): void {
    this.#slots.fill(empty);
    this.#count = 0;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length).fill(empty);
    for (const slot of before) if (slot !== empty) this.#place(slot);
  }

  #place(slot: number): void {
    const mask = this.#slots.length - 1;
    let place = this.#home(slot, mask);
    while (this.#slots[place] !== empty) place = (place + 1) & mask;
    this.#slots[place] = slot;
  }

  #home(slot: number, mask: number): number {
    return hash(this.ids.idHigh[slot] as number, this.ids.idLow[slot] as number) & mask;
  }
}

function hash(high: number, low: number): number {
  let value = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
  value ^= value >>> 15;
  value = Math.imul(value, 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
