/** What one measurement does. Plain data: it goes to the processes that take part. */
import type { NativeLoad, WaitStrategyName } from '../native.js';

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
  lines: { group: string; port: number; interface: string; datagramBytes: number }[];
  /** The floor's, in the same order. */
  floorLines: { group: string; port: number; interface: string }[];
  wait: WaitStrategyName;
  /** -1: not pinned. */
  publisherCore: number;
  subscriberCore: number;
  receiveBufferBytes: number;
  /** Folder for the cache lines of the round trip. */
  folder: string;
}

/** The publisher's own rhythms, set beside spikes that recur. */
export const intervals_ms = { heartbeat: 100, definitions: 200, counters: 1 } as const;
