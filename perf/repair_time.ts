/**
 * From hole to repaired: publisher, fault relay and client in a process each; the relay drops datagrams at random on each
 * line. What both lines lose comes back by retransmission. The times are the client's own, from when a hole is known.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor, FeedClient } from 'depthcast';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';
import { serveTask, TaskProcess, type Tell } from './processes.js';

const help = `perf repair_time [--option value]…
  --rate N         source messages a second                     (100000)
  --seconds N      length of one run                            (20)
  --runs N         runs                                         (3)
  --drop SHARE     share of the datagrams of each line          (0.01)
  --lines A|AB     lines followed; A: every loss is a hole      (AB)
  --gap-wait-ms N  patience for the other line                  (5)`;

interface Settings {
  rate: number;
  seconds: number;
  drop: number;
  lines: string;
  gapWaitMs: number;
  seed: number;
}
interface Task {
  role: 'publisher' | 'relay' | 'client';
  settings: Settings;
  control: string;
}

const from = { A: { group: '239.192.77.21', port: 27_421 }, B: { group: '239.192.77.22', port: 27_422 } };
const to = { A: { group: '239.192.77.23', port: 27_423 }, B: { group: '239.192.77.24', port: 27_424 } };

async function publish({ settings }: Task, tell: Tell, stopped: Promise<void>): Promise<Figures> {
  const distributor = new Distributor({
    lineA: from.A,
    lineB: from.B,
    control: 'http://127.0.0.1:0',
    rate: settings.rate,
    simulate: { symbols: 100, messages: settings.rate * settings.seconds },
    waitSubscribers: 1,
  });
  await distributor.start();
  tell({ control: distributor.control ?? '' });
  await distributor.ended;
  const { sequence, counters } = distributor.stats();
  tell({ ended: 1 });
  await stopped;
  await distributor.close();
  return { updates: Number(sequence), publisher_digest: String(counters.digest) };
}

/** The relay as shipped; its module is no part of the library's front. */
interface Relay {
  losses(): { lostOnBoth: { first: number; last: number }[] }[];
  close(): void;
}

async function relay({ settings }: Task, tell: Tell, stopped: Promise<void>): Promise<Figures> {
  const module_path = join(process.cwd(), 'dist', 'faults', 'relay.js');
  const { FaultRelay } = (await import(module_path)) as { FaultRelay: { open(options: unknown): Promise<Relay> } };
  const profile = { phases: [{ line: 'both', drop: settings.drop }] };
  const open = await FaultRelay.open({ from, to, seed: settings.seed, profile });
  tell({ relaying: 1 });
  await stopped;
  const lost = open.losses().flatMap(({ lostOnBoth }) => lostOnBoth);
  open.close();
  return { ranges_lost_on_both: lost.length };
}

async function follow({ settings, control }: Task): Promise<Figures> {
  const client = new FeedClient({
    lineA: to.A,
    lineB: settings.lines === 'AB' ? to.B : null,
    control,
    gapWaitMs: settings.gapWaitMs,
  });
  await client.start();
  await client.ended;
  await delay(200);
  const stats = client.stats();
  const repair = client.repairTime();
  const figures = {
    holes_repaired: repair.totalCount,
    repair_p50_ms: repair.getValueAtPercentile(50) / 1e6,
    repair_p90_ms: repair.getValueAtPercentile(90) / 1e6,
    repair_p99_ms: repair.getValueAtPercentile(99) / 1e6,
    repair_max_ms: repair.maxValue / 1e6,
    repair_p99_beyond_gap_wait_ms: repair.getValueAtPercentile(99) / 1e6 - settings.gapWaitMs,
    kernel_drops: Number((stats.counters.kernelDropsA ?? 0n) + (stats.counters.kernelDropsB ?? 0n)),
    client_digest: String(stats.counters.digest),
    digests_mismatched: stats.digestMismatches,
  };
  await client.close();
  return figures;
}

serveTask<Task>((task, tell, stopped) => {
  if (task.role === 'publisher') return publish(task, tell, stopped);
  return task.role === 'relay' ? relay(task, tell, stopped) : follow(task);
});

async function runOnce(settings: Settings): Promise<Figures> {
  const file = fileURLToPath(import.meta.url);
  const processes: TaskProcess[] = [];
  const start = (role: Task['role'], control = '') => {
    const child = new TaskProcess(file, { role, settings, control });
    processes.push(child);
    return child;
  };
  try {
    const between = start('relay');
    await between.news('relaying');
    const publisher = start('publisher');
    const { control } = await publisher.news('control');
    const client = await start('client', String(control)).figures;
    const lost = await between.stop();
    const { publisher_digest, ...published } = await publisher.stop();
    const { client_digest, ...figures } = client;
    const equal = client_digest === publisher_digest ? 'yes' : 'no';
    return { ...figures, ...published, ...lost, digests_equal: equal };
  } finally {
    for (const child of processes) child.kill();
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      rate: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '20' },
      runs: { type: 'string', default: '3' },
      drop: { type: 'string', default: '0.01' },
      lines: { type: 'string', default: 'AB' },
      'gap-wait-ms': { type: 'string', default: '5' },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const asked = {
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    drop: Number(values.drop),
    lines: values.lines,
    gapWaitMs: Number(values['gap-wait-ms']),
  };
  const around = { ...conditions() };
  const runs: Figures[] = [];
  for (let index = 0; index < Number(values.runs); ++index) runs.push(await runOnce({ ...asked, seed: 1 + index }));
  const { gapWaitMs, ...rest } = asked;
  printResult({ ...joinRuns('repair_time', runs), ...rest, gap_wait_ms: gapWaitMs, ...around }, json);
}
