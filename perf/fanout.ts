/**
 * Fan-out to WebSocket clients: the gateway beside a bare native loop with the same coalescing, uWebSockets.js publish
 * and ws, by turns. Deliveries are counted by native receivers in another process.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { conditions } from './conditions.js';
import { type GroupFigures, Load } from './fanout/load.js';
import type { ServerTask } from './fanout/server_process.js';
import { type Figures, median, perfProgram } from './native_program.js';
import { printResult } from './print_result.js';
import { TaskProcess } from './processes.js';

const help = `perf fanout [--option value]…
  --clients A,B…    WebSocket clients                                          (100,1000)
  --messages N      messages of a write, about                                 (16)
  --rounds N        times that each system gets its turn                       (3)
  --seconds N       length of such a turn, s                                   (2)
  --rate N          messages a second behind the gateway; 0: looked for        (0)
  --only A,B…       of gateway, bare, uws, uws_joined, ws, ws_joined           (all)
  uws and ws send each message by itself, as their users do (uws joins writes); _joined: joined before, as the gateway's`;

const server_file = fileURLToPath(new URL('./fanout/server_process.js', import.meta.url));
const clock_ticks_per_second = 100;
const warm_ms = 700;
/** What has gathered while they connected has to be sent first. */
const warm_ms_per_client = 2;
const trials_max = 6;
/** Of a message: a datagram of the wire, so long, with one book message in it. */
const message_bytes = 200;

interface Settings {
  clients: number;
  messages: number;
  seconds: number;
}

interface Turn {
  deliveries: number;
  /** In one write. */
  messages: number;
  messageBytes: number;
  /** Share of its core that the server had. */
  serverCpu: number;
  receiverCpu: number;
  least: number;
  most: number;
  slow: number;
}

let rings = 0;
const isTwoCores = cpus().length > 1;
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function pin(pid: number, core: number): void {
  if (isTwoCores) execFileSync('taskset', ['-apc', `${core}`, `${pid}`], { stdio: 'ignore' });
}

/** Of all threads, in s. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / clock_ticks_per_second;
}

async function measure(port: number, pid: number, settings: Settings, requests: string): Promise<Turn> {
  const load = await Load.open(port, [{ clients: settings.clients }], requests, isTwoCores ? 1 : -1);
  try {
    await wait(warm_ms + warm_ms_per_client * settings.clients);
    await load.mark();
    const before = cpuSeconds(pid);
    await wait(settings.seconds * 1_000);
    const cpu = cpuSeconds(pid) - before;
    const [group] = await load.mark();
    return turnOf(group as GroupFigures, cpu);
  } finally {
    load.close();
  }
}

function turnOf(group: GroupFigures, cpu_seconds: number): Turn {
  const { messages, frames, bytes, seconds } = group;
  return {
    deliveries: messages / seconds,
    messages: messages / Math.max(1, frames),
    messageBytes: bytes / Math.max(1, messages),
    serverCpu: cpu_seconds / seconds,
    receiverCpu: group.cpu_seconds / seconds,
    least: group.messages_least,
    most: group.messages_most,
    slow: group.slow + group.errors + group.closed,
  };
}

async function measureServer(task: ServerTask, settings: Settings, requests = ''): Promise<Turn> {
  const server = new TaskProcess(server_file, task);
  try {
    const { port } = await server.news('port');
    pin(server.pid, 0);
    return await measure(Number(port), server.pid, settings, requests);
  } finally {
    server.kill();
  }
}

/** A native program that says one line when it is ready, and ends with its input. */
async function startNative(parameters: string[], core: number): Promise<{ line: Figures; pid: number; stop(): void }> {
  const child = spawn(perfProgram, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {});
  const line = await new Promise<Figures>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${parameters[0]} ended with ${code}`)));
    createInterface({ input: child.stdout }).once('line', (text) => resolve(JSON.parse(text) as Figures));
  });
  const pid = child.pid ?? 0;
  pin(pid, core);
  return { line, pid, stop: () => void child.kill() };
}

/** `rate`: messages a second that come to the gateway. */
async function measureGateway(settings: Settings, rate: number, folder: string): Promise<Turn> {
  const ringPath = join(folder, `ring${++rings}`);
  const requests = join(folder, 'requests');
  writeFileSync(requests, `${JSON.stringify({ type: 'subscribe', id: 1, channel: 1, mode: 'exact' })}\n`);
  const numbers = ['--rate', Math.round(rate), '--message-bytes', message_bytes];
  const feed = await startNative(['ring_feed', '--path', ringPath, ...numbers.map(String)], 1);
  try {
    return await measureServer({ kind: 'gateway', ringPath, clients: settings.clients }, settings, requests);
  } finally {
    feed.stop();
    rmSync(ringPath, { force: true });
  }
}

/** The rate at which the gateway, kept busy, writes about so many messages at once: what comes in a turn depends on it. */
async function findRate(settings: Settings, folder: string): Promise<number> {
  let rate = 1_500_000 / settings.clients;
  for (let trial = 0; trial < trials_max; trial++) {
    const turn = await measureGateway({ ...settings, seconds: 1 }, rate, folder);
    const writes = turn.deliveries / turn.messages;
    const datagrams = turn.deliveries / settings.clients;
    const off = turn.messages / settings.messages;
    if (process.env.DEPTHCAST_FANOUT_TRIALS) console.error(JSON.stringify({ rate, ...turn }));
    if (off > 0.9 && off < 1.1) break;
    // What it would have to get so that the same writes hold as many as wanted.
    const wanted = (settings.messages * writes) / settings.clients;
    rate *= Math.min(2, Math.max(0.5, wanted / datagrams));
  }
  return rate;
}

async function measureBare(settings: Settings): Promise<Turn> {
  const numbers = ['--clients', settings.clients, '--messages', settings.messages, '--message-bytes', message_bytes];
  const sender = await startNative(['websocket_write', ...numbers.map(String)], 0);
  try {
    return await measure(Number(sender.line.port), sender.pid, settings, '');
  } finally {
    sender.stop();
  }
}

async function takeTurn(name: string, settings: Settings, rate: number, folder: string): Promise<Turn> {
  if (name === 'gateway') return measureGateway(settings, rate, folder);
  if (name === 'bare') return measureBare(settings);
  const [kind, joined] = name.split('_');
  const { clients, messages } = settings;
  return measureServer(
    { kind: kind as 'uws' | 'ws', joined: joined === 'joined', clients, messages, messageBytes: message_bytes },
    settings,
  );
}

async function compare(names: string[], settings: Settings, rounds: number, given_rate: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-fanout-'));
  const turns = new Map<string, Turn[]>(names.map((name) => [name, []]));
  try {
    const rate = given_rate > 0 || !names.includes('gateway') ? given_rate : await findRate(settings, folder);
    for (let round = 0; round < rounds; round++) {
      let { messages } = settings;
      for (const name of names) {
        const turn = await takeTurn(name, { ...settings, messages }, rate, folder);
        turns.get(name)?.push(turn);
        // The others write as much at once as the gateway did.
        if (name === 'gateway') messages = Math.max(1, Math.round(turn.messages));
      }
    }
    return figuresOf(turns, settings.clients);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function figuresOf(turns: Map<string, Turn[]>, clients: number): Figures {
  const figures: Figures = {};
  const round = (value: number) => Math.round(value * 100) / 100;
  for (const [name, list] of turns) {
    const of = (pick: (turn: Turn) => number) => median(list.map(pick));
    const key = (what: string) => `${name}_${clients}_${what}`;
    figures[key('deliveries_per_second')] = Math.round(of(({ deliveries }) => deliveries));
    figures[key('deliveries_each')] = list.map(({ deliveries }) => Math.round(deliveries)).join(' ');
    figures[key('messages_per_write')] = round(of(({ messages }) => messages));
    figures[key('message_bytes')] = round(of(({ messageBytes }) => messageBytes));
    figures[key('server_cpu')] = round(of(({ serverCpu }) => serverCpu));
    figures[key('receiver_cpu')] = round(of(({ receiverCpu }) => receiverCpu));
    figures[key('least_of_most')] = round(of(({ least, most }) => least / Math.max(1, most)));
    figures[key('slow')] = list.reduce((sum, { slow }) => sum + slow, 0);
  }
  const ours = turns.get('gateway') ?? [];
  for (const [name, list] of turns) {
    if (name === 'gateway' || ours.length === 0) continue;
    const ratios = ours.map(({ deliveries }, index) => deliveries / (list[index]?.deliveries ?? Number.NaN));
    figures[`ratio_${clients}_${name}`] = round(median(ratios));
  }
  return figures;
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      clients: { type: 'string', default: '100,1000' },
      messages: { type: 'string', default: '16' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      rate: { type: 'string', default: '0' },
      only: { type: 'string', default: 'gateway,bare,uws,uws_joined,ws,ws_joined' },
    },
  });
  if (values.help) return console.log(help);
  const around = conditions();
  let figures: Figures = { name: 'fanout', rounds: Number(values.rounds), seconds: Number(values.seconds) };
  for (const clients of values.clients.split(',').map(Number)) {
    const settings = { clients, messages: Number(values.messages), seconds: Number(values.seconds) };
    const compared = await compare(values.only.split(','), settings, Number(values.rounds), Number(values.rate));
    figures = { ...figures, ...compared };
  }
  printResult({ ...figures, ...around }, json);
}
