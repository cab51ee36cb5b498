/** What a FeedClient says of itself. */
import type { BookExport } from './book_export.js';
import type { InstrumentInfo, SequenceRange } from './book_types.js';
import type { GatewayError } from './browser/gateway_error.js';
import type { Print } from './browser/prints.js';
import type { GatewayCounts } from './browser/protocol.js';
import type { SessionFigures } from './browser/session_state.js';
import type { ReceivedCounts } from './browser/subscription.js';
import type { ThreadUse } from './host.js';
import type { NativeFeedStateName, RepairWay } from './native.js';
import type { RecoveryFigures } from './recovery/client.js';
import type { SnapshotReason } from './recovery/client_state.js';
import type { UpdateBatch } from './updates.js';

/**
 * `new`: not started; `connecting`: nothing yet that proves the books; `recovering`: messages are missing, and are waited
 * for; `synchronized`: every book is the publisher's as of `sequence`; `stale`: some book may be wrong, since messages were
 * given up, a digest differed, or a snapshot was refused; `ended`: the session has ended; `closed`.
 */
export type FeedState = 'new' | NativeFeedStateName | 'closed';

/** Every book was replaced: it holds every message up to `sequence`. Updates go on behind it. */
export interface SnapshotInfo {
  sequence: bigint;
  generation: bigint;
  /** Why it was asked for: too far behind, not to be had otherwise, a digest that differed, or to resume. */
  reason: SnapshotReason;
}

/** The end of a session: its last message, and the position in the source that was consumed last. */
export interface SessionEnd {
  session: bigint;
  sequence: bigint;
  position: bigint;
}

/** Of the connection to a gateway. */
export interface GatewayFigures extends SessionFigures {
  connected: boolean;
}

/** Figures since start, some ms old. Rates are per second, over the time since an earlier call. */
export interface FeedStats {
  session: bigint;
  /** Number of the last message applied, and its position in the source. */
  sequence: bigint;
  position: bigint;
  messagesPerSecond: number;
  /** Datagrams of all lines. */
  packetsPerSecond: number;
  updatesDelivered: bigint;
  /** Updates that JavaScript was too slow for. */
  updatesLost: bigint;
  /** What came on no line in time, whatever became of it. */
  missingRanges: number;
  missingMessages: bigint;
  /** What came after all, by way; what a snapshot covers counts there. */
  recoveredMessages: Record<RepairWay, bigint>;
  /** What will never come. */
  givenUpMessages: bigint;
  /** Holes that are open now. */
  holes: number;
  snapshots: number;
  sessions: number;
  digestMismatches: number;
  /** Undefined where recovery is not used. */
  recovery: RecoveryFigures | undefined;
  /** Undefined where no gateway is followed. */
  gateway: GatewayFigures | undefined;
  /** The control service knows this client. */
  joined: boolean;
  /** Every figure of the native thread by name. */
  counters: Record<string, bigint>;
  /** What the kernel counts for the receiving thread; undefined while it does not run. */
  thread: ThreadUse | undefined;
}

/** Of a gateway's subscription, since it was granted last; docs/gateway.md, "Counted, never silent". */
export interface FeedCounts extends GatewayCounts {
  /** As counted here; undefined in mode exact, whose messages the native thread counts. */
  received: ReceivedCounts | undefined;
}

export interface FeedClientEvents {
  /** Only with delivery.updates. The batch is valid until the listener returns. */
  updates: [batch: UpdateBatch];
  /** A session is followed from here on. */
  session: [session: bigint];
  state: [state: FeedState, previous: FeedState];
  /** These messages were received on no line in time. */
  missing: [range: SequenceRange];
  /** Of these, what has come after all, or is covered by a snapshot. */
  recovered: [range: SequenceRange, way: RepairWay];
  /** These will never be applied. */
  givenUp: [range: SequenceRange];
  /** Comes in its place between the updates. */
  snapshot: [snapshot: SnapshotInfo];
  /** A snapshot that could not be used: the reason. Another one is asked for. */
  snapshotRefused: [reason: string];
  /** The books are as the resume token says; updates follow from the next number on. */
  resumed: [sequence: bigint];
  /** The point of the resume token cannot be reached: the reason. A snapshot follows where one is needed. */
  resumeFailed: [reason: string];
  /** As of this message, some book is not the publisher's. */
  digestMismatch: [sequence: bigint];
  /** So many updates were not delivered; with the policy "stop", none will be from now on. */
  overrun: [lost: bigint];
  /** Instruments were defined: all that are known. */
  definitions: [instruments: InstrumentInfo[]];
  /** The books after one of exportPositions. */
  export: [books: BookExport];
  /** Modes depth and bbo: the windows of these instruments have changed. */
  depth: [instruments: readonly number[]];
  /** Mode trades. */
  prints: [prints: readonly Print[]];
  /** This client was too slow for the gateway: `resnapshot`. */
  slow: [did: 'conflated' | 'resnapshot'];
  /** What the gateway has counted, as counts() asked, is not what came. */
  countMismatch: [fault: string];
  /** The gateway ends; the client comes back by itself, where it was told to. */
  goodbye: [reason: string, reconnectMs: number];
  /**
   * The gateway does not grant the subscription, or no longer. Where the error is `askedAgain` the client goes on and asks
   * again when it may have passed; else, for example when the token was revoked, it closes.
   */
  refused: [error: GatewayError];
  /** The connection to the gateway is gone, or none could be made: why. Another one is tried. */
  disconnected: [reason: string];
  /** The session has ended, and every message of it was applied or is named as missing. */
  endOfSession: [end: SessionEnd];
}
