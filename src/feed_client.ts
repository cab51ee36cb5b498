/** Follows one channel over line A and line B and keeps its books. */
import { EventEmitter } from 'node:events';
import { BookExport } from './book_export.js';
import type { Bbo, Depth, InstrumentInfo, SequenceRange } from './book_types.js';
import { parseOptions, type SubscribeOptions, type SubscribeOptionsInput, subscribeOptions } from './config.js';
import { ControlLink } from './control/client.js';
import { DepthReader } from './depth_reader.js';
import { FeedBook } from './feed_book.js';
import { FeedRequests } from './feed_requests.js';
import { InstrumentDirectory } from './instruments.js';
import { type Histogram, LatencyRecorder } from './latency.js';
import { addon, type NativeFeedEvent, type NativeSubscriber, type NativeSubscriberOptions } from './native.js';
import { nativeLimits } from './native_limits.js';
import { CounterReader, RateMeter } from './rates.js';
import { batchRows, makeBatch, makeColumns, type UpdateBatch } from './updates.js';

/**
 * `new`: not started; `waiting`: no session yet; `synchronized`: every book is the publisher's as of `sequence`;
 * `unconfirmed`: messages are missing, so that some books may be wrong; `ended`: the session has ended; `closed`.
 */
export type FeedState = 'new' | 'waiting' | 'synchronized' | 'unconfirmed' | 'ended' | 'closed';

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
  missingRanges: number;
  missingMessages: bigint;
  digestMismatches: number;
  /** The control service knows this client. */
  joined: boolean;
  /** Every figure of the native thread by name. */
  counters: Record<string, bigint>;
}

export interface FeedClientEvents {
  /** Only with delivery.updates. The batch is valid until the listener returns. */
  updates: [batch: UpdateBatch];
  /** A session is followed from here on. */
  session: [session: bigint];
  /** These messages were received on no line. */
  missing: [range: SequenceRange];
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
  #drains = 0;
  readonly #newsFirst: NativeFeedEvent[] = [];
  readonly #news: NativeFeedEvent[] = [];
  #scheduled = false;
  #sessionEnded = 0n;
  #missing: SequenceRange[] | undefined;
  #closing: Promise<void> | undefined;

  /** Throws ConfigError, which names every option that is wrong. */
  constructor(options: SubscribeOptionsInput = {}) {
    super();
    this.options = parseOptions(subscribeOptions, options, 'subscribe options');
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
    // Enough to empty a full queue.
    this.#drains = rows === 0 ? 0 : Math.ceil((2 * delivery.capacity) / rows);
    const columns = makeColumns(rows);
    this.#batch = makeBatch(columns);
    const native = new addon.Subscriber(nativeOptions(this.options), columns, () => this.#wake());
    this.#native = native;
    this.#counters = new CounterReader(addon.subscriberCounterNames, (out) => native.counters(out));
    this.#depth = new DepthReader(native.depth.bind(native), limits.depthLevels);
    this.#latency = new LatencyRecorder(addon.latencyBucketValues, (out) => native.latency(out));
    native.start();
    this.#openLink();
  }

  /** Leaves the lines and the control service. Requests in flight reject. Any number of times, at any moment. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get state(): FeedState {
    if (this.#closing !== undefined) return 'closed';
    if (this.#native === undefined) return 'new';
    const { session = 0n, whole = 0n } = this.#readCounters();
    if (session === 0n) return 'waiting';
    if (session === this.#sessionEnded) return 'ended';
    return whole === 1n ? 'synchronized' : 'unconfirmed';
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
      digestMismatches: Number(figure('digestsMismatched')),
      joined: this.#link?.joined ?? false,
      counters,
    };
  }

  /** What was received on no line, oldest first; at most 65,536 ranges. */
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

  async #shutDown(): Promise<void> {
    const native = this.#native;
    // Figures stay readable as they are now.
    this.#missing = missingOf(native);
    this.#readCounters();
    this.#latency?.read();
    this.#native = undefined;
    native?.close();
    this.#newsFirst.length = 0;
    this.#news.length = 0;
    this.#requests.close();
    this.#settleEnd(undefined);
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
      for (const event of this.#native?.drainEvents() ?? []) this.#sort(event);
      // Before the updates, which may be the first of them; the rest after the updates that came before it.
      this.#deliverNews(this.#newsFirst);
      this.#deliverUpdates();
      this.#deliverNews(this.#news);
    } finally {
      // A listener has thrown: the rest comes in a turn of its own.
      if (this.#newsFirst.length + this.#news.length > 0) this.#wake();
    }
  }

  #sort(event: NativeFeedEvent): void {
    const first = event.type === 'session' || event.type === 'definitions';
    const queue = first ? this.#newsFirst : this.#news;
    // All definitions are fetched at once.
    if (event.type === 'definitions' && queue.at(-1)?.type === 'definitions') return;
    queue.push(event);
  }

  #deliverNews(queue: NativeFeedEvent[]): void {
    let taken = 0;
    try {
      for (; taken < queue.length && this.#native !== undefined; taken++)
        this.#deliver(queue[taken] as NativeFeedEvent);
    } catch (error) {
      taken++;
      throw error;
    } finally {
      queue.splice(0, taken);
    }
  }

  #deliverUpdates(): void {
    for (let left = this.#drains; left > 0; left--) {
      const count = this.#native?.drainUpdates() ?? 0;
      if (count === 0) return;
      this.#batch.count = count;
      this.emit('updates', this.#batch);
    }
  }

  #deliver(event: NativeFeedEvent): void {
    switch (event.type) {
      case 'session':
        this.emit('session', event.session);
        break;
      case 'definitions':
        this.#directory.replace(this.#native?.definitions() ?? []);
        this.emit('definitions', this.#directory.all());
        break;
      case 'missing':
        this.emit('missing', { first: event.first, last: event.last });
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
        this.#sessionEnded = session;
        this.#settleEnd({ session, sequence, position });
        this.emit('endOfSession', { session, sequence, position });
        break;
      }
    }
  }
}

function missingOf(native: NativeSubscriber | undefined): SequenceRange[] {
  const flat = native?.missing() ?? new BigUint64Array(0);
  const ranges: SequenceRange[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2)
    ranges.push({ first: flat[index] ?? 0n, last: flat[index + 1] ?? 0n });
  return ranges;
}

function nativeOptions(options: SubscribeOptions): NativeSubscriberOptions {
  const { sources, sourceSpecific, delivery } = options;
  const lines = [options.lineA, options.lineB].map(
    (line) => line && { ...line, interface: options.interface, sources, sourceSpecific },
  );
  return {
    channel: options.channel,
    session: options.session,
    lines,
    receiveBufferBytes: options.receiveBufferBytes,
    coalescing: options.coalescing,
    gapWaitMs: options.gapWaitMs,
    parkedMax: options.parkedMax,
    silenceMs: options.silenceMs,
    wait: options.wait,
    core: options.core,
    deliveryCapacity: delivery.updates ? delivery.capacity : 0,
    deliveryPolicy: delivery.policy,
    exportPositions: options.exportPositions,
    exportOrders: options.exportOrders,
    ...nativeLimits(options.limits),
  };
}
