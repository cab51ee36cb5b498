/** What a subscriber notes of one slice. Threads: one. */
import { LogHistogram } from './log_histogram.js';
import type { ReceivedSlice } from './side.js';

export class SliceRecord {
  readonly #latency = new LogHistogram();
  #received = 0;
  #lost = 0;
  #next = 0;
  #last_ns = 0;
  #cpu = process.cpuUsage();
  /** Of what was read, so that reading cannot be optimized away. */
  sum = 0;

  get received(): number {
    return this.#received;
  }

  begin(): void {
    this.#latency.clear();
    this.#received = 0;
    this.#lost = 0;
    this.#next = -1;
    this.#cpu = process.cpuUsage();
  }

  /** `sequence` counts the messages; the first may have any. */
  message(sequence: number, latency_ns: number): void {
    if (sequence !== this.#next && this.#next !== -1) this.#lost++;
    this.#next = sequence + 1;
    this.#received++;
    this.#last_ns = latency_ns;
    this.#latency.record(latency_ns);
  }

  end(lost = 0): ReceivedSlice {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      received: this.#received,
      lost: this.#lost + lost,
      last_ns: this.#last_ns,
      counts: Array.from(this.#latency.counts),
      cpu_ms: (user + system) / 1_000,
    };
  }
}
