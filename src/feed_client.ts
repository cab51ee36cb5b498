/** Follows one channel, over line A and line B or over a gateway, and keeps its books. */
import { EventEmitter } from 'node:events';
import { BookExport } from './book_export.js';
import type { Bbo, Depth, InstrumentInfo, SequenceRange } from './book_types.js';
import type { GatewayError } from './browser/gateway_error.js';
import type { ChangeOptions } from './browser/protocol.js';
import { DirectoryError, findChannel, gatewayUrl, multicastOptions } from './client/directory.js';
import { FedFeed } from './client/fed_feed.js';
import type { GatewayLink, GatewayLinkOptions } from './client/gateway_link.js';
import { WindowFeed } from './client/window_feed.js';
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
import type { FeedClientEvents, FeedState, FeedStats, SessionEnd } from './feed_types.js';
import { threadUse } from './host.js';
import { InstrumentDirectory } from './instruments.js';
import { type Histogram, LatencyRecorder } from './latency.js';
import {
  addon,
  type NativeFeedEvent,
  type NativeJitterReceiver,
  type NativeSubscriber,
  type NativeSubscriberOptions,
} from './native.js';
import { applyProfile, hostWarnings, lockWarnings, receiverWarnings, thisHost } from './profile.js';
import { CounterReader, RateMeter } from './rates.js';
import { RecoveryClient } from './recovery/client.js';
import { fedSubscriberOptions, nativeSubscriberOptions, recoveryUrl } from './subscriber_options.js';
import { batchRows, makeBatch, makeColumns } from './updates.js';

export type {
  FeedClientEvents,
  FeedState,
  FeedStats,
  GatewayFigures,
  SessionEnd,
  SnapshotInfo,
} from './feed_types.js';

/** How often it is looked whether multicast has arrived. */
const probe_every_ms = 10;
/** Windows of a gateway: no native thread counts latency. */
const nothing = () => {};

/**
 * Books are kept by a native thread, over a gateway too in mode exact; in its other modes windows and books of chosen
 * instruments are kept here, and what needs every message (updates, snapshot(), resumeToken()) is not to be had. Everything here belongs to the JavaScript thread that made it; events are emitted
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
  #started = false;
  #fed: FedFeed | undefined;
  #windows: WindowFeed | undefined;
  /** Packets of the gateway come; and what the books are like meanwhile. */
  #linkUp = false;
  #bookState: FeedState = 'connecting';
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
   * Joins the lines, or connects to the gateway, and starts the receiving thread. Once. Rejects where a line cannot be
   * joined, with DirectoryError where the directory does not help, with GatewayError where the gateway refuses. A gateway
   * that does not answer in time is tried again and again.
   */
  async start(): Promise<void> {
    if (this.#closing !== undefined) throw new Error('this client was closed before');
    if (this.#started) throw new Error('this client was started before');
    this.#started = true;
    const { directory, gateway } = this.options;
    if (directory !== null) await this.#startFrom(directory);
    else if (gateway !== null) await this.#startGateway(gateway);
    else this.#startLines(this.options);
  }

  /** Leaves the lines and the control service. Requests in flight reject. Any number of times, at any moment. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What is followed; undefined before start() has found it. */
  get transport(): 'multicast' | 'gateway' | undefined {
    if (this.#gatewayLink !== undefined) return 'gateway';
    return this.#depth === undefined ? undefined : 'multicast';
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
    return this.#windows?.link.subscription.session ?? this.#readCounters().session ?? 0n;
  }

  /** Number of the last message applied, some ms old. */
  get sequence(): bigint {
    return this.#windows?.link.subscription.sequence ?? this.#readCounters().sequence ?? 0n;
  }

  stats(): FeedStats {
    const counters = this.#readCounters();
    const figure = (name: string) => counters[name] ?? 0n;
    const link = this.#gatewayLink;
    const windows = this.#windows?.link.figures();
    const packets = figure('datagramsA') + figure('datagramsB') + BigInt(windows?.frames ?? 0);
    const rates = this.#rates.update(performance.now(), [figure('messages'), packets]);
    return {
      session: this.session,
      sequence: this.sequence,
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
      gateway: link && { ...link.figures(), ...(this.#fed && { packets: this.#fed.packets }) },
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
    if (this.#windows !== undefined) return info && this.#windows.depth(info, levels);
    return info === undefined || this.#native === undefined ? undefined : this.#depth?.read(info.instrument, levels);
  }

  /**
   * Depth of an instrument by its number into memory that is used again, making no object. False for an instrument past
   * limits.instruments, and when not running. Throws DepthBusyError. Not without objects in the modes of a gateway.
   */
  readDepth(instrument: number, columns: DepthColumns): boolean {
    if (this.#windows !== undefined) return this.#windows.readDepth(instrument, columns);
    return this.#native !== undefined && this.#depth?.readInto(instrument, columns) === true;
  }

  /** Best bid and offer, read at once; undefined for an unknown instrument. Throws DepthBusyError. */
  bbo(key: string | number): Bbo | undefined {
    if (this.#windows !== undefined) {
      const info = this.instrument(key);
      return info && this.#windows.bbo(info);
    }
    const depth = this.depth(key, 1);
    if (depth === undefined) return undefined;
    const { sequence, timeNs, bids, asks } = depth;
    return { sequence, timeNs, bid: bids[0], ask: asks[0] };
  }

  /**
   * Another request in the place of mode, instruments, levels, intervalMs, onSlow, in flight; of a gateway, and neither
   * from nor to mode exact. Rejects with GatewayError where it is refused.
   */
  async change(change: ChangeOptions): Promise<void> {
    if (this.#windows === undefined) throw new Error('only what comes over a gateway, and not exactly, can be changed');
    if (change.mode === 'exact') throw new RangeError('mode exact needs a client of its own, with native books');
    await this.#windows.change(change);
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
    if (this.#windows !== undefined) throw new Error(`mode ${this.options.mode} keeps no books of every order`);
    if (native === undefined) throw new Error('this client is not running');
    const info = symbol === undefined ? undefined : this.instrument(symbol);
    if (symbol !== undefined && info === undefined) throw new RangeError(`instrument ${symbol} is not known`);
    return this.#requests.send(orders, (id) => native.requestExport(id, info?.instrument ?? 0, orders));
  }

  get #gatewayLink(): GatewayLink | undefined {
    return this.#fed?.link ?? this.#windows?.link;
  }

  async #startFrom(directory: string): Promise<void> {
    const { mode, transport } = this.options;
    const entry = await findChannel(this.options);
    const gateway = gatewayUrl(entry, directory);
    const lines = mode === 'exact' && transport !== 'gateway' ? multicastOptions(this.options, entry) : undefined;
    this.#checkOpen();
    if (lines !== undefined && (transport === 'multicast' || gateway === undefined)) this.#startLines(lines);
    else if (lines !== undefined && (await this.#tryLines(lines))) return;
    else if (gateway === undefined)
      throw new DirectoryError(`${directory} names nothing that transport ${transport} could follow in mode ${mode}`);
    else await this.#startGateway(gateway);
  }

  // A client that was closed while it was starting.
  #checkOpen(): void {
    if (this.#closing !== undefined) throw new Error('this client was closed before');
  }

  // Whether a session arrives in time. False: nothing of it is left.
  async #tryLines(options: SubscribeOptions): Promise<boolean> {
    const until_ms = performance.now() + options.probeMs;
    try {
      this.#startLines(options);
    } catch {
      // No such interface, or no multicast here.
      return false;
    }
    while (this.session === 0n && performance.now() < until_ms) {
      await new Promise((resolve) => setTimeout(resolve, probe_every_ms));
      this.#checkOpen();
    }
    if (this.session !== 0n) return true;
    const link = this.#link;
    this.#recovery?.close();
    this.#native?.close();
    this.#recovery = undefined;
    this.#native = undefined;
    this.#depth = undefined;
    this.#link = undefined;
    this.#news.length = 0;
    await link?.close();
    this.#checkOpen();
    return false;
  }

  #startLines(options: SubscribeOptions): void {
    const native = this.#startNative(nativeSubscriberOptions(options));
    this.#prepareHost();
    this.#openLink(options);
    this.#openRecovery(native, options);
    this.#changeState('connecting');
  }

  #startNative(options: NativeSubscriberOptions): NativeSubscriber {
    const { delivery, limits } = this.options;
    const columns = makeColumns(delivery.updates ? batchRows(delivery.capacity) : 0);
    this.#batch = makeBatch(columns);
    const native = new addon.Subscriber({ ...options, ...(this.probe && { probe: this.probe }) }, columns, () =>
      this.#wake(),
    );
    this.#native = native;
    this.#counters = new CounterReader(addon.subscriberCounterNames, (out) => native.counters(out));
    this.#depth = new DepthReader(native.depth.bind(native), limits.depthLevels);
    this.#latency = new LatencyRecorder(addon.latencyBucketValues, (out) => native.latency(out));
    this.#repairTime = new LatencyRecorder(addon.latencyBucketValues, (out) => native.repairTime(out));
    native.start();
    return native;
  }

  async #startGateway(url: string): Promise<void> {
    const { limits, ...rest } = this.options;
    const { conflationMs: intervalMs } = rest;
    const options = { ...rest, intervalMs, url, limits: { orders: limits.orders, instruments: limits.instruments } };
    const link = rest.mode === 'exact' ? this.#feedBooks(options) : this.#followWindows(options);
    link.client.on('slow', (did) => this.emit('slow', did));
    link.client.on('goodbye', (reason, reconnectMs) => this.emit('goodbye', reason, reconnectMs));
    link.client.on('disconnected', (reason) => this.emit('disconnected', reason));
    this.#changeState('connecting');
    try {
      await link.start();
    } catch (error) {
      await this.close();
      throw error;
    }
    link.client.on('refused', (error) => this.#refused(error));
    const { refusal } = link.subscription;
    if (refusal !== undefined) this.#refused(refusal);
  }

  #refused(error: GatewayError): void {
    this.emit('refused', error);
    if (!error.askedAgain) void this.close();
  }

  #feedBooks(options: GatewayLinkOptions): GatewayLink {
    const native = this.#startNative(fedSubscriberOptions(this.options));
    this.#fed = new FedFeed(native, options, (up) => {
      this.#linkUp = up;
      this.#judge();
    });
    if (this.options.resume !== null)
      setImmediate(() => this.emit('resumeFailed', 'a gateway has no books of an earlier time'));
    return this.#fed.link;
  }

  #followWindows(options: GatewayLinkOptions): GatewayLink {
    this.#windows = new WindowFeed(options, this.#directory);
    this.#latency = new LatencyRecorder(addon.latencyBucketValues, nothing);
    this.#repairTime = new LatencyRecorder(addon.latencyBucketValues, nothing);
    const { link } = this.#windows;
    const { client } = link;
    client.on('subscriptionState', (state) => this.#changeState(state));
    client.on('session', (session) => this.emit('session', session));
    client.on('snapshot', ({ sequence }) => this.emit('snapshot', { sequence, generation: 0n, reason: 'behind' }));
    client.on('snapshotRefused', (reason) => this.emit('snapshotRefused', reason));
    client.on('digestMismatch', (sequence) => this.emit('digestMismatch', sequence));
    client.on('definitions', () => this.emit('definitions', this.#directory.all()));
    client.on('depth', (instruments) => this.emit('depth', instruments));
    client.on('prints', (prints) => this.emit('prints', prints));
    return link;
  }

  // Over a gateway, books that get nothing are no longer known to be the publisher's.
  #judge(): void {
    if (this.#closing !== undefined) return;
    if (this.#fed === undefined || this.#linkUp || this.#bookState === 'ended') this.#changeState(this.#bookState);
    else this.#changeState(this.#session === 0n ? 'connecting' : 'recovering');
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

  #openLink({ control, lineA, lineB }: SubscribeOptions): void {
    if (control === null) return;
    const lines: ('A' | 'B')[] = [];
    if (lineA !== null) lines.push('A');
    if (lineB !== null) lines.push('B');
    this.#link = new ControlLink({ url: control, lines, receiving: () => this.session !== 0n });
    this.#link.start();
  }

  #openRecovery(native: NativeSubscriber, options: SubscribeOptions): void {
    const { recovery, resume, channel } = options;
    const url = recoveryUrl(options);
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
    this.#gatewayLink?.close();
    this.#fed?.close();
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
      if (look) {
        this.#recovery?.look();
        this.#fed?.look();
      }
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
        this.#bookState = event.state;
        this.#judge();
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
