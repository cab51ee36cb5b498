/** Follows one channel over line A and line B and keeps its books. */
import { EventEmitter } from 'node:events';
import { BookExport } from './book_export.js';
import type { Bbo, Depth, InstrumentInfo, SequenceRange } from './book_types.js';
import {
  parseOptions,
  type ResumeToken,
  type SubscribeOptions,
  type SubscribeOptionsInput,
  subscribeOptions,
} from './config.js';
import { ControlLink } from './control/client.js';
import type { DepthColumns } from './depth_columns.js';
import { DepthReader } from './depth_reader.js';
import { FeedBook } from './feed_book.js';
import { FeedRequests } from './feed_requests.js';
import { type ThreadUse, threadUse } from './host.js';
import { InstrumentDirectory } from './instruments.js';
import { type Histogram, LatencyRecorder } from './latency.js';
import {
  addon,
  type NativeFeedEvent,
  type NativeFeedStateName,
  type NativeJitterReceiver,
  type NativeSubscriber,
  type RepairWay,
} from './native.js';
import { applyProfile, hostWarnings, lockWarnings, receiverWarnings, thisHost } from './profile.js';
import { CounterReader, RateMeter } from './rates.js';
import { RecoveryClient, type RecoveryFigures } from './recovery/client.js';
import type { SnapshotReason } from './recovery/client_state.js';
import { nativeSubscriberOptions, recoveryUrl } from './subscriber_options.js';
import { batchRows, makeBatch, makeColumns, type UpdateBatch } from './updates.js';

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
  /** The control service knows this client. */
  joined: boolean;
  /** Every figure of the native thread by name. */
  counters: Record<string, bigint>;
  /** What the kernel counts for the receiving thread; undefined while it does not run. */
  thread: ThreadUse | undefined;
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
  /** The session has ended, and every message of it was applied or is named as missing. */
  endOfSession: [end: SessionEnd];
}

/**
 * Books are kept by a native thread. Everything here belongs to the JavaScript thread that made it; events are emitted
 * there. Updates that wait for a slow listener are bounded by delivery.capacity, see delivery.policy. It keeps the
 * process alive from start() to close().
 */
export class FeedClient extends EventEmitter<FeedClientEvents> {
  readonly options: SubscribeOptions;
  /** Resolves at the end of the first session; with undefined when closed before. Never rejects. */
  readonly ended: Promise<SessionEnd | undefined>;
  readonly #directory = new InstrumentDirectory();
  readonly #rates = new RateMeter();
  readonly #requests = new FeedRequests();
  #settleEnd!: (end: SessionEnd | undefined) => void;
  #native: NativeSubscriber | undefined;
  #counters: CounterReader | undefined;
  #depth: DepthReader | undefined;
  #latency: LatencyRecorder | undefined;
  #link: ControlLink | undefined;
  #batch = makeBatch(makeColumns(0));
  #recovery: RecoveryClient | undefined;
  #repairTime: LatencyRecorder | undefined;
  #state: FeedState = 'new';
  readonly #news: NativeFeedEvent[] = [];
  /** Updates taken from the queue, since the start. */
  #taken = 0;
  #token: ResumeToken | undefined;
  #session = 0n;
  #scheduled = false;
  #missing: SequenceRange[] | undefined;
  #closing: Promise<void> | undefined;
  #warnings: string[] = [];

  /** Throws ConfigError, which names every option that is wrong. `probe`: of a measurement (src/jitter). */
  constructor(
    options: SubscribeOptionsInput = {},
    private readonly probe?: NativeJitterReceiver,
  ) {
    super();
    this.options = parseOptions(subscribeOptions, applyProfile('subscribe', options), 'subscribe options');
    this.ended = new Promise((resolve) => {
      this.#settleEnd = resolve;
    });
  }

  /**
   * Joins the lines and starts the receiving thread; tells the control service in the background. Once. Rejects where a
   * line cannot be joined.
   */
  async start(): Promise<void> {
    if (this.#closing !== undefined) throw new Error('this client was closed before');
    if (this.#native !== undefined) throw new Error('this client was started before');
    const { delivery, limits } = this.options;
    const rows = delivery.updates ? batchRows(delivery.capacity) : 0;
    const columns = makeColumns(rows);
    this.#batch = makeBatch(columns);
    const native = new addon.Subscriber(
      { ...nativeSubscriberOptions(this.options), ...(this.probe && { probe: this.probe }) },
      columns,
      () => this.#wake(),
    );
    this.#native = native;
    this.#counters = new CounterReader(addon.subscriberCounterNames, (out) => native.counters(out));
    this.#depth = new DepthReader(native.depth.bind(native), limits.depthLevels);
    this.#latency = new LatencyRecorder(addon.latencyBucketValues, (out) => native.latency(out));
    this.#repairTime = new LatencyRecorder(addon.latencyBucketValues, (out) => native.repairTime(out));
    this.#prepareHost();
    native.start();
    this.#openLink();
    this.#openRecovery(native);
    this.#changeState('connecting');
  }

  /** Leaves the lines and the control service. Requests in flight reject. Any number of times, at any moment. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What the options ask for and this machine does not give; after start(). It runs without. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** As of the event `state` that came last. */
  get state(): FeedState {
    return this.#state;
  }

  /** The session that is followed; 0 before there is one. */
  get session(): bigint {
    return this.#readCounters().session ?? 0n;
  }

  /** Number of the last message applied, some ms old. */
  get sequence(): bigint {
    return this.#readCounters().sequence ?? 0n;
  }

  stats(): FeedStats {
    const counters = this.#readCounters();
    const figure = (name: string) => counters[name] ?? 0n;
    const packets = figure('datagramsA') + figure('datagramsB');
    const rates = this.#rates.update(performance.now(), [figure('messages'), packets]);
    return {
      session: figure('session'),
      sequence: figure('sequence'),
      position: figure('position'),
      messagesPerSecond: rates[0] ?? 0,
      packetsPerSecond: rates[1] ?? 0,
      updatesDelivered: figure('updatesDelivered'),
      updatesLost: figure('updatesLost'),
      missingRanges: Number(figure('missingRanges')),
      missingMessages: figure('missingMessages'),
      recoveredMessages: {
        line: figure('recoveredByLine'),
        retransmission: figure('recoveredByRetransmission'),
        snapshot: figure('recoveredBySnapshot'),
      },
      givenUpMessages: figure('givenUpMessages'),
      holes: Number(figure('holes')),
      snapshots: Number(figure('snapshots')),
      sessions: Number(figure('sessions')),
      recovery: this.#recovery && { ...this.#recovery.figures },
      digestMismatches: Number(figure('digestsMismatched')),
      joined: this.#link?.joined ?? false,
      counters,
      thread: this.#closing === undefined ? threadUse(Number(figure('threadId'))) : undefined,
    };
  }

  /** What was given up of this session, oldest first; at most 65,536 ranges. */
  missing(): SequenceRange[] {
    return this.#missing ?? missingOf(this.#native);
  }

  /** From the publisher's send to the applied book, in ns, since start. The clocks of two machines may differ. */
  latency(): Histogram {
    if (this.#latency === undefined) throw new Error('this client was never started');
    return this.#latency.whole();
  }

  /** The same since the last call of this function. */
  latencyInterval(): Histogram {
    if (this.#latency === undefined) throw new Error('this client was never started');
    return this.#latency.interval();
  }

  /** From when a hole was known to when it was closed, in ns, since start: holes that the other line did not close in time. */
  repairTime(): Histogram {
    if (this.#repairTime === undefined) throw new Error('this client was never started');
    return this.#repairTime.whole();
  }

  /**
   * For `options.resume` of another client, in another process: the end of the last event whose updates were delivered
   * (where none are, that was applied). Undefined before the first.
   */
  resumeToken(): ResumeToken | undefined {
    if (this.options.delivery.updates) return this.#token;
    const applied = this.#native?.applied();
    if (applied !== undefined && applied.sequence !== 0n) this.#token = applied;
    return this.#token;
  }

  /** Those known so far, by instrument number. */
  instruments(): InstrumentInfo[] {
    return this.#directory.all();
  }

  /** By number or name. */
  instrument(key: string | number): InstrumentInfo | undefined {
    return this.#directory.find(key);
  }

  /** At most limits.depthLevels levels, read at once; undefined for an unknown instrument. Throws DepthBusyError. */
  depth(key: string | number, levels?: number): Depth | undefined {
    const info = this.instrument(key);
    return info === undefined || this.#native === undefined ? undefined : this.#depth?.read(info.instrument, levels);
  }

  /**
   * Depth of an instrument by its number into memory that is used again, making no object. False for an instrument past
   * limits.instruments, and when not running. Throws DepthBusyError.
   */
  readDepth(instrument: number, columns: DepthColumns): boolean {
    return this.#native !== undefined && this.#depth?.readInto(instrument, columns) === true;
  }

  /** Best bid and offer, read at once; undefined for an unknown instrument. Throws DepthBusyError. */
  bbo(key: string | number): Bbo | undefined {
    const depth = this.depth(key, 1);
    if (depth === undefined) return undefined;
    const { sequence, timeNs, bids, asks } = depth;
    return { sequence, timeNs, bid: bids[0], ask: asks[0] };
  }

  /** Every level and order of one instrument, which need not be known yet. */
  book(key: string | number): FeedBook {
    return new FeedBook(String(key), (orders) => this.snapshot({ orders, symbol: key }));
  }

  /**
   * All books, or those of one instrument, at the end of one event. Rejects when the client is not running, or does not
   * know the instrument.
   */
  async snapshot({ orders = false, symbol }: { orders?: boolean; symbol?: string | number } = {}): Promise<BookExport> {
    const native = this.#native;
    if (native === undefined) throw new Error('this client is not running');
    const info = symbol === undefined ? undefined : this.instrument(symbol);
    if (symbol !== undefined && info === undefined) throw new RangeError(`instrument ${symbol} is not known`);
    return this.#requests.send(orders, (id) => native.requestExport(id, info?.instrument ?? 0, orders));
  }

  #prepareHost(): void {
    const { receiveBufferBytes, profile } = this.options;
    const host = thisHost();
    this.#warnings = hostWarnings(this.options, host);
    const counters = this.#readCounters();
    this.#warnings.push(...lockWarnings(Number(counters.lockError ?? 0n), host));
    const granted = [Number(counters.receiveBufferA ?? 0n), Number(counters.receiveBufferB ?? 0n)];
    const pollRefused = counters.busyPollRefused === 1n;
    if (profile !== undefined || pollRefused)
      this.#warnings.push(...receiverWarnings(receiveBufferBytes, granted, pollRefused));
  }

  #readCounters(): Record<string, bigint> {
    return this.#counters?.read() ?? {};
  }

  #openLink(): void {
    const { control, lineA, lineB } = this.options;
    if (control === null) return;
    const lines: ('A' | 'B')[] = [];
    if (lineA !== null) lines.push('A');
    if (lineB !== null) lines.push('B');
    this.#link = new ControlLink({ url: control, lines, receiving: () => this.session !== 0n });
    this.#link.start();
  }

  #openRecovery(native: NativeSubscriber): void {
    const { recovery, resume, channel } = this.options;
    const url = recoveryUrl(this.options);
    if (url === undefined) {
      if (resume !== null) setImmediate(() => this.emit('resumeFailed', 'recovery is not used'));
      return;
    }
    this.#recovery = new RecoveryClient(native, {
      ...recovery,
      channel,
      url,
      hasSnapshotLine: recovery.snapshotLine !== null,
      resume,
      random: Math.random,
      onResumeFailed: (reason) => this.emit('resumeFailed', reason),
    });
    this.#recovery.start();
  }

  #changeState(state: FeedState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.emit('state', state, previous);
  }

  async #shutDown(): Promise<void> {
    const native = this.#native;
    this.resumeToken();
    this.#recovery?.close();
    // Figures stay readable as they are now.
    this.#missing = missingOf(native);
    this.#readCounters();
    this.#latency?.read();
    this.#repairTime?.read();
    this.#native = undefined;
    native?.close();
    this.#news.length = 0;
    this.#requests.close();
    this.#settleEnd(undefined);
    this.#changeState('closed');
    await this.#link?.close();
  }

  // Called for every wake-up of the native thread: one look covers all that came before it.
  #wake(): void {
    if (this.#scheduled || this.#native === undefined) return;
    this.#scheduled = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    this.#scheduled = false;
    try {
      const news = this.#native?.drainEvents() ?? [];
      for (const event of news) this.#news.push(event);
      this.#deliverNews();
      // The rest of what came before drainEvents().
      this.#deliverUpdates(Number.POSITIVE_INFINITY);
    } finally {
      // A listener has thrown: the rest comes in a turn of its own.
      if (this.#news.length > 0) this.#wake();
    }
  }

  // Each event in its place between the updates.
  #deliverNews(): void {
    let taken = 0;
    let look = false;
    try {
      while (taken < this.#news.length && this.#native !== undefined) {
        const event = this.#news[taken] as NativeFeedEvent;
        this.#deliverUpdates(event.updatesBefore);
        taken++;
        // All definitions are fetched at once.
        if (event.type === 'definitions' && this.#news[taken]?.type === 'definitions') continue;
        look = true;
        this.#deliver(event);
      }
    } finally {
      this.#news.splice(0, taken);
      if (look) this.#recovery?.look();
    }
  }

  // Up to so many since the start.
  #deliverUpdates(end: number): void {
    while (this.#taken < end) {
      const count = this.#native?.drainUpdates(end - this.#taken) ?? 0;
      if (count === 0) return;
      this.#taken += count;
      this.#batch.count = count;
      const { sequence, digest } = this.#batch;
      const token = { session: this.#session, sequence: sequence[count - 1] ?? 0n, digest: digest[count - 1] ?? 0n };
      this.emit('updates', this.#batch);
      this.#token = token;
    }
  }

  #deliver(event: NativeFeedEvent): void {
    switch (event.type) {
      case 'session':
        this.#session = event.session;
        this.emit('session', event.session);
        break;
      case 'state':
        this.#changeState(event.state);
        break;
      case 'definitions':
        this.#directory.replace(this.#native?.definitions() ?? []);
        this.emit('definitions', this.#directory.all());
        break;
      case 'missing':
        this.emit('missing', { first: event.first, last: event.last });
        break;
      case 'recovered':
        this.emit('recovered', { first: event.first, last: event.last }, event.way);
        break;
      case 'givenUp':
        this.emit('givenUp', { first: event.first, last: event.last });
        break;
      case 'snapshot':
        this.#deliverSnapshot(event.sequence, event.generation);
        break;
      case 'snapshotRefused':
        this.#recovery?.snapshotRefused();
        this.emit('snapshotRefused', event.reason);
        break;
      case 'resumed':
        this.#recovery?.resumed(event.equal);
        if (event.equal) this.emit('resumed', event.sequence);
        break;
      case 'digestMismatch':
        this.emit('digestMismatch', event.sequence);
        break;
      case 'overrun':
        this.emit('overrun', event.lost);
        break;
      case 'export':
        if (!this.#requests.settle(event.id, event.result))
          this.emit('export', new BookExport(event.result, this.options.exportOrders));
        break;
      case 'endOfSession': {
        const { session, sequence, position } = event;
        this.#settleEnd({ session, sequence, position });
        this.emit('endOfSession', { session, sequence, position });
        break;
      }
    }
  }

  #deliverSnapshot(sequence: bigint, generation: bigint): void {
    const reason = this.#recovery?.snapshotReason ?? 'behind';
    this.#recovery?.snapshotTaken();
    this.emit('snapshot', { sequence, generation, reason });
  }
}

function missingOf(native: NativeSubscriber | undefined): SequenceRange[] {
  const flat = native?.missing() ?? new BigUint64Array(0);
  const ranges: SequenceRange[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2)
    ranges.push({ first: flat[index] ?? 0n, last: flat[index + 1] ?? 0n });
  return ranges;
}
