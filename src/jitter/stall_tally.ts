/** The stalls of all slices, counted. Pure. */
import type { StallEntry, StallFigures } from './result.js';
import type { Stall } from './stalls.js';

const stall_gap_ns = 20_000;
const stalls_kept = 200;

/** Threads: one. */
export class StallTally {
  readonly #stalls: StallEntry[] = [];
  readonly #totals = {
    machine: { count: 0, total: 0, longest: 0 },
    explained: { count: 0, total: 0, longest: 0 },
  };

  add(side: StallEntry['side'], slice: number, slice_ns: number, stalls: readonly Stall[]): void {
    for (const { begin_ns, end_ns, machine, voluntary, forced, faults, run_delay_ns, off_core_ns } of stalls) {
      // The thread had begun before the slice did.
      if (end_ns < 0 || begin_ns > slice_ns) continue;
      const length = end_ns - begin_ns;
      const totals = machine ? this.#totals.machine : this.#totals.explained;
      totals.count++;
      totals.total += length;
      totals.longest = Math.max(totals.longest, length);
      const counts = { switches: voluntary + forced, faults, run_delay: run_delay_ns, off_core: off_core_ns };
      this.#stalls.push({ side, slice, at: begin_ns, length, machine, ...counts });
    }
  }

  /** `measured_ns`: of both threads together. */
  figures(
    measured_ns: number,
    more: Pick<StallFigures, 'excluded_messages' | 'knows_run_delay' | 'lost'>,
  ): StallFigures {
    const { machine, explained } = this.#totals;
    const excluded_share = measured_ns === 0 ? 0 : machine.total / measured_ns;
    const longest = [...this.#stalls]
      .sort((a, b) => b.length - a.length)
      .slice(0, stalls_kept)
      .sort((a, b) => a.slice - b.slice || a.at - b.at);
    const above_one_percent = excluded_share > 0.01;
    return { gap: stall_gap_ns, machine, explained, excluded_share, above_one_percent, ...more, longest };
  }
}
