/** What one measurement does. Plain data: it goes to the processes that take part. */
import type { NativeLoad, NativeState, WaitStrategyName } from '../native.js';
import type { InjectionPlan } from './injections.js';

export interface JitterPlan {
  load: Omit<NativeLoad, 'seed'> & { seed: number };
  /** `simulate`, or the path of an ITCH file that is not packed. */
  source: string;
  symbols: number;
  liveOrders: number;
  /** Messages published before anything is measured, so that the books are full. */
  preload: number;
  /** Pairs of one slice of the feed and one of the floor. */
  pairs: number;
  slice_ns: number;
  /** Of the slice of each pair whose updates are delivered to JavaScript; 0: there is none. */
  delivered_ns: number;
  /** Each pair has two more slices of the feed, one of them with garbage collected so often; 0: it has not. */
  gc_every_ms: number;
  inject: InjectionPlan | null;
  /** A journal is written to a folder of its own in that folder, while everything is measured. */
  journal: { folder: string; fsync: NativeState['journal']['fsync'] } | null;
  /** A replica follows the publisher, and its snapshots go out on this line. */
  replica: { group: string; port: number; interface: string } | null;
  lines: { group: string; port: number; interface: string; datagramBytes: number }[];
  /** The floor's, in the same order. */
  floorLines: { group: string; port: number; interface: string }[];
  wait: WaitStrategyName;
  /** -1: not pinned. */
  publisherCore: number;
  subscriberCore: number;
  /** Where the publishing process's other threads may run; empty: anywhere. Likewise the subscribing process's. */
  publisherHelperCores: number[];
  subscriberHelperCores: number[];
  receiveBufferBytes: number;
  /** Folder for the cache lines of the round trip, and for what is synced on purpose. */
  folder: string;
}

/** The publisher's own rhythms, and those of what may run beside it: set beside spikes that recur. */
export const intervals_ms = {
  heartbeat: 100,
  definitions: 200,
  counters: 1,
  journalPoll: 0.5,
  fsync: 100,
  replicaPoll: 0.2,
  snapshot: 500,
} as const;
