/** The faulty line alone: between a publisher and a client of somebody's own. */

import { makePlan } from '../chaos/plan.js';
import { lengthOf } from '../faults/number_ranges.js';
import { type FaultProfile, line_names } from '../faults/profile.js';
import { FaultRelay } from '../faults/relay.js';
import type { ChaosCommandOptions } from './chaos_options.js';
import type { CommandEnd } from './command.js';
import { exit_failure, say } from './failure.js';
import { listenForStop } from './stopping.js';

const ranges_told_max = 20;

export interface BetweenOptions extends Omit<ChaosCommandOptions, 'seed'> {
  seed: number;
  faults: FaultProfile | undefined;
}

/** Until a signal comes, or for `seconds` where they are not 0; then says exactly what each line did not bring. */
export async function between(options: BetweenOptions): Promise<CommandEnd> {
  const { lineA, lineB, toA, toB, seed, seconds, ttl, json } = options;
  const stopping = listenForStop();
  const profile =
    options.faults ?? makePlan(seed, { seconds: seconds || 60, rate: options.rate, themes: options.themes }).profile;
  const relay = await FaultRelay.open({
    from: { A: lineA, B: lineB },
    to: { A: toA, B: toB },
    seed,
    profile,
    fromInterface: options.interface,
    toInterface: options.interface,
    ttl,
  });
  say(
    `seed ${seed}: ${lineA.group}:${lineA.port} to ${toA.group}:${toA.port}, ${lineB.group}:${lineB.port} to ${toB.group}:${toB.port}`,
  );
  try {
    const ends: Promise<unknown>[] = [stopping.requested];
    let timer: NodeJS.Timeout | undefined;
    if (seconds > 0)
      ends.push(
        new Promise((resolve) => {
          timer = setTimeout(resolve, 1_000 * seconds);
        }),
      );
    await Promise.race(ends);
    clearTimeout(timer);
    relay.drain();
    const counters = { A: relay.counters('A'), B: relay.counters('B') };
    const losses = relay.losses();
    if (json) {
      const text = JSON.stringify({ seed, counters, losses }, (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      );
      process.stdout.write(`${text}\n`);
    } else {
      for (const name of line_names) say(`line ${name}: ${JSON.stringify(counters[name])}`);
      for (const { session, last, lost, lostOnBoth } of losses) {
        say(`session ${session}: numbers up to ${last}`);
        for (const name of line_names)
          say(`  line ${name} did not bring ${lengthOf(lost[name])}: ${listed(lost[name])}`);
        say(`  neither brought ${lengthOf(lostOnBoth)}: ${listed(lostOnBoth)}`);
      }
    }
    for (const error of relay.errors) say(error);
    if (relay.errors.length > 0) return { exitCode: exit_failure, reason: 'failed', detail: '' };
    return { exitCode: 0, reason: stopping.reason === undefined ? 'done' : 'signal', detail: stopping.reason ?? '' };
  } finally {
    relay.close();
  }
}

function listed(ranges: readonly (readonly [number, number])[]): string {
  const told = ranges
    .slice(0, ranges_told_max)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  const more = ranges.length > ranges_told_max ? ` and ${ranges.length - ranges_told_max} more ranges` : '';
  return `${told.join(' ') || 'none'}${more}`;
}
