/** Follows one channel, over line A and line B or over a gateway, and keeps its books. */
import { EventEmitter } from 'node:events';
import type { BookExport } from './book_export.js';
import type { Bbo, Depth, InstrumentInfo, SequenceRange } from './book_types.js';
import { Changes, type FeedChange } from './browser/changes.js';
import type { GatewayError } from './browser/gateway_error.js';
import type { ChangeOptions } from './browser/protocol.js';
import { DirectoryError, findChannel, gatewayUrl, multicastOptions } from './client/directory.js';
import { FedFeed } from './client/fed_feed.js';
import { feedStats } from './client/feed_figures.js';
import type { GatewayLink, GatewayLinkOptions } from './client/gateway_link.js';
import { LineFeed } from './client/line_feed.js';
import { NativeFeed, type NativeFeedHost } from './client/native_feed.js';
import { WindowFeed } from './client/window_feed.js';
import {
  parseOptions,
  type ResumeToken,
  type SubscribeOptions,
  type SubscribeOptionsInput,
  subscribeOptions,
} from './config.js';
import type { DepthColumns } from './depth_columns.js';
import { FeedBook } from './feed_book.js';
import type { FeedClientEvents, FeedCounts, FeedState, FeedStats, SessionEnd } from './feed_types.js';
import { InstrumentDirectory } from './instruments.js';
import type { Histogram } from './latency.js';
import type { NativeJitterReceiver, NativeSubscriberOptions } from './native.js';
import { applyProfile } from './profile.js';
import { RateMeter } from './rates.js';
import { fedSubscriberOptions, nativeSubscriberOptions } from './subscriber_options.js';

export type {
  FeedClientEvents,
  FeedCounts,
  FeedState,
  FeedStats,
  GatewayFigures,
  SessionEnd,
  SnapshotInfo,
} from './feed_types.js';

/** How often it is looked whether multicast has arrived. */
const probe_every_ms = 10;

/**
 * Books are kept by a native thread, over a gateway too in mode exact; in its other modes windows and books of chosen
 * instruments are kept here, and what needs every message (updates, resumeToken()) is not to be had. Everything here belongs to the JavaScript thread that made it; events are emitted
 * there. Updates that wait for a slow listener are bounded by delivery.capacity, see delivery.policy. It keeps the
 * process alive from start() to close().
 */
export class FeedClient extends EventEmitter<FeedClientEvents> {
  readonly options: SubscribeOptions;
  /** Resolves at the end of the first session; with undefined when closed before. Never rejects. */
  readonly ended: Promise<SessionEnd | undefined>;
  readonly #directory = new InstrumentDirectory();
  readonly #rates = new RateMeter();
  #settleEnd!: (end: SessionEnd | undefined) => void;
  #state: FeedState = 'new';
  #started = false;
  /** Where a native thread keeps the books. */
  #native: NativeFeed | undefined;
  #lines: LineFeed | undefined;
  #fed: FedFeed | undefined;
  #windows: WindowFeed | undefined;
  /** Packets of the gateway come; and what the books are like meanwhile. */
  #linkUp = false;
  #bookState: FeedState = 'connecting';
  readonly #changes = new Set<Changes>();
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
    return this.#lines === undefined ? undefined : 'multicast';
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
    return this.#windows?.link.subscription.session ?? this.#counters().session ?? 0n;
  }

  /** Number of the last message applied, some ms old. */
  get sequence(): bigint {
    return this.#windows?.link.subscription.sequence ?? this.#counters().sequence ?? 0n;
  }

  stats(): FeedStats {
    const { recovery } = this.#lines ?? {};
    const link = this.#gatewayLink;
    const counters = this.#counters();
    const window_frames = this.#windows?.link.figures().frames ?? 0;
    return feedStats(
      {
        counters,
        session: this.#windows?.link.subscription.session ?? counters.session ?? 0n,
        sequence: this.#windows?.link.subscription.sequence ?? counters.sequence ?? 0n,
        gateway: link && { ...link.figures(), ...(this.#fed && { packets: this.#fed.packets }) },
        messagesOver: this.#windows?.messages ?? 0n,
        packetsOver: BigInt(window_frames),
        recovery: recovery && { ...recovery.figures },
        joined: this.#lines?.joined ?? false,
        isRunning: this.#closing === undefined,
      },
      this.#rates,
    );
  }

  /** What was given up of this session, oldest first; at most 65,536 ranges. */
  missing(): SequenceRange[] {
    return this.#native?.missing() ?? [];
  }

  /**
   * In ns, since start, in mode exact from the publisher's send to the applied book, in the others from the gateway's frame
   * to the applied window, book or print. The clocks of two machines may differ.
   */
  latency(): Histogram {
    return this.#recorders.latency.whole();
  }

  /** The same since the last call of this function. */
  latencyInterval(): Histogram {
    return this.#recorders.latency.interval();
  }

  /**
   * From when a hole was known to when it was closed, in ns, since start: holes that the other line did not close in time.
   * None in the modes of a gateway.
   */
  repairTime(): Histogram {
    return this.#recorders.repairTime.whole();
  }

  /**
   * What the gateway has counted for this subscription, and what has come of it: it is compared, and `countMismatch` tells
   * where it differs. Rejects with Error without a gateway or a connection.
   */
  async counts(): Promise<FeedCounts> {
    const link = this.#gatewayLink;
    if (link === undefined) throw new Error('only a gateway counts what it sends');
    const counts = await link.subscription.counts();
    return { ...counts, received: this.#windows && link.subscription.received() };
  }

  /**
   * What changes from now on, for `for await`: instruments whose books or windows are others, prints. A loop that is slow
   * gets several changes as one. Ends with close(). Throws before start(), and in mode exact without delivery.updates.
   */
  changes(): AsyncIterableIterator<FeedChange> {
    if (this.#windows !== undefined) return this.#windows.link.subscription.changes();
    if (this.#native === undefined) throw new Error('this client was not started');
    if (!this.options.delivery.updates) throw new Error('changes() needs delivery.updates in mode exact');
    const changes = new Changes((one) => this.#changes.delete(one));
    if (this.#closing === undefined) this.#changes.add(changes);
    else changes.end();
    return changes;
  }

  /**
   * For `options.resume` of another client, in another process: the end of the last event whose updates were delivered
   * (where none are, that was applied). Undefined before the first.
   */
  resumeToken(): ResumeToken | undefined {
    return this.#native?.resumeToken();
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
    return info && this.#native?.depth?.read(info.instrument, levels);
  }

  /**
   * Depth of an instrument by its number into memory that is used again, making no object. False for an instrument past
   * limits.instruments, and when not running. Throws DepthBusyError. Not without objects in the modes of a gateway.
   */
  readDepth(instrument: number, columns: DepthColumns): boolean {
    if (this.#windows !== undefined) return this.#windows.readDepth(instrument, columns);
    return this.#native?.depth?.readInto(instrument, columns) === true;
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
   * All books, or those of one instrument, at the end of one event; in modes depth and bbo the levels that are held, in
   * mode filtered the books of the chosen instruments. Rejects when the client is not running, does not know the instrument,
   * or keeps no such books.
   */
  async snapshot({ orders = false, symbol }: { orders?: boolean; symbol?: string | number } = {}): Promise<BookExport> {
    if (this.#closing !== undefined || (this.#native ?? this.#windows) === undefined)
      throw new Error('this client is not running');
    const info = symbol === undefined ? undefined : this.instrument(symbol);
    if (symbol !== undefined && info === undefined) throw new RangeError(`instrument ${symbol} is not known`);
    if (this.#windows !== undefined) return this.#windows.snapshot(info?.instrument, orders);
    return (this.#native as NativeFeed).snapshot(info?.instrument ?? 0, orders);
  }

  get #recorders() {
    const recorders = this.#windows ?? this.#native;
    if (recorders === undefined) throw new Error('this client was never started');
    return recorders;
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
    const lines = this.#lines;
    this.#native = undefined;
    this.#lines = undefined;
    await lines?.close();
    this.#checkOpen();
    return false;
  }

  #startLines(options: SubscribeOptions): void {
    const native = this.#startNative(nativeSubscriberOptions(options));
    this.#lines = new LineFeed(native, options, (reason) => this.emit('resumeFailed', reason));
    this.#warnings = this.#lines.warnings(this.options);
    this.#changeState('connecting');
  }

  #startNative(options: NativeSubscriberOptions): NativeFeed {
    const host: NativeFeedHost = {
      emit: (name, ...values) => {
        this.emit(name, ...(values as never));
        if (this.#changes.size > 0) this.#noteChanges(name, values);
      },
      onState: (state) => {
        this.#bookState = state;
        this.#judge();
      },
      onEnd: (end) => this.#settleEnd(end),
      look: () => {
        this.#lines?.recovery?.look();
        this.#fed?.look();
      },
    };
    this.#native = new NativeFeed(this.options, options, this.#directory, host, this.probe);
    return this.#native;
  }

  // For whoever iterates over changes in mode exact.
  #noteChanges<Name extends keyof FeedClientEvents>(name: Name, values: FeedClientEvents[Name]): void {
    if (name === 'updates') {
      const [{ count, instrument, sequence }] = values as FeedClientEvents['updates'];
      const changed = new Set(instrument.subarray(0, count));
      for (const changes of this.#changes) changes.note(changed, sequence[count - 1] ?? 0n);
    } else if (name === 'snapshot') {
      const [{ sequence }] = values as FeedClientEvents['snapshot'];
      const all = this.instruments().map(({ instrument }) => instrument);
      for (const changes of this.#changes) changes.note(all, sequence);
    }
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
    const { native } = this.#startNative(fedSubscriberOptions(this.options));
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
    const { link } = this.#windows;
    const { client } = link;
    client.on('subscriptionState', (state) => this.#changeState(state));
    client.on('session', (session) => this.emit('session', session));
    client.on('snapshot', ({ sequence }) => this.emit('snapshot', { sequence, generation: 0n, reason: 'behind' }));
    client.on('snapshotRefused', (reason) => this.emit('snapshotRefused', reason));
    client.on('digestMismatch', (sequence) => this.emit('digestMismatch', sequence));
    client.on('definitions', () => this.emit('definitions', this.#directory.all()));
    client.on('countMismatch', (fault) => this.emit('countMismatch', fault));
    client.on('depth', (instruments) => this.emit('depth', instruments));
    client.on('prints', (prints) => this.emit('prints', prints));
    return link;
  }

  // Over a gateway, books that get nothing are no longer known to be the publisher's.
  #judge(): void {
    if (this.#closing !== undefined) return;
    if (this.#fed === undefined || this.#linkUp || this.#bookState === 'ended') this.#changeState(this.#bookState);
    else this.#changeState((this.#native?.session ?? 0n) === 0n ? 'connecting' : 'recovering');
  }

  #counters(): Record<string, bigint> {
    return this.#native?.counters() ?? {};
  }

  #changeState(state: FeedState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.emit('state', state, previous);
  }

  async #shutDown(): Promise<void> {
    this.#gatewayLink?.close();
    this.#fed?.close();
    const left = this.#lines?.close();
    this.#native?.close();
    for (const changes of [...this.#changes]) changes.end();
    this.#settleEnd(undefined);
    this.#changeState('closed');
    await left;
  }
}
