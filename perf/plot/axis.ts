/** Axes of a plot: where values lie, which of them get a tick, and how ticks are written. Pure. */

export interface Axis {
  /** Of a value, 0 at the beginning of the axis, 1 at its end. */
  place(value: number): number;
  ticks: { value: number; text: string }[];
}

/** 1,000 → 1k, 10,000,000 → 10M; three digits. */
export function shortNumber(value: number): string {
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  const [size, unit] = units.find(([size]) => Math.abs(value) >= size) ?? [1, ''];
  return `${Number((value / size).toPrecision(3))}${unit}`;
}

/** µs as ns, µs, ms or s. */
export function shortMicroseconds(us: number): string {
  if (us < 1) return `${Number((us * 1e3).toPrecision(3))} ns`;
  if (us < 1e3) return `${Number(us.toPrecision(3))} µs`;
  if (us < 1e6) return `${Number((us / 1e3).toPrecision(3))} ms`;
  return `${Number((us / 1e6).toPrecision(3))} s`;
}

const few = 4;

/** From below the least to above the largest, by powers of ten; 2 and 5 get ticks as well where there are few powers. */
export function logAxis(values: number[], format: (value: number) => string): Axis {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) throw new RangeError('a logarithmic axis needs a value above 0');
  const least = Math.min(...positive);
  const most = Math.max(...positive);
  const from = Math.floor(Math.log10(least) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(most) - 1e-9));
  const steps = to - from < few ? [1, 2, 5] : [1];
  const candidates: number[] = [];
  for (let power = from; power <= to; power++) for (const step of steps) candidates.push(step * 10 ** power);
  // The axis ends at ticks: the last at or below the least value, the first at or above the largest.
  const begin = candidates.filter((value) => value <= least * (1 + 1e-9)).pop() ?? 10 ** from;
  const end = candidates.find((value) => value >= most * (1 - 1e-9) && value > begin) ?? 10 ** to;
  const width = Math.log10(end / begin);
  const ticks = candidates.filter((value) => value >= begin && value <= end);
  return {
    place: (value) => Math.log10(value / begin) / width,
    ticks: ticks.map((value) => ({ value, text: format(value) })),
  };
}

/** From 0 to a round number at or above the largest. */
export function linearAxis(values: number[], format: (value: number) => string): Axis {
  const most = Math.max(...values.filter(Number.isFinite));
  if (!(most > 0)) throw new RangeError('an axis from 0 needs a value above 0');
  const step = [1, 2, 2.5, 5, 10]
    .map((part) => part * 10 ** Math.floor(Math.log10(most / 4)))
    .find((part) => part * 5 >= most);
  const size = step ?? most;
  const count = Math.ceil(most / size - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * size);
  return {
    place: (value) => value / (count * size),
    ticks: ticks.map((value) => ({ value, text: format(value) })),
  };
}

/** One place for each of the values given, evenly. */
export function stepAxis(values: number[], format: (value: number) => string): Axis {
  const steps = [...new Set(values)].sort((a, b) => a - b);
  return {
    place: (value) => (steps.indexOf(value) + 0.5) / steps.length,
    ticks: steps.map((value) => ({ value, text: format(value) })),
  };
}
