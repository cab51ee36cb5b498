/** Runs a program of the native perf executable and joins its runs: medians, with the spread beside them. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export type Figures = Record<string, number | string>;

export const native_programs = [
  'book_memory',
  'book_replay',
  'packet_encode',
  'ring_broadcast',
  'core_round_trip',
  'snapshot_take',
  'gateway_snapshot',
  'feed_line',
  'publisher_push',
];

const root = process.cwd();

export const perfProgram = join(root, 'build', 'Release', 'depthcast_perf');

/** One object for each run, in order. Throws with the program's own words when it fails. */
export function runNative(name: string, parameters: string[]): Figures[] {
  const output = execFileSync(perfProgram, [name, ...parameters], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  });
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Figures);
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/**
 * Numbers become their median over the runs, with `_min` and `_max` where they differ; texts (digests) must be equal in
 * every run: a program whose result wanders has measured nothing.
 */
export function joinRuns(name: string, runs: Figures[]): Figures {
  const joined: Figures = { name, runs: runs.length };
  for (const key of Object.keys(runs[0] ?? {})) {
    const values = runs.map((run) => run[key]);
    if (values.every((value) => typeof value === 'number')) {
      const numbers = values as number[];
      joined[key] = median(numbers);
      if (Math.min(...numbers) === Math.max(...numbers)) continue;
      joined[`${key}_min`] = Math.min(...numbers);
      joined[`${key}_max`] = Math.max(...numbers);
    } else {
      if (new Set(values).size !== 1) throw new Error(`${name}: ${key} differs between runs: ${values.join(', ')}`);
      joined[key] = String(values[0]);
    }
  }
  return joined;
}
