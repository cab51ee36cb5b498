/**
 * What a thousand WebSocket clients cost the multicast feed of the same server, and what ten of them that stop reading cost
 * the others. Alternates, in one run, between no client, all of them, and a loop that takes as much of the other core; the
 * publisher has a core for itself.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { threadsOf } from './clients/core_watch.js';
import { clientFigures, coreFigures, multicastFigures } from './clients/figures.js';
import { groupsOf } from './clients/groups.js';
import { type MemorySample, memoryFigures } from './clients/memory.js';
import { type PhaseSettings, Phases, wait } from './clients/phases.js';
import { conditions } from './conditions.js';
import { Load, type LoadGroup } from './fanout/load.js';
import type { GatewayTask } from './gateway_clients_server.js';
import type { Figures } from './native_program.js';
import { printResult } from './print_result.js';
import { TaskProcess } from './processes.js';

const help = `perf gateway_clients [--option value]…
  --exact N --bbo N --depth N   clients of each mode; depth every 100 ms   (20, 180, 800)
  --silent A,B,C                of them, those that stop reading           (3,3,4)
  --rate N                      messages of the source a second            (100000)
  --rounds N                    without, with, loop, without               (3)
  --phase-ms N                  length of each of them; with clients: twice that, while all read   (4000)
  --silent-ms N                 and then so long, while some do not        (6000)
  --minutes N                   instead: all clients for so long, with memory sampled every 5 s
  --symbols N --live-orders N   of the simulated exchange                  (100, 20000)
  --instruments N               that a bbo or depth client has chosen       (10)
  --workers N                   threads of the gateway                     (1)
  --nice N                      what they give way by: gateway.nice      (5)
  --wait NAME                   how the publisher waits                    (spin)
  --source-nice N               preference of the source's thread on the core that it shares (-15)
  --port N                      UDP port of the line                       (28506)`;

const server_file = fileURLToPath(new URL('./gateway_clients_server.js', import.meta.url));
const group = '239.192.60.252';
const settle_ms = 1_000;
const sample_ms = 5_000;
const mebibyte = 2 ** 20;
const other_core = cpus().length > 1 ? 1 : -1;

interface Settings {
  groups: LoadGroup[];
  rounds: number;
  phaseMs: number;
  silentMs: number;
  minutes: number;
  sourceNice: number;
  task: GatewayTask;
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024;
}

function requestsOf(groups: readonly LoadGroup[], file: string): string {
  writeFileSync(file, `${groups.map(({ request = '' }) => request).join('\n')}\n`);
  return file;
}

/** Nothing happens where the system refuses it. */
function renice(thread: number, nice: number): void {
  spawnSync('renice', ['-n', `${nice}`, '-p', `${thread}`], { stdio: 'ignore' });
}

/**
 * Everything of the server but the publisher's thread, which has pinned itself, goes to the other core. What is measured is
 * the publisher alone on its core: nothing else is preferred there. The source has no core for itself here as a matching
 * engine has: behind gateway and clients it would come in bursts, which take the publisher longer.
 */
function keepOffPublisher(pid: number, sourceNice: number): void {
  if (other_core < 0) return;
  for (const { id, name } of threadsOf(pid)) {
    if (name === 'dc-publish') renice(id, -20);
    else spawnSync('taskset', ['-pc', `${other_core}`, `${id}`], { stdio: 'ignore' });
    if (name === 'dc-source') renice(id, sourceNice);
  }
}

async function alternate(port: number, server: TaskProcess, settings: Settings, folder: string): Promise<Figures> {
  const phases: PhaseSettings = {
    line: { group, port: settings.task.port },
    groups: settings.groups,
    requests: requestsOf(settings.groups, join(folder, 'requests')),
    rounds: settings.rounds,
    phaseMs: settings.phaseMs,
    silentMs: settings.silentMs,
    publisherCore: settings.task.core,
    otherCore: other_core,
    samplesFile: join(folder, 'samples'),
  };
  const run = new Phases(port, server.pid, phases);
  const samples = await run.run();
  return { ...multicastFigures(samples), ...coreFigures(run.cores), ...clientFigures(run.clients) };
}

/** Memory of the server while all clients are there and ten of them do not read. */
async function endure(port: number, server: TaskProcess, settings: Settings, folder: string): Promise<Figures> {
  const requests = requestsOf(settings.groups, join(folder, 'requests'));
  const load = await Load.open(port, settings.groups, requests, other_core);
  const samples: MemorySample[] = [];
  let messages = 0;
  let lost = 0;
  try {
    await wait(settle_ms);
    load.silence();
    await load.mark();
    const begin_ms = performance.now();
    const length_ms = settings.minutes * 60_000;
    while (performance.now() - begin_ms < length_ms) {
      await wait(Math.min(sample_ms, length_ms));
      samples.push({
        seconds: (performance.now() - begin_ms) / 1_000,
        mebibytes: residentBytes(server.pid) / mebibyte,
      });
      for (const one of await load.mark()) {
        messages += one.messages;
        lost += one.closed + one.errors;
      }
    }
  } finally {
    load.close();
  }
  return { minutes: settings.minutes, ...memoryFigures(samples), messages, closed_or_errors: lost };
}

async function measure(settings: Settings): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-clients-'));
  const server = new TaskProcess(server_file, settings.task);
  try {
    const { gateway } = await server.news('gateway');
    keepOffPublisher(server.pid, settings.sourceNice);
    await wait(settle_ms);
    const act = settings.minutes > 0 ? endure : alternate;
    const figures = await act(Number(gateway), server, settings, folder);
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
      silent: { type: 'string', default: '3,3,4' },
      rate: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '3' },
      'phase-ms': { type: 'string', default: '4000' },
      'silent-ms': { type: 'string', default: '6000' },
      'source-nice': { type: 'string', default: '-15' },
      minutes: { type: 'string', default: '0' },
      instruments: { type: 'string', default: '10' },
      symbols: { type: 'string', default: '100' },
      'live-orders': { type: 'string', default: '20000' },
      workers: { type: 'string', default: '1' },
      nice: { type: 'string', default: '5' },
      wait: { type: 'string', default: 'spin' },
      port: { type: 'string', default: '28506' },
    },
  });
  if (values.help) return console.log(help);
  const clients = { exact: Number(values.exact), bbo: Number(values.bbo), depth: Number(values.depth) };
  const silent = values.silent.split(',').map(Number);
  const instruments = Number(values.instruments);
  const groups = groupsOf({ clients, silent, instruments });
  const around = conditions();
  const task: GatewayTask = {
    group,
    port: Number(values.port),
    rate: Number(values.rate),
    symbols: Number(values.symbols),
    liveOrders: Number(values['live-orders']),
    workers: Number(values.workers),
    nice: Number(values.nice),
    wait: values.wait as GatewayTask['wait'],
    core: other_core < 0 ? -1 : 0,
  };
  const settings: Settings = {
    groups,
    rounds: Number(values.rounds),
    phaseMs: Number(values['phase-ms']),
    silentMs: Number(values['silent-ms']),
    minutes: Number(values.minutes),
    sourceNice: Number(values['source-nice']),
    task,
  };
  const figures = await measure(settings);
  printResult(
    { name: 'gateway_clients', ...figures, source_nice: settings.sourceNice, instruments, ...task, ...around },
    json,
  );
}
