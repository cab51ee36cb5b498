/** All that a client tells, in the order in which it tells it, in a form that two runs can be compared by. */
import { createHash } from 'node:crypto';
import type { FeedClient } from '../../src/feed_client.js';
import type { UpdateBatch } from '../../src/updates.js';

export interface Recording {
  /** One text for each update, session and time of sending left out. */
  updates: string[];
  /** Everything else that is told. */
  events: string[];
  /** Of all books, at the end: every order in queue order. */
  books: string;
  digest: bigint;
  instruments: string;
}

const columns = [
  'sequence',
  'position',
  'time',
  'orderId',
  'price',
  'quantity',
  'detail',
  'bidPrice',
  'bidQuantity',
  'askPrice',
  'askQuantity',
  'quantity2',
  'price2',
  'price3',
  'price4',
  'price5',
  'instrument',
  'instrumentSequence',
  'code',
  'flags',
  'kind',
  'side',
] as const;

export function updateText(batch: UpdateBatch, row: number): string {
  return columns.map((name) => batch[name][row]).join(' ');
}

/** Attach before start(). `finish` waits for the end of the session, and asks for the books. */
export function record(client: FeedClient): { finish: () => Promise<Recording> } {
  const updates: string[] = [];
  const events: string[] = [];
  client.on('updates', (batch) => {
    for (let row = 0; row < batch.count; row++) updates.push(updateText(batch, row));
  });
  client.on('session', () => events.push('session'));
  client.on('missing', ({ first, last }) => events.push(`missing ${first} ${last}`));
  client.on('digestMismatch', (sequence) => events.push(`digest mismatch ${sequence}`));
  client.on('overrun', (lost) => events.push(`overrun ${lost}`));
  client.on('endOfSession', ({ sequence, position }) => events.push(`end ${sequence} ${position}`));
  return {
    async finish() {
      await client.ended;
      const books = await client.snapshot({ orders: true });
      const hash = createHash('sha256');
      for (const { name, instrument } of books.instruments)
        for (const side of ['bid', 'ask'] as const)
          for (const { price, queue } of books.queues(instrument, side))
            hash.update(`${name} ${side} ${price} ${queue.map(({ id, quantity }) => `${id}:${quantity}`).join(' ')}\n`);
      return {
        updates,
        events,
        books: hash.digest('hex'),
        digest: books.digest,
        instruments: JSON.stringify(client.instruments()),
      };
    },
  };
}
