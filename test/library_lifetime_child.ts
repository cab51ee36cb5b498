/** What library_lifetime.test.ts does in a process of its own: node library_lifetime_child.ts SCENARIO CHANNEL [N] */
import { readdirSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import WebSocket from 'ws';
import type { ServeOptionsInput } from '../src/config.js';
import { Distributor } from '../src/distributor.js';
import { FeedClient } from '../src/feed_client.js';
import { serveOn, subscribeOn, until } from './channel.js';

const [scenario = '', number = '0', count = '0'] = isMainThread ? process.argv.slice(2) : workerData;
const limits = { orders: 4_096, instruments: 64, depthLevels: 4 };
const ring = { bytes: '1MiB' };

const all = { limits, ring, simulate: { symbols: 3, liveOrders: 50 } };
const delivery = { updates: true, capacity: 4_096 };

async function startFeed(channel: number, more: ServeOptionsInput) {
  const distributor = new Distributor(serveOn(channel, { ...all, ...more }));
  await distributor.start();
  const control = more.control === null ? null : distributor.control;
  const client = new FeedClient(subscribeOn(channel, control, { limits, delivery }));
  await client.start();
  return { distributor, client };
}

async function runningFeed(channel: number, more: ServeOptionsInput = {}) {
  const feed = await startFeed(channel, { rate: 50_000, ...more });
  await until('some messages', () => feed.client.sequence > 100n);
  return feed;
}

function wholeFeed(channel: number, messages: number) {
  return startFeed(channel, { simulate: { ...all.simulate, messages }, waitSubscribers: 1 });
}

/** Closes everything: then nothing keeps the process alive. */
async function close() {
  const { distributor, client } = await runningFeed(Number(number));
  await client.close();
  await distributor.close();
}

async function exit() {
  await runningFeed(Number(number));
  process.exit(0);
}

/** With clients of a gateway's two threads: `close` in order, or `exit` in the middle. */
async function gatewayTo(end: 'close' | 'exit') {
  const distributor = new Distributor(
    serveOn(Number(number), { ...all, control: null, rate: 20_000, gateway: { port: 0, workers: 2 } }),
  );
  await distributor.start();
  const url = `${distributor.gateway?.replace('http', 'ws')}/feed`;
  const subscribe = async () => {
    const socket = new WebSocket(url);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"type":"hello","versions":[1]}');
    socket.send('{"type":"subscribe","id":1,"channel":1,"mode":"exact"}');
    await new Promise((resolve) => socket.on('message', (_data, isBinary) => isBinary && resolve(undefined)));
  };
  await Promise.all(Array.from({ length: 8 }, subscribe));
  if (end === 'exit') process.exit(0);
  await distributor.close();
}
const gatewayClose = () => gatewayTo('close');
const gatewayExit = () => gatewayTo('exit');

/** A listener that throws: the rest is delivered all the same. */
async function listenerThrows() {
  const thrown: string[] = [];
  process.on('uncaughtException', ({ message }) => thrown.push(message));
  const { distributor, client } = await wholeFeed(Number(number), 2_000);
  let updates = 0n;
  client.on('updates', (batch) => {
    updates += BigInt(batch.count);
    throw new Error('updates');
  });
  client.once('session', () => {
    throw new Error('session');
  });
  const end = await client.ended;
  await client.close();
  await distributor.close();
  console.log(JSON.stringify({ all: updates === end?.sequence, thrown: [...new Set(thrown)].sort() }));
}

/** Workers with a feed each: ended from outside, by their own exit, and by closing everything. */
async function workers() {
  const start = (index: number, inner: string) =>
    new Worker(new URL(import.meta.url), { workerData: [inner, String(Number(number) + index)] });
  const exitOf = (worker: Worker) => new Promise((resolve) => worker.once('exit', resolve));
  const terminated = start(0, 'wait');
  const others = [start(1, 'exit'), start(2, 'close'), start(3, 'close')];
  const codes = Promise.all(others.map(exitOf));
  await new Promise((resolve) => terminated.once('message', resolve));
  await terminated.terminate();
  console.log(JSON.stringify({ codes: await codes }));
}

/** Until somebody ends this worker. */
async function wait() {
  await runningFeed(Number(number), { control: null });
  parentPort?.postMessage('running');
}

async function cycle() {
  const { distributor, client } = await wholeFeed(Number(number), 50);
  await client.ended;
  await client.close();
  await distributor.close();
}

/** Opens and closes a feed again and again: neither memory nor descriptors nor threads may grow. */
async function cycles() {
  const look = async () => {
    // What one collection frees may let go of more, in a later turn of the loop.
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const descriptors = readdirSync('/proc/self/fd').length;
    const threads = readdirSync('/proc/self/task').length;
    return { rss: process.memoryUsage.rss(), descriptors, threads };
  };
  const warm_up = Math.ceil(Number(count) / 2);
  for (let index = 0; index < warm_up; index++) await cycle();
  const before = await look();
  for (let index = 0; index < Number(count); index++) await cycle();
  const after = await look();
  console.log(
    JSON.stringify({
      rss: after.rss - before.rss,
      descriptors: after.descriptors - before.descriptors,
      threads: after.threads - before.threads,
    }),
  );
}

const scenarios: Record<string, () => Promise<void>> = {
  close,
  exit,
  gatewayClose,
  gatewayExit,
  listenerThrows,
  workers,
  wait,
  cycles,
};
await scenarios[scenario]?.();
