/**
 * What each profile costs and gives: a distributor in one process, a client in another, both under the profile; idle (one
 * message a second), then at a steady rate.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor, FeedClient, type ThreadUse } from 'depthcast';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf profiles [--option value]…
  --rate N       messages a second under load  (20000)
  --seconds N    of each phase                 (4)
  --runs N       runs                          (3)
  --orders N     limits.orders                 (1048576)`;

type Profile = 'laptop' | 'low-latency';

interface Task {
  role: 'publisher' | 'subscriber';
  profile: Profile;
  rate: number;
  seconds: number;
  orders: number;
}

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1e3));

function channelOf({ profile, orders }: Task) {
  const lines = { lineA: { group: '239.192.77.51', port: 27_571 }, lineB: { group: '239.192.77.52', port: 27_572 } };
  return { ...lines, profile, limits: { orders, instruments: 1_024 }, control: null };
}

/** What a thread used meanwhile. */
async function useWithin(seconds: number, read: () => ThreadUse | undefined): Promise<Figures> {
  const before = read();
  const start = process.hrtime.bigint();
  await pause(seconds);
  const after = read();
  if (before === undefined || after === undefined) throw new Error('the thread has ended');
  return {
    core_percent: (Number(after.cpuNs - before.cpuNs) / Number(process.hrtime.bigint() - start)) * 100,
    page_faults: after.pageFaults - before.pageFaults,
    switches_voluntary: after.switchesVoluntary - before.switchesVoluntary,
  };
}

async function publish(task: Task): Promise<Figures> {
  const distributor = new Distributor({ ...channelOf(task), rate: task.rate, snapshot: { enabled: false } });
  await distributor.start();
  await pause(2); // the first touch of everything
  const figures = await useWithin(task.seconds, () => distributor.stats().thread);
  const resident = process.memoryUsage.rss() / 2 ** 20;
  const warnings = distributor.warnings.join('; ');
  await distributor.close();
  return { ...figures, resident_mib: resident, warnings };
}

async function subscribe(task: Task): Promise<Figures> {
  const client = new FeedClient(channelOf(task));
  await client.start();
  process.send?.({ ready: true });
  while (client.stats().sequence === 0n) await pause(0.05);
  await pause(2);
  client.latencyInterval();
  const figures = await useWithin(task.seconds - 0.5, () => client.stats().thread);
  const latency = client.latencyInterval();
  const [p50, p99] = [50, 99].map((share) => latency.getValueAtPercentile(share) / 1e3);
  const warnings = client.warnings.join('; ');
  await client.close();
  return { ...figures, latency_p50_us: p50 ?? 0, latency_p99_us: p99 ?? 0, warnings };
}

process.on('message', async (task: Task) => {
  try {
    process.send?.({ figures: await (task.role === 'publisher' ? publish(task) : subscribe(task)) });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
  process.disconnect();
});

function start(task: Task): { child: ChildProcess; ready: Promise<void>; figures: Promise<Figures> } {
  const child = fork(fileURLToPath(import.meta.url));
  const answer = <T>(key: string) =>
    new Promise<T>((resolve, reject) => {
      child.on('message', (message: Record<string, unknown>) => {
        if (message[key] !== undefined) resolve(message[key] as T);
        if (message.error !== undefined) reject(new Error(String(message.error)));
      });
      child.on('exit', (code) => reject(new Error(`${task.role} ended with ${code}`)));
    });
  const ready = answer<void>('ready');
  ready.catch(() => undefined);
  const figures = answer<Figures>('figures');
  child.send(task);
  return { child, ready, figures };
}

async function phase(task: Omit<Task, 'role'>, name: string): Promise<Figures> {
  const subscriber = start({ ...task, role: 'subscriber' });
  try {
    await subscriber.ready;
    const publisher = start({ ...task, role: 'publisher' });
    try {
      const [sent, got] = await Promise.all([publisher.figures, subscriber.figures]);
      const prefixed = (figures: Figures, prefix: string) =>
        Object.entries(figures).map(([key, value]) => [
          `${prefix}_${name}_${key}`,
          typeof value === 'number' ? Number(value.toFixed(2)) : value,
        ]);
      return Object.fromEntries([...prefixed(sent, 'serve'), ...prefixed(got, 'subscribe')]);
    } finally {
      publisher.child.kill();
    }
  } finally {
    subscriber.child.kill();
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const options = {
    help: { type: 'boolean' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '4' },
    runs: { type: 'string', default: '3' },
    orders: { type: 'string', default: '1048576' },
  } as const;
  const { values } = parseArgs({ args: parameters, options });
  if (values.help) return console.log(help);
  const [rate, seconds, orders] = [Number(values.rate), Number(values.seconds), Number(values.orders)];
  for (const profile of ['laptop', 'low-latency'] as const) {
    const around = { ...conditions() };
    const runs: Figures[] = [];
    for (let index = 0; index < Number(values.runs); index++) {
      const idle = await phase({ profile, rate: 1, seconds, orders }, 'idle');
      const busy = await phase({ profile, rate, seconds, orders }, 'busy');
      runs.push({ ...idle, ...busy });
    }
    printResult({ ...joinRuns(`profiles ${profile}`, runs), rate, seconds, orders, ...around }, json);
  }
}
