/**
 * What a thousand WebSocket clients cost the multicast feed of the same server, and what ten of them that stop reading cost
 * the others. Alternates, in one run, between no client and all; the publisher has a core for itself.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { conditions } from './conditions.js';
import { type GroupFigures, Load, type LoadGroup } from './fanout/load.js';
import type { GatewayTask } from './gateway_clients_server.js';
import { LiveListener } from './live_listener.js';
import { type Figures, median } from './native_program.js';
import { printResult } from './print_result.js';
import { TaskProcess } from './processes.js';

const help = `perf gateway_clients [--option value]…
  --exact N --bbo N --depth N   clients of each mode; depth every 100 ms   (20, 180, 800)
  --silent A,B,C                of them, those that stop reading           (2,3,5)
  --rate N                      messages of the source a second            (100000)
  --rounds N                    without, with, without                     (4)
  --phase-ms N                  length of each of them                     (4000)
  --minutes N                   instead: all clients for so long, with memory sampled every 5 s
  --symbols N --live-orders N   of the simulated exchange                  (100, 20000)
  --instruments N               that a bbo or depth client has chosen       (10)
  --workers N                   threads of the gateway                     (1)
  --wait NAME                   how the publisher waits                    (spin)
  --port N                      UDP port of the line                       (28506)`;

const server_file = fileURLToPath(new URL('./gateway_clients_server.js', import.meta.url));
const group = '239.192.60.252';
const phase_none = 9;
const settle_ms = 1_000;
const sample_ms = 5_000;
const mebibyte = 2 ** 20;
const names = ['exact', 'bbo', 'depth'] as const;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const isTwoCores = cpus().length > 1;

interface Settings {
  groups: LoadGroup[];
  rounds: number;
  phaseMs: number;
  minutes: number;
  task: GatewayTask;
}

interface Observed {
  before: GroupFigures[];
  after: GroupFigures[];
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024;
}

function requestsOf(groups: readonly LoadGroup[], file: string): string {
  writeFileSync(file, `${groups.map(({ request = '' }) => request).join('\n')}\n`);
  return file;
}

/** Everything of the server but the publisher's thread, which has pinned itself. */
function keepOffPublisher(pid: number): void {
  if (!isTwoCores) return;
  for (const task of execFileSync('ls', [`/proc/${pid}/task`], { encoding: 'utf8' })
    .trim()
    .split('\n')) {
    const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
    if (name !== 'dc-publish') execFileSync('taskset', ['-pc', '1', task], { stdio: 'ignore' });
    // The source is no part of what is measured, and has no core for itself here: delayed by gateway and clients, it
    // would come in bursts, which take the publisher longer.
    if (name === 'dc-source') spawnSync('renice', ['-n', '-15', '-p', task], { stdio: 'ignore' });
  }
}

/** All clients; `seconds` of them read, and as long after some have stopped. */
async function withClients(port: number, settings: Settings, requests: string, listener: LiveListener, phase: number) {
  const load = await Load.open(port, settings.groups, requests, isTwoCores ? 1 : -1);
  try {
    await wait(settle_ms);
    await load.mark();
    listener.phase(phase);
    await wait(settings.phaseMs / 2);
    const before = await load.mark();
    load.silence();
    await load.mark();
    await wait(settings.phaseMs / 2);
    listener.phase(phase_none);
    return { before, after: await load.mark() };
  } finally {
    load.close();
  }
}

async function alternate(port: number, settings: Settings, requests: string): Promise<Figures> {
  const listener = new LiveListener(group, settings.task.port);
  const observed: Observed[] = [];
  try {
    await listener.ready;
    for (let round = 0; round < settings.rounds; round++) {
      for (const phase of [0, 1, 2]) {
        if (phase === 1) observed.push(await withClients(port, settings, requests, listener, phase));
        else {
          await wait(settle_ms / 2);
          listener.phase(phase);
          await wait(settings.phaseMs);
          listener.phase(phase_none);
        }
      }
    }
    return { ...multicastFigures(await listener.end()), ...clientFigures(observed) };
  } finally {
    listener.kill();
  }
}

/** The two phases without clients tell how far the machine by itself wanders. */
function multicastFigures([first, with_, second]: Figures[]): Figures {
  const figures: Figures = {};
  for (const share of ['p50', 'p99', 'p99_9']) {
    const [a, b, c] = [first, second, with_].map((phase) => Number(phase?.[`${share}_us`] ?? Number.NaN));
    if (a === undefined || b === undefined || c === undefined) continue;
    figures[`multicast_${share}_us_without`] = round((a + b) / 2);
    figures[`multicast_${share}_us_with`] = round(c);
    figures[`multicast_${share}_ratio`] = round((2 * c) / (a + b));
    figures[`multicast_${share}_spread_without`] = round(Math.max(a, b) / Math.min(a, b));
  }
  figures.datagrams_with = Number(with_?.datagrams ?? 0);
  figures.datagrams_without = Number(first?.datagrams ?? 0) + Number(second?.datagrams ?? 0);
  return figures;
}

const round = (value: number) => Math.round(value * 1_000) / 1_000;

function clientFigures(observed: Observed[]): Figures {
  const figures: Figures = {};
  for (const [index, name] of names.entries()) {
    for (const when of ['before', 'after'] as const) {
      const list = observed.map((one) => one[when][index]).filter((one) => one !== undefined);
      const of = (pick: (one: GroupFigures) => number) => round(median(list.map(pick)));
      const key = (what: string) => `${name}_${what}_${when}`;
      figures[key('reading')] = of(({ reading }) => reading);
      // Of one client.
      figures[key('messages_per_second')] = of(({ messages, reading, seconds }) => messages / reading / seconds);
      figures[key('least_of_most')] = of(({ messages_least: least, messages_most: most }) => least / Math.max(1, most));
      figures[key('latency_us_p50')] = of(({ latency_us_p50 }) => latency_us_p50);
      figures[key('latency_us_p99')] = of(({ latency_us_p99 }) => latency_us_p99);
      figures[key('slow_or_closed')] = of(({ slow, closed, errors }) => slow + closed + errors);
    }
  }
  figures.receiver_cpu = round(
    median(observed.map(({ before: [one] }) => (one?.cpu_seconds ?? 0) / (one?.seconds ?? 1))),
  );
  return figures;
}

/** Memory of the server while all clients are there and ten of them do not read. */
async function endure(port: number, server: TaskProcess, settings: Settings, requests: string): Promise<Figures> {
  const load = await Load.open(port, settings.groups, requests, isTwoCores ? 1 : -1);
  const samples: number[] = [];
  let messages = 0;
  let lost = 0;
  try {
    await wait(settle_ms);
    load.silence();
    await load.mark();
    for (const end = Date.now() + settings.minutes * 60_000; Date.now() < end; ) {
      await wait(Math.min(sample_ms, settings.minutes * 60_000));
      samples.push(residentBytes(server.pid) / mebibyte);
      for (const one of await load.mark()) {
        messages += one.messages;
        lost += one.closed + one.errors;
      }
    }
  } finally {
    load.close();
  }
  const third = Math.max(1, Math.floor(samples.length / 3));
  return {
    minutes: settings.minutes,
    memory_mib_first: round(samples[0] ?? 0),
    memory_mib_last: round(samples.at(-1) ?? 0),
    memory_mib_most: round(Math.max(...samples)),
    memory_mib_second_third: round(median(samples.slice(third, 2 * third))),
    memory_mib_last_third: round(median(samples.slice(-third))),
    memory_mib_samples: samples.map((sample) => Math.round(sample)).join(' '),
    messages,
    closed_or_errors: lost,
  };
}

async function measure(settings: Settings): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-clients-'));
  const server = new TaskProcess(server_file, settings.task);
  try {
    const { gateway } = await server.news('gateway');
    keepOffPublisher(server.pid);
    await wait(settle_ms);
    const requests = requestsOf(settings.groups, join(folder, 'requests'));
    const figures =
      settings.minutes > 0
        ? await endure(Number(gateway), server, settings, requests)
        : await alternate(Number(gateway), settings, requests);
    return { ...figures, ...(await server.stop()) };
  } finally {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      exact: { type: 'string', default: '20' },
      bbo: { type: 'string', default: '180' },
      depth: { type: 'string', default: '800' },
      silent: { type: 'string', default: '2,3,5' },
      rate: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '4' },
      'phase-ms': { type: 'string', default: '4000' },
      minutes: { type: 'string', default: '0' },
      instruments: { type: 'string', default: '10' },
      symbols: { type: 'string', default: '100' },
      'live-orders': { type: 'string', default: '20000' },
      workers: { type: 'string', default: '1' },
      wait: { type: 'string', default: 'spin' },
      port: { type: 'string', default: '28506' },
    },
  });
  if (values.help) return console.log(help);
  const silent = values.silent.split(',').map(Number);
  const chosen = Array.from({ length: Number(values.instruments) }, (_, index) => index + 1);
  const groups = names.map((mode, index) => ({
    clients: Number(values[mode]),
    silent: silent[index] ?? 0,
    request: JSON.stringify({
      type: 'subscribe',
      id: 1,
      channel: 1,
      mode,
      ...(mode === 'depth' && { intervalMs: 100, levels: 10 }),
      // An exact client that falls out of the ring is told and closed; the others cover more with each frame.
      ...(mode === 'exact' ? { onSlow: 'disconnect' } : { instruments: chosen }),
    }),
  }));
  const around = conditions();
  const task: GatewayTask = {
    group,
    port: Number(values.port),
    rate: Number(values.rate),
    symbols: Number(values.symbols),
    liveOrders: Number(values['live-orders']),
    workers: Number(values.workers),
    wait: values.wait as GatewayTask['wait'],
    core: isTwoCores ? 0 : -1,
  };
  const settings: Settings = {
    groups,
    rounds: Number(values.rounds),
    phaseMs: Number(values['phase-ms']),
    minutes: Number(values.minutes),
    task,
  };
  const figures = await measure(settings);
  printResult({ name: 'gateway_clients', ...figures, instruments: chosen.length, ...task, ...around }, json);
}
