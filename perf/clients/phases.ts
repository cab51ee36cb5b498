/** Phases of one run, in turns: without clients, with all of them, with a loop in their place, and without again. */
import { spawn } from 'node:child_process';
import { type GroupFigures, Load, type LoadGroup } from '../fanout/load.js';
import { LiveListener } from '../live_listener.js';
import { perfProgram } from '../native_program.js';
import { CoreWatch } from './core_watch.js';
import { Samples } from './samples.js';

export const phase_first = 0;
export const phase_clients = 1;
export const phase_last = 2;
export const phase_loop = 3;
const phase_none = 9;
const settle_ms = 1_000;
const counts_ms_max = 30_000;
/** Of the loop, from one beginning to the next: about a turn of the gateway. */
const loop_period_us = 5_000;
/** Threads that are there in every phase, or are no part of what clients cost. */
const standing_threads = ['dc-publish', 'dc-source'];

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface PhaseSettings {
  line: { group: string; port: number };
  groups: readonly LoadGroup[];
  requests: string;
  rounds: number;
  phaseMs: number;
  /** How long those who have stopped are watched. */
  silentMs: number;
  /** Of the publisher, and of everything else; -1: one core has both. */
  publisherCore: number;
  otherCore: number;
  samplesFile: string;
}

export interface ClientsObserved {
  before: GroupFigures[];
  after: GroupFigures[];
  /** Of those that had stopped, until they ended their subscription. */
  end: GroupFigures[];
}

export interface CoreObserved {
  phase: number;
  counts: Map<string, number>;
  cpu: Map<string, number>;
}

export class Phases {
  readonly clients: ClientsObserved[] = [];
  readonly cores: CoreObserved[] = [];
  readonly #settings: PhaseSettings;
  readonly #gateway: number;
  readonly #server: number;
  readonly #listener: LiveListener;

  constructor(gateway: number, server: number, settings: PhaseSettings) {
    this.#settings = settings;
    this.#gateway = gateway;
    this.#server = server;
    this.#listener = new LiveListener(settings.line.group, settings.line.port, settings.samplesFile);
  }

  async run(): Promise<Samples> {
    const { rounds, phaseMs, samplesFile } = this.#settings;
    try {
      await this.#listener.ready;
      for (let round = 0; round < rounds; round++) {
        await this.#during(phase_first, () => wait(phaseMs));
        await this.#withClients();
        await this.#withLoop();
        await this.#during(phase_last, () => wait(phaseMs));
      }
      await this.#listener.end();
      return Samples.read(samplesFile);
    } finally {
      this.#listener.kill();
    }
  }

  async #during<Result>(phase: number, act: () => Promise<Result>, pids: number[] = []): Promise<Result> {
    await wait(settle_ms / 2);
    const watch = new CoreWatch(Math.max(0, this.#settings.publisherCore), [this.#server, ...pids]);
    this.#listener.phase(phase);
    const result = await act();
    this.#listener.phase(phase_none);
    this.cores.push({ phase, ...watch.end() });
    return result;
  }

  /** They all read for half a phase; then some stop. */
  async #withClients(): Promise<void> {
    const { groups, requests, otherCore, phaseMs, silentMs } = this.#settings;
    const load = await Load.open(this.#gateway, groups, requests, otherCore);
    try {
      await wait(settle_ms);
      const observed = await this.#during(phase_clients, async () => {
        await load.mark();
        await wait(phaseMs / 2);
        const before = await load.mark();
        load.silence();
        await load.mark();
        await wait(silentMs);
        return { before, after: await load.mark() };
      }, [load.pid]);
      load.resume();
      await wait(2 * settle_ms);
      load.count();
      this.clients.push({ ...observed, end: await this.#ends(load) });
    } finally {
      load.close();
    }
    await wait(settle_ms);
  }

  /** What became of those that had stopped, once all were told it. */
  async #ends(load: Load): Promise<GroupFigures[]> {
    const silent = this.#settings.groups.reduce((sum, one) => sum + (one.silent ?? 0), 0);
    const ends: GroupFigures[] = [];
    const told = () => ends.reduce((sum, { counted, closed }) => sum + counted + closed, 0);
    for (const last_ms = performance.now() + counts_ms_max; told() < silent && performance.now() < last_ms; ) {
      await wait(settle_ms / 2);
      ends.push(...(await load.mark()));
    }
    return ends;
  }

  /** As much of the other core as gateway and clients just took. */
  async #withLoop(): Promise<void> {
    const { otherCore, phaseMs } = this.#settings;
    const share = Math.min(0.99, this.#share(phase_clients) - this.#share(phase_first));
    if (otherCore < 0 || !(share > 0)) return;
    const busy_us = Math.round(share * loop_period_us);
    const loop = spawn(perfProgram, [
      ...['core_load', '--core', `${otherCore}`],
      ...['--busy-us', `${busy_us}`, '--pause-us', `${loop_period_us - busy_us}`],
    ]);
    try {
      await this.#during(phase_loop, () => wait(phaseMs), [loop.pid ?? 0]);
    } finally {
      loop.kill();
    }
  }

  /** Of a core, in the last phase of that kind. */
  #share(phase: number): number {
    const cpu = this.cores.findLast((one) => one.phase === phase)?.cpu ?? new Map<string, number>();
    return [...cpu].reduce((sum, [name, share]) => sum + (standing_threads.includes(name) ? 0 : share), 0);
  }
}
