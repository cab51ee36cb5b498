/** Spikes that recur at a fixed interval, by the autocorrelation of their times. Pure. */

export interface Window {
  begin_ms: number;
  end_ms: number;
}

export interface Recurrence {
  interval_ms: number;
  /** Of the spikes that could have one, those with another such an interval later. */
  share: number;
  /** Spikes that have one. */
  spikes: number;
  /** What is known to run at that interval; empty: nothing is. */
  beside: string[];
}

export interface KnownInterval {
  name: string;
  interval_ms: number;
}

const lag_ms_max = 5_000;
/** Spikes with a partner, at least; and how many times as many as chance would give. */
const spikes_min = 4;
const sigmas_min = 6;
const share_min = 0.25;
const tolerance = 0.03;

/**
 * `spikes_ms` ascending, all within the windows in which was looked. The shortest interval of each family of multiples is
 * told, strongest first.
 */
export function findRecurrences(
  spikes_ms: readonly number[],
  windows: readonly Window[],
  known: readonly KnownInterval[],
): Recurrence[] {
  const looked_ms = windows.reduce((sum, { begin_ms, end_ms }) => sum + end_ms - begin_ms, 0);
  if (spikes_ms.length < spikes_min || looked_ms <= 0) return [];
  const pairs = countPairs(spikes_ms);
  const density = spikes_ms.length / looked_ms;
  const found: (Recurrence & { sigmas: number })[] = [];
  for (let lag = 2; lag < lag_ms_max; lag++) {
    // Three bins of a millisecond: a spike lies anywhere in its own.
    const at = (pairs[lag - 1] ?? 0) + (pairs[lag] ?? 0) + (pairs[lag + 1] ?? 0);
    if (at < spikes_min) continue;
    const room_ms = overlap(windows, lag);
    const expected = density * density * room_ms * 3;
    const sigmas = (at - expected) / Math.sqrt(expected + 1);
    const share = at / Math.max(at, density * room_ms);
    if (sigmas < sigmas_min || share < share_min) continue;
    found.push({ interval_ms: centre(pairs, lag), share, spikes: at, beside: [], sigmas });
  }
  return reduce(found).map(({ sigmas: _, ...recurrence }) => ({
    ...recurrence,
    beside: known.filter(({ interval_ms }) => near(recurrence.interval_ms, interval_ms)).map(({ name }) => name),
  }));
}

function near(interval_ms: number, known_ms: number): boolean {
  return Math.abs(interval_ms - known_ms) <= Math.max(0.6, known_ms * tolerance);
}

function countPairs(spikes_ms: readonly number[]): Uint32Array {
  const pairs = new Uint32Array(lag_ms_max + 2);
  for (let first = 0; first < spikes_ms.length; first++) {
    for (let second = first + 1; second < spikes_ms.length; second++) {
      const lag = Math.round((spikes_ms[second] ?? 0) - (spikes_ms[first] ?? 0));
      if (lag > lag_ms_max) break;
      pairs[lag] = (pairs[lag] ?? 0) + 1;
    }
  }
  return pairs;
}

function centre(pairs: Uint32Array, lag: number): number {
  let weight = 0;
  let sum = 0;
  for (let at = lag - 1; at <= lag + 1; at++) {
    weight += pairs[at] ?? 0;
    sum += at * (pairs[at] ?? 0);
  }
  return sum / weight;
}

/** ms t for which t and t + lag lie within a window. */
function overlap(windows: readonly Window[], lag: number): number {
  let sum = 0;
  for (const a of windows)
    for (const b of windows)
      sum += Math.max(0, Math.min(a.end_ms, b.end_ms - lag) - Math.max(a.begin_ms, b.begin_ms - lag));
  return sum;
}

// Neighbours of a peak and its multiples tell nothing new.
function reduce<Found extends { interval_ms: number; sigmas: number }>(found: Found[]): Found[] {
  const kept: Found[] = [];
  for (const one of [...found].sort((a, b) => a.interval_ms - b.interval_ms)) {
    const same = kept.findIndex((other) => Math.abs(other.interval_ms - one.interval_ms) <= 2.5);
    const other = kept[same];
    if (other !== undefined) {
      if (one.sigmas > other.sigmas) kept[same] = one;
      continue;
    }
    const multiple = kept.some(({ interval_ms }) => {
      const times = Math.round(one.interval_ms / interval_ms);
      return times >= 2 && Math.abs(one.interval_ms - times * interval_ms) <= 1.5 + 0.5 * times;
    });
    if (!multiple) kept.push(one);
  }
  return kept.sort((a, b) => b.sigmas - a.sigmas).slice(0, 8);
}
