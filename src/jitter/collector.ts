/** Gathers the slices of a measurement and says what they show. Pure. */
import {
  type Cause,
  causes,
  type Episode,
  findEpisodes,
  medianLatency_ns,
  outlierThreshold_ns,
} from './attribution.js';
import { type Budget, checkBudget } from './budget.js';
import { addCounts, emptyHistogram, encoded, type Histogram, histogramOf, median, quantilesOf } from './histograms.js';
import type { MeasuredPair } from './measure.js';
import { eachPacket, type TracedPacket } from './packets.js';
import { findRecurrences, type KnownInterval, type Window } from './periodic.js';
import {
  type AttributionFigures,
  type EncodedQuantiles,
  feed_stages,
  floor_stages,
  type JitterResult,
  jitter_format,
  type OutlierEntry,
  other_stages,
  type PairFigures,
  type SeriesPoint,
  type StageName,
  type StallEntry,
  type StallFigures,
} from './result.js';
import { readStalls, type Stall } from './stalls.js';

const stall_gap_ns = 20_000;
const stalls_kept = 200;
const worst_kept = 30;
const series_points_max = 2_000;
const round_trip_modes_factor = 1.3;

interface StallTotals {
  count: number;
  total: number;
  longest: number;
}

/** Threads: one. add() for each pair, then result(). */
export class JitterCollector {
  readonly #feed = emptyHistogram();
  readonly #feedWithout = emptyHistogram();
  readonly #floor = emptyHistogram();
  readonly #floorWithout = emptyHistogram();
  readonly #stages = new Map<StageName, Histogram>();
  readonly #pairs: PairFigures[] = [];
  readonly #stalls: StallEntry[] = [];
  readonly #totals: Record<'machine' | 'explained', StallTotals> = {
    machine: { count: 0, total: 0, longest: 0 },
    explained: { count: 0, total: 0, longest: 0 },
  };
  readonly #episodes: { slice: number; base: bigint; episode: Episode }[] = [];
  readonly #windows: { base: bigint; length_ns: number }[] = [];
  readonly #series: SeriesPoint[] = [];
  #threshold_ns = 0;
  #excludedMessages = 0;
  #stallsLost = 0;
  #unrecorded = 0;
  #unsent = 0;
  #knowsRunDelay = true;

  /** `slice_ns`: length of a slice; `slices`: how many there will be, for the density of the series. */
  constructor(
    private readonly slice_ns: number,
    private readonly slices: number,
  ) {
    for (const name of [...feed_stages, ...other_stages, ...floor_stages]) this.#stages.set(name, emptyHistogram());
  }

  add(pair: MeasuredPair): void {
    const { feed, floor } = pair;
    const slice = this.#pairs.length;
    this.#addHistograms(pair);
    const senderStalls = readStalls(feed.sent.stalls);
    const receiverStalls = readStalls(feed.received.stalls);
    this.#addStalls('publisher', slice, senderStalls);
    this.#addStalls('subscriber', slice, receiverStalls);
    const { batches } = feed.sent;
    const { packets } = feed.received;
    // Of the first slice: an outlier is the same in all of them.
    this.#threshold_ns ||= outlierThreshold_ns(medianLatency_ns(packets));
    const evidence = { batches, packets, senderStalls, receiverStalls };
    for (const episode of findEpisodes(evidence, this.#threshold_ns))
      this.#episodes.push({ slice, base: feed.base, episode });
    this.#windows.push({ base: feed.base, length_ns: this.slice_ns });
    this.#addSeries(slice, batches, packets);
    this.#excludedMessages += feed.received.excluded;
    this.#stallsLost += feed.sent.stallsLost + feed.received.stallsLost;
    this.#unrecorded += feed.sent.unrecorded + feed.received.unrecorded;
    this.#unsent += feed.sent.unsent;
    this.#knowsRunDelay &&= feed.sent.knowsRunDelay && feed.received.knowsRunDelay;
    this.#pairs.push({
      messages: pair.messages,
      feed: quantilesOf(histogramOf(at(feed.received.stages, 3))),
      feed_without_stalls: quantilesOf(histogramOf(at(feed.received.stages, 4))),
      floor: quantilesOf(histogramOf(at(floor.received.stages, 3))),
      round_trip: median([...pair.roundTrips]),
    });
  }

  result(
    conditions: JitterResult['conditions'],
    known: readonly KnownInterval[],
    budgets: readonly Budget[],
    warnings: readonly string[],
  ): JitterResult {
    const stalls = this.#stallFigures();
    const stages = Object.fromEntries([...this.#stages].map(([name, histogram]) => [name, withHistogram(histogram)]));
    const feed = withHistogram(this.#feed);
    const feed_without_stalls = withHistogram(this.#feedWithout);
    return {
      format: jitter_format,
      feed,
      feed_without_stalls,
      floor: withHistogram(this.#floor),
      floor_without_stalls: withHistogram(this.#floorWithout),
      stages: stages as Record<StageName, EncodedQuantiles>,
      stalls,
      attribution: this.#attribution(),
      recurrences: this.#recurrences(known),
      round_trip: this.#roundTrip(),
      pairs: this.#pairs,
      series: this.#series,
      conditions,
      budget: budgets.map((budget) => checkBudget(budget, feed, feed_without_stalls, stalls.excluded_share)),
      warnings: [...warnings, ...this.#warnings(stalls)],
    };
  }

  #stage(name: StageName): Histogram {
    return this.#stages.get(name) as Histogram;
  }

  #addHistograms({ feed, floor }: MeasuredPair): void {
    addCounts(this.#stage('due_to_ingest'), at(feed.sent.stages, 0));
    addCounts(this.#stage('ingest_to_sequenced'), at(feed.sent.stages, 1));
    addCounts(this.#stage('sequenced_to_send'), at(feed.sent.stages, 2));
    addCounts(this.#stage('send_call'), at(feed.sent.stages, 3));
    const toKernel = this.#stage('send_to_kernel');
    eachPacket(feed.sent.batches, feed.received.packets, ({ kernel_ns, before_send_ns, messages }) =>
      toKernel.recordValueWithCount(Math.max(0, kernel_ns - before_send_ns), messages),
    );
    addCounts(this.#stage('due_to_kernel'), at(feed.received.stages, 0));
    addCounts(this.#stage('kernel_to_received'), at(feed.received.stages, 1));
    addCounts(this.#stage('received_to_applied'), at(feed.received.stages, 2));
    addCounts(this.#feed, at(feed.received.stages, 3));
    addCounts(this.#feedWithout, at(feed.received.stages, 4));
    addCounts(this.#stage('inter_arrival'), at(feed.received.stages, 5));
    // These two count from the first slice on.
    for (const [name, index] of [
      ['floor_wait', 4],
      ['floor_send_call', 5],
    ] as const) {
      this.#stage(name).reset();
      addCounts(this.#stage(name), at(floor.sent.stages, index));
    }
    addCounts(this.#stage('floor_due_to_kernel'), at(floor.received.stages, 0));
    addCounts(this.#stage('floor_kernel_to_received'), at(floor.received.stages, 1));
    addCounts(this.#floor, at(floor.received.stages, 3));
    addCounts(this.#floorWithout, at(floor.received.stages, 4));
    addCounts(this.#stage('floor_inter_arrival'), at(floor.received.stages, 5));
  }

  #addStalls(side: StallEntry['side'], slice: number, stalls: readonly Stall[]): void {
    for (const { begin_ns, end_ns, machine, switches, faults, run_delay_ns } of stalls) {
      // The thread had begun before the slice did.
      if (end_ns < 0 || begin_ns > this.slice_ns) continue;
      const length = end_ns - begin_ns;
      const totals = machine ? this.#totals.machine : this.#totals.explained;
      totals.count++;
      totals.total += length;
      totals.longest = Math.max(totals.longest, length);
      this.#stalls.push({ side, slice, at: begin_ns, length, machine, switches, faults, run_delay: run_delay_ns });
    }
  }

  #addSeries(slice: number, batches: Float64Array, packets: Float64Array): void {
    const points = Math.max(20, Math.floor(series_points_max / this.slices));
    const bin_ns = this.slice_ns / points;
    const bins: number[][] = [];
    eachPacket(batches, packets, ({ due_ns, applied_ns }) => {
      const bin = Math.min(points - 1, Math.max(0, Math.floor(due_ns / bin_ns)));
      bins[bin] ??= [];
      bins[bin].push(applied_ns - due_ns);
    });
    bins.forEach((latencies, bin) => {
      const worst = latencies.reduce((most, one) => Math.max(most, one), 0);
      this.#series.push({ slice, at: bin * bin_ns, median: median(latencies), worst });
    });
  }

  #stallFigures(): StallFigures {
    const measured_ns = 2 * this.slice_ns * this.#pairs.length;
    const excluded_share = measured_ns === 0 ? 0 : this.#totals.machine.total / measured_ns;
    const longest = [...this.#stalls]
      .sort((a, b) => b.length - a.length)
      .slice(0, stalls_kept)
      .sort((a, b) => a.slice - b.slice || a.at - b.at);
    return {
      gap: stall_gap_ns,
      machine: this.#totals.machine,
      explained: this.#totals.explained,
      excluded_share,
      excluded_messages: this.#excludedMessages,
      above_one_percent: excluded_share > 0.01,
      knows_run_delay: this.#knowsRunDelay,
      lost: this.#stallsLost,
      longest,
    };
  }

  #attribution(): AttributionFigures {
    const figures = Object.fromEntries(causes.map((cause) => [cause, { episodes: 0, messages: 0, worst: 0 }]));
    const byCause = figures as AttributionFigures['causes'];
    for (const { episode } of this.#episodes) {
      const one = byCause[episode.cause];
      one.episodes++;
      one.messages += episode.messages;
      one.worst = Math.max(one.worst, episode.latency_ns);
    }
    const worst = [...this.#episodes]
      .sort((a, b) => b.episode.latency_ns - a.episode.latency_ns)
      .slice(0, worst_kept)
      .map(({ slice, episode }) => outlierEntry(slice, episode));
    return { threshold: this.#threshold_ns, episodes: this.#episodes.length, causes: byCause, worst };
  }

  #recurrences(known: readonly KnownInterval[]) {
    const first = this.#windows[0]?.base ?? 0n;
    const ms = (base: bigint, ns: number) => Number(base - first) / 1e6 + ns / 1e6;
    const windows: Window[] = this.#windows.map(({ base, length_ns }) => ({
      begin_ms: ms(base, 0),
      end_ms: ms(base, length_ns),
    }));
    const spikes = this.#episodes.map(({ base, episode }) => ms(base, episode.due_ns)).sort((a, b) => a - b);
    return findRecurrences(spikes, windows, known);
  }

  #roundTrip(): JitterResult['round_trip'] {
    const trips = this.#pairs.map(({ round_trip }) => round_trip).filter((trip) => trip > 0);
    if (trips.length === 0) return { p50: 0, min: 0, max: 0, modes: false };
    const min = Math.min(...trips);
    const max = Math.max(...trips);
    return { p50: median(trips), min, max, modes: max > round_trip_modes_factor * min };
  }

  #warnings({ above_one_percent, excluded_share, knows_run_delay, lost }: StallFigures): string[] {
    const warnings: string[] = [];
    const percent = (100 * excluded_share).toFixed(2);
    if (above_one_percent) warnings.push(`the machine stood still for ${percent} % of the time: above 1 %`);
    const explained_share = this.#totals.explained.total / Math.max(1, 2 * this.slice_ns * this.#pairs.length);
    if (explained_share > 0.01)
      warnings.push(
        `other threads had the cores, or faults were served, for ${(100 * explained_share).toFixed(1)} % of the time: ` +
          'measure on cores that are free',
      );
    if (!knows_run_delay)
      warnings.push('the kernel tells no run delay: stalls are proved by switches and faults alone');
    if (lost > 0) warnings.push(`${lost} gaps found no room and are told nowhere`);
    if (this.#unsent > 0) warnings.push(`${this.#unsent} messages were not sent in time: the rate was not carried`);
    const feed_count = this.#feed.totalCount;
    const floor_count = this.#floor.totalCount;
    if (floor_count < 0.999 * feed_count)
      warnings.push(`the floor lost ${feed_count - floor_count} of ${feed_count} messages`);
    if (this.#unrecorded > 0) warnings.push(`${this.#unrecorded} messages or packets were not recorded`);
    if (this.#roundTrip().modes)
      warnings.push('the link between the cores had more than one mode during the run: compare pairs within one');
    return warnings;
  }
}

function at(stages: readonly Float64Array[], index: number): Float64Array {
  return stages[index] ?? new Float64Array();
}

function withHistogram(histogram: Histogram): EncodedQuantiles {
  return { ...quantilesOf(histogram), histogram: encoded(histogram) };
}

/** By stage, in the order of feed_stages. */
export function stagesOf(packet: TracedPacket): number[] {
  const { due_ns, ingest_ns, sequenced_ns, before_send_ns, kernel_ns, received_ns, applied_ns } = packet;
  const points = [due_ns, ingest_ns, sequenced_ns, before_send_ns, kernel_ns, received_ns, applied_ns];
  return points.slice(1).map((point, index) => point - (points[index] ?? 0));
}

function outlierEntry(slice: number, { cause, due_ns, latency_ns, messages, worst }: Episode): OutlierEntry {
  const line = worst.line === 0 ? 'A' : 'B';
  return { cause: cause as Cause, slice, at: due_ns, latency: latency_ns, messages, line, stages: stagesOf(worst) };
}
