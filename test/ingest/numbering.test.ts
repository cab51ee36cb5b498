/**
 * One numbering from one input: two distributors, the same input, other speed, batching and datagrams, one of them killed
 * on the way. Every message, instrument sequence, event and digest must be equal at every number. (Over shared memory:
 * test/engine/engine.test.ts, which has an engine.)
 */
import { join } from 'node:path';
import t from 'tap';
import { freeTcpPort } from '../../src/chaos/ports.js';
import { EventBatch, engineSide, engineTradeKind } from '../../src/publisher/event_batch.js';
import { connectPublisher } from '../../src/publisher/event_publisher.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { writeEvent } from '../publisher/push.js';
import { simulatedDay } from './itch_day.js';
import { compare, cutOffOf, distributorOf, optionsOf, resumedOf } from './numbering.js';
import { SoupServer } from './soup_server.js';

const [slow, fast] = [243, 244];

t.test('aFileIsNumberedAlikeAtAnySpeedCutInAnyWayAndAfterACrash', async (t) => {
  const { file, messages } = await simulatedDay(t, 20_000n);
  const folder = t.testdir({});
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const source = { source: `itch:${file}` };
  const steady = distributorOf(t, slow, optionsOf(one, source, 512, { rate: 40_000, wait: 'yield' }));
  await steady.start();
  const jumpy = optionsOf(two, source, 8_952, { rate: 100_000 });
  await cutOffOf(t, fast, jumpy, 6_000n);
  const resumed = await resumedOf(t, fast, { ...jumpy, rate: 0 });
  const ends = [await steady.ended, await resumed.ended];
  t.match(ends, [
    { reason: 'end', position: 20_000n },
    { reason: 'end', position: 20_000n },
  ]);
  t.equal(steady.stats().counters.digest, resumed.stats().counters.digest);
  t.equal(steady.stats().sequence, resumed.stats().sequence);
  await compare(t, [one, two], BigInt(messages.length));
});

t.test('aFeedThatTwoFollowIsNumberedAlikeThoughOneIsKilledAndTheConnectionCut', async (t) => {
  const { messages } = await simulatedDay(t, 8_000n, 12n);
  const server = await SoupServer.listen();
  server.password = '';
  t.teardown(() => server.close());
  server.messages.push(...messages);
  server.released = 3_000;
  const folder = t.testdir({});
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const source = { source: `soupbintcp:127.0.0.1:${server.port}`, soupbintcp: { backoffMs: 5, backoffMsMax: 20 } };
  const steady = distributorOf(t, slow, optionsOf(one, source, 1_400, {}));
  await steady.start();
  const jumpy = optionsOf(two, source, 600, {});
  await cutOffOf(t, fast, jumpy, 3_000n);
  const resumed = await resumedOf(t, fast, jumpy);
  for (const released of [3_500, 4_321, 6_000]) {
    server.released = released;
    server.push();
    await until('those', () => steady.stats().position === BigInt(released));
    const logins = server.logins.length;
    server.drop();
    await until('both again', () => server.logins.length >= logins + 2);
  }
  server.released = messages.length;
  server.complete = true;
  server.push();
  t.match(await Promise.all([steady.ended, resumed.ended]), [{ position: 8_000n }, { position: 8_000n }]);
  await compare(t, [one, two], BigInt(messages.length));
});

/** Event n of a day that has every kind of event, some of them refused, and events of several parts. */
function writeAny(batch: EventBatch, number: number): void {
  switch (number % 100) {
    case 50:
      batch.auction(1, { reference: 1_000, near: 1_001, far: 999, paired: number, side: engineSide.bid, type: 'O' });
      return;
    case 60:
      batch.limits(1, 990 - (number % 7), 1_010);
      return;
    case 70:
      batch.trade(1, engineTradeKind.trade, number, 1_000, 5);
      return;
    case 80:
      batch.status(1, number % 200 === 80 ? 1 : 2, number);
      return;
    default:
      writeEvent(batch, number);
      // An order and its execution are one event.
      if (number % 3 === 2 && number % 5 === 0) batch.goesOn();
  }
}

/** Pushes up to `last`, in batches of `size` events that no event of several parts crosses; with a rest after each. */
async function pushAll(t: Test, to: string, last: number, size: number, rest_ms: number): Promise<void> {
  const publisher = await connectPublisher({ to, engine: 'matcher', connectMs: 120_000 });
  t.teardown(() => publisher.close());
  const batch = new EventBatch(size);
  for (let number = 1; number <= last; ) {
    for (batch.clear(); number <= last && !(batch.full || (batch.count + 3 > size && number % 3 === 2)); number++)
      writeAny(batch, number);
    while (publisher.push(batch) === 0) await publisher.drain();
    if (rest_ms > 0) await new Promise((resolve) => setTimeout(resolve, rest_ms));
  }
  await publisher.flushed();
  await publisher.endOfDay();
}

t.test('whatTwoEnginesPushIsNumberedAlikeThoughOneDistributorIsKilled', async (t) => {
  const events = 12_000;
  const folder = t.testdir({});
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const port = await freeTcpPort();
  const steady = distributorOf(t, slow, optionsOf(one, { source: 'tcp:127.0.0.1:0' }, 512, { wait: 'yield' }));
  await steady.start();
  const jumpy = optionsOf(two, { source: `tcp:127.0.0.1:${port}` }, 8_952, {});
  const pushed = Promise.all([
    pushAll(t, steady.sourceAddress, events, 1_000, 0),
    // Small batches, so that the kill comes between some of them; the publisher goes on with the next process.
    pushAll(t, `tcp:127.0.0.1:${port}`, events, 30, 1),
  ]);
  await cutOffOf(t, fast, jumpy, 4_000n);
  const resumed = await resumedOf(t, fast, jumpy);
  t.match(await Promise.all([steady.ended, resumed.ended, pushed]), [
    { reason: 'end', position: BigInt(events) },
    { reason: 'end', position: BigInt(events) },
  ]);
  t.ok((steady.stats().counters['refused.unknown_order'] ?? 0n) > 0n, 'refusals take no numbers');
  t.equal(steady.stats().counters.digest, resumed.stats().counters.digest);
  await compare(t, [one, two], BigInt(events));
});
