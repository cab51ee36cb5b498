/** Books that a native thread keeps, from lines or from what is offered to it: its news and updates as events. */
import { BookExport } from '../book_export.js';
import type { SequenceRange } from '../book_types.js';
import type { ResumeToken, SubscribeOptions } from '../config.js';
import { DepthReader } from '../depth_reader.js';
import { FeedRequests } from '../feed_requests.js';
import type { FeedClientEvents, FeedState, SessionEnd } from '../feed_types.js';
import type { InstrumentDirectory } from '../instruments.js';
import { LatencyRecorder } from '../latency.js';
import {
  addon,
  type NativeFeedEvent,
  type NativeJitterReceiver,
  type NativeSubscriber,
  type NativeSubscriberOptions,
} from '../native.js';
import { CounterReader } from '../rates.js';
import type { RecoveryClient } from '../recovery/client.js';
import { batchRows, makeBatch, makeColumns } from '../updates.js';

export interface NativeFeedHost {
  emit<Name extends keyof FeedClientEvents>(name: Name, ...values: FeedClientEvents[Name]): void;
  /** What the books are like. */
  onState(state: FeedState): void;
  onEnd(end: SessionEnd): void;
  /** Something has happened to the books. */
  look(): void;
}

/** Threads: the one that made it; events are emitted there. Figures stay readable after close(). */
export class NativeFeed {
  readonly native: NativeSubscriber;
  readonly latency: LatencyRecorder;
  readonly repairTime: LatencyRecorder;
  /** Who is told of snapshots and resumed books; set before anything has come. */
  recovery: RecoveryClient | undefined;
  readonly #options: SubscribeOptions;
  readonly #host: NativeFeedHost;
  readonly #directory: InstrumentDirectory;
  readonly #requests = new FeedRequests();
  readonly #counters: CounterReader;
  readonly #depth: DepthReader;
  readonly #batch: ReturnType<typeof makeBatch>;
  readonly #news: NativeFeedEvent[] = [];
  /** Updates taken from the queue, since the start. */
  #taken = 0;
  #token: ResumeToken | undefined;
  #session = 0n;
  #scheduled = false;
  #missing: SequenceRange[] | undefined;
  #closed = false;

  /** Starts the thread. Throws where a line cannot be joined. */
  constructor(
    options: SubscribeOptions,
    native_options: NativeSubscriberOptions,
    directory: InstrumentDirectory,
    host: NativeFeedHost,
    probe: NativeJitterReceiver | undefined,
  ) {
    const { delivery, limits } = options;
    this.#options = options;
    this.#host = host;
    this.#directory = directory;
    const columns = makeColumns(delivery.updates ? batchRows(delivery.capacity) : 0);
    this.#batch = makeBatch(columns);
    const native = new addon.Subscriber({ ...native_options, ...(probe && { probe }) }, columns, () => this.#wake());
    this.native = native;
    this.#counters = new CounterReader(addon.subscriberCounterNames, (out) => native.counters(out));
    this.#depth = new DepthReader(native.depth.bind(native), limits.depthLevels);
    this.latency = new LatencyRecorder(addon.latencyBucketValues, (out) => native.latency(out));
    this.repairTime = new LatencyRecorder(addon.latencyBucketValues, (out) => native.repairTime(out));
    native.start();
  }

  /** Undefined once it is closed. */
  get depth(): DepthReader | undefined {
    return this.#closed ? undefined : this.#depth;
  }

  /** As of the events that were emitted. */
  get session(): bigint {
    return this.#session;
  }

  counters(): Record<string, bigint> {
    return this.#counters.read();
  }

  /** What was given up of this session, oldest first; at most 65,536 ranges. */
  missing(): SequenceRange[] {
    return this.#missing ?? rangesOf(this.native.missing());
  }

  resumeToken(): ResumeToken | undefined {
    if (this.#options.delivery.updates || this.#closed) return this.#token;
    const applied = this.native.applied();
    if (applied !== undefined && applied.sequence !== 0n) this.#token = applied;
    return this.#token;
  }

  /** Rejects when it is closed. `instrument` 0: all. */
  snapshot(instrument: number, orders: boolean): Promise<BookExport> {
    if (this.#closed) return Promise.reject(new Error('this client is not running'));
    return this.#requests.send(orders, (id) => this.native.requestExport(id, instrument, orders));
  }

  close(): void {
    if (this.#closed) return;
    this.resumeToken();
    // Figures stay readable as they are now.
    this.#missing = this.missing();
    this.counters();
    this.latency.read();
    this.repairTime.read();
    this.#closed = true;
    this.native.close();
    this.#news.length = 0;
    this.#requests.close();
  }

  // Called for every wake-up of the native thread: one look covers all that came before it.
  #wake(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    try {
      for (const event of this.native.drainEvents()) this.#news.push(event);
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
      while (taken < this.#news.length && !this.#closed) {
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
      if (look) this.#host.look();
    }
  }

  // Up to so many since the start.
  #deliverUpdates(end: number): void {
    while (this.#taken < end && !this.#closed) {
      const count = this.native.drainUpdates(end - this.#taken);
      if (count === 0) return;
      this.#taken += count;
      this.#batch.count = count;
      const { sequence, digest } = this.#batch;
      const token = { session: this.#session, sequence: sequence[count - 1] ?? 0n, digest: digest[count - 1] ?? 0n };
      this.#host.emit('updates', this.#batch);
      this.#token = token;
    }
  }

  #deliver(event: NativeFeedEvent): void {
    const host = this.#host;
    switch (event.type) {
      case 'session':
        this.#session = event.session;
        host.emit('session', event.session);
        break;
      case 'state':
        host.onState(event.state);
        break;
      case 'definitions':
        this.#directory.replace(this.#closed ? [] : this.native.definitions());
        host.emit('definitions', this.#directory.all());
        break;
      case 'missing':
        host.emit('missing', { first: event.first, last: event.last });
        break;
      case 'recovered':
        host.emit('recovered', { first: event.first, last: event.last }, event.way);
        break;
      case 'givenUp':
        host.emit('givenUp', { first: event.first, last: event.last });
        break;
      case 'snapshot':
        this.#deliverSnapshot(event.sequence, event.generation);
        break;
      case 'snapshotRefused':
        this.recovery?.snapshotRefused();
        host.emit('snapshotRefused', event.reason);
        break;
      case 'resumed':
        this.recovery?.resumed(event.equal);
        if (event.equal) host.emit('resumed', event.sequence);
        break;
      case 'digestMismatch':
        host.emit('digestMismatch', event.sequence);
        break;
      case 'overrun':
        host.emit('overrun', event.lost);
        break;
      case 'export':
        if (!this.#requests.settle(event.id, event.result))
          host.emit('export', new BookExport(event.result, this.#options.exportOrders));
        break;
      case 'endOfSession': {
        const { session, sequence, position } = event;
        host.onEnd({ session, sequence, position });
        host.emit('endOfSession', { session, sequence, position });
        break;
      }
    }
  }

  #deliverSnapshot(sequence: bigint, generation: bigint): void {
    const reason = this.recovery?.snapshotReason ?? 'behind';
    this.recovery?.snapshotTaken();
    this.#host.emit('snapshot', { sequence, generation, reason });
  }
}

function rangesOf(flat: BigUint64Array): SequenceRange[] {
  const ranges: SequenceRange[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2)
    ranges.push({ first: flat[index] ?? 0n, last: flat[index + 1] ?? 0n });
  return ranges;
}
