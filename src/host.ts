/** What this machine gives to this process, and what the kernel counts for one of its threads. */
import { existsSync, readFileSync } from 'node:fs';

/** What the kernel counts for one thread, since its start. */
export interface ThreadUse {
  /** Times that it went to sleep or waited, and times that something else was given its core. */
  switchesVoluntary: number;
  switchesForced: number;
  /** Minor and major. */
  pageFaults: number;
  /** Time on a core, and ready to run without one; ns. */
  cpuNs: number;
  runDelayNs: number;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function field(text: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
}

/** The numbers of "0-3,8". */
export function parseCores(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    if (part === '' || !(first >= 0 && last >= first)) return [];
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Cores that this process may use, ascending. */
export function allowedCores(): number[] {
  return parseCores(field(read('/proc/self/status'), 'Cpus_allowed_list'));
}

/** When the kernel gives huge pages: "always", "madvise", "never"; empty where it does not say. */
export function hugePages(): string {
  return /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1] ?? '';
}

/** How much this process may lock, as `ulimit -l` says it; empty where it cannot be told. */
export function lockLimit(): string {
  return /^Max locked memory\s+(\S+)/m.exec(read('/proc/self/limits'))?.[1] ?? '';
}

export const shared_memory_folder = '/dev/shm';

export function hasSharedMemory(): boolean {
  return existsSync(shared_memory_folder);
}

/** Of a thread of this process, by the system's number; undefined where it has ended. Costs that thread nothing. */
export function threadUse(thread: number): ThreadUse | undefined {
  const folder = `/proc/self/task/${thread}`;
  const status = thread > 0 ? read(`${folder}/status`) : '';
  if (status === '') return undefined;
  // Behind the name, which may hold anything: state, ppid, ..., minflt (10th), cminflt, majflt (12th).
  const stat = read(`${folder}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [cpu = 0, delay = 0] = read(`${folder}/schedstat`).split(' ').map(Number);
  return {
    switchesVoluntary: Number(field(status, 'voluntary_ctxt_switches')),
    switchesForced: Number(field(status, 'nonvoluntary_ctxt_switches')),
    pageFaults: Number(fields[7] ?? 0) + Number(fields[9] ?? 0),
    cpuNs: cpu,
    runDelayNs: delay,
  };
}
