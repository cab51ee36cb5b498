/** Engine and distributor end and come back, in order and not: every event once. */
import { join } from 'node:path';
import t from 'tap';
import { freeTcpPort } from '../../src/chaos/ports.js';
import { Distributor } from '../../src/distributor.js';
import { connectPublisher } from '../../src/publisher/event_publisher.js';
import { until } from '../channel.js';
import { distributorOn, messagesOf, pushOptions, pushTo } from './push.js';

t.test('aNewSessionGetsTheBooksAnew', async (t) => {
  const port = await freeTcpPort();
  const source = `tcp:127.0.0.1:${port}`;
  const first = await distributorOn(t, 9, { source });
  let restated = 0;
  const publisher = await connectPublisher({
    to: source,
    engine: 'matcher',
    restate: async (again) => {
      restated++;
      await pushTo(again, 50);
    },
  });
  t.teardown(() => publisher.close());
  await pushTo(publisher, 1_000);
  await publisher.flushed();
  await first.close();
  const second = new Distributor(pushOptions(9, { source }));
  t.teardown(() => second.close());
  await second.start();
  await until('the books', () => restated === 1 && publisher.next === 51n);
  await publisher.flushed();
  t.equal(restated, 1);
  t.equal(publisher.session, second.session);
  t.equal(publisher.next, 51n);
  t.equal(Number(second.stats().sequence), messagesOf(50));
});

t.test('acknowledgesWhatIsJournaledWhereThereIsAStateFolder', async (t) => {
  const state = join(t.testdir({}), 'state');
  for (const acknowledge of ['auto', 'durable'] as const) {
    const distributor = await distributorOn(t, 9, {
      state: `${state}-${acknowledge}`,
      ingest: { acknowledge },
      journal: { fsyncMs: 20 },
    });
    const publisher = await connectPublisher({ to: distributor.sourceAddress, engine: 'matcher' });
    await pushTo(publisher, 3_000);
    await publisher.flushed();
    const { journal } = distributor.stats();
    const written = acknowledge === 'durable' ? journal.durable : journal.sequence;
    t.equal(Number(written), messagesOf(3_000));
    publisher.close();
    await distributor.close();
  }
  t.throws(() => new Distributor(pushOptions(9, { ingest: { acknowledge: 'journaled' } })), /acknowledge/);
});
