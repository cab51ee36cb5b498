/** `--compare`: what changed between two runs, and whether it is beyond the spread of their pairs. Pure. */
import { duration } from '../view/format.js';
import { median, type QuantileName } from './histograms.js';
import { type JitterResult, jitter_format, type PairFigures } from './result.js';

export interface Change {
  what: 'feed' | 'feed_without_stalls' | 'floor' | 'feed_to_floor';
  quantile: QuantileName;
  /** Medians over the pairs, ns; feed_to_floor: a ratio. */
  before: number;
  after: number;
  /** after / before - 1. */
  change: number;
  /** Chance alone would give this in less than one of a hundred such comparisons. */
  beyond_spread: boolean;
}

export interface Comparison {
  changes: Change[];
  warnings: string[];
}

const compared: QuantileName[] = ['p50', 'p90', 'p99', 'p99_9', 'max'];
const sigmas_beyond = 2.58;
const round_trip_factor = 1.3;
const conditions_compared = ['cpu', 'cores', 'pattern', 'rate', 'burst', 'lines', 'wait', 'datagram_bytes', 'source'];

/** Throws an Error naming what is no result of ours. */
export function readResult(text: string, name: string): JitterResult {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`${name} holds no JSON`);
  }
  const result = parsed as Partial<JitterResult> | null;
  if (typeof result !== 'object' || result?.format !== jitter_format || !Array.isArray(result.pairs))
    throw new Error(`${name} is not what "depthcast jitter --json" prints`);
  return result as JitterResult;
}

export function compareResults(before: JitterResult, after: JitterResult): Comparison {
  const changes: Change[] = [];
  for (const what of ['feed', 'feed_without_stalls', 'floor'] as const)
    for (const quantile of compared)
      changes.push(changeOf(what, quantile, before.pairs, after.pairs, (pair) => pair[what][quantile]));
  // Within a pair the machine was as it was for both: the ratio is what is least of the day's mood.
  for (const quantile of compared)
    changes.push(
      changeOf('feed_to_floor', quantile, before.pairs, after.pairs, (pair) =>
        pair.floor[quantile] === 0 ? 0 : pair.feed[quantile] / pair.floor[quantile],
      ),
    );
  return { changes, warnings: warningsOf(before, after) };
}

function changeOf(
  what: Change['what'],
  quantile: QuantileName,
  pairsBefore: readonly PairFigures[],
  pairsAfter: readonly PairFigures[],
  figure: (pair: PairFigures) => number,
): Change {
  const a = pairsBefore.map(figure);
  const b = pairsAfter.map(figure);
  const before = median(a);
  const after = median(b);
  const change = before === 0 ? 0 : after / before - 1;
  return { what, quantile, before, after, change, beyond_spread: Math.abs(rankSigmas(a, b)) > sigmas_beyond };
}

/** Mann and Whitney's U in standard deviations: how far the two sets lie apart, whatever their distribution. */
export function rankSigmas(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  let wins = 0;
  for (const left of a) for (const right of b) wins += right > left ? 1 : right === left ? 0.5 : 0;
  const pairs = a.length * b.length;
  const deviation = Math.sqrt((pairs * (a.length + b.length + 1)) / 12);
  return (wins - pairs / 2) / deviation;
}

function warningsOf(before: JitterResult, after: JitterResult): string[] {
  const warnings: string[] = [];
  for (const name of conditions_compared) {
    const [a, b] = [before.conditions[name], after.conditions[name]];
    if (a !== b) warnings.push(`${name} differs: ${a} and ${b}`);
  }
  const [a, b] = [before.round_trip.p50, after.round_trip.p50];
  if (a > 0 && b > 0 && Math.max(a, b) > round_trip_factor * Math.min(a, b))
    warnings.push(
      `the link between the cores was in another mode: ${a.toFixed(0)} and ${b.toFixed(0)} ns for a round trip`,
    );
  if (Math.min(before.pairs.length, after.pairs.length) < 5)
    warnings.push('fewer than five pairs in one of them: hardly any change can be told from chance');
  return warnings;
}

export function renderComparison({ changes, warnings }: Comparison, unicode: boolean): string {
  const lines = [
    `${'median of the pairs'.padEnd(24)}${'quantile'.padEnd(10)}${'before'.padStart(10)}${'after'.padStart(10)}   change`,
  ];
  for (const { what, quantile, before, after, change, beyond_spread } of changes) {
    const text = (value: number) =>
      (what === 'feed_to_floor' ? value.toFixed(2) : duration(value, unicode)).padStart(10);
    const name = what === 'feed_to_floor' ? 'feed / floor' : what.replaceAll('_', ' ');
    lines.push(
      `${name.padEnd(24)}${quantile.replace('_', '.').padEnd(10)}${text(before)}${text(after)}` +
        `${`${change >= 0 ? '+' : ''}${(100 * change).toFixed(1)} %`.padStart(10)}  ${beyond_spread ? 'beyond the spread' : 'within the spread'}`,
    );
  }
  for (const warning of warnings) lines.push(`Beware: ${warning}.`);
  return `${lines.join('\n')}\n`;
}
