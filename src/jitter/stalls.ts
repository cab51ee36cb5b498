/** Gaps in the clocks of the spinning threads, as rows of 5: begin, end, context switches, page faults, run delay. */
import { wordsOf } from './rows.js';

export interface Stall {
  begin_ns: number;
  end_ns: number;
  /** Nothing that the kernel counts for the thread explains it: the machine stood still. */
  machine: boolean;
  switches: number;
  faults: number;
  run_delay_ns: number;
}

export const stall_words = 5;

export function readStalls(rows: Float64Array): Stall[] {
  return wordsOf(rows, stall_words).map(([begin_ns = 0, end_ns = 0, switches = 0, faults = 0, run_delay_ns = 0]) => ({
    begin_ns,
    end_ns,
    machine: switches === 0 && faults === 0 && run_delay_ns === 0,
    switches,
    faults,
    run_delay_ns,
  }));
}

/** Pairs of begin and end of those that are the machine's. */
export function machineIntervals(rows: Float64Array): Float64Array {
  const machine = readStalls(rows).filter((stall) => stall.machine);
  return Float64Array.from(machine.flatMap(({ begin_ns, end_ns }) => [begin_ns, end_ns]));
}

/** ns of [begin, end] that lie within the stalls. */
export function overlap_ns(stalls: readonly Stall[], begin_ns: number, end_ns: number): number {
  let sum = 0;
  for (const stall of stalls) sum += Math.max(0, Math.min(end_ns, stall.end_ns) - Math.max(begin_ns, stall.begin_ns));
  return sum;
}
