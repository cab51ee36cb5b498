/** Figures of perf/gateway_clients.ts out of what its phases observed. Pure. */
import type { GroupFigures } from '../fanout/load.js';
import { type Figures, median } from '../native_program.js';
import {
  type ClientsObserved,
  type CoreObserved,
  phase_clients,
  phase_first,
  phase_last,
  phase_loop,
} from './phases.js';
import { type PhaseSamples, percentile, percentileAtSizesOf, type Samples } from './samples.js';

const shares = { p50: 0.5, p99: 0.99, p99_9: 0.999 };
const round = (value: number) => Math.round(value * 1_000) / 1_000;
const microseconds = (ns: number) => round(ns / 1_000);

/** The two phases without clients tell how far the machine by itself wanders. */
export function multicastFigures(samples: Samples): Figures {
  const without = samples.of([phase_first, phase_last]);
  const by = { without, with: samples.of([phase_clients]), loop: samples.of([phase_loop]) };
  const first = samples.of([phase_first]);
  const last = samples.of([phase_last]);
  const figures: Figures = {};
  for (const [name, share] of Object.entries(shares)) {
    const of = (phase: PhaseSamples) => percentile(phase.latency_ns, share);
    const base = of(without);
    for (const [phase, some] of Object.entries(by)) figures[`multicast_${name}_us_${phase}`] = microseconds(of(some));
    figures[`multicast_${name}_ratio`] = round(of(by.with) / base);
    figures[`multicast_${name}_ratio_loop`] = round(of(by.loop) / base);
    figures[`multicast_${name}_spread_without`] = round(Math.max(of(first), of(last)) / Math.min(of(first), of(last)));
    for (const phase of ['with', 'loop'] as const) {
      const equal = percentileAtSizesOf(without, by[phase], share);
      figures[`multicast_${name}_us_${phase}_at_equal_batches`] = microseconds(equal);
      figures[`multicast_${name}_ratio_${phase}_at_equal_batches`] = round(equal / base);
    }
    for (const [phase, some] of Object.entries(by)) {
      figures[`first_datagram_${name}_us_${phase}`] = microseconds(percentile(some.first_ns, share));
      figures[`batch_messages_${name}_${phase}`] = percentile(some.batch_messages, share);
    }
  }
  for (const [phase, some] of Object.entries(by)) {
    figures[`batch_messages_most_${phase}`] = some.batch_messages.reduce((most, one) => Math.max(most, one), 0);
    figures[`batch_datagrams_mean_${phase}`] = round(some.latency_ns.length / some.first_ns.length);
    figures[`datagrams_${phase}`] = some.latency_ns.length;
  }
  return figures;
}

/** Per second on the publisher's core, and cores that the server's threads took; medians over the rounds. */
export function coreFigures(cores: readonly CoreObserved[]): Figures {
  const figures: Figures = {};
  const phases = { without: [phase_first, phase_last], with: [phase_clients], loop: [phase_loop] };
  for (const [name, numbers] of Object.entries(phases)) {
    const some = cores.filter(({ phase }) => numbers.includes(phase));
    const names = (of: 'counts' | 'cpu') => [...new Set(some.flatMap((one) => [...one[of].keys()]))];
    for (const of of ['counts', 'cpu'] as const)
      for (const what of names(of)) {
        const value = median(some.map((one) => one[of].get(what) ?? 0));
        if (of === 'counts' || value > 0.002)
          figures[`${of === 'cpu' ? 'cpu' : 'core'}_${what}_${name}`] = round(value);
      }
  }
  return figures;
}

const names = ['exact', 'bbo', 'depth'] as const;

export function clientFigures(observed: readonly ClientsObserved[]): Figures {
  const figures: Figures = {};
  for (const [index, name] of names.entries()) {
    for (const when of ['before', 'after'] as const) {
      const list = observed.map((one) => one[when][index]).filter((one) => one !== undefined);
      const of = (pick: (one: GroupFigures) => number) => round(median(list.map(pick)));
      const key = (what: string) => `${name}_${what}_${when}`;
      figures[key('reading')] = of(({ reading }) => reading);
      // Of one client.
      figures[key('messages_per_second')] = of(({ messages, reading, seconds }) => messages / reading / seconds);
      figures[key('least_of_most')] = of(({ messages_least: least, messages_most: most }) => least / Math.max(1, most));
      figures[key('latency_us_p50')] = of(({ latency_us_p50 }) => latency_us_p50);
      figures[key('latency_us_p99')] = of(({ latency_us_p99 }) => latency_us_p99);
      figures[key('slow_or_closed')] = of(({ slow, closed, errors }) => slow + closed + errors);
    }
  }
  figures.receiver_cpu = round(
    median(observed.map(({ before: [one] }) => (one?.cpu_seconds ?? 0) / (one?.seconds ?? 1))),
  );
  const ends = observed.flatMap(({ end }) => end);
  const sum = (pick: (one: GroupFigures) => number) => ends.reduce((total, one) => total + pick(one), 0);
  figures.silent_counted = sum(({ counted }) => counted);
  figures.silent_counted_equal = sum(({ counted_equal }) => counted_equal);
  figures.silent_closed = sum(({ closed }) => closed);
  figures.silent_told_slow = sum(({ slow }) => slow);
  figures.silent_close_codes = [...new Set(ends.map(({ close_code }) => close_code))]
    .filter((code) => code > 0)
    .join(' ');
  return figures;
}
