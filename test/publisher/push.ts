/** What the tests of engines that push share. */
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { EventBatch, engineSide } from '../../src/publisher/event_batch.js';
import type { EventPublisher } from '../../src/publisher/event_publisher.js';
import { limits } from '../channel.js';
import type { Test } from '../data.js';

/** Line A alone, on numbers that no other test uses: 0 to 9. */
export function pushOptions(number: number, more: ServeOptionsInput = {}): ServeOptionsInput {
  const lineA = { group: `239.192.40.${100 + number}`, port: 27_200 + 2 * number };
  return { lineA, lineB: null, control: null, source: 'tcp:127.0.0.1:0', limits, ...more };
}

/** Started; closed at the end of the test. */
export async function distributorOn(t: Test, number: number, more: ServeOptionsInput = {}): Promise<Distributor> {
  const distributor = new Distributor(pushOptions(number, more));
  t.teardown(() => distributor.close());
  await distributor.start();
  return distributor;
}

/**
 * The n-th event of a day that can be told from its number alone: a definition, then orders that come and go. Books are
 * right only where every event was applied once, in order.
 */
export function writeEvent(batch: EventBatch, number: number): void {
  batch.setTimeParts(1_700_000_000 + Math.floor(number / 1_000), (number % 1_000) * 1_000);
  if (number === 1) batch.define(1, { symbol: 'ABC', priceExponent: -2 });
  else if (number % 3 === 2)
    batch.add(1, number, number % 2 === 0 ? engineSide.bid : engineSide.ask, price(number), 10);
  else if (number % 3 === 0) batch.execute(1, number - 1, 4, number);
  else if (number % 30 === 1) batch.delete(1, number - 2);
  else batch.replace(1, number - 2, number - 1, price(number - 2), 20);
}

function price(number: number): number {
  return number % 2 === 0 ? 1_000 - (number % 7) : 1_001 + (number % 7);
}

/** Messages that the events up to that one make: a replace makes two. */
export function messagesOf(last: number): number {
  let messages = 0;
  for (let number = 1; number <= last; number++) {
    const replaces = number !== 1 && number % 3 === 1 && number % 30 !== 1;
    messages += replaces ? 2 : 1;
  }
  return messages;
}

/** Pushes events up to `last`, from wherever the distributor expects them. */
export async function pushTo(publisher: EventPublisher, last: number, batchEvents = 100): Promise<void> {
  const batch = new EventBatch(batchEvents);
  while (publisher.next <= last || batch.count > 0) {
    if (batch.count === 0)
      for (let number = Number(publisher.next); number <= last && !batch.full; number++) writeEvent(batch, number);
    if (publisher.push(batch) === 0) await publisher.drain();
  }
}
