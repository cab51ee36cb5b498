/** When this process collected garbage, and how to make it do so. */
import { PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Activity } from './attribution.js';
import { realtimeOffset_ns } from './clock.js';

/** Threads: one. It watches from its construction to close(). */
export class GcLog {
  readonly #pauses: { begin_ms: number; length_ms: number }[] = [];
  readonly #observer = new PerformanceObserver((list) => this.#take(list.getEntries()));

  constructor(readonly name: string) {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** The pauses since the last call; ns from `base`. */
  take(base: bigint): Activity[] {
    this.#take(this.#observer.takeRecords());
    const offset_ns = realtimeOffset_ns(base);
    return this.#pauses.splice(0).map(({ begin_ms, length_ms }) => {
      const begin_ns = begin_ms * 1e6 + offset_ns;
      return { name: this.name, begin_ns, end_ns: begin_ns + length_ms * 1e6 };
    });
  }

  close(): void {
    this.#observer.disconnect();
  }

  #take(entries: readonly { startTime: number; duration: number }[]): void {
    for (const { startTime, duration } of entries) this.#pauses.push({ begin_ms: startTime, length_ms: duration });
  }
}

/** Something for the collector to look at: without it a collection of a process that does little takes no time. */
export function makeBallast(objects: number): unknown[] {
  return Array.from({ length: objects }, (_, index) => ({ index, text: [`${index}`] }));
}

/** A function that collects all garbage of this process at once. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
