/** A process that disturbs the measured ones on purpose: it stops one, or takes a core from it. */
import { setTimeout as delay } from 'node:timers/promises';
import { addon } from '../native.js';
import { realtime_ns } from './clock.js';

export interface Disturbance {
  what: 'stop' | 'neighbour';
  /** Process to stop. */
  pid: number;
  /** Of the neighbour, and from where the other one is stopped. */
  core: number;
  every_ms: number;
  length_ms: number;
}

/** A longer gap in its own clock, and the core was another's. */
const away_ns_min = 20_000;

/** Threads: one. */
export class InjectorSide {
  readonly #disturbance: Disturbance;
  readonly #done: { begin: bigint; end: bigint }[] = [];
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #running = false;

  constructor(disturbance: Disturbance) {
    this.#disturbance = disturbance;
    if (disturbance.core >= 0 && !addon.confine([disturbance.core]))
      throw new Error(`the system refuses core ${disturbance.core}`);
  }

  begin(): void {
    this.#running = true;
    void this.#run();
  }

  /** What was done since the last call, as rows of begin and end, ns from `base`. */
  take(base: bigint): Float64Array {
    const done = this.#done.splice(0);
    return Float64Array.from(done.flatMap(({ begin, end }) => [Number(begin - base), Number(end - base)]));
  }

  close(): void {
    this.#running = false;
  }

  async #run(): Promise<void> {
    const { every_ms } = this.#disturbance;
    for (let due = performance.now() + every_ms; this.#running; due += every_ms) {
      await delay(Math.max(1, due - performance.now()));
      if (this.#running) this.#disturb();
    }
  }

  #disturb(): void {
    const { what, pid, length_ms } = this.#disturbance;
    if (what === 'neighbour') this.#keepCore(length_ms * 1e6);
    else this.#stop(pid, length_ms);
  }

  #stop(pid: number, length_ms: number): void {
    process.kill(pid, 'SIGSTOP');
    // While it was stopped for sure: before and behind that this process itself takes a core for a moment.
    const [begin] = addon.clocks();
    Atomics.wait(this.#never, 0, 0, length_ms);
    const [end] = addon.clocks();
    process.kill(pid, 'SIGCONT');
    this.#done.push({ begin, end });
  }

  // Busy for so long; what it notes is when it had the core, and not when the scheduler gave that back meanwhile.
  #keepCore(length_ns: number): void {
    const [first] = addon.clocks();
    let begin = 0;
    let last = 0;
    const note = (end: number) => {
      if (end > begin) this.#done.push({ begin: first + BigInt(begin), end: first + BigInt(end) });
    };
    while (last < length_ns) {
      const now = realtime_ns(first);
      if (now - last > away_ns_min) {
        note(last);
        begin = now;
      }
      last = now;
    }
    note(last);
  }
}
