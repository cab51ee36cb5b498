/** HTTP on the gateway as a distributor serves it: threads, real figures, real clients. */
import t from 'tap';
import { Distributor } from '../../../src/distributor.js';
import { noFigures } from '../../../src/gateway/figures.js';
import { metric_help } from '../../../src/gateway/http/metric_help.js';
import { addon } from '../../../src/native.js';
import { limits, until } from '../../channel.js';
import { linePair } from '../../faults/lines.js';
import { RawGatewayClient } from '../raw_client.js';
import { ask } from './http_on.js';

t.test('whatIsTurnedIntoFiguresIsDescribed', async (t) => {
  const described = (part: keyof typeof metric_help, names: readonly string[]) => {
    for (const name of names) {
      const figure = name.replace(/([a-z])[AB]$/, '$1').split('.')[0] ?? '';
      t.ok(metric_help[part][figure], `${part}: ${name}`);
    }
  };
  described('publisher', addon.publisherCounterNames);
  described('journal', addon.journalCounterNames);
  described('recovery', addon.recoveryCounterNames);
  described('gateway', Object.keys(noFigures()));
});

function figure(metrics: string, name: string): bigint {
  const [, value] = new RegExp(`^depthcast_${name}\\{channel="1"\\} (\\d+)$`, 'm').exec(metrics) ?? [];
  return BigInt(value ?? -1);
}

t.test('healthDirectoryAndMetricsSayWhatClientsSee', { timeout: 300_000 }, async (t) => {
  const { A: lineA, B: lineB } = linePair(228);
  const distributor = new Distributor({
    lineA,
    lineB,
    control: 'http://127.0.0.1:0',
    limits,
    gateway: { port: 0, workers: 2 },
    simulate: { symbols: 8, liveOrders: 500, messages: 20_000 },
    rate: 10_000,
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  const { port: digits, host } = new URL(distributor.gateway ?? '');
  const port = Number(digits);
  const health = () => ask(port, '/health');
  await until('the channel', () => distributor.stats().sequence > 1_000n);
  for (let tries = 0; tries < 1_200 && (await health()).status !== 200; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(JSON.parse((await health()).body), { ready: true, status: 'ok' });
  const clients = await Promise.all([1, 2, 3].map(() => RawGatewayClient.open(port)));
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  for (const [index, mode] of (['exact', 'depth', 'filtered'] as const).entries())
    await clients[index]?.ask({ type: 'subscribe', id: 1, channel: 1, mode, onSlow: 'snapshot' }, 'subscribed');
  const [channel] = JSON.parse((await ask(port, '/channels')).body).channels;
  t.match(channel, {
    channel: 1,
    session: String(distributor.session),
    gateway: '/feed',
    lineA: { group: lineA.group, port: lineA.port },
    lineB: { group: lineB.group, port: lineB.port },
    recovery: `${distributor.control?.replace('http', 'ws')}/recovery`,
  });
  t.same(
    channel.instruments,
    distributor.instruments().map(({ instrument, priceExponent, quantityExponent, symbol }) => ({
      instrument,
      symbol,
      priceExponent,
      quantityExponent,
    })),
  );
  await distributor.ended;
  const { sequence } = distributor.stats();
  for (const client of clients) {
    for (let tries = 0; tries < 1_200; tries++) {
      const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
      if (counts.sequence === String(sequence)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.same(client.faults, []);
  }
  // One leaves: what it had stays counted.
  await clients[1]?.ask({ type: 'unsubscribe', id: 1 }, 'unsubscribed');
  const metrics = (await ask(port, '/metrics')).body;
  const sum = (what: 'sent' | 'conflated') => clients.reduce((total, client) => total + client[what], 0n);
  t.equal(figure(metrics, 'gateway_messages_sent_total'), sum('sent'), 'as the clients count it');
  t.equal(figure(metrics, 'gateway_messages_conflated_total'), sum('conflated'));
  t.equal(figure(metrics, 'gateway_messages_refused_total'), 0n);
  t.equal(figure(metrics, 'gateway_messages_pending'), 0n);
  t.equal(figure(metrics, 'gateway_messages_published_total'), sum('sent') + sum('conflated'));
  t.equal(figure(metrics, 'publisher_sequence'), sequence);
  t.equal(figure(metrics, 'gateway_sessions'), 3n);
  t.equal(figure(metrics, 'gateway_workers'), 2n);
  const lines = metrics.split('\n').filter((line) => line !== '');
  const odd = lines.filter(
    (line) =>
      !/^# (HELP depthcast_[a-z_]+ .+|TYPE depthcast_[a-z_]+ (counter|gauge))$/.test(line) &&
      !/^depthcast_[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+$/.test(line),
  );
  t.same(odd, [], `${lines.length} lines of the text format for ${host}`);
  const names = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
  t.equal(new Set(names).size, names.length, 'each family once');
});
