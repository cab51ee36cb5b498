/** Gathers the slices of a measurement and says what they show. Pure. */
import { readActivities, withinSlice } from './activities.js';
import { type Activity, type Episode, findEpisodes, medianLatency_ns, outlierThreshold_ns } from './attribution.js';
import { type Budget, checkBudget } from './budget.js';
import { findDeliveryEpisodes, medianDelivery_ns } from './deliveries.js';
import { at, collectingFigures, countCauses, outlierEntry, tailOf, withHistogram } from './figures.js';
import { addCounts, emptyHistogram, type Histogram, histogramOf, median, quantilesOf } from './histograms.js';
import { addInjections, type InjectionFigures, type InjectionKind, judged, noFigures } from './injections.js';
import type { MeasuredPair, MeasuredSlice } from './measure.js';
import { eachPacket } from './packets.js';
import { findRecurrences, type KnownInterval, type Window } from './periodic.js';
import {
  type ActivityFigures,
  type AttributionFigures,
  type CollectingFigures,
  type DeliveredFigures,
  type EncodedQuantiles,
  feed_stages,
  floor_stages,
  type JitterResult,
  jitter_format,
  other_stages,
  type PairFigures,
  type SeriesPoint,
  type StageName,
  type StallFigures,
} from './result.js';
import { StallTally } from './stall_tally.js';
import { readStalls } from './stalls.js';

const worst_kept = 30;
const series_points_max = 2_000;
const round_trip_modes_factor = 1.3;

/** Threads: one. add() for each pair, then result(). */
export class JitterCollector {
  readonly #feed = emptyHistogram();
  readonly #feedWithout = emptyHistogram();
  readonly #floor = emptyHistogram();
  readonly #floorWithout = emptyHistogram();
  readonly #stages = new Map<StageName, Histogram>();
  readonly #pairs: PairFigures[] = [];
  readonly #stalls = new StallTally();
  readonly #episodes: { slice: number; base: bigint; episode: Episode }[] = [];
  readonly #windows: { base: bigint; length_ns: number }[] = [];
  readonly #series: SeriesPoint[] = [];
  readonly #delivered = emptyHistogram();
  readonly #deliveryEpisodes: Episode[] = [];
  readonly #activities: Record<string, ActivityFigures> = {};
  readonly #collecting: CollectingFigures['pairs'] = [];
  readonly #injections: InjectionFigures | undefined;
  #threshold_ns = Number.MAX_SAFE_INTEGER;
  #deliveryThreshold_ns = Number.MAX_SAFE_INTEGER;
  #updatesLost = 0;
  #eventLoopDelay = 0;
  #excludedMessages = 0;
  #stallsLost = 0;
  #unrecorded = 0;
  #unsent = 0;
  #knowsRunDelay = true;

  /** `slice_ns`: length of a slice; `slices`: how many there will be, for the density of the series. */
  constructor(
    private readonly slice_ns: number,
    private readonly slices: number,
    /** What is done on purpose. */
    injected?: InjectionKind,
    /** How often garbage is collected in the slices that compare; 0: there are none. */
    private readonly gc_every_ms = 0,
  ) {
    this.#injections = injected && noFigures(injected);
    for (const name of [...feed_stages, ...other_stages, ...floor_stages]) this.#stages.set(name, emptyHistogram());
  }

  add(pair: MeasuredPair): void {
    const { feed, floor } = pair;
    const slice = this.#pairs.length;
    this.#addHistograms(pair);
    const senderStalls = readStalls(feed.sent.stalls);
    const receiverStalls = readStalls(feed.received.stalls);
    this.#stalls.add('publisher', slice, this.slice_ns, senderStalls);
    this.#stalls.add('subscriber', slice, this.slice_ns, receiverStalls);
    const { batches } = feed.sent;
    const { packets } = feed.received;
    // The least so far: a slice in which others had the cores tells nothing of what is usual.
    if (packets.length > 0)
      this.#threshold_ns = Math.min(this.#threshold_ns, outlierThreshold_ns(medianLatency_ns(packets)));
    const activities = this.#takeActivities(feed);
    const evidence = { batches, packets, senderStalls, receiverStalls, activities };
    const episodes = findEpisodes(evidence, this.#threshold_ns);
    for (const episode of episodes) this.#episodes.push({ slice, base: feed.base, episode });
    this.#judge(feed, episodes);
    if (pair.delivered !== undefined) this.#addDelivered(pair.delivered);
    if (pair.collecting !== undefined) {
      const { forced, calm } = pair.collecting;
      const p99_9 = ({ received }: MeasuredSlice) => quantilesOf(histogramOf(at(received.stages, 0))).p99_9;
      this.#collecting.push({ forced: p99_9(forced), calm: [p99_9(feed), p99_9(calm)] });
    }
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
    clock_steps: readonly number[] = [],
  ): JitterResult {
    const stalls = this.#stalls.figures(this.#measured_ns, {
      excluded_messages: this.#excludedMessages,
      knows_run_delay: this.#knowsRunDelay,
      lost: this.#stallsLost,
    });
    const stages = Object.fromEntries([...this.#stages].map(([name, histogram]) => [name, withHistogram(histogram)]));
    const feed = withHistogram(this.#feed);
    const feed_without_stalls = withHistogram(this.#feedWithout);
    return {
      format: jitter_format,
      feed,
      feed_without_stalls,
      floor: withHistogram(this.#floor),
      floor_without_stalls: withHistogram(this.#floorWithout),
      delivered: this.#deliveredFigures(),
      stages: stages as Record<StageName, EncodedQuantiles>,
      stalls,
      attribution: this.#attribution(),
      recurrences: this.#recurrences(known),
      activities: this.#activities,
      collecting: collectingFigures(this.gc_every_ms, this.#collecting),
      injections: this.#injections ?? null,
      clock_steps: [...clock_steps],
      round_trip: this.#roundTrip(),
      pairs: this.#pairs,
      series: this.#series,
      conditions,
      budget: budgets.map((budget) => checkBudget(budget, feed, feed_without_stalls, stalls.excluded_share)),
      warnings: [...warnings, ...this.#warnings(stalls)],
    };
  }

  // Those of the feed's slice alone are what its outliers are set beside.
  #takeActivities({ sent, received }: MeasuredSlice): Activity[] {
    const all = [...readActivities(sent.activities), ...sent.gc, ...received.gc];
    const own = withinSlice(
      all.filter(({ name }) => name !== 'injected'),
      this.slice_ns,
    );
    for (const { name, begin_ns, end_ns } of own) {
      this.#activities[name] ??= { count: 0, total: 0, longest: 0 };
      const figures = this.#activities[name];
      figures.count++;
      figures.total += end_ns - begin_ns;
      figures.longest = Math.max(figures.longest, end_ns - begin_ns);
    }
    return own;
  }

  #judge({ injections }: MeasuredSlice, episodes: readonly Episode[]): void {
    if (this.#injections === undefined) return;
    addInjections(this.#injections, withinSlice(injections, this.slice_ns), judged(episodes));
  }

  #addDelivered(slice: MeasuredSlice): void {
    const { received } = slice;
    addCounts(this.#stage('applied_to_javascript'), at(received.stages, 6));
    addCounts(this.#delivered, at(received.stages, 7));
    const activities = this.#takeActivities(slice);
    const evidence = { packets: received.packets, deliveries: received.deliveries, activities };
    if (received.deliveries.length > 0)
      this.#deliveryThreshold_ns = Math.min(
        this.#deliveryThreshold_ns,
        outlierThreshold_ns(medianDelivery_ns(evidence)),
      );
    const episodes = findDeliveryEpisodes(evidence, this.#deliveryThreshold_ns);
    this.#deliveryEpisodes.push(...episodes);
    // What keeps the receiving thread keeps no message from JavaScript once it is in the book.
    if (this.#injections?.kind === 'receiver-gc') this.#judge(slice, episodes);
    this.#updatesLost += received.updatesLost + received.undelivered;
    this.#eventLoopDelay = Math.max(this.#eventLoopDelay, received.eventLoopDelay);
  }

  #deliveredFigures(): DeliveredFigures | null {
    if (this.#delivered.totalCount === 0) return null;
    return { ...withHistogram(this.#delivered), lost: this.#updatesLost, event_loop_delay: this.#eventLoopDelay };
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

  get #measured_ns(): number {
    return 2 * this.slice_ns * this.#pairs.length;
  }

  #attribution(): AttributionFigures {
    const worst = [...this.#episodes]
      .sort((a, b) => b.episode.latency_ns - a.episode.latency_ns)
      .slice(0, worst_kept)
      .map(({ slice, episode }) => outlierEntry(slice, episode));
    const episodes = this.#episodes.map(({ episode }) => episode);
    return {
      ...countCauses(this.#threshold_ns, episodes),
      worst,
      p99_9: tailOf(this.#feed, 99.9, episodes),
      delivered:
        this.#delivered.totalCount === 0 ? null : countCauses(this.#deliveryThreshold_ns, this.#deliveryEpisodes),
    };
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

  #warnings({ above_one_percent, excluded_share, knows_run_delay, lost, explained }: StallFigures): string[] {
    const warnings: string[] = [];
    const percent = (100 * excluded_share).toFixed(2);
    if (above_one_percent) warnings.push(`the machine stood still for ${percent} % of the time: above 1 %`);
    const explained_share = explained.total / Math.max(1, this.#measured_ns);
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
