/** What a measurement has found, as `--json` prints it. All times in ns. */
import type { Cause } from './attribution.js';
import type { BudgetVerdict } from './budget.js';
import type { Quantiles } from './histograms.js';
import type { InjectionFigures } from './injections.js';
import type { Recurrence } from './periodic.js';

export const jitter_format = 'depthcast-jitter-1';

/** From when a message was due to when the client's book holds it, each with the one before it as its beginning. */
export const feed_stages = [
  'due_to_ingest',
  'ingest_to_sequenced',
  'sequenced_to_send',
  'send_to_kernel',
  'kernel_to_received',
  'received_to_applied',
] as const;
/** `applied_to_javascript` follows the stages above, in slices of its own. */
export const other_stages = ['send_call', 'due_to_kernel', 'inter_arrival', 'applied_to_javascript'] as const;
export const floor_stages = [
  'floor_wait',
  'floor_send_call',
  'floor_due_to_kernel',
  'floor_kernel_to_received',
  'floor_inter_arrival',
] as const;
export type StageName = (typeof feed_stages)[number] | (typeof other_stages)[number] | (typeof floor_stages)[number];

export interface EncodedQuantiles extends Quantiles {
  /** HdrHistogram V2, compressed, base64; values in ns. */
  histogram: string;
}

/** Of one pair of slices; what `--compare` takes the spread from. */
export interface PairFigures {
  messages: number;
  feed: Quantiles;
  feed_without_stalls: Quantiles;
  floor: Quantiles;
  /** Median of the core-to-core round trips after it; 0: not measured. */
  round_trip: number;
}

export interface StallFigures {
  /** Gaps beyond so many ns in the clock of a spinning thread are looked at. */
  gap: number;
  machine: { count: number; total: number; longest: number };
  /** Gaps that the kernel's own counts for the thread explain: not excluded. */
  explained: { count: number; total: number; longest: number };
  /** Time of the machine's stalls, of the time that was measured. */
  excluded_share: number;
  excluded_messages: number;
  /** More than 1 %: the machine is no place to measure on. */
  above_one_percent: boolean;
  /** The kernel tells for how long a thread was ready and did not run. */
  knows_run_delay: boolean;
  /** Beyond the room for them. */
  lost: number;
  /** The longest, at most 200, in order of time. */
  longest: StallEntry[];
}

export interface StallEntry {
  side: 'publisher' | 'subscriber';
  /** Slice of the feed, from 0. */
  slice: number;
  /** From the start of the slice. */
  at: number;
  length: number;
  machine: boolean;
  switches: number;
  faults: number;
  run_delay: number;
  off_core: number;
}

export interface CauseFigures {
  episodes: number;
  messages: number;
  worst: number;
}

export interface OutlierEntry {
  cause: Cause;
  slice: number;
  at: number;
  latency: number;
  messages: number;
  line: 'A' | 'B';
  /** Of the worst packet: by stage, in the order of feed_stages. */
  stages: number[];
  /** What ran for at least half of its way. */
  beside: string[];
}

export interface CauseCounts {
  /** Packets whose oldest message took longer are outliers; those that follow each other are one episode. */
  threshold: number;
  episodes: number;
  causes: Record<Cause, CauseFigures>;
  /** Episodes during which it ran for at least half of the worst packet's way, by name. */
  beside: Record<string, number>;
}

/** What the messages above a quantile are made of. */
export interface TailFigures {
  /** Of the feed, ns; messages above it. */
  value: number;
  messages: number;
  /** Of these, in episodes by cause. */
  causes: Partial<Record<Cause, number>>;
  /** No outliers: above the quantile, and below the threshold of outliers. */
  usual: number;
}

export interface AttributionFigures extends CauseCounts {
  worst: OutlierEntry[];
  p99_9: TailFigures;
  /** Of applied to JavaScript, where that was measured: the threshold is that stage's. */
  delivered: CauseCounts | null;
}

/** From when a message was due to when JavaScript was called with it, measured in slices of their own. */
export interface DeliveredFigures extends EncodedQuantiles {
  /** Updates that JavaScript was too slow for: in no figure. */
  lost: number;
  /** The longest that the event loop was late. */
  event_loop_delay: number;
}

export interface ActivityFigures {
  count: number;
  total: number;
  longest: number;
}

/** due -> kernel receive, p99.9 of each slice: with garbage collected in the publisher's process, and twice without. */
export interface CollectingFigures {
  every_ms: number;
  pairs: { forced: number; calm: [number, number] }[];
  /** Median of the differences between the two calm slices of a pair, without their sign. */
  spread: number;
  /** Median of forced less the mean of the two calm ones. */
  moved: number;
  within_spread: boolean;
}

/** Worst and median latency of packets by time, for plots. */
export interface SeriesPoint {
  slice: number;
  at: number;
  median: number;
  worst: number;
}

export interface JitterResult {
  format: typeof jitter_format;
  feed: EncodedQuantiles;
  feed_without_stalls: EncodedQuantiles;
  floor: EncodedQuantiles;
  floor_without_stalls: EncodedQuantiles;
  delivered: DeliveredFigures | null;
  stages: Record<StageName, EncodedQuantiles>;
  stalls: StallFigures;
  attribution: AttributionFigures;
  recurrences: Recurrence[];
  /** What ran in the measured processes beside the path, during the feed, by name. */
  activities: Record<string, ActivityFigures>;
  collecting: CollectingFigures | null;
  injections: InjectionFigures | null;
  /** ns by which CLOCK_REALTIME was set, for each pair that was thrown away for that. */
  clock_steps: number[];
  /** Core to core and back, ns by hundreds. */
  round_trip: { p50: number; min: number; max: number; modes: boolean };
  pairs: PairFigures[];
  series: SeriesPoint[];
  conditions: Record<string, string | number | boolean | null>;
  budget: BudgetVerdict[];
  /** What a reader must know before he believes the figures. */
  warnings: string[];
}
