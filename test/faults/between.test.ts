/** `depthcast chaos --between`: a faulty line between a publisher and a client of one's own. */
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import { FeedClient } from '../../src/feed_client.js';
import { serveOn, subscribeOn, until } from '../channel.js';
import { Cli, ensureBuilt } from '../cli_process.js';

t.before(ensureBuilt);

t.test('saysExactlyWhatEachLineDidNotBring', async (t) => {
  const [from, to] = [94, 95];
  const source = serveOn(from, {
    simulate: { symbols: 5, messages: 8_000, liveOrders: 200 },
    rate: 8_000,
    waitSubscribers: 1,
  });
  const target = subscribeOn(to, null);
  const profile = {
    phases: [
      { line: 'A', drop: 0.2 },
      { line: 'A', duplicate: { rate: 0.1 } },
    ],
  };
  const folder = t.testdir({ 'faults.json': JSON.stringify(profile) });
  const line = (name: string, address: { group: string; port: number } | null | undefined) => [
    `--${name}-group=${address?.group}`,
    `--${name}-port=${address?.port}`,
  ];
  const relay = new Cli(t, [
    'chaos',
    '--between',
    '--seed=5',
    '--json',
    `--profile=${folder}/faults.json`,
    ...line('line-a', source.lineA as { group: string; port: number }),
    ...line('line-b', source.lineB as { group: string; port: number }),
    ...line('to-a', target.lineA as { group: string; port: number }),
    ...line('to-b', target.lineB as { group: string; port: number }),
  ]);
  await relay.said(/seed 5/);
  const distributor = new Distributor(source);
  t.teardown(() => distributor.close());
  await distributor.start();
  // The service knows it through the publisher, the packets come through the relay.
  const client = new FeedClient({ ...target, control: distributor.control, gapWaitMs: 200 });
  t.teardown(() => client.close());
  await client.start();
  await distributor.ended;
  await client.ended;
  t.equal((await client.snapshot()).digest, distributor.stats().counters.digest, 'the other line had all of it');
  await until('quiet', () => client.state === 'ended');
  relay.kill('SIGTERM');
  const { end, stdout, stderr } = await relay.ended();
  t.equal(end, 0, stderr);
  const { losses, counters } = JSON.parse(stdout) as {
    counters: Record<'A' | 'B', { dropped: number; duplicated: number }>;
    losses: { session: string; last: number; lost: Record<'A' | 'B', [number, number][]>; lostOnBoth: unknown[] }[];
  };
  t.equal(losses.length, 1);
  t.match(losses[0], { session: String(distributor.session), last: Number(distributor.stats().sequence) });
  t.same(losses[0]?.lost.B, []);
  t.same(losses[0]?.lostOnBoth, []);
  t.ok((losses[0]?.lost.A.length ?? 0) > 100);
  t.ok(counters.A.dropped > 100 && counters.A.duplicated > 50 && counters.B.dropped === 0);
});

t.test('refusesWrongProfiles', async (t) => {
  const folder = t.testdir({ 'wrong.json': '{"phases":[{"dorp":0.1}]}', 'broken.json': '{' });
  for (const [file, pattern] of [
    ['wrong.json', /phases\.0\.dorp is not an option/],
    ['broken.json', /is not JSON/],
    ['none.json', /no such file/],
  ] as const) {
    const { end, stderr } = await new Cli(t, ['chaos', `--profile=${folder}/${file}`]).ended();
    t.equal(end, 2, file);
    t.match(stderr, pattern);
  }
});
