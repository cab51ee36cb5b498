/**
 * The one file that loads the addon. Declares what it offers, with shapes, units and threading; everything else
 * in the library goes through these types. Arguments are validated in TypeScript before they come here.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeJournalTools } from './journal/native_tools.js';

export type WaitStrategyName = 'spin' | 'yield' | 'park';

export interface NativeLine {
  /** IPv4 multicast group, or a unicast address. */
  group: string;
  port: number;
  /** IPv4 address of the local interface. */
  interface: string;
  /** Largest UDP payload in bytes: a multiple of 8, 512 to 8,952. Publisher only. */
  datagramBytes: number;
}

export interface NativeLimits {
  ordersMax: number;
  /** 0: as many as orders. */
  levelsMax: number;
  instrumentsMax: number;
  /** Levels of each side that `depth` can read, 0 to 64. */
  depthLevels: number;
  prefault: boolean;
}

export interface NativePublisherOptions extends NativeLimits {
  channel: number;
  session: bigint;
  /** One or two lines; the first is line A. */
  lines: NativeLine[];
  ttl: number;
  loop: boolean;
  segmentation: boolean;
  ringBytes: number;
  /** Empty: memory private to this process. */
  ringPath: string;
  wait: WaitStrategyName;
  /** -1: not pinned. */
  core: number;
  /** With prefault; see the counters lockedBytes and lockError. */
  lockMemory: boolean;
  heartbeatMs: number;
  /** A digest travels at least once in so many messages. */
  digestMessages: number;
  /** One packet of repeated definitions every so many ms; 0: none. */
  definitionsMs: number;
  /** Hash of what the source is: an interrupted session goes on only on the same. */
  sourceIdentity: bigint;
  /** Source.repeats of src/sources/source.ts. */
  sourceRepeats: boolean;
  /** Reasons whose events are passed on; docs/ingest.md, "Validation". */
  passOn: string[];
  /** Null: nothing is kept. */
  state: NativeState | null;
  /** Absent: nothing is measured. */
  probe?: NativeJitterSender;
}

/** The state folder and its journal; docs/recovery.md. */
export interface NativeState {
  folder: string;
  /** Only this session may be continued; 0: whichever was interrupted. */
  sessionWanted: bigint;
  /** A new session opens with the orders that the last one left. */
  carryOver: boolean;
  /** And with the source's position behind the last one. */
  carryPosition: boolean;
  journal: {
    fsync: 'never' | 'interval' | 'every-batch';
    fsyncMs: number;
    segmentBytes: number;
    segmentMs: number;
    retainBytes: number;
    retainMs: number;
    /** Absent: nothing is measured. Else fsyncs and writes go into its activities. */
    activities?: NativeJitterSender;
  };
}

/** Where a publisher begins. */
export interface NativeBegin {
  session: bigint;
  /** The session was interrupted and goes on. */
  continued: boolean;
  /** Why not, where there is a state folder; else empty. */
  reason: string;
  /** Of the source's first message that is not passed over. */
  position: bigint;
  /** Live orders that a new session opened with, and the session that left them; 0: none. */
  carriedOrders: bigint;
  carriedSession: bigint;
}

export interface NativePacing {
  /** 0: as fast as possible; else event time runs so many times faster than the clock (1: real time). */
  speed: number;
  /** Messages a second at a steady rate, instead of event time; 0: not used. */
  rate: number;
}

export interface NativeItchSource extends NativePacing {
  kind: 'itch';
  /** Descriptor to read from (file or pipe); the addon owns it from now on. */
  descriptor: number;
  /** CLOCK_REALTIME ns of the midnight that ITCH times count from. */
  midnightNs: bigint;
}

export interface NativeSimulateOptions {
  seed: bigint;
  symbols: number;
  /** Messages in all; 0: endless. */
  messages: bigint;
  liveOrders: number;
  messageIntervalNs: number;
}

export interface NativeSimulateSource extends NativePacing, NativeSimulateOptions {
  kind: 'simulate';
  midnightNs: bigint;
}

export interface NativeSharedMemorySource {
  kind: 'shm';
  path: string;
  /** Throws where the file holds another one by now. */
  stream: bigint;
  /** How its thread waits for events. */
  wait: WaitStrategyName;
}

/** A ring of events as it stands now. */
export interface NativeEventRing {
  stream: bigint;
  published: bigint;
  committed: bigint;
}

/** SoupBinTCP; the password is not kept beyond the call. */
export interface NativeSoupSource extends NativePacing {
  kind: 'soupbintcp';
  host: string;
  port: number;
  username: string;
  password: string;
  /** Empty: the one that is open. */
  session: string;
  heartbeatTimeoutMs: number;
  backoffMs: number;
  backoffMsMax: number;
  /** File that holds the name of the input's session for a restart; empty: none. */
  sessionFile: string;
  midnightNs: bigint;
}

interface NativeMoldPart extends NativePacing {
  session: string;
  skipLost: boolean;
  giveUpMs: number;
  parkedBytesMax: number;
  sessionFile: string;
  midnightNs: bigint;
}

export interface NativeMoldSource extends NativeMoldPart {
  kind: 'moldudp64';
  lines: { group: string; port: number }[];
  interface: string;
  /** "address:port". */
  servers: string[];
  silenceMs: number;
}

export interface NativeCaptureSource extends NativeMoldPart {
  kind: 'pcap';
  /** The addon owns it from now on. */
  descriptor: number;
  /** IPv4 addresses as numbers; none: any. */
  groups: number[];
  /** 0: any. */
  port: number;
}

/** Makers: native/binding/source_makers.cc. */
export type NativeSource =
  | NativeItchSource
  | NativeSimulateSource
  | NativeSharedMemorySource
  | { kind: 'socket'; listener: NativeEngineListener; session: bigint }
  | { kind: 'push'; input: NativePushInput }
  | NativeSoupSource
  | NativeMoldSource
  | NativeCaptureSource;

/** An input event that contradicts the books; docs/ingest.md, "Validation". */
export interface NativeRefusal {
  /** Of the source's message. */
  position: bigint;
  timeNs: bigint;
  reason: string;
  /** What the event was to do. */
  kind: string;
  /** It was passed on. */
  passed: boolean;
  /** The source's own number of the instrument; 0: the channel. */
  sourceCode: number;
  orderId: bigint;
  price: bigint;
  quantity: bigint;
}

export interface NativeEngineOptions {
  /** IPv4 or IPv6 address as digits; empty: no TCP. */
  address: string;
  /** 0: a free one. */
  port: number;
  /** Unix sockets. */
  paths: string[];
  channel: number;
  acknowledge: 'committed' | 'journaled' | 'durable';
  takeover: boolean;
  loginMs: number;
  heartbeatMs: number;
  idleMs: number;
  frameBytesMax: number;
  batchEventsMax: number;
}

/** What a listener tells: a login that waits for decide(), one that was accepted, a connection that was closed. */
export interface NativeEngineNews {
  kind: 'login' | 'accepted' | 'closed';
  connection: bigint;
  engine: string;
  token: string;
  /** ingest::Refusal; 0: the engine left. */
  refusal: number;
  detail: string;
}

/** Listens from its construction on, which throws where it cannot. A thread of the publisher serves it. */
export interface NativeEngineListener {
  /** Of TCP; 0 where there is none. */
  port(): number;
  decide(decision: { connection: bigint; accepted: boolean; detail: string }): void;
  /** Any number of times. */
  close(): void;
}

/** Any thread of this process that holds the object; calls exclude each other. */
export interface NativePushInput {
  /**
   * Takes what there is room for of a Batch frame (docs/ingest.md) whose memory is aligned to 8. out[0]: the number that
   * is expected next, 0 where the source does not run; out[1]: number of the event that is wrong. Returns '', 'hole',
   * or what is wrong.
   */
  push(frame: Uint8Array, out: BigUint64Array): string;
  /** The number that is expected next; 0 where the source does not run. */
  next(): bigint;
  acknowledged(): bigint;
  /** Nothing more comes. */
  end(): void;
}

/** How a source ended. */
export interface NativeSourceEnd {
  /** `end`: all of it was published; `stopped`: by stop(); `fault`: it could not be read on. */
  reason: 'end' | 'stopped' | 'fault';
  /** For `fault`: offset in bytes of the message that broke, and what was expected there. */
  offset: bigint;
  expected: string;
  /** Messages of the source that were taken. */
  position: bigint;
}

export interface NativeDefinition {
  instrument: number;
  symbol: string;
  priceExponent: number;
  quantityExponent: number;
  sourceCode: number;
  lotSize: number;
}

/** What `depth` leaves in its array; one word each. */
export const depth_header_words = 8;
/** Words of one level: price, quantity, orders. */
export const depth_level_words = 3;

/**
 * depth(instrument, levels, out) fills `out`:
 * [0] sequence, [1] event time ns, [2] instrument sequence, [3] trading status, [4] bids, [5] asks, [6], [7] unused;
 * then `levels` bids and `levels` asks of three words each. A Float64Array gets the same as doubles, [6] being 1 where
 * prices, quantities and sequence are exact, and levels as columns: bid prices, quantities, orders, then those of asks,
 * `levels` each. Returns 0 ok, 1 busy, 2 writer dead, 3 unknown instrument.
 * Any thread of this process that holds the object; never waits for the writer.
 */
export type DepthFunction = (instrument: number, levels: number, out: BigInt64Array | Float64Array) => number;

export interface NativePublisher {
  /** Chooses the source; once, before start. Throws when the source's options are wrong. */
  source(source: NativeSource): void;
  /** Figures of the source's own, by name. */
  sourceFigures(): Record<string, bigint>;
  /** Starts the publisher thread: heartbeats go out. The source waits for release(). */
  start(): void;
  release(): void;
  /** Ends the source; the end of session is sent; onEnd follows. */
  stop(): void;
  /** Waits for the threads and frees everything. Any number of times, at any moment. */
  close(): void;
  /** Names this publisher to other threads of the process: NativeGatewayOptions.publisher. */
  handle(): number;
  /** Figures in the order of publisherCounterNames. */
  counters(out: BigUint64Array): void;
  /** Figures in the order of journalCounterNames; zeros where there is no journal. */
  journalCounters(out: BigUint64Array): void;
  begin(): NativeBegin;
  depth: DepthFunction;
  /** Definitions published since the last call, in order. */
  definitions(): NativeDefinition[];
  /** Refusals since the last call, in order; at most 256, the rest is only counted (`refusalsUntold`). */
  refusals(): NativeRefusal[];
}

export interface NativeSubscriberLine {
  group: string;
  port: number;
  interface: string;
  sources: string[];
  sourceSpecific: boolean;
}

export interface NativeSubscriberOptions extends NativeLimits {
  channel: number;
  /** 0: whichever comes. */
  session: bigint;
  /** Line A, line B or both, with null for one that is not followed. */
  lines: (NativeSubscriberLine | null)[];
  /** No lines: the datagrams that are offered are the feed itself, with its snapshots, in order. */
  fed: boolean;
  receiveBufferBytes: number;
  coalescing: boolean;
  /** SO_BUSY_POLL in µs; 0: off. */
  busyPollUs: number;
  gapWaitMs: number;
  parkedMax: number;
  parkedBytesMax: number;
  /** Holes stay open until they are closed, or for giveUpMs (0: for ever); else they are given up after gapWaitMs. */
  recovery: boolean;
  giveUpMs: number;
  /** None or one: joined on request only. */
  snapshotLine: NativeSubscriberLine[];
  /** Where updates begin: after resumeSequence (0: from the start) of that session. */
  resumeSession: bigint;
  resumeSequence: bigint;
  resumeDigest: bigint;
  silenceMs: number;
  wait: WaitStrategyName;
  core: number;
  /** With prefault; see the counters lockedBytes and lockError. */
  lockMemory: boolean;
  /** Updates kept for JavaScript; 0: none are delivered. Rounded up to a power of two. */
  deliveryCapacity: number;
  /** When JavaScript is too slow: skip updates (counted), or stop delivering for good and say so. */
  deliveryPolicy: 'skip' | 'stop';
  /** Ascending source positions after which the books are exported by themselves. */
  exportPositions: bigint[];
  exportOrders: boolean;
  /** Absent: nothing is measured. */
  probe?: NativeJitterReceiver | undefined;
}

/** Columns that drainUpdates fills: one entry for each message, all of one length. */
export interface UpdateColumns {
  sequence: BigUint64Array;
  /** Position of the source's message. */
  position: BigUint64Array;
  /** CLOCK_REALTIME ns. */
  time: BigInt64Array;
  /** Trades: the trade id. */
  orderId: BigUint64Array;
  price: BigInt64Array;
  quantity: BigUint64Array;
  detail: BigUint64Array;
  /** Best prices at the end of the event; where the quantity is 0 the side is empty. */
  bidPrice: BigInt64Array;
  bidQuantity: BigUint64Array;
  askPrice: BigInt64Array;
  askQuantity: BigUint64Array;
  /** Trades and auctions only. */
  quantity2: BigUint64Array;
  price2: BigInt64Array;
  price3: BigInt64Array;
  price4: BigInt64Array;
  price5: BigInt64Array;
  /** The channel's digest after the message; the publisher's where the message ends an event. */
  digest: BigUint64Array;
  instrument: Uint32Array;
  instrumentSequence: Uint32Array;
  code: Uint32Array;
  flags: Uint16Array;
  kind: Uint8Array;
  side: Uint8Array;
}

export type NativeFeedStateName = 'connecting' | 'recovering' | 'synchronized' | 'stale' | 'ended';
export type RepairWay = 'line' | 'retransmission' | 'snapshot';

/** What the receiver has to say, besides updates. */
export type NativeFeedNews =
  | { type: 'session'; session: bigint }
  | { type: 'state'; state: NativeFeedStateName }
  | { type: 'missing'; first: bigint; last: bigint }
  | { type: 'recovered'; first: bigint; last: bigint; way: RepairWay }
  | { type: 'givenUp'; first: bigint; last: bigint }
  | { type: 'snapshot'; sequence: bigint; generation: bigint }
  | { type: 'snapshotRefused'; generation: bigint; reason: string }
  /** The books are at resumeSequence; `equal`: with resumeDigest. */
  | { type: 'resumed'; sequence: bigint; equal: boolean }
  | { type: 'digestMismatch'; sequence: bigint }
  | { type: 'overrun'; lost: bigint }
  | { type: 'endOfSession'; session: bigint; sequence: bigint; position: bigint }
  | { type: 'definitions' }
  | { type: 'export'; id: number; result: NativeExport };

/** Drained in order; it comes after so many updates in all. */
export type NativeFeedEvent = NativeFeedNews & { updatesBefore: number };

/** What recovery has to know; some ms old at most. */
export interface NativeRecoveryView {
  session: bigint;
  /** The first number that has not been applied; every number below knownEnd has been sent. */
  next: bigint;
  knownEnd: bigint;
  /** First number kept behind the holes; 0: none. */
  parkedFirst: bigint;
  /** Numbers missing in all. */
  missing: bigint;
  state: NativeFeedStateName;
  /** Every book is live. */
  whole: boolean;
  endAnnounced: boolean;
  /** The first 1,024 holes that have waited for gapWaitMs: pairs of first and last sequence, ascending. */
  overdue: BigUint64Array;
}

/** All books, or one, at the end of one event. */
export interface NativeExport {
  session: bigint;
  sequence: bigint;
  /** Position that was asked for, or of the last message applied. */
  position: bigint;
  digest: bigint;
  /** Every instrument is live. */
  whole: boolean;
  instruments: NativeExportInstrument[];
  /** Levels of all instruments one after the other: bids best first, then asks best first. */
  levelPrice: BigInt64Array;
  levelQuantity: BigUint64Array;
  levelOrders: Uint32Array;
  /** Orders of those levels in queue order; empty unless they were asked for. */
  orderId: BigUint64Array;
  orderQuantity: BigUint64Array;
}

export interface NativeExportInstrument extends NativeDefinition {
  /** 0 live, 1 unconfirmed, 2 stale. */
  state: number;
  status: number;
  digest: bigint;
  instrumentSequence: number;
  liveOrders: number;
  bidLevels: number;
  askLevels: number;
}

export interface NativeOrderPlace {
  instrument: number;
  side: number;
  price: bigint;
  quantity: bigint;
  priority: bigint;
  /** Orders and quantity ahead of it in its level's queue. */
  ordersAhead: number;
  quantityAhead: bigint;
}

export interface NativeSubscriber {
  start(): void;
  close(): void;
  /**
   * Moves updates to the columns, whole events only; returns how many messages. Only those that came before the last
   * drainEvents(): call that first, so that definitions are known before the updates that name them. At most `count`,
   * which must be the end of an event.
   */
  drainUpdates(count?: number): number;
  drainEvents(): NativeFeedEvent[];
  /** Asks the receiver's thread for an export (instrument 0: all); the result comes as an event with this id. */
  requestExport(id: number, instrument: number, orders: boolean): void;
  counters(out: BigUint64Array): void;
  /** Ranges given up so far, oldest first, at most 65,536: pairs of first and last sequence. */
  missing(): BigUint64Array;
  /** Latency from send time to applied, in ns, in the buckets of latencyBucketValue(). */
  latency(out: BigUint64Array): void;
  depth: DepthFunction;
  definitions(): NativeDefinition[];
  /**
   * Whole datagrams one after the other that recovery has brought; copied. Returns the bytes that wait, with these; 0
   * where they were refused, since too many wait.
   */
  offer(bytes: Uint8Array): number;
  /** Undefined when closed. */
  recovery(): NativeRecoveryView | undefined;
  /** The end of the event that was applied last, some ms old; sequence 0: none. Undefined when closed. */
  applied(): { session: bigint; sequence: bigint; digest: bigint } | undefined;
  /** From when a hole was known to when it was closed, in ns, in the same buckets as latency(). */
  repairTime(out: BigUint64Array): void;
  /** Follows that session at once, where it is a newer one. */
  confirmSession(session: bigint): void;
  /** Parts of a snapshot that are offered from now on are taken, until one is whole. */
  wantSnapshot(): void;
  /** Gives up what is missing below `end`. */
  giveUpBelow(end: bigint): void;
  cancelResume(): void;
  /** Joins snapshotLine, or leaves it. */
  joinSnapshotLine(joined: boolean): void;
}

/** A set of books in the caller's own hands: synchronous, one thread. */
export interface NativeBooks {
  /**
   * Applies one message: [order id, price, quantity, sequence] in `words`, the rest as arguments.
   * Returns a result of apply_result_names.
   */
  apply(kind: number, instrument: number, side: number, flags: number, words: BigInt64Array): number;
  endEvent(sequence: bigint, timeNs: bigint): void;
  /** [price, quantity, orders] triples, best first; at most `limit` levels. */
  levels(instrument: number, side: number, limit: number): BigInt64Array;
  /** [order id, quantity, priority] triples in queue order. */
  orders(instrument: number, side: number, price: bigint): BigUint64Array;
  order(id: bigint): NativeOrderPlace | undefined;
  digest(instrument: number): bigint;
  liveOrders(): number;
  /** The first contradiction an audit finds, or an empty string. */
  audit(): string;
  depth: DepthFunction;
}

/** What a replica needs, where there is one. */
export interface NativeReplicaOptions extends NativeLimits {
  /** Absent: nothing is measured. Else what the replica does goes into its activities. */
  activities?: NativeJitterSender;
  channel: number;
  datagramBytes: number;
  /** So long one snapshot serves all who ask. */
  ageMs: number;
  /** Between two checkpoints; 0: none. */
  checkpointMs: number;
  checkpointsKept: number;
  wait: WaitStrategyName;
  core: number;
  /** The snapshot group. */
  line: { group: string; port: number; interface: string; bytesPerSecond: number } | null;
  ttl: number;
  loop: boolean;
  segmentation: boolean;
}

export interface NativeRecoveryOptions {
  /** A publisher of this thread; its ring stays until the recovery is closed. Null: the ring is a file. */
  publisher: NativePublisher | null;
  /** Where there is none yet, or another one later, it is looked for again. */
  ringPath: string;
  /** Empty: none. */
  journalFolder: string;
  checkpointsFolder: string;
  replica: NativeReplicaOptions | null;
}

export interface NativeArchiveState {
  channel: number;
  /** 0: there is no ring yet. */
  session: bigint;
  /** Number that the next message will carry. */
  next: bigint;
  /** Lowest number that can be had; `next` where there is none. */
  oldest: bigint;
  ended: boolean;
}

export interface NativeArchiveRead {
  status: 'ok' | 'too_low' | 'too_high' | 'unavailable' | 'wrong_session';
  /** First number that was not given; with `ok` and next <= last, the bound was reached: ask again from there. */
  next: bigint;
  /** Where status is not ok: it holds from `next` to here. */
  until: bigint;
  datagrams: number;
  /** `reserve` zero bytes, then whole datagrams. */
  frame: Uint8Array;
}

export interface NativeSnapshot {
  /** For sliceSnapshot(); its memory stays until releaseSnapshot(). */
  handle: number;
  session: bigint;
  /** Last number that it includes. */
  sequence: bigint;
  bytes: number;
}

/** The past of one channel and its snapshots. */
export interface NativeRecovery {
  /** At most 16 MiB in one call, but always one datagram where there is one. */
  read(session: bigint, first: bigint, last: bigint, bytesMax: number, reserve: number): NativeArchiveRead;
  /** Notices another ring, at most ten times a second. */
  state(): NativeArchiveState;
  /**
   * False: too many wait, nothing follows. `before` not 0: from a checkpoint at or below that number. An empty list:
   * every instrument. The answer comes by onSnapshot with this id.
   */
  requestSnapshot(id: number, sequenceMin: bigint, before: bigint, instruments: Uint32Array): boolean;
  /** Of an instrument as the replica knows it now; undefined: it is not defined, or there is no replica. */
  symbol(instrument: number): string | undefined;
  /** `reserve` zero bytes, then whole datagrams from `offset` on; none at the end. Undefined: released. */
  sliceSnapshot(handle: number, offset: number, bytesMax: number, reserve: number): Uint8Array | undefined;
  releaseSnapshot(handle: number): void;
  /** Figures in the order of recoveryCounterNames. */
  counters(out: BigUint64Array): void;
  /** Ends the replica and frees every snapshot. Any number of times, at any moment. */
  close(): void;
}

export interface NativeReplayOptions extends NativeLimits {
  /** A folder; or, where itchDescriptor is a number, not used. */
  journal: string;
  /** Of an ITCH file to read; the addon owns it from now on. */
  itchDescriptor: number | null;
  /** 0: a journal's newest. */
  session: bigint;
  /** ITCH only. */
  channel: number;
  midnightNs: bigint;
  /** Both included. */
  fromSequence: bigint;
  toSequence: bigint;
  fromTimeNs: bigint | null;
  toTimeNs: bigint | null;
  speed: number;
  rate: number;
  /** None, one or two. */
  lines: { group: string; port: number; interface: string }[];
  snapshotLine: { group: string; port: number; interface: string } | null;
  ttl: number;
  loop: boolean;
  datagramBytes: number;
  /** Folder of a new journal; empty: none. */
  outJournal: string;
  /** Updates for drainUpdates(). */
  updates: boolean;
}

export interface NativeReplayProgress {
  channel: number;
  session: bigint;
  /** Lowest number that the source has, and the number after its last; 0 where it does not know. */
  oldest: bigint;
  next: bigint;
  bytesTaken: bigint;
  started: boolean;
  ended: boolean;
  /** Numbers delivered. */
  first: bigint;
  last: bigint;
  messages: bigint;
  packets: bigint;
  bytes: bigint;
  /** Last number seen, delivered or passed over on the way. */
  at: bigint;
  timeNs: bigint;
  sendFailures: bigint;
  /** Last number of the checkpoint that the books began with; 0: they began with nothing. */
  snapshotSequence: bigint;
  booksRight: boolean;
  /** The end of the session was there. */
  sessionEnded: boolean;
}

export interface NativeReplayMissing {
  /** 0: no numbers, or none that are known. */
  first: bigint;
  last: bigint;
  why: string;
  /** Where it stands in a journal; segment 0: nowhere. */
  segment: bigint;
  offset: bigint;
}

export interface NativeReplayer {
  /** Works for about so many ms on another thread. No other call until it has settled, save close(). */
  step(ms: number): Promise<void>;
  /** Moves updates to the columns; returns how many messages. */
  drainUpdates(): number;
  progress(): NativeReplayProgress;
  missing(): NativeReplayMissing[];
  definitions(): NativeDefinition[];
  /** Closes the new journal, once `ended`. Throws where it cannot be written. */
  finish(): void;
  close(): void;
}

export interface NativeLoad {
  pattern: 'constant' | 'poisson' | 'bursts' | 'file';
  /** Messages a second; not used by `file`. */
  rate: number;
  /** Messages due at one instant, `bursts` only. */
  burst: number;
  /** How many times faster than its own times, `file` only. */
  speed: number;
  seed: bigint;
}

export interface NativeJitterSenderOptions {
  floorLines: { group: string; port: number; interface: string }[];
  /** File of the cache line that this side writes, and of the other side's; empty: no round trips. */
  pingPath: string;
  pingOtherPath: string;
  /** An ITCH file to read, which the addon owns from now on; null: the simulated exchange. */
  descriptor: number | null;
  simulate: NativeSimulateOptions;
  /** Done to the publisher's thread in the middle of a batch, in slices that ask for it; null: nothing. */
  injection: { what: 'pause' | 'fsync'; everyNs: number; lengthNs: number; path: string } | null;
}

/** What runs beside the path, by the number in rows of activities. */
export const activity_names = [
  'fsync',
  'journal_write',
  'replica',
  'snapshot',
  'snapshot_loop',
  'checkpoint',
  'injected',
] as const;

/** What one slice of a measurement has left. Times are ns from the base that was given. */
export interface NativeJitterSent {
  /** Rows of 6: ingest, sequenced, before send, after send, last sequence, packets up to and with it. */
  batches: Float64Array;
  /** By stage (ingest, sequence, encode, send, floor wait, floor send): pairs of upper ns of a bucket and its count. */
  stages: Float64Array[];
  /**
   * Rows of 9: begin, end, voluntary and forced context switches, page faults, run delay ns, blocks moved to or from a disk,
   * ns off the core, 1 where work was done in it.
   */
  stalls: Float64Array;
  /** Since the last result. Rows of 3: index in activity_names, begin, end. */
  activities: Float64Array;
  stallsLost: number;
  unrecorded: number;
  unsent: number;
  roundTrips: Float64Array;
  knowsRunDelay: boolean;
}

/**
 * Load and clock on the publisher's own thread: the `probe` of one Publisher that has no source. Only one thing runs at a
 * time; all but busy() and abort() throw meanwhile.
 */
export interface NativeJitterSender {
  /** Reads the next messages: so many, or with 0 those due within lengthNs. Returns how many there are. */
  prepare(slice: NativeLoad & { messages: number; lengthNs: number }): number;
  /** The first message is due in `delayNs`; what is not sent `limitNs` later never is. Returns that start. */
  startFeed(delayNs: number, limitNs: number, inject: boolean): bigint;
  /** Sends the datagrams of the last feed again, with nothing else done. */
  startFloor(delayNs: number): bigint;
  preparePing(): void;
  startPing(): void;
  busy(): boolean;
  /** For good. */
  abort(): void;
  result(base: bigint): NativeJitterSent;
}

export interface NativeJitterReceiverOptions {
  floorLines: { group: string; port: number; interface: string }[];
  receiveBufferBytes: number;
  coalescing: boolean;
  packetsMax: number;
  messagesMax: number;
  pingPath: string;
  pingOtherPath: string;
}

export interface NativeJitterReceived {
  /** Rows of 7: kernel (-1: unknown), received, applied, due of its oldest message, last sequence, messages, line. */
  packets: Float64Array;
  /**
   * By stage (due to kernel, queue, apply, total, total without stalls, inter-arrival, applied to JavaScript, due to
   * JavaScript), as in NativeJitterSent.
   */
  stages: Float64Array[];
  stalls: Float64Array;
  stallsLost: number;
  /** Rows of 3: last sequence, time, run delay ns of the JavaScript thread since the one before. */
  deliveries: Float64Array;
  /** Messages behind the last delivery. */
  undelivered: number;
  messages: number;
  /** Messages that met a stall of the machine. */
  excluded: number;
  unrecorded: number;
  knowsRunDelay: boolean;
}

/** `delivered`: the feed, with its updates delivered to JavaScript. */
export const jitter_receive = { feed: 1, floor: 2, ping: 3, delivered: 4 } as const;

/** The `probe` of one Subscriber. */
export interface NativeJitterReceiver {
  start(what: (typeof jitter_receive)[keyof typeof jitter_receive], limitNs: number): void;
  /** busy() is false soon after. */
  stop(): void;
  busy(): boolean;
  /** JavaScript has just been called with updates up to this number. */
  delivered(sequence: bigint): void;
  /** `senderStalls`: pairs of begin and end of the machine's stalls of the sending thread. */
  result(base: bigint, senderStalls: Float64Array): NativeJitterReceived;
}

export interface NativeGatewayOptions extends NativeLimits {
  /** NativePublisher.handle() of this process; its ring stays until the gateway is closed. 0: the ring is a file. */
  publisher: number;
  ringPath: string;
  /** Where a worker that was lapped gets its books back from; empty: it cannot within the session. */
  journalFolder: string;
  checkpointsFolder: string;
  channel: number;
  /** Bytes for windows of all subscriptions; beyond it they are sent full windows. */
  windowBytesMax: number;
  /** Prints kept for those who are slow. */
  printsMax: number;
  /** One snapshot of the channel serves all who ask for so long. */
  snapshotAgeMs: number;
}

export type NativeGatewayMode = 'exact' | 'filtered' | 'depth' | 'trades';
export type NativeSlowPolicy = 'conflate' | 'snapshot' | 'disconnect';

export interface NativeGatewayRequest {
  mode: NativeGatewayMode;
  /** Null: all there are and will be. */
  instruments: Uint32Array | null;
  levels: number;
  intervalMs: number;
  onSlow: NativeSlowPolicy;
  /** exact: the last number that the client has; 0: none. */
  resume: bigint;
}

/** published = sent + conflated + refused + pending; docs/gateway.md, "Counted, never silent". */
export interface NativeGatewayCounts {
  published: bigint;
  sent: bigint;
  conflated: bigint;
  refused: bigint;
  pending: bigint;
  /** The last number sent or covered. */
  sequence: bigint;
}

export interface NativeGatewaySlow {
  subscription: number;
  did: NativeSlowPolicy;
  sequence: bigint;
}

/** One worker's view of a channel. Threads: the one that made it. Every method throws once it is closed, but close(). */
export interface NativeGateway {
  /** Takes some of what is new, about a millisecond of work; false where there was nothing. */
  step(): boolean;
  state(): { session: bigint; sequence: bigint; ready: boolean; ended: boolean; definitionsVersion: number };
  definitions(): NativeDefinition[];
  openClient(): number;
  closeClient(client: number): void;
  /** False: that number is in use, or there is no such client. */
  subscribe(client: number, subscription: number, request: NativeGatewayRequest): boolean;
  /** Another request in the place of the old one; the counts go on. False: there is none of that number. */
  change(client: number, subscription: number, request: NativeGatewayRequest): boolean;
  unsubscribe(client: number, subscription: number): NativeGatewayCounts | undefined;
  counts(client: number, subscription: number): NativeGatewayCounts | undefined;
  /**
   * The client's next binary frame into `out` (at least 20,480 bytes); its length, plus 2^32 where there is more, plus
   * 2^33 where takeSlow() has something to tell, plus 2^34 where joinedGroup() has. `share`: a group may carry it from
   * behind this frame on. One that is in a group leaves it.
   */
  compose(client: number, out: Uint8Array, flush: boolean, share: boolean): number;
  /** The group that the client of the last compose() has joined with it; 0: none. */
  joinedGroup(): number;
  /**
   * The next binary frame of every member into `out` (at least 20,480 bytes); its length, plus 2^32 where there is
   * more, plus 2^34 where the group has ended behind this frame: its members go on by themselves.
   */
  composeGroup(group: number, out: Uint8Array): number;
  /** The client goes on by itself from where its group stands. Does nothing where it is in none. */
  leaveGroup(client: number): void;
  /** For a client that cannot be sent anything now: whether a policy acted; takeSlow() tells. */
  check(client: number): boolean;
  /** What slow consumers' policies did in the compose() or check() before. */
  takeSlow(): NativeGatewaySlow[];
  counters(): Record<string, bigint>;
  close(): void;
}

export interface NativeInspection {
  messages: bigint;
  /** Messages by type, indexed by the type's character code. */
  types: BigUint64Array;
  symbols: string[];
  firstTimeNs: bigint;
  lastTimeNs: bigint;
  bytes: bigint;
  timesGoingBack: bigint;
  fault: { offset: bigint; expected: string } | undefined;
}

export interface Addon extends NativeJournalTools {
  Publisher: new (options: NativePublisherOptions, onEnd: (end: NativeSourceEnd) => void) => NativePublisher;
  Subscriber: new (options: NativeSubscriberOptions, columns: UpdateColumns, onWake: () => void) => NativeSubscriber;
  /** `onSnapshot(id, snapshot, waitMs)`: null with a wait: come back then; null with 0: there will be none. */
  Recovery: new (
    options: NativeRecoveryOptions,
    onSnapshot: (id: number, snapshot: NativeSnapshot | null, waitMs: number) => void,
  ) => NativeRecovery;
  /** Throws where there is no ring, or the publisher is closed. */
  Gateway: new (
    options: NativeGatewayOptions,
  ) => NativeGateway;
  /** Throws where it cannot listen. */
  EngineListener: new (
    options: NativeEngineOptions,
    tell: (news: NativeEngineNews) => void,
  ) => NativeEngineListener;
  PushInput: new (options: { acknowledge: NativeEngineOptions['acknowledge'] }) => NativePushInput;
  Books: new (limits: NativeLimits) => NativeBooks;
  Replayer: new (options: NativeReplayOptions, columns: UpdateColumns) => NativeReplayer;
  /** CLOCK_REALTIME and CLOCK_MONOTONIC, in ns. */
  clocks(): [realtime: bigint, monotonic: bigint];
  /** Allows all threads of this process these cores alone. False where the system refuses. */
  confine(cores: number[]): boolean;
  JitterSender: new (options: NativeJitterSenderOptions) => NativeJitterSender;
  JitterReceiver: new (options: NativeJitterReceiverOptions) => NativeJitterReceiver;
  /** Reads a whole ITCH file on a thread of its own; the addon owns the descriptor from now on. */
  inspectItch(descriptor: number): Promise<NativeInspection>;
  /** Writes the simulated exchange's flow to `path` on a thread of its own; resolves to the messages written. */
  simulateToFile(path: string, options: NativeSimulateOptions): Promise<bigint>;
  /** Of a matching engine; null where there is no such file. Throws where it cannot be used. */
  eventRing(path: string): NativeEventRing | null;
  /** Both ends of a new pipe: [to read from, to write to]. */
  pipe(): [number, number];
  crc32c(bytes: Uint8Array): number;
  publisherCounterNames: string[];
  journalCounterNames: string[];
  recoveryCounterNames: string[];
  subscriberCounterNames: string[];
  applyResultNames: string[];
  /** Upper value in ns of each latency bucket. */
  latencyBucketValues: BigUint64Array;
}

const require = createRequire(import.meta.url);
// src/ and dist/ stand side by side, one level below the package.
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export const addon = require(join(root, 'build', 'Release', 'depthcast.node')) as Addon;
