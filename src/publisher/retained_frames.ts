/** Batches that were pushed, as frames, until they are acknowledged: one piece of memory, used as a ring. Pure. */
import type { EventBatch } from './event_batch.js';

export interface RetainedFrame {
  /** Numbers of its first and last event. */
  first: bigint;
  last: bigint;
  bytes: Uint8Array;
}

interface Entry extends RetainedFrame {
  begin: number;
  end: number;
}

/** Threads: one. A frame's memory is used again once it was released. */
export class RetainedFrames {
  readonly #memory: Uint8Array;
  readonly #entries: Entry[] = [];
  /** Entries before this one were released. */
  #head = 0;
  #write = 0;

  constructor(bytes: number) {
    this.#memory = new Uint8Array(bytes);
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Number of the oldest event retained; undefined where there is none. */
  get oldest(): bigint | undefined {
    return this.#entries[this.#head]?.first;
  }

  /** The frame `index` places behind the oldest. */
  at(index: number): RetainedFrame | undefined {
    return this.#entries[this.#head + index];
  }

  /** Places behind the oldest of the first frame that holds `number` or a later one. */
  indexOf(number: bigint): number {
    let [low, high] = [this.#head, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry).last < number) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Whether a frame of so many bytes fits now. */
  fits(bytes: number): boolean {
    return this.#place(bytes) >= 0;
  }

  /** Undefined where there is no room. */
  add(batch: EventBatch, first: bigint): RetainedFrame | undefined {
    const bytes = batch.frameBytes();
    const begin = this.#place(bytes);
    if (begin < 0) return undefined;
    batch.seal(this.#memory, begin, first);
    const end = begin + bytes;
    const last = first + BigInt(batch.count) - 1n;
    const entry = { first, last, bytes: this.#memory.subarray(begin, end), begin, end };
    this.#entries.push(entry);
    this.#write = end;
    return entry;
  }

  /** Frames whose events are all at or below `number` are not needed any more. Returns how many they were. */
  release(number: bigint): number {
    const before = this.#head;
    while ((this.#entries[this.#head]?.last ?? number + 1n) <= number) this.#head++;
    const released = this.#head - before;
    if (this.#head === this.#entries.length) this.clear();
    else if (this.#head > 1_024 && this.#head > this.#entries.length / 2) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
    return released;
  }

  clear(): void {
    this.#entries.length = 0;
    this.#head = 0;
    this.#write = 0;
  }

  // Frames are whole in memory: one that does not fit behind the last goes to the beginning.
  #place(bytes: number): number {
    const oldest = this.#entries[this.#head];
    if (oldest === undefined) return bytes <= this.#memory.length ? 0 : -1;
    if (this.#write > oldest.begin) {
      if (this.#write + bytes <= this.#memory.length) return this.#write;
      return bytes < oldest.begin ? 0 : -1;
    }
    return this.#write + bytes < oldest.begin ? this.#write : -1;
  }
}
