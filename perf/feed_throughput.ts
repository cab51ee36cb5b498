/**
 * A whole feed: a distributor in one process, a client in another, loopback multicast between them; the client's books
 * must end equal to the publisher's. Both are the library as shipped.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor, FeedClient } from 'depthcast';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf feed_throughput [--option value]…
  --rate N           source messages a second, open loop; 0: as fast as it goes   (2000000)
  --seconds N        length of one run at that rate, s                             (30)
  --runs N           runs                                                          (3)
  --symbols N        instruments                                                   (1000)
  --live-orders N    live orders, about                                            (20000)
  --lines A|AB       lines sent and followed                                       (AB)
  --wait NAME        spin, yield or park, both sides                               (park)
  --receive-buffer N bytes asked for on each line                                  (67108864)
  --messages N       instead of rate x seconds`;

interface Settings {
  rate: number;
  seconds: number;
  messages: number;
  symbols: number;
  liveOrders: number;
  lines: string;
  wait: 'spin' | 'yield' | 'park';
  receiveBuffer: number;
}

/** What a child is told, and answers. */
interface Task {
  role: 'publisher' | 'subscriber';
  file: string;
  settings: Settings;
  port: number;
}

function channelOf(task: Task) {
  const both = task.settings.lines === 'AB';
  return {
    lineA: { group: '239.192.77.1', port: task.port },
    lineB: both ? { group: '239.192.77.2', port: task.port + 1 } : null,
    limits: { orders: 1 << 20, instruments: Math.max(1_024, task.settings.symbols), prefault: true },
    wait: task.settings.wait,
  };
}

async function publish(task: Task): Promise<Figures> {
  const distributor = new Distributor({
    ...channelOf(task),
    control: null,
    source: `itch:${task.file}`,
    rate: task.settings.rate,
    exitAtEnd: true,
    snapshot: { enabled: false },
  });
  const start = process.hrtime.bigint();
  await distributor.start();
  await distributor.ended;
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const stats = distributor.stats();
  const figures = {
    seconds,
    updates: Number(stats.sequence),
    source_messages: Number(stats.position),
    publisher_digest: String(stats.counters.digest),
    send_calls: Number((stats.counters.sendCallsA ?? 0n) + (stats.counters.sendCallsB ?? 0n)),
    datagrams: Number(stats.datagrams),
    datagrams_failed: Number(stats.datagramsFailed),
    publisher_loop_ns_max: Number(stats.counters.loopNsMax),
  };
  await distributor.close();
  return figures;
}

async function subscribe(task: Task, ready: () => void): Promise<Figures> {
  const client = new FeedClient({
    ...channelOf(task),
    control: null,
    receiveBufferBytes: task.settings.receiveBuffer,
  });
  await client.start();
  ready();
  await client.ended;
  const stats = client.stats();
  const latency = client.latency();
  const figures = {
    applied: Number(stats.counters.messages),
    missing: Number(stats.missingMessages),
    kernel_drops: Number((stats.counters.kernelDropsA ?? 0n) + (stats.counters.kernelDropsB ?? 0n)),
    digests_checked: Number(stats.counters.digestsChecked),
    digests_mismatched: stats.digestMismatches,
    subscriber_digest: String(stats.counters.digest),
    receive_buffer_granted: Number(stats.counters.receiveBufferA),
    latency_p50_us: latency.getValueAtPercentile(50) / 1e3,
    latency_p99_us: latency.getValueAtPercentile(99) / 1e3,
    latency_p99_9_us: latency.getValueAtPercentile(99.9) / 1e3,
    latency_max_us: latency.maxValue / 1e3,
  };
  await client.close();
  return figures;
}

/** The child's side: one task, one answer. */
process.on('message', async (task: Task) => {
  const tell = (message: unknown) => process.send?.(message);
  try {
    const figures =
      task.role === 'publisher' ? await publish(task) : await subscribe(task, () => tell({ ready: true }));
    tell({ figures });
  } catch (error) {
    tell({ error: error instanceof Error ? error.message : String(error) });
  }
  process.disconnect();
});

/** Starts a child; `figures` settles with its answer. */
function start(task: Task): { child: ChildProcess; ready: Promise<void>; figures: Promise<Figures> } {
  const child = fork(fileURLToPath(import.meta.url));
  let setReady = () => {};
  const ready = new Promise<void>((resolve) => {
    setReady = resolve;
  });
  const figures = new Promise<Figures>((resolve, reject) => {
    child.on('message', (answer: { ready?: true; figures?: Figures; error?: string }) => {
      if (answer.ready) setReady();
      if (answer.figures) resolve(answer.figures);
      if (answer.error !== undefined) reject(new Error(`${task.role}: ${answer.error}`));
    });
    child.on('exit', (code, signal) => reject(new Error(`${task.role} ended with ${signal ?? code}`)));
  });
  figures.catch(setReady); // its reason is told where figures is awaited
  child.send(task);
  return { child, ready, figures };
}

async function runOnce(file: string, settings: Settings): Promise<Figures> {
  const task = { file, settings, port: 27_401 };
  const subscriber = start({ ...task, role: 'subscriber' });
  try {
    await subscriber.ready;
    const publisher = start({ ...task, role: 'publisher' });
    try {
      const sent = await publisher.figures;
      const got = await subscriber.figures;
      return {
        updates_per_second: Math.round(Number(sent.updates) / Number(sent.seconds)),
        ...sent,
        ...got,
        complete: got.applied === sent.updates && got.subscriber_digest === sent.publisher_digest ? 'yes' : 'no',
      };
    } finally {
      publisher.child.kill();
    }
  } finally {
    subscriber.child.kill();
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      rate: { type: 'string', default: '2000000' },
      seconds: { type: 'string', default: '30' },
      runs: { type: 'string', default: '3' },
      symbols: { type: 'string', default: '1000' },
      'live-orders': { type: 'string', default: '20000' },
      lines: { type: 'string', default: 'AB' },
      wait: { type: 'string', default: 'park' },
      'receive-buffer': { type: 'string', default: '67108864' },
      messages: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const rate = Number(values.rate);
  const seconds = Number(values.seconds);
  const settings: Settings = {
    rate,
    seconds,
    messages: Number(values.messages ?? (rate || 2_000_000) * seconds),
    symbols: Number(values.symbols),
    liveOrders: Number(values['live-orders']),
    lines: values.lines,
    wait: values.wait as Settings['wait'],
    receiveBuffer: Number(values['receive-buffer']),
  };
  const around = { ...conditions() };
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-perf-'));
  try {
    const file = join(folder, 'feed.itch50');
    await writeSimulated(file, settings);
    const runs: Figures[] = [];
    for (let index = 0; index < Number(values.runs); ++index) runs.push(await runOnce(file, settings));
    const { seconds: _, ...asked } = settings;
    printResult({ ...joinRuns('feed_throughput', runs), ...asked, ...around }, json);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The simulated exchange's flow as a file, so that making it costs the measured run nothing. */
async function writeSimulated(file: string, settings: Settings): Promise<void> {
  const { execFileSync } = await import('node:child_process');
  const command = join(process.cwd(), 'dist', 'cli', 'main.js');
  const options = [
    '--messages',
    settings.messages,
    '--symbols',
    settings.symbols,
    '--live-orders',
    settings.liveOrders,
  ];
  execFileSync(process.execPath, [command, 'simulate', '--out', file, '--seed', '1', ...options.map(String)], {
    stdio: 'ignore',
  });
}
