/**
 * A matching engine and a distributor that are killed in turn, again and again under load, and a client that follows
 * through all of it: its books must be the engine's own, each event applied once, each number used once.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { datagramHead } from '../faults/datagram.js';
import { SeededRandom } from '../faults/random.js';
import { openReceiver } from '../faults/sockets.js';
import { FeedClient } from '../feed_client.js';
import { booksHash } from './books_hash.js';
import { CommandProcess } from './command_process.js';
import { EngineProcess, type EngineReport } from './engine_process.js';
import { MessageLog } from './message_log.js';
import { freeAddresses, freeTcpPort } from './ports.js';
import { Publication } from './publication.js';

/** An engine that keeps nothing of its own gives an event again as it was only where the time is no clock's. */
const begin_of_day_ns = '1795000000000000000';
const load_ms_min = 50;
const load_ms_max = 400;
/** What was on its way to the client when the process was killed arrives. */
const settle_ms = 30;
const live_ms_max = 30_000;
/** Faster feeds are too much for the reader that compares every datagram with all it saw before. */
const watched_rate_max = 60_000;

export interface EngineKillOptions {
  seed: number;
  /** Of the engine, and as many of the distributor. */
  kills: number;
  /** Events a second. */
  rate: number;
  /** The example engine, built: in C++ a program, in TypeScript a module. */
  program: string;
  /** By shared memory (default), or over TCP. */
  over?: 'shm' | 'tcp';
  onKill?: (text: string) => void;
}

export interface EngineKillReport {
  ok: boolean;
  problems: string[];
  engineKills: number;
  distributorKills: number;
  engine: EngineReport | undefined;
  /** Last number that the client applied; what the engine says its events make. */
  sequence: number;
  sessions: number;
  /** Numbers under which line A carried two different messages; undefined where the rate is too high to tell. */
  conflicts: number | undefined;
  /** How the client came through. */
  retransmitted: number;
  snapshots: number;
  restart_ms_max: number;
  seconds: number;
}

/** Rejects only where it could not be run. */
export async function runEngineKills(options: EngineKillOptions): Promise<EngineKillReport> {
  const folder = await mkdtemp(join(tmpdir(), 'depthcast-engine-'));
  // The ring belongs in memory; the state need not.
  const memory = await mkdtemp('/dev/shm/depthcast-engine-');
  const ring = join(memory, 'events');
  const source = options.over === 'tcp' ? `tcp:127.0.0.1:${await freeTcpPort()}` : `shm:${ring}`;
  const run = new EngineRun(options, folder, source);
  try {
    return await run.run();
  } finally {
    await run.close();
    for (const path of [folder, memory]) await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

class EngineRun {
  readonly #begin_ms = performance.now();
  readonly #random: SeededRandom;
  readonly #engine: EngineProcess;
  readonly #log = new MessageLog();
  readonly #publication = new Publication(this.#log);
  readonly #report: EngineKillReport = {
    ok: false,
    problems: [],
    engineKills: 0,
    distributorKills: 0,
    engine: undefined,
    sequence: 0,
    sessions: 0,
    conflicts: undefined,
    retransmitted: 0,
    snapshots: 0,
    restart_ms_max: 0,
    seconds: 0,
  };
  #distributor: CommandProcess | undefined;
  #client: FeedClient | undefined;
  #reader: Awaited<ReturnType<typeof openReceiver>> | undefined;

  constructor(
    private readonly options: EngineKillOptions,
    private readonly state: string,
    private readonly source: string,
  ) {
    const { seed, rate, program, over } = options;
    this.#random = new SeededRandom(seed);
    const flow = ['--seed', `${seed}`, '--rate', `${rate}`];
    this.#engine =
      over === 'tcp'
        ? new EngineProcess(process.execPath, [program, '--to', source, ...flow, '--from', begin_of_day_ns])
        : new EngineProcess(program, [source.slice('shm:'.length), ...flow, '--slots', '1048576']);
  }

  async run(): Promise<EngineKillReport> {
    await this.#open();
    const { kills, onKill = () => {} } = this.options;
    let alive = true;
    for (let kill = 0; alive && kill < 2 * kills; kill++) {
      await delay(this.#random.between(load_ms_min, load_ms_max));
      const killed = kill % 2 === 0 ? this.#engine : this.#distributor;
      if (killed === undefined) break;
      if (!killed.running) this.#report.problems.push(`${killed.name} had ended by itself: ${killed.how}`);
      await killed.kill();
      await delay(settle_ms);
      const before = this.#sequence;
      const started_ms = performance.now();
      killed.start();
      alive = await this.#until('the feed to go on', () => this.#sequence > before);
      if (killed === this.#engine) this.#report.engineKills++;
      else this.#report.distributorKills++;
      const took_ms = Math.round(performance.now() - started_ms);
      this.#report.restart_ms_max = Math.max(this.#report.restart_ms_max, took_ms);
      onKill(`${kill + 1}: ${killed.name}, message ${this.#sequence}, ${took_ms} ms`);
    }
    if (alive) await this.#finish();
    this.#report.seconds = Math.round(performance.now() - this.#begin_ms) / 1_000;
    this.#report.ok = this.#report.problems.length === 0;
    return this.#report;
  }

  async close(): Promise<void> {
    await this.#engine.kill();
    await this.#client?.close();
    await this.#distributor?.kill();
    this.#reader?.close();
  }

  get #sequence(): number {
    return Number(this.#client?.sequence ?? 0n);
  }

  async #open(): Promise<void> {
    const { from, controlUrl } = await freeAddresses();
    if (this.options.rate <= watched_rate_max) {
      this.#reader = await openReceiver(from.A, '127.0.0.1');
      this.#reader.on('message', (datagram) => {
        const head = datagramHead(datagram);
        if (head !== undefined) this.#publication.take('A', head);
      });
    }
    this.#distributor = new CommandProcess('the distributor', [
      'serve',
      '--lines=A',
      `--line-a-group=${from.A.group}`,
      `--line-a-port=${from.A.port}`,
      `--control=${controlUrl}`,
      `--state=${this.state}`,
      `--source=${this.source}`,
      '--limits-orders=131072',
      '--limits-instruments=64',
      '--ring-bytes=64MiB',
      '--journal-fsync=never',
      '--journal-checkpoint-ms=500',
      '--snapshot-enabled',
      '--no-gateway-port',
      '--status-ms=0',
    ]);
    this.#engine.start();
    this.#distributor.start();
    const limits = { orders: 131_072, instruments: 64 };
    const client = new FeedClient({ lineA: from.A, lineB: null, control: controlUrl, limits, silenceMs: 60_000 });
    this.#client = client;
    client.on('session', () => {
      this.#report.sessions++;
    });
    client.on('snapshot', () => {
      this.#report.snapshots++;
    });
    const problem = (text: string) => this.#report.problems.push(text);
    client.on('digestMismatch', (sequence) => problem(`the digest of ${sequence} was another one`));
    client.on('givenUp', ({ first, last }) => problem(`${first} to ${last} were given up`));
    await client.start();
    await this.#until('the first message', () => this.#sequence > 0);
  }

  async #finish(): Promise<void> {
    const report = this.#report;
    await delay(load_ms_max);
    const engine = await this.#engine.stop();
    report.engine = engine;
    await this.#until(`message ${engine.messages}`, () => this.#sequence >= engine.messages);
    const client = this.#client as FeedClient;
    await this.#until('a synchronized client', () => client.state === 'synchronized');
    const books = await client.snapshot({ orders: true });
    report.sequence = Number(books.sequence);
    report.retransmitted = Number(client.stats().counters.recoveredByRetransmission ?? 0n);
    const hash = booksHash(books);
    if (hash !== engine.books)
      report.problems.push(`the client's books hash to ${hash}, the engine's to ${engine.books}`);
    if (!books.whole) report.problems.push("the client's books are not whole");
    if (report.sequence !== engine.messages)
      report.problems.push(`the client has ${report.sequence} messages, the engine's events make ${engine.messages}`);
    if (report.sessions !== 1) report.problems.push(`${report.sessions} sessions, expected one that goes on`);
    if (this.#reader !== undefined) this.#compare();
  }

  #compare(): void {
    const report = this.#report;
    report.conflicts = 0;
    for (const session of this.#log.sessions) {
      const { conflicts, conflictFirst } = this.#log.session(session);
      report.conflicts += conflicts;
      if (conflicts > 0) report.problems.push(`number ${conflictFirst} and others stood for two messages`);
    }
  }

  async #until(what: string, condition: () => boolean): Promise<boolean> {
    for (const from_ms = performance.now(); !condition(); await delay(5)) {
      if (performance.now() - from_ms <= live_ms_max) continue;
      const said = this.#distributor?.lines.slice(-5).join('; ') ?? '';
      this.#report.problems.push(
        `waited ${live_ms_max} ms for ${what} at ${this.#sequence}; ${said}; ${this.#engine.errors}`,
      );
      return false;
    }
    return true;
  }
}
