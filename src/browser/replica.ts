/**
 * A channel's books as a receiver keeps them: native/book/replica.cc once more, verdict for verdict. Numbered messages
 * in order in; books, states and digests' verdicts out.
 */
import { type ApplyResult, Book, type BookLimits } from './book.js';
import { compare } from './int64.js';
import { type BookMessage, type Definition, flags, isTradeKind, type TradeMessage } from './messages.js';

export type InstrumentState = 'live' | 'unconfirmed' | 'stale';

export type SnapshotRefusal =
  | 'none'
  | 'unknown_instrument'
  | 'invalid_order'
  | 'duplicate_order'
  | 'order_limit'
  | 'level_limit'
  | 'quantity_overflow'
  | 'digest_differs';

/** The state that a snapshot holds. */
export interface SnapshotHead {
  sequence: number;
  /** Of its last event, CLOCK_REALTIME ns. */
  timeHigh: number;
  timeLow: number;
  /** Undefined where it holds chosen instruments only: then each one's own digest has to do. */
  channelDigest: { high: number; low: number } | undefined;
}

export interface ReplicaCounters {
  messages: number;
  events: number;
  /** What the book would not apply, by reason. */
  refused: Partial<Record<ApplyResult, number>>;
  /** Of a later version, skipped. */
  unknownKinds: number;
  instrumentGaps: number;
  digestsChecked: number;
  digestsMismatched: number;
  digestsUnchecked: number;
  definitionsRefused: number;
}

/** More than six digests' distance at the busiest. */
const past_max = 65_536;
const waiting_max = 64;

interface WaitingDigest {
  sequence: number;
  high: number;
  low: number;
}

interface ExpectedDigest {
  instrumentSequence: number;
  high: number;
  low: number;
}

/** Told of every numbered message after it was applied. */
export interface ReplicaSink {
  onBook?(message: BookMessage, sequence: number): void;
  onTrade?(message: TradeMessage, sequence: number): void;
  onDefinition?(definition: Definition, sequence: number): void;
}

/** Threads: one. */
export class Replica {
  readonly book: Book;
  readonly counters: ReplicaCounters = {
    messages: 0,
    events: 0,
    refused: {},
    unknownKinds: 0,
    instrumentGaps: 0,
    digestsChecked: 0,
    digestsMismatched: 0,
    digestsUnchecked: 0,
    definitionsRefused: 0,
  };
  /** Number of the last message applied, and of the last that ended an event. */
  sequence = 0;
  eventSequence = 0;
  eventTimeHigh = 0;
  eventTimeLow = 0;
  /** Largest instrument number seen so far. */
  instrumentLast = 0;
  /** Some digest of the publisher's was equal since the start of the session, or the snapshot's. */
  proved = false;

  readonly #definitions = new Map<number, Definition>();
  /** By instrument: the last hole that it is known to have survived. */
  readonly #confirmed = new Map<number, number>();
  readonly #stale = new Set<number>();
  #hole_epoch = 0;
  #whole_epoch = 0;
  #missing_last = 0;
  // The channel's digest at ends of events, by sequence modulo past_max.
  readonly #past_sequence = new Float64Array(past_max);
  readonly #past_high = new Uint32Array(past_max);
  readonly #past_low = new Uint32Array(past_max);
  #waiting: WaitingDigest[] = [];
  /** By instrument: its digest after a message of its own that has not come yet. */
  readonly #expected = new Map<number, ExpectedDigest>();
  #digest_checked = 0;
  #head: SnapshotHead = { sequence: 0, timeHigh: 0, timeLow: 0, channelDigest: undefined };
  #refusal: SnapshotRefusal = 'none';

  constructor(
    limits: BookLimits,
    private readonly sink?: ReplicaSink,
  ) {
    this.book = new Book(limits);
  }

  /** `time`: of the event, CLOCK_REALTIME ns. */
  onBook(message: BookMessage, sequence: number, time_high: number, time_low: number): void {
    if (this.#inRange(message.instrument)) this.#follow(message.instrument, message.instrumentSequence);
    const result = this.book.apply(message, sequence);
    if (result === 'unknown_kind' && (message.flags & flags.book_affecting) === 0) this.counters.unknownKinds++;
    else if (result !== 'applied' && result !== 'not_book_affecting') this.#refuse(message.instrument, result);
    this.#advance(sequence, message.flags, time_high, time_low);
    if (this.#expected.size > 0) this.#checkExpected(message.instrument);
    this.sink?.onBook?.(message, sequence);
  }

  onTrade(message: TradeMessage, sequence: number, time_high: number, time_low: number): void {
    if (this.#inRange(message.instrument)) this.#follow(message.instrument, message.instrumentSequence);
    if (!isTradeKind(message.kind)) {
      if ((message.flags & flags.book_affecting) === 0) this.counters.unknownKinds++;
      else this.#refuse(message.instrument, 'unknown_kind');
    }
    this.#advance(sequence, message.flags, time_high, time_low);
    if (this.#expected.size > 0) this.#checkExpected(message.instrument);
    this.sink?.onTrade?.(message, sequence);
  }

  /** One with a number. */
  onDefinition(definition: Definition, sequence: number, time_high: number, time_low: number): void {
    if (this.#inRange(definition.instrument)) this.#follow(definition.instrument, definition.instrumentSequence);
    this.learnDefinition(definition);
    this.#advance(sequence, flags.end_of_event, time_high, time_low);
    if (this.#expected.size > 0) this.#checkExpected(definition.instrument);
    this.sink?.onDefinition?.(definition, sequence);
  }

  /** A repeated one, without. */
  learnDefinition(definition: Definition): void {
    const { instrument } = definition;
    if (instrument === 0 || !this.#inRange(instrument)) {
      this.counters.definitionsRefused++;
      return;
    }
    this.instrumentLast = Math.max(this.instrumentLast, instrument);
    this.#definitions.set(instrument, definition);
  }

  /** Messages up to `last` were given up: every instrument is unconfirmed until it proves otherwise. */
  onMissing(last: number): void {
    this.#hole_epoch++;
    this.#missing_last = Math.max(this.#missing_last, last);
  }

  /** The publisher's digest after message `sequence`. */
  onDigest(sequence: number, high: number, low: number): void {
    if (sequence <= this.#digest_checked && this.#digest_checked !== 0) return;
    this.#digest_checked = sequence;
    if (sequence === this.sequence && this.sequence === this.eventSequence) {
      const { digestHigh, digestLow } = this.book;
      this.#checkDigest(sequence, high, low, digestHigh, digestLow);
      return;
    }
    if (sequence > this.sequence) {
      if (this.#waiting.length === waiting_max) {
        this.#waiting.shift();
        this.counters.digestsUnchecked++;
      }
      this.#waiting.push({ sequence, high, low });
      return;
    }
    const past = sequence % past_max;
    if (sequence !== 0 && this.#past_sequence[past] === sequence) {
      const [past_high, past_low] = [this.#past_high[past] as number, this.#past_low[past] as number];
      this.#checkDigest(sequence, high, low, past_high, past_low);
      return;
    }
    this.counters.digestsUnchecked++;
  }

  onInstrumentDigest(
    sequence: number,
    instrument: number,
    instrument_sequence: number,
    high: number,
    low: number,
  ): void {
    if (instrument === 0 || !this.#inRange(instrument)) return;
    // Comparable where neither side has changed the instrument in between, and no hole is open before that number.
    if (sequence > this.sequence || this.book.instrumentSequence(instrument) !== instrument_sequence) return;
    this.#checkInstrument(instrument, high, low, sequence);
  }

  /** The publisher's digest of an instrument after that message of its own, which may still be to come. */
  expectDigest(instrument: number, instrument_sequence: number, high: number, low: number): void {
    if (instrument === 0 || !this.#inRange(instrument)) return;
    const ahead = (instrument_sequence - this.book.instrumentSequence(instrument)) | 0;
    if (ahead > 0) this.#expected.set(instrument, { instrumentSequence: instrument_sequence, high, low });
    else if (ahead === 0) this.#checkInstrument(instrument, high, low, this.sequence);
    else this.counters.digestsUnchecked++;
  }

  #checkExpected(instrument: number): void {
    const expected = this.#expected.get(instrument);
    if (expected === undefined) return;
    const ahead = (expected.instrumentSequence - this.book.instrumentSequence(instrument)) | 0;
    if (ahead > 0) return;
    this.#expected.delete(instrument);
    if (ahead === 0) this.#checkInstrument(instrument, expected.high, expected.low, this.sequence);
    else this.counters.digestsUnchecked++;
  }

  #checkInstrument(instrument: number, high: number, low: number, sequence: number): void {
    this.counters.digestsChecked++;
    if (this.book.instrumentDigestEquals(instrument, high, low)) {
      if (sequence < this.#missing_last) return;
      this.#confirmed.set(instrument, this.#hole_epoch);
      this.#stale.delete(instrument);
      return;
    }
    if (this.state(instrument) === 'live') this.counters.digestsMismatched++;
    this.#stale.add(instrument);
  }

  reset(): void {
    this.book.clearAll();
    this.#definitions.clear();
    this.#confirmed.clear();
    this.#stale.clear();
    this.#past_sequence.fill(0);
    this.#waiting = [];
    this.#expected.clear();
    this.#digest_checked = 0;
    this.instrumentLast = 0;
    this.sequence = 0;
    this.eventSequence = 0;
    this.eventTimeHigh = 0;
    this.eventTimeLow = 0;
    this.proved = false;
    this.#hole_epoch = 0;
    this.#whole_epoch = 0;
    this.#missing_last = 0;
  }

  /** A snapshot takes the place of every book: begin, each instrument, finish. Definitions stay. */
  beginSnapshot(head: SnapshotHead): void {
    this.#head = head;
    this.#refusal = 'none';
    this.#expected.clear();
    this.book.clearAll();
  }

  /** In any number of pieces, before its orders. False once something was refused: then the rest is ignored. */
  loadInstrument(instrument: number, instrument_sequence: number, status: number, has_orders: boolean): boolean {
    if (this.#refusal !== 'none') return false;
    if (!this.#inRange(instrument) || (instrument === 0 && has_orders)) {
      this.#refusal = 'unknown_instrument';
      return false;
    }
    this.instrumentLast = Math.max(this.instrumentLast, instrument);
    this.book.setInstrumentSequence(instrument, instrument_sequence);
    if (instrument !== 0) this.book.setStatus(instrument, status);
    return true;
  }

  /** Orders of one queue in queue order; id, price, quantity and side stand in the message. */
  loadOrder(message: BookMessage, priority_high: number, priority_low: number): boolean {
    if (this.#refusal !== 'none') return false;
    this.#refusal = this.#loadOrder(message, priority_high, priority_low);
    return this.#refusal === 'none';
  }

  /** `none`: the books are the snapshot's, all live and proved by its digest. Otherwise they are empty and stale. */
  finishSnapshot(): SnapshotRefusal {
    const { sequence, channelDigest } = this.#head;
    if (this.#refusal === 'none' && channelDigest !== undefined) {
      this.counters.digestsChecked++;
      if (!this.book.digestEquals(channelDigest.high, channelDigest.low)) this.#refusal = 'digest_differs';
    }
    const loaded = this.#refusal === 'none';
    if (!loaded) this.book.clearAll();
    // What was told of later numbers is still to be compared.
    this.#past_sequence.fill(0);
    this.#waiting = this.#waiting.filter((waiting) => waiting.sequence > sequence);
    this.#digest_checked = this.#waiting.at(-1)?.sequence ?? sequence;
    this.sequence = sequence;
    this.eventSequence = sequence;
    this.eventTimeHigh = this.#head.timeHigh;
    this.eventTimeLow = this.#head.timeLow;
    this.#remember(sequence);
    this.#missing_last = 0;
    this.#confirmed.clear();
    this.#stale.clear();
    this.#whole_epoch = this.#hole_epoch;
    this.proved = loaded;
    if (!loaded) {
      this.onMissing(sequence);
      for (let instrument = 1; instrument <= this.instrumentLast; instrument++) this.#stale.add(instrument);
    }
    return this.#refusal;
  }

  state(instrument: number): InstrumentState {
    if (this.#stale.has(instrument)) return 'stale';
    const confirmed = Math.max(this.#confirmed.get(instrument) ?? 0, this.#whole_epoch);
    return confirmed < this.#hole_epoch ? 'unconfirmed' : 'live';
  }

  /** Every instrument is live. */
  get whole(): boolean {
    return this.#hole_epoch === this.#whole_epoch && this.#stale.size === 0;
  }

  definition(instrument: number): Definition | undefined {
    return this.#definitions.get(instrument);
  }

  definitions(): Definition[] {
    return [...this.#definitions.values()];
  }

  #inRange(instrument: number): boolean {
    return instrument <= this.book.limits.instruments;
  }

  // Checks and takes the instrument's own number.
  #follow(instrument: number, instrument_sequence: number): void {
    if (instrument > this.instrumentLast) this.instrumentLast = instrument;
    const expected = (this.book.instrumentSequence(instrument) + 1) >>> 0;
    this.book.setInstrumentSequence(instrument, instrument_sequence);
    if (instrument_sequence === expected) {
      if (this.#hole_epoch !== 0) this.#confirmed.set(instrument, this.#hole_epoch);
      return;
    }
    this.counters.instrumentGaps++;
    // The channel itself has no book that could be wrong.
    if (instrument !== 0) this.#stale.add(instrument);
  }

  // Its instrument's book can no longer be trusted.
  #refuse(instrument: number, reason: ApplyResult): void {
    this.counters.refused[reason] = (this.counters.refused[reason] ?? 0) + 1;
    if (instrument !== 0 && this.#inRange(instrument)) this.#stale.add(instrument);
  }

  #advance(sequence: number, message_flags: number, time_high: number, time_low: number): void {
    this.counters.messages++;
    this.sequence = sequence;
    if ((message_flags & flags.end_of_event) === 0) return;
    this.counters.events++;
    this.eventSequence = sequence;
    this.eventTimeHigh = time_high;
    this.eventTimeLow = time_low;
    this.#remember(sequence);
    if (this.#waiting.length > 0) this.#checkWaiting(sequence);
  }

  #remember(sequence: number): void {
    const past = sequence % past_max;
    this.#past_sequence[past] = sequence;
    this.#past_high[past] = this.book.digestHigh;
    this.#past_low[past] = this.book.digestLow;
  }

  #checkWaiting(sequence: number): void {
    const due = this.#waiting.filter((waiting) => waiting.sequence <= sequence);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.sequence > sequence);
    for (const waiting of due) {
      const { digestHigh, digestLow } = this.book;
      if (waiting.sequence === sequence) this.#checkDigest(sequence, waiting.high, waiting.low, digestHigh, digestLow);
      else this.counters.digestsUnchecked++;
    }
  }

  #checkDigest(sequence: number, high: number, low: number, own_high: number, own_low: number): void {
    this.counters.digestsChecked++;
    if (compare(high, low, own_high, own_low) === 0) {
      this.proved = true;
      // Equal sums: every book was right at that number, whatever was missed before.
      if (sequence === this.sequence && sequence >= this.#missing_last && !this.whole) {
        this.#whole_epoch = this.#hole_epoch;
        this.#stale.clear();
      }
      return;
    }
    // After a hole a difference is to be expected, and the states say so already.
    if (!this.whole) return;
    this.counters.digestsMismatched++;
    this.onMissing(sequence);
  }

  #loadOrder(message: BookMessage, priority_high: number, priority_low: number): SnapshotRefusal {
    if (priority_high * 2 ** 32 + priority_low > this.#head.sequence) return 'invalid_order';
    const result = this.book.add(message, priority_high, priority_low);
    switch (result) {
      case 'applied':
        return this.book.lastIsInOrder(message) ? 'none' : 'invalid_order';
      case 'duplicate_order':
      case 'order_limit':
      case 'level_limit':
      case 'quantity_overflow':
        return result;
      default:
        return 'invalid_order';
    }
  }
}
