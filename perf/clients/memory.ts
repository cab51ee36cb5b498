/** Memory over a long time: whether it grows. Pure. */
import { type Figures, median } from '../native_program.js';

export interface MemorySample {
  seconds: number;
  mebibytes: number;
}

const round = (value: number) => Math.round(value * 1_000) / 1_000;

/** Of the straight line through the samples, per minute, with half the width of its 95 % interval. */
export function slopePerMinute(samples: readonly MemorySample[]): { slope: number; halfWidth: number } {
  const count = samples.length;
  const mean = (pick: (sample: MemorySample) => number) => samples.reduce((sum, one) => sum + pick(one), 0) / count;
  const at = mean(({ seconds }) => seconds);
  const level = mean(({ mebibytes }) => mebibytes);
  let [spread, product] = [0, 0];
  for (const { seconds, mebibytes } of samples) {
    spread += (seconds - at) ** 2;
    product += (seconds - at) * (mebibytes - level);
  }
  const slope = product / spread;
  const rest = samples.reduce(
    (sum, { seconds, mebibytes }) => sum + (mebibytes - level - slope * (seconds - at)) ** 2,
    0,
  );
  // Neighbouring samples resemble each other: the residuals count as half as many.
  const free = Math.max(1, count / 2 - 2);
  return { slope: 60 * slope, halfWidth: 60 * 2 * Math.sqrt(rest / free / spread) };
}

/** Flat: between first and last third less than a twentieth is added, and the line through the second half rises no faster. */
export function memoryFigures(samples: readonly MemorySample[]): Figures {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const level = (some: readonly MemorySample[]) => median(some.map(({ mebibytes }) => mebibytes));
  const [first, second, last] = [samples.slice(0, third), samples.slice(third, 2 * third), samples.slice(-third)].map(
    level,
  );
  const growth = (last ?? 0) / (first ?? 0) - 1;
  const { slope, halfWidth } = slopePerMinute(samples);
  const minutes = ((samples.at(-1)?.seconds ?? 0) - (samples[0]?.seconds ?? 0)) / 60;
  return {
    memory_mib_first_third: round(first ?? Number.NaN),
    memory_mib_second_third: round(second ?? Number.NaN),
    memory_mib_last_third: round(last ?? Number.NaN),
    memory_mib_most: round(Math.max(...samples.map(({ mebibytes }) => mebibytes))),
    memory_growth: round(growth),
    memory_mib_per_minute: round(slope),
    memory_mib_per_minute_plus_minus: round(halfWidth),
    memory_verdict: judge(samples.length, growth, slope - halfWidth, minutes, first ?? 0),
    memory_mib_samples: samples.map(({ mebibytes }) => Math.round(mebibytes)).join(' '),
  };
}

const samples_min = 9;
const growth_max = 0.05;

/** Growing: more than a twentieth from the first third to the last, and the slope is surely above nothing. */
function judge(count: number, growth: number, slope_least: number, minutes: number, level: number): string {
  if (count < samples_min) return 'too few samples';
  const sure = slope_least > 0 && slope_least * minutes > growth_max * level;
  return growth > growth_max || sure ? 'grows' : 'flat';
}
