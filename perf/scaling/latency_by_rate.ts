/** Latency against rate, up to where it is not carried any more: `depthcast jitter` at one rate after the other. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { CurveSeries } from './curve.js';

interface Quantiles {
  p50: number;
  p99: number;
  p99_9: number;
}
/** What is read of the result of `depthcast jitter --json`. */
export interface JitterFigures {
  pairs: { messages: number; feed: Quantiles; floor: Quantiles }[];
  stalls: { excluded_share: number };
}

export const quantile_names = { p50: 'p50', p99: 'p99', p99_9: 'p99.9' } as const;
type QuantileKey = keyof typeof quantile_names;

/** A median beyond this is a queue that grows: the rate is not carried. */
export const saturated_us = 10_000;

export function runJitter(rate: number, seconds: number): JitterFigures {
  const command = join(process.cwd(), 'dist', 'cli', 'main.js');
  const parameters = [
    'jitter',
    '--rate',
    rate,
    '--seconds',
    seconds,
    '--slice',
    0.25,
    '--pattern',
    'poisson',
    '--no-javascript',
    '--json',
  ];
  const text = execFileSync(process.execPath, [command, ...parameters.map(String)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
    timeout: 60_000,
  });
  return readJitter(text);
}

/** Throws where it is no such result. */
export function readJitter(text: string): JitterFigures {
  const result = JSON.parse(text) as Partial<JitterFigures>;
  if (!Array.isArray(result.pairs) || result.pairs.length === 0 || result.stalls === undefined)
    throw new Error('expected a result of depthcast jitter --json');
  return result as JitterFigures;
}

/** Adds one rate's figures: of each pair of slices one value, in µs. */
export function addRate(series: CurveSeries[], rate: number, { pairs }: JitterFigures): void {
  for (const side of ['feed', 'floor'] as const) {
    for (const key of Object.keys(quantile_names) as QuantileKey[]) {
      if (side === 'floor' && key !== 'p50') continue; // one line of the floor is enough in a plot
      const name = side === 'feed' ? quantile_names[key] : `floor ${quantile_names[key]}`;
      let known = series.find((each) => each.name === name);
      if (known === undefined) {
        known = { name, points: [] };
        series.push(known);
      }
      known.points.push({ x: rate, values: pairs.map((pair) => pair[side][key] / 1e3) });
    }
  }
}
