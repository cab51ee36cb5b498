/** The clocks of a measurement: its times are CLOCK_REALTIME, which somebody may set while it runs. */
import { addon } from '../native.js';

/** What is added to performance.now(), in ns, to have CLOCK_REALTIME ns from `base`. */
export function realtimeOffset_ns(base: bigint): number {
  const before = performance.now();
  const [realtime] = addon.clocks();
  return Number(realtime - base) - ((before + performance.now()) / 2) * 1e6;
}

/** ns from `base`. */
export function realtime_ns(base: bigint): number {
  return Number(addon.clocks()[0] - base);
}

const looks = 5;

/** CLOCK_REALTIME less CLOCK_MONOTONIC in ns: slewing moves both, only a step moves this. */
export function clockDistance_ns(read: () => [bigint, bigint] = addon.clocks): bigint {
  let most: bigint | undefined;
  // The monotonic clock is read last: whatever comes in between makes the distance smaller.
  for (let look = 0; look < looks; look++) {
    const [realtime, monotonic] = read();
    if (most === undefined || realtime - monotonic > most) most = realtime - monotonic;
  }
  return most ?? 0n;
}

/** What a distance may move by without a step. */
const step_ns_min = 20_000n;

/** By how much the clock was set between two such distances; 0 where it was not. */
export function clockStep_ns(before: bigint, after: bigint): number {
  const moved = after - before;
  return (moved < 0n ? -moved : moved) < step_ns_min ? 0 : Number(moved);
}
