/**
 * One subscription: what was asked for, what the gateway has granted, and the books or windows that come of it. Pure:
 * messages, packets and frames in; requests and news out through its host. Time in ms is passed in.
 */
import { DepthWindow } from './depth_window.js';
import { depth_entry_bytes, type FrameReader, frame_payloads } from './frame_reader.js';
import type { GatewayError } from './gateway_error.js';
import { bigintOf } from './int64.js';
import { LatencyBuckets } from './latency.js';
import { instrument_digest_bytes } from './messages.js';
import { applyFiltered, applyPacket, learnPacket, sequenceAt } from './packet_applier.js';
import type { PacketReader } from './packet_reader.js';
import { type Print, readPrints } from './prints.js';
import type {
  ChangeOptions,
  ClientMessage,
  GatewayCounts,
  GatewayInstrument,
  GatewayMode,
  SubscribeOptions,
} from './protocol.js';
import { Replica } from './replica.js';
import { SnapshotAssembler } from './snapshot_assembler.js';
import { StreamCounts } from './stream_counts.js';
import { type RequestKind, StreamRequests } from './stream_requests.js';

/**
 * `connecting`: not granted yet; `recovering`: a snapshot or full frames are on their way; `synchronized`: books or windows
 * are the gateway's, proved by a digest or hash; `stale`: some may be wrong.
 */
export type StreamState = 'connecting' | 'recovering' | 'synchronized' | 'stale';

/** Bounds of memory. */
export interface StreamLimits {
  orders: number;
  instruments: number;
  snapshotBytes: number;
}

/** Why a snapshot or full frames were asked for. */
export type AnewReason = 'digest' | 'gap' | 'snapshot_refused' | 'window';

export interface StreamHost {
  readonly limits: StreamLimits;
  /** The time of day, ms. */
  wallMs(): number;
  /** Returns the time in ms. */
  send(message: ClientMessage): number;
  /** The stream wants to begin anew; askAnew() is to be called, at once or later. */
  wantAnew(stream: Stream, reason: AnewReason): void;
  onState(stream: Stream, state: StreamState, previous: StreamState): void;
  onSession(stream: Stream, session: bigint): void;
  onSnapshot(stream: Stream, sequence: number): void;
  onSnapshotRefused(stream: Stream, reason: string): void;
  onMismatch(stream: Stream, sequence: number): void;
  onDepth(stream: Stream, instruments: readonly number[]): void;
  onPrints(stream: Stream, prints: readonly Print[]): void;
  /** Messages that were applied to the books. */
  onUpdates(stream: Stream, first: number, last: number): void;
  onCountMismatch(stream: Stream, fault: string): void;
}

const levels_default = 10;
const slow_levels = 10;

/** Threads: one. */
export class Stream {
  /** As the gateway has granted them. */
  options: SubscribeOptions;
  state: StreamState = 'connecting';
  /** 0: nothing of one has come yet. */
  session = 0n;
  /** The last number that was applied or covered. */
  sequence = 0;
  /** When the gateway made the last frame: its CLOCK_REALTIME in ms; 0: none yet. Packets do not tell. */
  sendTimeMs = 0;
  /** Those that the gateway has named, by number. */
  readonly instruments = new Map<number, GatewayInstrument>();
  /** `exact` and `filtered`. */
  replica: Replica | undefined;
  /** `depth` and `bbo`, by instrument. */
  readonly windows = new Map<number, DepthWindow>();
  counts = new StreamCounts();
  /** From the sender's time in frames and live packets to here. */
  readonly latency = new LatencyBuckets();
  /** Instruments whose books changed with the messages of the last onUpdates(); kept while somebody listens. */
  readonly changed = new Set<number>();
  isWatched = false;
  /** askAnew() was called, and nothing answers it yet. */
  anewAsked = false;

  /** Why it is not granted now; undefined: it is, or was not refused yet. */
  refusal: GatewayError | undefined;

  /** Settles when it is granted for the first time; rejects where it is refused. */
  readonly ready: Promise<void>;
  #settleReady!: () => void;
  #refuseReady!: (error: Error) => void;
  readonly #requests: StreamRequests;
  /** There is one from the moment that a snapshot is expected. */
  #assembler: SnapshotAssembler | undefined;
  /** The next mark of its snapshot; undefined: none has come. */
  #part: number | undefined;
  /** Instruments whose full window has not come. */
  readonly #awaited = new Set<number>();
  /** Instruments whose windows have come since counting began. */
  readonly #counted = new Set<number>();
  #resuming = false;
  #adopting = true;
  #granted = false;
  #mismatches = 0;

  constructor(
    readonly id: number,
    options: SubscribeOptions,
    private readonly host: StreamHost,
  ) {
    this.options = options;
    this.#requests = new StreamRequests((message) => host.send(message));
    this.ready = new Promise((settle, refuse) => {
      this.#settleReady = settle;
      this.#refuseReady = refuse;
    });
    // Whoever does not wait for it learns of it by the event `error`.
    this.ready.catch(() => {});
  }

  get isPackets(): boolean {
    return this.options.mode === 'exact' || this.options.mode === 'filtered';
  }

  get isDepth(): boolean {
    return this.options.mode === 'depth' || this.options.mode === 'bbo';
  }

  get levels(): number {
    return this.options.mode === 'bbo' ? 1 : (this.options.levels ?? levels_default);
  }

  /** What an answer is expected to first. */
  get requestKind(): RequestKind | undefined {
    return this.#requests.firstKind;
  }

  /** When the oldest request without an answer was sent; infinite: there is none. */
  get askedMs(): number {
    return this.#requests.firstMs;
  }

  /** On a new socket. */
  subscribe(): void {
    const { id } = this;
    const held = this.options.mode === 'exact' ? this.held() : undefined;
    this.#resuming = held !== undefined;
    const resume = held && { resume: { session: String(held.session), sequence: String(held.sequence) } };
    this.#requests.ask('subscribe', { type: 'subscribe', id, ...this.options, ...resume }).then(
      () => this.#settleReady(),
      () => {},
    );
  }

  /** It is not granted, or no longer; it may be asked for again. */
  refuse(error: GatewayError): void {
    this.refusal = error;
    this.#refuseReady(error);
    if (!this.#granted) this.changeState('connecting');
  }

  /** It will never be granted. */
  abandon(error: Error): void {
    this.#refuseReady(error);
    this.#requests.refuseAll(error);
  }

  change(change: ChangeOptions): Promise<void> {
    return this.#requests.ask('change', { type: 'change', id: this.id, ...change }, change).then(() => {});
  }

  /** Begins anew as it is. */
  askAnew(): void {
    this.anewAsked = true;
    this.#requests.ask('change', { type: 'change', id: this.id }, {}).catch(() => {
      this.anewAsked = false;
    });
  }

  count(): Promise<GatewayCounts> {
    return this.#requests.ask('count', { type: 'count', id: this.id }) as Promise<GatewayCounts>;
  }

  unsubscribe(): Promise<GatewayCounts> {
    return this.#requests.ask('unsubscribe', { type: 'unsubscribe', id: this.id }) as Promise<GatewayCounts>;
  }

  /**
   * Answers come in the order of the requests. A change that nobody asked for: new instruments have come to belong to
   * the subscription.
   */
  onGranted(
    kind: 'subscribe' | 'change',
    mode: GatewayMode | undefined,
    instruments?: GatewayInstrument[],
    counts?: GatewayCounts,
  ): void {
    const request = this.#requests.answered(kind);
    const change = request?.change ?? {};
    if (kind === 'subscribe') {
      this.counts = new StreamCounts();
      this.#counted.clear();
    } else this.#countAnew(counts);
    this.options = { ...this.options, ...change, ...(mode !== undefined && { mode }) };
    if (instruments !== undefined) this.#nameInstruments(instruments);
    this.#granted = true;
    this.refusal = undefined;
    this.anewAsked = false;
    this.#adopting = true;
    this.begin();
    request?.settle(undefined);
  }

  /** False: nobody asked, and it has ended. */
  onCounts(kind: 'count' | 'unsubscribe', counts: GatewayCounts): boolean {
    const fault = this.counts.fault(counts);
    if (fault !== undefined) this.host.onCountMismatch(this, fault);
    const request = this.#requests.answered(kind);
    request?.settle(counts);
    const is_ended = kind === 'unsubscribe' && request === undefined;
    // It is no longer allowed, and what was held must not pass for live.
    if (is_ended) this.onClosed(new Error('the gateway ended the subscription'));
    return !is_ended;
  }

  onError(error: GatewayError): void {
    if (this.#requests.refuseFirst(error) === 'change') this.anewAsked = false;
  }

  onDefinitions(instruments: readonly GatewayInstrument[]): void {
    for (const one of instruments) {
      const is_chosen = this.options.instruments === undefined || this.instruments.has(one.instrument);
      if (is_chosen) this.instruments.set(one.instrument, one);
    }
  }

  onNewSession(session: bigint): void {
    if (session === this.session) return;
    this.#adopt(session);
    this.begin();
  }

  onSlow(did: 'conflated' | 'resnapshot', counts: GatewayCounts | undefined): void {
    if (did === 'conflated' && this.isPackets) {
      this.options = { ...this.options, mode: 'depth', levels: slow_levels, intervalMs: 100 };
      this.#countAnew(counts);
      this.begin();
    } else if (did === 'resnapshot' && this.isPackets) this.#collect();
  }

  /** The socket is gone: what was not answered never will be. */
  onClosed(error: Error): void {
    this.#granted = false;
    this.anewAsked = false;
    this.#assembler = undefined;
    this.#requests.refuseAll(error);
    this.changeState(this.state === 'connecting' || this.refusal !== undefined ? 'connecting' : 'recovering');
  }

  /** One of an exact subscription's. */
  onPacket(packet: PacketReader): void {
    if (!this.#granted || this.options.mode !== 'exact' || !this.#ofSession(packet)) return;
    const replica = this.replica as Replica;
    if (packet.count > 0) {
      this.#applyExact(packet, replica);
      this.latency.record(this.host.wallMs() - (packet.sendTimeHigh * 2 ** 32 + packet.sendTimeLow) / 1e6);
      return;
    }
    learnPacket(packet, replica);
    this.#checkBooks();
  }

  /** One that a mark says to be of this subscription's snapshot. */
  onSnapshotPacket(packet: PacketReader): void {
    if (this.#granted && this.#assembler !== undefined && this.#part !== undefined && this.#ofSession(packet))
      this.#offer(packet, this.#assembler);
  }

  onFrame(frame: FrameReader): void {
    if (!this.#granted || !this.#ofSession(frame)) return;
    this.sendTimeMs = frame.sendTimeMs;
    this.latency.record(this.host.wallMs() - frame.sendTimeMs);
    if (frame.payload === frame_payloads.snapshot && this.isPackets) this.#takeMark(frame);
    else if (frame.payload === frame_payloads.digests && this.options.mode === 'filtered') this.#takeDigests(frame);
    else if (frame.payload === frame_payloads.depth && this.isDepth) this.#applyDepth(frame);
    else if (frame.payload === frame_payloads.prints && this.options.mode === 'trades') {
      this.counts.takePrints(frame);
      this.sequence = frame.sequence;
      this.host.onPrints(this, readPrints(frame));
    } else if (frame.payload === frame_payloads.filtered && this.options.mode === 'filtered')
      this.#applyFiltered(frame);
  }

  /** The last message of an `exact` subscription's books; undefined: there are none yet. */
  protected held(): { session: bigint; sequence: bigint | number } | undefined {
    return this.replica === undefined || this.sequence === 0 ? undefined : this;
  }

  // What was not sent until now is covered by what begins: how much, only the gateway knows.
  #countAnew(counts: GatewayCounts | undefined): void {
    this.#counted.clear();
    const fault = counts === undefined ? undefined : this.counts.begin(counts);
    if (counts === undefined) this.counts.comparable = false;
    if (fault !== undefined) this.host.onCountMismatch(this, fault);
  }

  #nameInstruments(instruments: readonly GatewayInstrument[]): void {
    this.instruments.clear();
    for (const one of instruments) this.instruments.set(one.instrument, one);
  }

  /** What is granted begins with a snapshot, with full frames, or with the next print. */
  protected begin(): void {
    this.#awaited.clear();
    if (this.isPackets) {
      this.windows.clear();
      this.replica ??= new Replica(this.host.limits, {
        onBook: ({ instrument }) => {
          if (this.isWatched) this.changed.add(instrument);
        },
      });
      this.#collect();
      return;
    }
    this.replica = undefined;
    this.#assembler = undefined;
    if (!this.isDepth) {
      this.changeState('synchronized');
      return;
    }
    for (const instrument of this.instruments.keys()) this.#awaited.add(instrument);
    for (const instrument of this.windows.keys()) if (!this.#awaited.has(instrument)) this.windows.delete(instrument);
    for (const window of this.windows.values()) window.proved = false;
    this.changeState(this.#awaited.size === 0 ? 'synchronized' : 'recovering');
  }

  // A snapshot has to come: nothing else counts until its mark.
  #collect(): void {
    this.#part = undefined;
    this.#assembler = this.#assemblerFor();
    if (this.state !== 'stale') this.changeState('recovering');
  }

  #assemblerFor(): SnapshotAssembler {
    const { instruments, snapshotBytes } = this.host.limits;
    return new SnapshotAssembler({ instruments, bytesMax: snapshotBytes }, this.#chosen());
  }

  #chosen(): ReadonlySet<number> | undefined {
    const is_chosen = this.options.mode === 'filtered' && this.options.instruments !== undefined;
    return is_chosen ? new Set(this.instruments.keys()) : undefined;
  }

  #takeMark(mark: FrameReader): void {
    if (mark.part === 0) this.#beginSnapshot(mark);
    else if (mark.part === this.#part) this.#part++;
    else if (this.#part !== undefined) this.#snapshotFailed('a mark is missing');
  }

  #beginSnapshot(mark: FrameReader): void {
    this.counts.conflated += mark.covered;
    if (mark.why === 'resume') {
      this.#resume(mark);
      return;
    }
    this.#resuming = false;
    this.#assembler = this.#assemblerFor();
    this.#part = 1;
    const { chosen } = this.#assembler;
    if (mark.isWhole !== (chosen === undefined) || mark.instrumentCount !== (chosen?.size ?? 0))
      this.#snapshotFailed('it is of other instruments');
    else if (chosen?.size === 0) this.#loadNothing(mark);
  }

  // Nothing is missing: what follows goes on behind what is held.
  #resume(mark: FrameReader): void {
    if (!this.#resuming || mark.markSequence !== this.sequence) {
      this.fail('gap');
      return;
    }
    this.#resuming = false;
    this.#assembler = undefined;
    this.#checkBooks();
  }

  // Nothing is chosen yet.
  #loadNothing(mark: FrameReader): void {
    const replica = this.replica as Replica;
    replica.beginSnapshot({ sequence: mark.markSequence, timeHigh: 0, timeLow: 0, channelDigest: undefined });
    replica.finishSnapshot();
    this.#assembler = undefined;
    this.sequence = mark.markSequence;
    this.changeState('synchronized');
  }

  #takeDigests(frame: FrameReader): void {
    if (this.#assembler !== undefined) return;
    const replica = this.replica as Replica;
    for (let index = 0; index < frame.digestCount; index++) {
      const at = frame.digests + instrument_digest_bytes * index;
      const [low, high] = [frame.view.getUint32(at, true), frame.view.getUint32(at + 4, true)];
      replica.expectDigest(frame.view.getUint32(at + 8, true), frame.view.getUint32(at + 12, true), high, low);
    }
    this.#checkBooks();
  }

  // Frames and packets of the session that is followed; after a grant the first one says which that is.
  #ofSession({ sessionHigh, sessionLow }: { sessionHigh: number; sessionLow: number }): boolean {
    const session = bigintOf(sessionHigh, sessionLow);
    if (session === this.session) {
      this.#adopting = false;
      return true;
    }
    if (!this.#adopting) return false;
    this.#adopt(session);
    this.#adopting = false;
    return true;
  }

  #adopt(session: bigint): void {
    const is_another = this.session !== 0n && this.session !== session;
    this.session = session;
    this.sequence = 0;
    this.#resuming = false;
    this.windows.clear();
    this.#counted.clear();
    // How much of the old one was not sent, only the gateway knows.
    if (is_another) this.counts.comparable = false;
    this.replica?.reset();
    this.host.onSession(this, session);
  }

  #offer(packet: PacketReader, assembler: SnapshotAssembler): void {
    const offer = assembler.offer(packet);
    if (offer === 'too_large') {
      this.#snapshotFailed(offer);
      return;
    }
    if (offer !== 'complete') return;
    if (!assembler.verify()) {
      this.#snapshotFailed('digest_differs');
      return;
    }
    const replica = this.replica as Replica;
    this.#assembler = undefined;
    const refusal = assembler.loadInto(replica);
    this.sequence = assembler.sequence;
    if (refusal !== 'none') {
      this.#snapshotFailed(refusal);
      return;
    }
    this.#mismatches = replica.counters.digestsMismatched;
    this.host.onSnapshot(this, this.sequence);
    this.changeState('synchronized');
  }

  #snapshotFailed(reason: string): void {
    this.#assembler = undefined;
    this.host.onSnapshotRefused(this, reason);
    this.fail('snapshot_refused');
  }

  #applyExact(packet: PacketReader, replica: Replica): void {
    const next = this.sequence + 1;
    const skip = Math.max(0, next - packet.firstSequence);
    if (skip >= packet.count) return;
    if (this.#assembler !== undefined) {
      // The snapshot, or the mark of one who resumes, has to come first.
      this.fail('gap');
      return;
    }
    if (packet.firstSequence > next) {
      this.fail('gap');
      return;
    }
    applyPacket(packet, replica, skip);
    const first = packet.firstSequence + skip;
    this.sequence = packet.firstSequence + packet.count - 1;
    this.counts.sent += packet.count - skip;
    this.#checkBooks();
    this.host.onUpdates(this, first, this.sequence);
  }

  #applyFiltered(frame: FrameReader): void {
    const replica = this.replica as Replica;
    if (frame.sequenceCount === 0) {
      for (const definition of frame.definitions) replica.learnDefinition(definition);
      return;
    }
    const first = sequenceAt(frame, 0);
    if (this.#assembler !== undefined || frame.previous !== this.sequence || first <= this.sequence) {
      this.fail('gap');
      return;
    }
    applyFiltered(frame, replica);
    this.sequence = sequenceAt(frame, frame.sequenceCount - 1);
    this.counts.sent += frame.sequenceCount;
    this.#checkBooks();
    this.host.onUpdates(this, first, this.sequence);
  }

  #applyDepth(frame: FrameReader): void {
    this.counts.takeDepth(frame);
    const changed: number[] = [];
    let wrong = false;
    for (let index = 0; index < frame.entryCount; index++) {
      const at = frame.entries + depth_entry_bytes * index;
      const instrument = frame.view.getUint32(at + 40, true);
      if (instrument === 0 || instrument > this.host.limits.instruments) continue;
      let window = this.windows.get(instrument);
      if (window === undefined) {
        window = new DepthWindow();
        this.windows.set(instrument, window);
      }
      if (this.#counted.has(instrument)) this.counts.takeJump(frame, at, window.instrumentSequence);
      else this.#counted.add(instrument);
      if (window.apply(frame, at, this.levels) === 'applied') this.#awaited.delete(instrument);
      else wrong = true;
      changed.push(instrument);
    }
    this.sequence = frame.sequence;
    if (wrong && !this.anewAsked) {
      this.host.onMismatch(this, frame.sequence);
      this.fail('window');
    } else if (!wrong) this.#judgeWindows();
    this.host.onDepth(this, changed);
  }

  #judgeWindows(): void {
    if (this.#awaited.size > 0 || this.anewAsked) return;
    for (const { proved, state } of this.windows.values())
      if (!proved || state !== 0) {
        this.changeState('stale');
        return;
      }
    this.changeState('synchronized');
  }

  // After what was applied or learnt: are the books still the publisher's?
  #checkBooks(): void {
    const { replica } = this;
    if (replica === undefined || this.#assembler !== undefined) return;
    if (replica.whole) {
      this.changeState('synchronized');
      return;
    }
    if (replica.counters.digestsMismatched > this.#mismatches) {
      this.#mismatches = replica.counters.digestsMismatched;
      this.host.onMismatch(this, replica.sequence);
    }
    this.fail('digest');
  }

  protected fail(reason: AnewReason): void {
    this.changeState('stale');
    if (!this.anewAsked) this.host.wantAnew(this, reason);
  }

  protected changeState(state: StreamState): void {
    const previous = this.state;
    if (state === previous) return;
    this.state = state;
    this.host.onState(this, state, previous);
  }
}
