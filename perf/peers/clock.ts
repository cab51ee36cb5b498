/** One clock for several processes, read from JavaScript in some tens of ns: CLOCK_REALTIME, as the native threads read it. */

const edges = 10;

/**
 * performance.now() set against Date.now(). What is seen of a millisecond's edge is never early, only late, so the
 * earliest of several counts: within a microsecond of the truth. Spins for `edges` ms.
 */
function offsetMs(): number {
  let offset = Number.NEGATIVE_INFINITY;
  let last = Date.now();
  for (let seen = 0; seen < edges; ) {
    const wall = Date.now();
    if (wall === last) continue;
    offset = Math.max(offset, wall - performance.now());
    last = wall;
    seen++;
  }
  return offset;
}

/** Times of one slice, in ns from its start. Threads: its own. */
export class SliceClock {
  #start = 0;

  /** `startMs`: CLOCK_REALTIME. Clocks are adjusted all the time, so each slice begins with this. */
  set(startMs: number): void {
    this.#start = startMs - offsetMs();
  }

  ns(): number {
    return (performance.now() - this.#start) * 1e6;
  }
}
