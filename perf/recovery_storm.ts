/**
 * Many clients of the recovery service ask for everything at once, again and again: what that does to the live feed.
 * Publisher alone on core 0; its distributor, the listener and the clients (processes of their own) on the others. Phases
 * with and without the storm alternate in one run; two kinds of phases without tell what the machine does by itself.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor } from 'depthcast';
import WebSocket from 'ws';
import { conditions } from './conditions.js';
import { LiveListener } from './live_listener.js';
import type { Figures } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf recovery_storm [--option value]…
  --clients N        clients of the recovery service                        (1000)
  --rounds N         phases without, with, without, with                    (5)
  --phase-ms N       length of a phase, ms                                  (2000)
  --rate N           source messages a second                               (200000)
  --warm-messages N  messages before the first phase                        (1000000)
  --live-orders N    live orders, about                                     (100000)
  --symbols N        instruments                                            (1000)
  --wait NAME        how the publisher waits: spin, yield or park           (spin)
  --port N           UDP port of the line                                   (27531)`;

const group = '239.192.77.31';
const phase_none = 8;

interface Settings {
  clients: number;
  rounds: number;
  phaseMs: number;
  rate: number;
  warmMessages: number;
  liveOrders: number;
  symbols: number;
  wait: 'spin' | 'yield' | 'park';
  port: number;
}

/** What a child is told. */
type Task =
  | { do: 'publish'; settings: Settings }
  | { do: 'connect'; control: string; clients: number }
  | { do: 'storm'; ms: number }
  | { do: 'end' };

/** What happened to the requests of one storm, or of all. */
interface Tally {
  requests: number;
  served: number;
  told: number;
  /** Refused without a time to come back. */
  refused: number;
  unanswered: number;
  bytes: number;
  closed: number;
}

async function publish(settings: Settings): Promise<Distributor> {
  const made = new Distributor({
    lineA: { group, port: settings.port },
    lineB: null,
    control: 'http://127.0.0.1:0',
    source: 'simulate',
    rate: settings.rate,
    simulate: { symbols: settings.symbols, liveOrders: settings.liveOrders },
    limits: { orders: 2 * settings.liveOrders + 65_536, instruments: settings.symbols + 24, prefault: true },
    ring: { bytes: '256MiB' },
    wait: settings.wait,
    core: cpus().length > 1 ? 0 : -1,
  });
  await made.start();
  while (made.stats().sequence < BigInt(settings.warmMessages)) await delay(20);
  return made;
}

/** One client: asks for all that there is and for a snapshot, and comes back when it is told to. */
class StormClient {
  readonly #socket: WebSocket;
  readonly #tally: Tally;
  #welcome: { session: string; next: string; oldest: string } | undefined;
  #ready: () => void = () => {};
  #id = 0;
  #open = 0;
  #until_ms = 0;

  constructor(control: string, tally: Tally) {
    this.#tally = tally;
    this.#socket = new WebSocket(`${control.replace('http', 'ws')}/recovery`, { perMessageDeflate: false });
    this.#socket.on('open', () => this.#send({ type: 'hello', version: 1, channel: 1 }));
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) tally.bytes += data.length;
      else this.#text(JSON.parse(data.toString('utf8')));
    });
    this.#socket.on('close', () => {
      tally.closed++;
    });
    this.#socket.on('error', () => {});
  }

  get open(): number {
    return this.#open;
  }

  async connected(): Promise<void> {
    if (this.#welcome !== undefined) return;
    await new Promise<void>((resolve, reject) => {
      this.#ready = resolve;
      this.#socket.once('close', () => reject(new Error('a client was not let in')));
    });
  }

  storm(ms: number): void {
    this.#until_ms = performance.now() + ms;
    this.#retransmit();
    this.#request({ type: 'snapshot' });
  }

  close(): void {
    this.#socket.terminate();
  }

  #text(message: { type: string; waitMs?: number; refused?: { waitMs?: number }[] } & Record<string, unknown>): void {
    if (message.type === 'welcome') {
      this.#welcome = message as unknown as { session: string; next: string; oldest: string };
      this.#ready();
    }
    if (message.type !== 'done' && message.type !== 'refused') return;
    this.#open--;
    const refused = message.type === 'refused' ? message : message.refused?.find(({ waitMs }) => waitMs !== undefined);
    if (message.type === 'done' && refused === undefined) this.#tally.served++;
    else if (refused?.waitMs !== undefined) this.#tally.told++;
    else this.#tally.refused++;
    const wait_ms = refused?.waitMs ?? 0;
    if (performance.now() + wait_ms < this.#until_ms) setTimeout(() => this.#retransmit(), wait_ms);
  }

  #retransmit(): void {
    // Far beyond what there is: everything up to now.
    const { oldest = '1' } = this.#welcome ?? {};
    if (performance.now() < this.#until_ms)
      this.#request({ type: 'retransmit', ranges: [[oldest, String(BigInt(oldest) + 100_000_000n)]] });
  }

  #request(request: object): void {
    this.#tally.requests++;
    this.#open++;
    this.#send({ ...request, id: ++this.#id, session: this.#welcome?.session });
  }

  #send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

/** The child's side. */
let distributor: Distributor | undefined;
const clients: StormClient[] = [];
const tally: Tally = { requests: 0, served: 0, told: 0, refused: 0, unanswered: 0, bytes: 0, closed: 0 };

async function work(task: Task): Promise<unknown> {
  if (task.do === 'publish') {
    distributor = await publish(task.settings);
    return distributor.control;
  }
  if (task.do === 'connect') {
    while (clients.length < task.clients) {
      const some = Array.from(
        { length: Math.min(50, task.clients - clients.length) },
        () => new StormClient(task.control, tally),
      );
      await Promise.all(some.map((client) => client.connected()));
      clients.push(...some);
    }
    return clients.length;
  }
  if (task.do === 'storm') {
    for (const client of clients) client.storm(task.ms);
    await delay(task.ms);
    // What was asked for at the end is still answered; the service promises that within seconds.
    const open = () => clients.reduce((sum, client) => sum + client.open, 0);
    for (const end = performance.now() + 20_000; open() > 0 && performance.now() < end; ) await delay(20);
    tally.unanswered += open();
    return undefined;
  }
  for (const client of clients) client.close();
  const service = distributor?.stats().recovery.service;
  await distributor?.close();
  return { tally, service };
}

process.on('message', (task: Task) => {
  work(task).then(
    (answer) => {
      process.send?.({ answer });
      if (task.do === 'end') process.disconnect();
    },
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});

/** A process of this file, kept away from the publisher's core where the system has a tool for that. */
class Child {
  readonly #process: ChildProcess = fork(fileURLToPath(import.meta.url));

  constructor() {
    const cores = cpus().length;
    if (cores > 1) spawnSync('taskset', ['-apc', `1-${cores - 1}`, String(this.#process.pid)]);
  }

  ask<Answer>(task: Task): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`a process ended with ${code}`));
      this.#process.once('exit', ended);
      this.#process.once('message', (message: { answer?: Answer; error?: string }) => {
        this.#process.removeListener('exit', ended);
        if (message.error === undefined) resolve(message.answer as Answer);
        else reject(new Error(message.error));
      });
      this.#process.send(task);
    });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

async function measure(settings: Settings): Promise<Figures> {
  const publisher = new Child();
  const storm = new Child();
  const listener = new LiveListener(group, settings.port);
  try {
    await listener.ready;
    const control = await publisher.ask<string>({ do: 'publish', settings });
    await storm.ask({ do: 'connect', control, clients: settings.clients });
    for (let round = 0; round < settings.rounds; round++) {
      for (const phase of [0, 2, 1, 2]) {
        listener.phase(phase);
        if (phase === 2) await storm.ask({ do: 'storm', ms: settings.phaseMs });
        else await delay(settings.phaseMs);
        listener.phase(phase_none);
        await delay(50);
      }
    }
    const phases = await listener.end();
    const asked = await storm.ask<{ tally: Tally }>({ do: 'end' });
    const served = await publisher.ask<{ service: { turnMsMax: number; bufferedBytesMost: number } }>({ do: 'end' });
    return { ...figuresOf(phases), ...asked.tally, ...pick(served.service) };
  } finally {
    publisher.kill();
    storm.kill();
    listener.kill();
  }
}

function pick({ turnMsMax, bufferedBytesMost }: { turnMsMax: number; bufferedBytesMost: number }): Figures {
  return { turn_ms_max: Math.round(turnMsMax * 100) / 100, buffered_bytes_most: bufferedBytesMost };
}

function figuresOf([first, second, storm]: Figures[]): Figures {
  const figures: Figures = {};
  for (const share of ['p50', 'p99', 'p99_9']) {
    const [a, b, with_] = [first, second, storm].map((phase) => Number(phase?.[`${share}_us`] ?? 0));
    if (a === undefined || b === undefined || with_ === undefined) continue;
    figures[`${share}_us_without`] = (a + b) / 2;
    figures[`${share}_us_with`] = with_;
    figures[`${share}_spread`] = Math.round((Math.max(a, b) / Math.min(a, b)) * 1_000) / 1_000;
    figures[`${share}_ratio`] = Math.round(((2 * with_) / (a + b)) * 1_000) / 1_000;
  }
  figures.datagrams_without = Number(first?.datagrams ?? 0) + Number(second?.datagrams ?? 0);
  figures.datagrams_with = Number(storm?.datagrams ?? 0);
  return figures;
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      clients: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '5' },
      'phase-ms': { type: 'string', default: '2000' },
      rate: { type: 'string', default: '200000' },
      'warm-messages': { type: 'string', default: '1000000' },
      'live-orders': { type: 'string', default: '100000' },
      symbols: { type: 'string', default: '1000' },
      wait: { type: 'string', default: 'spin' },
      port: { type: 'string', default: '27531' },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const settings: Settings = {
    clients: Number(values.clients),
    rounds: Number(values.rounds),
    phaseMs: Number(values['phase-ms']),
    rate: Number(values.rate),
    warmMessages: Number(values['warm-messages']),
    liveOrders: Number(values['live-orders']),
    symbols: Number(values.symbols),
    wait: values.wait as Settings['wait'],
    port: Number(values.port),
  };
  const around = { ...conditions() };
  printResult({ name: 'recovery_storm', ...(await measure(settings)), ...settings, ...around }, json);
}
