/** Publishes one channel: a source of orders in, numbered packets on line A and line B out. */
import { EventEmitter } from 'node:events';
import type { Depth, InstrumentInfo } from './book_types.js';
import { parseOptions, type ServeOptions, type ServeOptionsInput, serveOptions, speedFactor } from './config.js';
import type { DirectoryChannel } from './control/protocol.js';
import { ControlServer } from './control/server.js';
import type { DepthColumns } from './depth_columns.js';
import { DepthReader } from './depth_reader.js';
import { type SourceEnd, sourceEnd } from './distributor_end.js';
import { accessOf, asksForLogin, gatewayOf } from './distributor_gateway.js';
import type { AccessService } from './gateway/access/access_service.js';
import type { GatewaySessionInfo, GatewayStats } from './gateway/figures.js';
import type { Gateway } from './gateway/gateway.js';
import { type ThreadUse, threadUse } from './host.js';
import { InstrumentDirectory } from './instruments.js';
import {
  addon,
  type NativePublisher,
  type NativePublisherOptions,
  type NativePushInput,
  type NativeRefusal,
  type NativeSourceEnd,
  type NativeState,
} from './native.js';
import { nativeLimits } from './native_limits.js';
import { applyProfile, hostWarnings, lockWarnings, thisHost } from './profile.js';
import { CounterReader, RateMeter } from './rates.js';
import { ChannelRecovery, type RecoveryStats } from './recovery/channel_recovery.js';
import { openSource } from './sources/open.js';
import type { EngineNews, Source } from './sources/source.js';
import { endSource, identifySource, rememberSource, type SourceIdentity } from './state_file.js';
import { passedOn } from './validation.js';

export type { SourceEnd, SourceFault } from './distributor_end.js';

const definitions_every_ms = 100;

/** Figures since start. Rates are per second, over the time since an earlier call. */
export interface DistributorStats {
  session: bigint;
  /** Number of the last message. */
  sequence: bigint;
  /** Messages of the source consumed. */
  position: bigint;
  messagesPerSecond: number;
  packetsPerSecond: number;
  /** Sent on all lines, and refused by the kernel. */
  datagrams: bigint;
  bytes: bigint;
  datagramsFailed: bigint;
  /** Subscribers that the control service knows of now. */
  subscribers: number;
  /** Every figure of the native threads by name. */
  counters: Record<string, bigint>;
  /** Every figure of the source by name; empty where it has none of its own. */
  source: Record<string, bigint>;
  /** Every figure of the journal by name; empty where there is no state folder. */
  journal: Record<string, bigint>;
  /** Figures of the replica, the recovery service and the re-requests by UDP. */
  recovery: RecoveryStats;
  /** Figures of the gateway, at most half a second old; undefined where there is none. */
  gateway: GatewayStats | undefined;
  /** What the kernel counts for the publisher thread; undefined while it does not run. */
  thread: ThreadUse | undefined;
}

/** Where a distributor with a state folder began. */
export interface DistributorBegin {
  /** An interrupted session goes on. */
  continued: boolean;
  /** Why a new session began instead; empty where there is no state folder. */
  reason: string;
  /** Of the source's first message that was not passed over. */
  position: bigint;
  /** Live orders that a new session opened with (`carryOver`), and the session that left them; 0: none. */
  carriedOrders: bigint;
  carriedSession: bigint;
}

export interface DistributorEvents {
  /** The source has ended, and the end of the session was sent. */
  ended: [end: SourceEnd];
  /** An instrument was defined, or defined anew. */
  definition: [instrument: InstrumentInfo];
  /** An input event contradicted the books: refused, or passed on where `passed`. At most 256 in 100 ms, the rest counted. */
  refused: [refusal: Refusal];
  /** The number of subscribers changed. */
  subscriber: [count: number];
  /** A thread of the gateway died; the feed goes on. */
  gatewayError: [error: Error];
  /** For people: a token file is broken or good again, the audit log cannot be written, keys cannot be had. */
  notice: [text: string];
  /** An engine that pushes has come or gone. */
  engine: [news: EngineNews];
}

/** An input event that contradicts the books, with its number. */
export type Refusal = NativeRefusal;

type Phase = 'new' | 'starting' | 'running' | 'closed';

/**
 * The native threads publish without JavaScript; this object starts, watches and ends them, from the thread that made
 * it. (A gzip source is unpacked on that thread's event loop, and waits while it is busy.) It keeps the process alive
 * from start() until the source has ended and, with a control service or a gateway, until close(). In a worker thread with
 * one of them, close() before worker.terminate(): see ControlServer.
 */
export class Distributor extends EventEmitter<DistributorEvents> {
  readonly options: ServeOptions;
  /** Resolves when the source has ended and the end of the session was sent, or at close(). Never rejects. */
  readonly ended: Promise<SourceEnd>;
  readonly #directory = new InstrumentDirectory();
  readonly #recovery: ChannelRecovery;
  readonly #rates = new RateMeter();
  #settleEnd!: (end: SourceEnd) => void;
  #end: SourceEnd | undefined;
  #phase: Phase = 'new';
  #native: NativePublisher | undefined;
  #session: bigint;
  #begin: DistributorBegin = {
    continued: false,
    reason: '',
    position: 1n,
    carriedOrders: 0n,
    carriedSession: 0n,
  };
  #counters: CounterReader | undefined;
  #journal: CounterReader | undefined;
  #depth: DepthReader | undefined;
  #server: ControlServer | undefined;
  #access: AccessService | undefined;
  #gateway: Gateway | undefined;
  #closing: Promise<void> | undefined;
  #source: Source | undefined;
  readonly #opening = new AbortController();
  #definitionsTimer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #waitFault: string | undefined;
  #warnings: string[] = [];

  /** Throws ConfigError, which names every option that is wrong. */
  constructor(options: ServeOptionsInput = {}) {
    super();
    this.options = parseOptions(serveOptions, applyProfile('serve', options), 'serve options');
    this.#session = this.options.session || BigInt(Date.now()) * 1_000_000n;
    this.#recovery = new ChannelRecovery(channelRecoveryOptions(this.options), this.options.control !== null);
    this.ended = new Promise((resolve) => {
      this.#settleEnd = resolve;
    });
  }

  /**
   * Opens the source, the control service, the lines and the gateway; resolves when heartbeats go out. The source begins at once, or
   * when waitSubscribers have joined. Once. Rejects where one of them cannot be had, or when close() comes in between;
   * then everything is closed.
   */
  async start(): Promise<void> {
    if (this.#phase !== 'new')
      throw new Error(`this distributor was ${this.#phase === 'closed' ? 'closed' : 'started'} before`);
    this.#phase = 'starting';
    try {
      const source = await this.#openSource();
      this.#openAccess();
      await this.#openControl();
      if (this.#stopped()) throw new Error('this distributor was closed while it started');
      const native = this.#openPublisher(source);
      await this.#recovery.open({ publisher: native });
      await this.#openGateway(native);
      if (this.#stopped()) throw new Error('this distributor was closed while it started');
      this.#prepareHost();
      native.start();
      this.#phase = 'running';
      this.#awaitSubscribers();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends the source and the session in good order. Resolves when the end of the session was sent; any number of times. */
  async stop(): Promise<void> {
    if (this.#native === undefined) return this.close();
    this.#native.stop();
    await this.ended;
  }

  /**
   * Ends everything at once, sending the end of the session where it runs; the gateway's clients are told before. Any
   * number of times, at any moment.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#phase = 'closed';
    this.#opening.abort();
    if (this.#gateway !== undefined) await this.#gateway.close();
    clearInterval(this.#definitionsTimer);
    clearTimeout(this.#waitTimer);
    this.#takeDefinitions();
    this.#journal?.read();
    this.#recovery.close();
    // The publisher first: unpacking must not end before its reader, as if the file had ended.
    const position = this.#readCounters().inputPosition ?? 0n;
    this.#native?.close();
    this.#native = undefined;
    this.#source?.close();
    this.#server?.close();
    this.#finish(sourceEnd('stopped', position));
    if (this.#access !== undefined) await this.#access.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Final once start() has resolved: an interrupted session keeps its id. */
  get session(): bigint {
    return this.#session;
  }

  /** Where it began; after start(). */
  get begin(): DistributorBegin {
    return this.#begin;
  }

  /** What the options ask for and this machine does not give; after start(). It runs without. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Base URL of the control service, with the port it listens on; null where there is none. */
  get control(): string | null {
    return this.#server?.url ?? this.options.control;
  }

  /** Base URL of the gateway and its page, with the port it listens on; null where there is none. */
  get gateway(): string | null {
    return this.#gateway?.url ?? null;
  }

  /** Where an engine connects to, as the option `source`, with the port that was taken; empty where there is no TCP. */
  get sourceAddress(): string {
    return this.#source?.address ?? '';
  }

  /** @internal What an EventPublisher of this process pushes into, where `source` is `push`. */
  get input(): NativePushInput | undefined {
    return this.#source?.input;
  }

  stats(): DistributorStats {
    const counters = this.#readCounters();
    const figure = (name: string) => counters[name] ?? 0n;
    const sequence = figure('sequence');
    const rates = this.#rates.update(performance.now(), [sequence, figure('packets')]);
    return {
      session: this.session,
      sequence,
      position: figure('inputPosition'),
      messagesPerSecond: rates[0] ?? 0,
      packetsPerSecond: rates[1] ?? 0,
      datagrams: figure('datagramsA') + figure('datagramsB'),
      bytes: figure('bytesA') + figure('bytesB'),
      datagramsFailed: figure('datagramsFailedA') + figure('datagramsFailedB'),
      subscribers: this.#server?.subscribers ?? 0,
      counters,
      source: this.#native?.sourceFigures() ?? {},
      journal: this.#journal?.read() ?? {},
      recovery: this.#recovery.stats(),
      gateway: this.#gateway?.stats(),
      thread: this.#end === undefined ? threadUse(Number(figure('threadId'))) : undefined,
    };
  }

  /** Everyone who is connected to the gateway, for the operator. */
  async gatewaySessions(): Promise<GatewaySessionInfo[]> {
    return (await this.#gateway?.sessions()) ?? [];
  }

  /** Those defined so far, by instrument number. */
  instruments(): InstrumentInfo[] {
    this.#takeDefinitions();
    return this.#directory.all();
  }

  /** By number or name. */
  instrument(key: string | number): InstrumentInfo | undefined {
    this.#takeDefinitions();
    return this.#directory.find(key);
  }

  /** At most limits.depthLevels levels; undefined for an unknown instrument. Throws DepthBusyError. */
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

  // close() may come at any await.
  #stopped(): boolean {
    return this.#phase === 'closed';
  }

  async #openSource(): Promise<Source> {
    const source = await openSource(this.options, this.#opening.signal);
    if (this.#stopped()) source.close();
    else this.#source = source;
    source.on?.('engine', (news) => this.emit('engine', news));
    return source;
  }

  async #openControl(): Promise<void> {
    if (this.options.control === null || this.#stopped()) return;
    const server = new ControlServer(this.options.control, () => this.#channels(), this.#recovery.addRoutes);
    this.#server = server;
    server.on('subscribers', (count) => {
      this.emit('subscriber', count);
      this.#awaitSubscribers();
    });
    await server.start();
  }

  #openAccess(): void {
    if (this.#stopped()) return;
    this.#access = accessOf(this.options, {
      actions: (actions) => {
        this.#gateway?.act(actions);
        this.#recovery.act(actions);
      },
      notice: (text) => this.emit('notice', text),
    });
    this.#access?.start();
    if (this.#access === undefined || !asksForLogin(this.options)) return;
    const nameOf = (instrument: number) => this.instrument(instrument)?.name;
    this.#recovery.setGuard({ control: this.#access.control, channel: this.options.channel, nameOf });
  }

  async #openGateway(publisher: NativePublisher): Promise<void> {
    if (this.#stopped() || this.options.gateway.port === null || this.#access === undefined) return;
    this.#gateway = gatewayOf(this.options, {
      publisher,
      access: this.#access,
      directory: () => this.#channels(),
      stats: () => this.stats(),
    });
    this.#gateway.on('error', (error) => this.emit('gatewayError', error));
    await this.#gateway.start();
  }

  #channels(): DirectoryChannel[] {
    const { channel, lineA, lineB } = this.options;
    const { directory } = this.#recovery;
    const instruments = this.#directory.size;
    const server = directory.recovery === null ? undefined : this.#server?.url;
    const recoveryUrl = server === undefined ? null : `${server.replace(/^http/, 'ws')}${directory.recovery}`;
    return [{ channel, session: String(this.session), lineA, lineB, instruments, ...directory, recoveryUrl }];
  }

  #openPublisher(source: Source): NativePublisher {
    const { options } = this;
    const identity = identifySource(options, source.identity, Date.now());
    const native = new addon.Publisher(nativeOptions(options, this.session, identity, source.repeats), (end) =>
      this.#nativeEnded(end),
    );
    this.#native = native;
    const { session, ...begin } = native.begin();
    this.#session = session;
    this.#begin = begin;
    if (options.state !== '') {
      rememberSource(options.state, session, identity);
      this.#journal = new CounterReader(addon.journalCounterNames, (out) => native.journalCounters(out));
    }
    this.#counters = new CounterReader(addon.publisherCounterNames, (out) => native.counters(out));
    this.#depth = new DepthReader(native.depth.bind(native), options.limits.depthLevels);
    const { midnightNs } = identity;
    source.attach(native, { speed: speedFactor(options.speed) ?? 0, rate: options.rate, midnightNs });
    this.#definitionsTimer = setInterval(() => this.#takeDefinitions(), definitions_every_ms);
    this.#definitionsTimer.unref();
    return native;
  }

  #prepareHost(): void {
    const host = thisHost();
    this.#warnings = hostWarnings(this.options, host);
    this.#warnings.push(...lockWarnings(Number(this.#readCounters().lockError ?? 0n), host));
  }

  #awaitSubscribers(): void {
    const { waitSubscribers, waitTimeoutMs } = this.options;
    if (this.#phase !== 'running' || this.#waitFault !== undefined) return;
    if ((this.#server?.subscribers ?? 0) >= waitSubscribers) {
      clearTimeout(this.#waitTimer);
      this.#native?.release();
    } else if (waitTimeoutMs > 0 && this.#waitTimer === undefined) {
      this.#waitTimer = setTimeout(() => this.#giveUpWaiting(), waitTimeoutMs);
    }
  }

  #giveUpWaiting(): void {
    const { waitSubscribers, waitTimeoutMs } = this.options;
    const came = this.#server?.subscribers ?? 0;
    this.#waitFault = `${waitSubscribers} subscribers within ${waitTimeoutMs} ms, but ${came} came`;
    this.#native?.stop();
  }

  #nativeEnded(native: NativeSourceEnd): void {
    this.#takeDefinitions();
    const expected = this.#waitFault;
    if (expected === undefined && this.#source !== undefined) this.#finish(this.#source.describeEnd(native));
    else
      this.#finish(
        sourceEnd('fault', native.position, { file: undefined, offset: undefined, expected: expected ?? '' }),
      );
  }

  #finish(end: SourceEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (this.options.state !== '' && this.#journal !== undefined && !this.#goesOn(end))
      endSource(this.options.state, end.reason === 'end' && this.#source?.repeats === true);
    clearTimeout(this.#waitTimer);
    this.#source?.close();
    this.#settleEnd(end);
    this.emit('ended', end);
  }

  // A session whose source was stopped, and has more, is left open for the next start.
  #goesOn({ reason }: SourceEnd): boolean {
    return reason === 'stopped' && this.#source?.repeats === false;
  }

  #readCounters(): Record<string, bigint> {
    return this.#counters?.read() ?? {};
  }

  #takeRefusals(): void {
    const refusals = this.#native?.refusals() ?? [];
    if (this.listenerCount('refused') === 0) return;
    for (const refusal of refusals) this.emit('refused', refusal);
  }

  #takeDefinitions(): void {
    this.#takeRefusals();
    const fresh = this.#native?.definitions() ?? [];
    if (fresh.length === 0) return;
    this.#directory.add(fresh);
    if (this.listenerCount('definition') === 0) return;
    for (const { instrument } of fresh) {
      const info = this.#directory.find(instrument);
      if (info !== undefined) this.emit('definition', info);
    }
  }
}

function channelRecoveryOptions(options: ServeOptions) {
  const { channel, ttl, loop, segmentation, state, journal, snapshot, recovery, lineA, lineB } = options;
  return {
    channel,
    interface: options.interface,
    ttl,
    loop,
    segmentation,
    datagramBytes: (lineA ?? lineB)?.datagramBytes ?? 1_400,
    limits: nativeLimits(options.limits),
    state,
    checkpointMs: journal.checkpointMs,
    checkpointsKept: journal.checkpointsKept,
    snapshot,
    recovery,
  };
}

function nativeState(options: ServeOptions, carryPosition: boolean): NativeState | null {
  const { state, session, journal, carryOver } = options;
  return state === '' ? null : { folder: state, sessionWanted: session, carryOver, carryPosition, journal };
}

function nativeOptions(
  options: ServeOptions,
  session: bigint,
  identity: SourceIdentity,
  sourceRepeats: boolean,
): NativePublisherOptions {
  const { lineA, lineB, channel, ttl, loop, segmentation, wait, core, heartbeatMs, digestMessages, definitionsMs } =
    options;
  const lines = [lineA, lineB].filter((line) => line !== null);
  return {
    channel,
    session,
    lines: lines.map((line) => ({ ...line, interface: options.interface })),
    ttl,
    loop,
    segmentation,
    ringBytes: options.ring.bytes,
    ringPath: options.ring.path,
    wait,
    core,
    lockMemory: options.lockMemory,
    heartbeatMs,
    digestMessages,
    definitionsMs,
    sourceIdentity: identity.hash,
    sourceRepeats,
    passOn: passedOn(options.validation),
    state: nativeState(options, identity.goesOn),
    ...nativeLimits(options.limits),
  };
}
