/** What the system did on the publisher's core, and which threads took the time of the other one. */
import { readdirSync, readFileSync } from 'node:fs';

const interrupt_names = ['LOC', 'RES', 'CAL', 'TLB'];
const softirq_names = ['TIMER', 'NET_RX', 'SCHED', 'HRTIMER', 'RCU'];

/** Empty where the thread has gone. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export interface Thread {
  id: number;
  name: string;
}

export function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => ({
    id: Number(id),
    name: read(`/proc/${pid}/task/${id}/comm`).trim(),
  }));
}

/** Seconds on a core, by name of the thread; those of one name are summed. */
function cpuByName(pids: readonly number[]): Map<string, number> {
  const cpu = new Map<string, number>();
  for (const pid of pids)
    for (const { id, name } of threadsOf(pid)) {
      const seconds = Number(read(`/proc/${pid}/task/${id}/schedstat`).split(' ')[0] ?? 0) / 1e9;
      cpu.set(name, (cpu.get(name) ?? 0) + seconds);
    }
  return cpu;
}

function row(text: string, name: string, core: number): number {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`));
  return Number(line?.trim().split(/\s+/)[core + 1] ?? 0);
}

/** Since it was made, per second: interrupts and soft interrupts of a core, cores that threads took. */
export class CoreWatch {
  readonly #core: number;
  readonly #pids: readonly number[];
  readonly #begin_ms = performance.now();
  readonly #counts: Map<string, number>;
  readonly #cpu: Map<string, number>;

  constructor(core: number, pids: readonly number[]) {
    this.#core = core;
    this.#pids = pids;
    this.#counts = this.#read();
    this.#cpu = cpuByName(pids);
  }

  end(): { counts: Map<string, number>; cpu: Map<string, number> } {
    const seconds = (performance.now() - this.#begin_ms) / 1_000;
    const since = (now: Map<string, number>, then: Map<string, number>) =>
      new Map([...now].map(([name, value]) => [name, (value - (then.get(name) ?? 0)) / seconds]));
    return { counts: since(this.#read(), this.#counts), cpu: since(cpuByName(this.#pids), this.#cpu) };
  }

  #read(): Map<string, number> {
    const interrupts = read('/proc/interrupts');
    const softirqs = read('/proc/softirqs');
    return new Map([
      ...interrupt_names.map((name) => [name, row(interrupts, name, this.#core)] as const),
      ...softirq_names.map((name) => [name, row(softirqs, name, this.#core)] as const),
    ]);
  }
}
