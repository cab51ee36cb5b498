/**
 * Verifier of FlatBuffers: what the C++ runtime has and the TypeScript one has not. It passes and refuses exactly what
 * the C++ one does, so that a packet has one verdict everywhere. Positions count from the root's first byte.
 */

/** Threads: one. Used again for each root; allocates nothing. */
export class FlatVerifier {
  #view: DataView = new DataView(new ArrayBuffer(0));
  #base = 0;
  #size = 0;
  #depth = 0;
  #tables = 0;

  /** `depth_max`: tables within tables; `tables_max`: tables in all. */
  constructor(
    private readonly depth_max: number,
    private readonly tables_max: number,
  ) {}

  begin(view: DataView, base: number, size: number): void {
    this.#view = view;
    this.#base = base;
    this.#size = size;
    this.#depth = 0;
    this.#tables = 0;
  }

  /** Position of the root table; 0: there is none. */
  root(): number {
    // The smallest root: its offset, a table's offset to its vtable, the vtable's two lengths.
    return this.#size >= 12 ? this.#target(0) : 0;
  }

  /** Checks offset and vtable of a table, and takes it into account until endTable(). */
  table(at: number): boolean {
    if (!this.#fits(at, 4, 4)) return false;
    const vtable = at - this.#view.getInt32(this.#base + at, true);
    this.#depth++;
    this.#tables++;
    if (this.#depth > this.depth_max || this.#tables > this.tables_max) return false;
    if (!this.#fits(vtable, 2, 2)) return false;
    const bytes = this.#view.getUint16(this.#base + vtable, true);
    return bytes % 2 === 0 && this.#within(vtable, bytes);
  }

  endTable(): void {
    this.#depth--;
  }

  /** Position of the field with that number, of a table that has passed; 0: absent. */
  field(table: number, id: number): number {
    const vtable = table - this.#view.getInt32(this.#base + table, true);
    const entry = 4 + 2 * id;
    if (entry >= this.#view.getUint16(this.#base + vtable, true)) return 0;
    const offset = this.#view.getUint16(this.#base + vtable + entry, true);
    return offset === 0 ? 0 : table + offset;
  }

  /** A scalar field of that size is absent, or can be read. */
  scalar(table: number, id: number, bytes: number): boolean {
    const at = this.field(table, id);
    return at === 0 || this.#fits(at, bytes, bytes);
  }

  /** What the field refers to: -1: it must not be followed; 0: absent. */
  reference(table: number, id: number): number {
    const at = this.field(table, id);
    return at === 0 ? 0 : this.#target(at) || -1;
  }

  /** What the offset at a position within a vector refers to; 0: it must not be followed. */
  element(at: number): number {
    return this.#target(at);
  }

  /** Entries of the vector at that position; -1: it does not fit. */
  vector(at: number, bytes: number): number {
    if (!this.#fits(at, 4, 4)) return -1;
    const count = this.#view.getUint32(this.#base + at, true);
    return this.#within(at, 4 + count * bytes) ? count : -1;
  }

  /** Bytes of the string at that position; -1: it does not fit, or no zero follows. */
  string(at: number): number {
    const bytes = this.vector(at, 1);
    if (bytes < 0) return -1;
    const end = at + 4 + bytes;
    return this.#within(end, 1) && this.#view.getUint8(this.#base + end) === 0 ? bytes : -1;
  }

  /** Of a vector whose entries are read in place and hold 64-bit numbers: the first one is aligned. */
  aligned(vector: number): boolean {
    return (vector + 4) % 8 === 0;
  }

  #within(at: number, bytes: number): boolean {
    return at >= 0 && bytes < this.#size && at <= this.#size - bytes;
  }

  #fits(at: number, bytes: number, alignment: number): boolean {
    return at % alignment === 0 && this.#within(at, bytes);
  }

  // Where the offset at this position leads to; 0: nowhere.
  #target(at: number): number {
    if (!this.#fits(at, 4, 4)) return 0;
    const offset = this.#view.getUint32(this.#base + at, true);
    return offset !== 0 && offset < 2 ** 31 && this.#within(at + offset, 1) ? at + offset : 0;
  }
}
