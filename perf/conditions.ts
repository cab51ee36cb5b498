/** What a figure depends on besides the code: printed beside every result. */
import { cpus, loadavg, release } from 'node:os';
import { joinRuns, runNative } from './native_program.js';

export interface Conditions {
  cpu: string;
  cores: number;
  kernel: string;
  node: string;
  /** Load of the last minute before the run: above 0.5 something else was running. */
  load: number;
  /** A cache line to the other core and back, median in ns. */
  core_round_trip_ns: number;
}

export function conditions(): Conditions {
  const processors = cpus();
  const load = loadavg()[0] ?? 0;
  const trip = joinRuns('core_round_trip', runNative('core_round_trip', ['--runs', '3', '--round-trips', '50000']));
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    kernel: release(),
    node: process.version,
    load: Math.round(load * 100) / 100,
    core_round_trip_ns: Number(trip.round_trip_ns_p50),
  };
}
