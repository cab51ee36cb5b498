/** `--budget 'p99.9<200us'`: what a run must keep to. Pure. */
import { type QuantileName, type Quantiles, quantile_names } from './histograms.js';

export interface Budget {
  quantile: QuantileName;
  limit_ns: number;
  /** As it was given. */
  text: string;
}

export interface BudgetVerdict extends Budget {
  /** Without the messages that met a proved stall of the machine. */
  measured_ns: number;
  /** With them. */
  measured_with_stalls_ns: number;
  kept: boolean;
  /** Of the time that was measured, that of proved stalls, which is not counted. */
  excluded_share: number;
}

const units_ns: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 };

/** "p99.9<200us", "max < 1 ms": undefined where it is none. */
export function parseBudget(text: string): Budget | undefined {
  const match = /^\s*(max|p\d+(?:\.\d+)?)\s*<\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)\s*$/.exec(text);
  if (match === null) return undefined;
  const [, name = '', number = '', unit = ''] = match;
  const quantile = name.replace('.', '_') as QuantileName;
  const limit_ns = Number(number) * (units_ns[unit] ?? Number.NaN);
  return quantile_names.includes(quantile) && limit_ns > 0 ? { quantile, limit_ns, text: text.trim() } : undefined;
}

export function checkBudget(
  budget: Budget,
  withStalls: Quantiles,
  withoutStalls: Quantiles,
  excluded_share: number,
): BudgetVerdict {
  const measured_ns = withoutStalls[budget.quantile];
  return {
    ...budget,
    measured_ns,
    measured_with_stalls_ns: withStalls[budget.quantile],
    // A run that has measured nothing keeps no promise.
    kept: withoutStalls.count > 0 && measured_ns < budget.limit_ns,
    excluded_share,
  };
}
