/** A hash of whole books that a matching engine can make of its own: tools/engine/book.h does. */
import type { BookExport } from '../book_export.js';

const mask = (1n << 64n) - 1n;
const basis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;

/**
 * FNV-1a over every order: instrument, side (1 bid, 2 ask), price, id, quantity; bids before asks, best price first, in
 * queue order. 16 hexadecimal digits. Throws Error where the export has no orders.
 */
export function booksHash(books: BookExport): string {
  let hash = basis;
  const take = (word: bigint) => {
    for (let rest = word & mask, byte = 0; byte < 8; byte++, rest >>= 8n)
      hash = ((hash ^ (rest & 0xffn)) * prime) & mask;
  };
  for (const { instrument } of books.instruments) {
    for (const [side, number] of [
      ['bid', 1n],
      ['ask', 2n],
    ] as const) {
      for (const { price, queue } of books.queues(instrument, side))
        for (const { id, quantity } of queue)
          for (const word of [BigInt(instrument), number, price, id, quantity]) take(word);
    }
  }
  return hash.toString(16).padStart(16, '0');
}
