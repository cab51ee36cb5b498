/**
 * Late join: a channel runs at a steady rate with many live orders; one client after the other comes in the middle, in
 * a process of its own, and takes a snapshot over the recovery service. Timed from start() to "synchronized".
 */

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor, FeedClient } from 'depthcast';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';
import { serveTask, TaskProcess, type Tell } from './processes.js';

const help = `perf late_join [--option value]…
  --rate N          source messages a second                       (1000000)
  --symbols N       instruments                                    (1000)
  --live-orders N   live orders, about; clients come when they live (1000000)
  --joins N         clients, one after the other                   (5)
  --follow-ms N     how long each follows afterwards               (1000)
  --state FOLDER    state folder: journal on                       (none)
  --wait NAME       spin, yield or park, both sides                (park)`;

interface Settings {
  rate: number;
  symbols: number;
  liveOrders: number;
  followMs: number;
  state: string;
  wait: 'spin' | 'yield' | 'park';
}
interface Task {
  role: 'publisher' | 'client';
  settings: Settings;
  control: string;
}

const ports = 27_411;
const grow_ms_max = 120_000;
const join_ms_max = 60_000;

function channelOf({ settings }: Task) {
  return {
    lineA: { group: '239.192.77.11', port: ports },
    lineB: { group: '239.192.77.12', port: ports + 1 },
    limits: { orders: 2 ** Math.ceil(Math.log2(settings.liveOrders * 1.5)), instruments: 2_048 },
    wait: settings.wait,
  };
}

async function publish(task: Task, tell: Tell, stopped: Promise<void>): Promise<Figures> {
  const { rate, symbols, liveOrders, state } = task.settings;
  const distributor = new Distributor({
    ...channelOf(task),
    control: 'http://127.0.0.1:0',
    rate,
    simulate: { symbols, liveOrders },
    state,
  });
  await distributor.start();
  const begin = performance.now();
  while (Number(distributor.stats().counters.liveOrders) < liveOrders * 0.95) {
    if (performance.now() - begin > grow_ms_max) throw new Error('the live orders did not come');
    await delay(50);
  }
  tell({ control: distributor.control ?? '' });
  const before = distributor.stats();
  const since = performance.now();
  await stopped;
  const after = distributor.stats();
  await distributor.close();
  return {
    updates_per_second: Math.round((Number(after.sequence - before.sequence) * 1_000) / (performance.now() - since)),
    live_orders: Number(after.counters.liveOrders),
    datagrams_failed: Number(after.datagramsFailed),
  };
}

async function join(task: Task): Promise<Figures> {
  const client = new FeedClient({ ...channelOf(task), control: task.control, receiveBufferBytes: 64 * 2 ** 20 });
  let snapshots = 0;
  client.on('snapshot', () => snapshots++);
  const begin = performance.now();
  await client.start();
  while (client.state !== 'synchronized') {
    if (performance.now() - begin > join_ms_max)
      throw new Error(`not synchronized but ${client.state}: ${JSON.stringify(client.stats(), text)}`);
    await delay(1);
  }
  const join_ms = performance.now() - begin;
  const checked = Number(client.stats().counters.digestsChecked);
  await delay(task.settings.followMs);
  const stats = client.stats();
  const figures = {
    join_ms,
    snapshots,
    digests_checked_afterwards: Number(stats.counters.digestsChecked) - checked,
    digests_mismatched: stats.digestMismatches,
    live_orders_at_client: Number(stats.counters.liveOrders),
    kernel_drops: Number((stats.counters.kernelDropsA ?? 0n) + (stats.counters.kernelDropsB ?? 0n)),
    state_afterwards: client.state,
  };
  await client.close();
  return figures;
}

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

serveTask<Task>((task, tell, stopped) => (task.role === 'publisher' ? publish(task, tell, stopped) : join(task)));

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      rate: { type: 'string', default: '1000000' },
      symbols: { type: 'string', default: '1000' },
      'live-orders': { type: 'string', default: '1000000' },
      joins: { type: 'string', default: '5' },
      'follow-ms': { type: 'string', default: '1000' },
      state: { type: 'string', default: '' },
      wait: { type: 'string', default: 'park' },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const settings: Settings = {
    rate: Number(values.rate),
    symbols: Number(values.symbols),
    liveOrders: Number(values['live-orders']),
    followMs: Number(values['follow-ms']),
    state: values.state,
    wait: values.wait as Settings['wait'],
  };
  const around = { ...conditions() };
  const file = fileURLToPath(import.meta.url);
  const publisher = new TaskProcess(file, { role: 'publisher', settings, control: '' });
  try {
    const { control } = await publisher.news('control');
    const runs: Figures[] = [];
    for (let index = 0; index < Number(values.joins); ++index) {
      const client = new TaskProcess(file, { role: 'client', settings, control });
      try {
        runs.push(await client.figures);
      } finally {
        client.kill();
      }
    }
    const published = await publisher.stop();
    const asked = { rate: settings.rate, symbols: settings.symbols, wait: settings.wait };
    printResult({ ...joinRuns('late_join', runs), ...published, ...asked, ...around }, json);
  } finally {
    publisher.kill();
  }
}
