/** Gaps in the clocks of the spinning threads, and what the kernel's counts make of them. Pure. */
import { wordsOf } from './rows.js';

export interface Stall {
  begin_ns: number;
  end_ns: number;
  /** Nothing that the kernel counts for the thread explains it: the machine stood still. */
  machine: boolean;
  voluntary: number;
  forced: number;
  faults: number;
  run_delay_ns: number;
  /** Moved to or from a disk. */
  blocks: number;
  /** Time that was not the thread's on a core, of the gap at most. */
  off_core_ns: number;
  /** Something was done in it: what is not told below was that. */
  work: boolean;
}

export type StallCause = 'machine' | 'scheduling' | 'stopped' | 'disk' | 'page_fault';

export const stall_words = 9;

export function readStalls(rows: Float64Array): Stall[] {
  return wordsOf(rows, stall_words).map((row) => {
    const word = (index: number) => row[index] ?? 0;
    return stallOf({
      begin_ns: word(0),
      end_ns: word(1),
      voluntary: word(2),
      forced: word(3),
      faults: word(4),
      run_delay_ns: word(5),
      blocks: word(6),
      off_core_ns: word(7),
      work: word(8) !== 0,
    });
  });
}

/** Says whether it is the machine's; the same rule as in native/run/stall_log.h. */
export function stallOf(given: Omit<Stall, 'machine'>): Stall {
  const { begin_ns, end_ns, voluntary, forced, faults, run_delay_ns, off_core_ns, work } = given;
  const quiet = voluntary === 0 && forced === 0 && faults === 0 && run_delay_ns === 0;
  return { ...given, machine: !work && quiet && off_core_ns <= (end_ns - begin_ns) / 4 };
}

/** Pairs of begin and end of those that are the machine's. */
export function machineIntervals(rows: Float64Array): Float64Array {
  const machine = readStalls(rows).filter((stall) => stall.machine);
  return Float64Array.from(machine.flatMap(({ begin_ns, end_ns }) => [begin_ns, end_ns]));
}

/** ns of the stall by cause; in work, the rest of its length was that work. */
export function partsOf(stall: Stall): Record<StallCause, number> {
  const { begin_ns, end_ns, machine, voluntary, forced, faults, run_delay_ns, blocks, off_core_ns, work } = stall;
  const length = end_ns - begin_ns;
  const parts = { machine: 0, scheduling: 0, stopped: 0, disk: 0, page_fault: 0 };
  if (machine) return { ...parts, machine: length };
  // Ready, and not running; what else it was off the core without a switch of its own is an interrupt's.
  parts.scheduling = Math.min(length, run_delay_ns);
  const rest = Math.max(0, off_core_ns - parts.scheduling);
  if (voluntary === 0) parts.scheduling += rest;
  else if (blocks > 0) parts.disk = rest;
  else parts.stopped = rest;
  if (work) return parts;
  // It did nothing but wait, and the counts that moved do not say for how long: explained, by what they are.
  const left = Math.max(0, length - parts.scheduling - parts.disk - parts.stopped);
  if (off_core_ns >= length / 2) return parts;
  if (faults > 0 && voluntary + forced === 0) parts.page_fault = left;
  else parts.scheduling += left;
  return parts;
}

function firstEndingAfter(stalls: readonly Stall[], time_ns: number): number {
  let low = 0;
  let high = stalls.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stalls[middle]?.end_ns ?? 0) <= time_ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** ns of [begin, end] within the stalls, which ascend, by cause. */
export function stalled_ns(stalls: readonly Stall[], begin_ns: number, end_ns: number): Record<StallCause, number> {
  const sum = { machine: 0, scheduling: 0, stopped: 0, disk: 0, page_fault: 0 };
  for (let index = firstEndingAfter(stalls, begin_ns); index < stalls.length; index++) {
    const stall = stalls[index] as Stall;
    if (stall.begin_ns >= end_ns) break;
    const inside = Math.min(end_ns, stall.end_ns) - Math.max(begin_ns, stall.begin_ns);
    if (inside <= 0) continue;
    const share = inside / (stall.end_ns - stall.begin_ns);
    const parts = partsOf(stall);
    for (const cause of Object.keys(sum) as StallCause[]) sum[cause] += share * parts[cause];
  }
  return sum;
}

export interface Interval {
  begin_ns: number;
  end_ns: number;
}

/** ns of [begin, end] that lie within the intervals, each ns once where these, ascending by begin, overlap. */
export function overlap_ns(intervals: readonly Interval[], begin_ns: number, end_ns: number): number {
  let sum = 0;
  let done_ns = begin_ns;
  for (const one of intervals) {
    const from = Math.max(done_ns, one.begin_ns);
    const to = Math.min(end_ns, one.end_ns);
    if (to <= from) continue;
    sum += to - from;
    done_ns = to;
  }
  return sum;
}
