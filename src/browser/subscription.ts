/** One subscription as its user sees it. */
import {
  type Bbo,
  type Depth,
  type InstrumentStateName,
  instrument_state_names,
  type Level,
  type QueuedOrder,
  type SideName,
  statusName,
} from '../book_types.js';
import { Changes, type FeedChange } from './changes.js';
import type { GatewayError } from './gateway_error.js';
import { signedBigintOf } from './int64.js';
import type { LatencyBuckets, LatencyFigures } from './latency.js';
import type { Print } from './prints.js';
import type { ChangeOptions, GatewayCounts, GatewayInstrument, SubscribeOptions } from './protocol.js';
import type { Stream, StreamState } from './stream.js';

/** What it does on the socket is the client's. */
export interface SubscriptionLink {
  readonly connected: boolean;
  request<Answer>(ask: () => Promise<Answer>): Promise<Answer>;
  remove(stream: Stream): void;
}

/** Messages by what became of them. `comparable`: false where a session ended in between, of which only the gateway knows all. */
export interface ReceivedCounts {
  sent: number;
  conflated: number;
  refused: number;
  comparable: boolean;
}

/** Made by GatewayClient.subscribe(). Books and windows are read as they stand after the last message that came. */
export class Subscription {
  readonly #stream: Stream;
  readonly #link: SubscriptionLink;
  readonly #changes = new Set<Changes>();
  #ended = false;

  constructor(stream: Stream, link: SubscriptionLink) {
    this.#stream = stream;
    this.#link = link;
  }

  get id(): number {
    return this.#stream.id;
  }

  /** As the gateway has granted them. */
  get options(): Readonly<SubscribeOptions> {
    return this.#stream.options;
  }

  get state(): StreamState {
    return this.#stream.state;
  }

  /** The publisher's session that is followed; 0 before there is one. */
  get session(): bigint {
    return this.#stream.session;
  }

  /** Number of the last message that was applied or covered. */
  get sequence(): bigint {
    return BigInt(this.#stream.sequence);
  }

  /** When the gateway made the last frame: its clock in ms since 1970; 0: none yet, or packets, which do not tell. */
  get sendTimeMs(): number {
    return this.#stream.sendTimeMs;
  }

  /** Why it is not granted now; undefined: it is, or was not refused yet. */
  get refusal(): GatewayError | undefined {
    return this.#stream.refusal;
  }

  /**
   * Resolves when the gateway has granted it; rejects with GatewayError where it is refused, though it is asked for again
   * where the error says `askedAgain`.
   */
  get ready(): Promise<void> {
    return this.#stream.ready;
  }

  instruments(): GatewayInstrument[] {
    return [...this.#stream.instruments.values()];
  }

  /** By number or symbol. */
  instrument(key: number | string): GatewayInstrument | undefined {
    const { instruments } = this.#stream;
    if (typeof key === 'number') return instruments.get(key);
    for (const one of instruments.values()) if (one.symbol === key) return one;
    return undefined;
  }

  /** How far its book or window can be trusted; undefined for an unknown instrument. */
  instrumentState(key: number | string): InstrumentStateName | undefined {
    const number = this.#number(key);
    if (number === undefined) return undefined;
    const { replica, windows } = this.#stream;
    if (replica !== undefined) return replica.state(number);
    const window = windows.get(number);
    if (window === undefined) return 'unconfirmed';
    return window.proved ? (instrument_state_names[window.state] ?? 'stale') : 'stale';
  }

  /** Best levels of each side; undefined for an instrument of which nothing has come. */
  depth(key: number | string, levels?: number): Depth | undefined {
    const number = this.#number(key);
    if (number === undefined) return undefined;
    const { replica, windows } = this.#stream;
    if (replica !== undefined)
      return {
        sequence: BigInt(replica.eventSequence),
        timeNs: signedBigintOf(replica.eventTimeHigh, replica.eventTimeLow),
        instrumentSequence: replica.book.instrumentSequence(number),
        status: statusName(replica.book.status(number)),
        bids: replica.book.levels(number, 'bid', levels),
        asks: replica.book.levels(number, 'ask', levels),
      };
    const window = windows.get(number);
    if (window === undefined) return undefined;
    return {
      sequence: BigInt(window.sequence),
      timeNs: signedBigintOf(window.timeHigh, window.timeLow),
      instrumentSequence: window.instrumentSequence,
      status: statusName(window.status),
      bids: window.levels('bid', levels),
      asks: window.levels('ask', levels),
    };
  }

  /** Best bid and offer. */
  bbo(key: number | string): Bbo | undefined {
    const depth = this.depth(key, 1);
    if (depth === undefined) return undefined;
    const { sequence, timeNs, bids, asks } = depth;
    return { sequence, timeNs, bid: bids[0], ask: asks[0] };
  }

  /** Each level with its orders in queue order, best first; none but of `exact` and `filtered`. */
  *queues(key: number | string, side: SideName): Generator<Level & { queue: QueuedOrder[] }> {
    const number = this.#number(key);
    const { replica } = this.#stream;
    if (number !== undefined && replica !== undefined) yield* replica.book.queues(number, side);
  }

  /** Of all books together; undefined where no books are kept. */
  digest(): bigint | undefined {
    return this.#stream.replica?.book.digest();
  }

  /** What a replica counts; undefined where no books are kept. */
  counters() {
    return this.#stream.replica?.counters;
  }

  /** Of one book; undefined for an unknown instrument, and where no books are kept. */
  instrumentDigest(key: number | string): bigint | undefined {
    const number = this.#number(key);
    return number === undefined ? undefined : this.#stream.replica?.book.instrumentDigest(number);
  }

  /**
   * What changes from now on, for `for await`: instruments whose books or windows are others, prints. A loop that is slow
   * gets several changes as one, and of prints the last 65,536. Ends with unsubscribe() and close(), not with a connection.
   */
  changes(): AsyncIterableIterator<FeedChange> {
    const changes = new Changes((one) => {
      this.#changes.delete(one);
      this.#stream.isWatched = this.#changes.size > 0;
    });
    if (this.#ended) changes.end();
    else this.#changes.add(changes);
    this.#stream.isWatched = this.#changes.size > 0;
    return changes;
  }

  /**
   * From the gateway's clock when it made a frame (of `exact`: the publisher's when it sent the packet) to its application
   * here, by this machine's clock; since the beginning. As right as the two clocks agree.
   */
  latency(): LatencyFigures {
    return this.#stream.latency.figures();
  }

  /** The same in buckets. */
  get latencyBuckets(): LatencyBuckets {
    return this.#stream.latency;
  }

  /** What has come since it was granted last, counted as the gateway counts it; compared by counts(). */
  received(): ReceivedCounts {
    const { sent, conflated, refused, comparable } = this.#stream.counts;
    return { sent, conflated, refused, comparable };
  }

  /** Of the client: something is new. */
  note(instruments: Iterable<number>): void {
    if (this.#changes.size === 0) return;
    const all = [...instruments];
    for (const changes of this.#changes) changes.note(all, this.sequence);
  }

  notePrints(prints: readonly Print[]): void {
    for (const changes of this.#changes) changes.notePrints(prints, this.sequence);
  }

  /** Of the client: it is over. */
  end(): void {
    this.#ended = true;
    for (const changes of [...this.#changes]) changes.end();
  }

  /** Rejects with GatewayError; with Error where the connection is lost meanwhile. */
  change(change: ChangeOptions): Promise<void> {
    return this.#link.request(() => this.#stream.change(change));
  }

  /** What the gateway has counted; the client compares it with what came, and emits `countMismatch` where it differs. */
  counts(): Promise<GatewayCounts> {
    return this.#link.request(() => this.#stream.count());
  }

  /** Without a connection, and where it was refused, it is just forgotten, and undefined comes. */
  async unsubscribe(): Promise<GatewayCounts | undefined> {
    try {
      // The gateway knows nothing of what it has refused, nor of what was asked over another connection.
      if (this.refusal !== undefined || !this.#link.connected) return undefined;
      return await this.#link.request(() => this.#stream.unsubscribe());
    } finally {
      this.#link.remove(this.#stream);
    }
  }

  #number(key: number | string): number | undefined {
    if (typeof key === 'string') return this.instrument(key)?.instrument;
    const { replica, instruments, windows } = this.#stream;
    const is_known = instruments.has(key) || windows.has(key) || replica?.definition(key) !== undefined;
    return is_known ? key : undefined;
  }
}
