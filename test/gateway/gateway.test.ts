/** The gateway of a distributor: threads that share a port, their ends, and what they count. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { getPriority } from 'node:os';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { RawGatewayClient } from './raw_client.js';

async function serve(t: Test, number: number, gateway: ServeOptionsInput['gateway'], more: ServeOptionsInput = {}) {
  const { A: lineA, B: lineB } = linePair(number);
  const distributor = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    simulate: { symbols: 4, liveOrders: 200 },
    rate: 5_000,
    ...more,
    gateway: { port: 0, ...gateway },
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  const port = Number(new URL(distributor.gateway ?? '').port);
  const connect = async () => {
    const client = await RawGatewayClient.open(port);
    t.teardown(() => client.close());
    return client;
  };
  return { distributor, port, connect };
}

t.test('sessionsLandOnAllThreadsAndAreCountedTogether', async (t) => {
  const { connect, distributor } = await serve(t, 200, { workers: 2 }, { simulate: { symbols: 4, messages: 5_000 } });
  const clients = await Promise.all(Array.from({ length: 24 }, connect));
  for (const client of clients) await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'bbo' }, 'subscribed');
  await distributor.ended;
  const counts = await Promise.all(clients.map((client) => client.ask({ type: 'count', id: 1 }, 'counts')));
  const sum = (name: string) => counts.reduce((total, count) => total + Number(count[name]), 0);
  const told = () => {
    const { messagesPublished = 0, messagesPending = 1 } = distributor.stats().gateway ?? {};
    return messagesPublished === sum('published') && messagesPending === 0;
  };
  await until('the figures of both', told);
  const stats = distributor.stats().gateway;
  t.match(stats, { workers: 2, restarts: 0, sessions: 24, sessionsServed: 24, subscriptions: 24, messagesPending: 0 });
  t.equal(stats?.messagesSent, sum('sent'));
  t.equal(stats?.messagesConflated, sum('conflated'));
  t.equal(stats?.messagesSent, Number(clients.reduce((total, { sent }) => total + sent, 0n)), 'as the clients count');
  t.equal(stats?.messagesConflated, Number(clients.reduce((total, { conflated }) => total + conflated, 0n)));
  t.ok((stats?.sessionsMost ?? 0) < 24, 'no thread has them all');
  for (const client of clients) client.close();
  await until('their leave', () => distributor.stats().gateway?.sessions === 0);
  t.equal(distributor.stats().gateway?.messagesPublished, sum('published'), 'what was counted stays counted');
});

/** Threads of this process, by nice value. */
function threadsByNice(): Map<number, string[]> {
  const threads = new Map<number, string[]>();
  for (const id of readdirSync('/proc/self/task')) {
    const [, name = '', nice = ''] = /\((.*)\)(?: \S+){16} (\S+)/.exec(readStat(id)) ?? [];
    if (nice !== '') threads.set(Number(nice), [...(threads.get(Number(nice)) ?? []), name]);
  }
  return threads;
}

/** Empty where the thread has gone. */
function readStat(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
  } catch {
    return '';
  }
}

t.test('itsThreadsGiveWayAndNoOthers', async (t) => {
  const nice = Math.min(19, getPriority() + 7);
  const before = threadsByNice().get(nice)?.length ?? 0;
  await serve(t, 204, { workers: 2, nice: 7 });
  // A thread gives itself its name when it first runs.
  const named = (name: string) => [...threadsByNice()].find(([, names]) => names.includes(name))?.[0];
  await until('the names of all', () => named('dc-publish') !== undefined && named('dc-source') !== undefined);
  t.equal(threadsByNice().get(nice)?.length, before + 2, 'the two workers');
  t.equal(named('dc-publish'), getPriority());
  t.equal(named('dc-source'), getPriority());
});

t.test('aPortThatSomebodyHasIsAnErrorAtStart', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  for (const workers of [1, 2])
    await t.rejects(
      serve(t, 201, { port, workers }),
      /the gateway cannot listen on 127\.0\.0\.1:\d+: the address is taken/,
    );
  const { port: ours } = await serve(t, 201, { workers: 2 });
  await t.rejects(
    serve(t, 202, { port: ours, workers: 2 }),
    /the address is taken/,
    'also where those who have it share it',
  );
  await t.rejects(serve(t, 202, { host: '203.0.113.1' }, { access: { insecure: true } }), /not ours/);
});

t.test('clientsHearTheLastMessagesAndWhereToGo', async (t) => {
  const { connect, distributor } = await serve(t, 203, {
    goodbye: { url: 'ws://b.example:26480', reconnectMs: 5 },
  });
  const client = await connect();
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'trades' }, 'subscribed');
  await distributor.close();
  await until('the end', () => client.closed !== undefined);
  t.equal(client.closed?.code, 4_010);
  t.match(client.texts.at(-1), { type: 'goodbye', code: 4_010, url: 'ws://b.example:26480', reconnectMs: 5 });
});

t.test('aThreadThatDiesIsToldAndBegunAnewAFewTimes', async (t) => {
  const workers: Worker[] = [];
  const note = (worker: Worker) => workers.push(worker);
  process.on('worker', note);
  t.teardown(() => process.off('worker', note));
  const { connect, distributor, port } = await serve(t, 204, { workers: 2 });
  const errors: string[] = [];
  distributor.on('gatewayError', ({ message }) => errors.push(message));
  const clients = await Promise.all(Array.from({ length: 16 }, connect));
  t.equal(workers.length, 2);
  await until('all to be counted', () => distributor.stats().gateway?.sessionsServed === 16);
  const kill = () => workers.at(-1)?.postMessage({ type: 'nonsense' });
  kill();
  await until('the death', () => errors.length === 1);
  t.match(errors[0], /^thread \d of the gateway died \(a message of an unknown type: .*\): it is begun anew$/);
  await until('its clients to notice', () => clients.some(({ closed }) => closed !== undefined));
  const left = clients.filter(({ closed }) => closed === undefined);
  t.ok(left.length > 0, 'the other one serves its clients');
  t.match(await left[0]?.ask({ type: 'ping', time: 1 }, 'pong'), { time: 1 });
  await until('a new thread', () => distributor.stats().gateway?.workers === 2);
  t.match(distributor.stats().gateway, { restarts: 1, sessionsServed: 16 });
  t.equal(Number(new URL(distributor.gateway ?? '').port), port);
  for (let death = 2; death <= 4; death++) {
    await until('a thread to kill', () => workers.length === death + 1 && distributor.stats().gateway?.workers === 2);
    kill();
    await until('its death', () => errors.length === death);
  }
  t.match(errors.at(-1), /that was too often; 1 of 2 are left$/);
  t.match(await (await connect()).ask({ type: 'ping', time: 2 }, 'pong'), { time: 2 }, 'the feed goes on');
});
