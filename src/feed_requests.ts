/** Exports that were asked for and have not come yet. */
import { BookExport } from './book_export.js';
import type { NativeExport } from './native.js';

const requests_max = 1_024;
const id_max = 0xffff_ffff;

interface Request {
  resolve: (books: BookExport) => void;
  reject: (error: Error) => void;
  orders: boolean;
}

/** Bounded: past 1,024 in flight, a request is refused. Threads: one. */
export class FeedRequests {
  readonly #waiting = new Map<number, Request>();
  #id = 0;

  /** Calls `ask` with a fresh id, from 1 up; resolves when settle() gets that id. */
  send(orders: boolean, ask: (id: number) => void): Promise<BookExport> {
    if (this.#waiting.size >= requests_max)
      return Promise.reject(new Error(`${requests_max} requests are in flight already`));
    this.#id = (this.#id % id_max) + 1;
    const id = this.#id;
    return new Promise((resolve, reject) => {
      ask(id);
      this.#waiting.set(id, { resolve, reject, orders });
    });
  }

  /** False for an id that nobody waits for. */
  settle(id: number, result: NativeExport): boolean {
    const request = this.#waiting.get(id);
    if (request === undefined) return false;
    this.#waiting.delete(id);
    request.resolve(new BookExport(result, request.orders));
    return true;
  }

  /** Rejects all. */
  close(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('this client was closed'));
    this.#waiting.clear();
  }
}
