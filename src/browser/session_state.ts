/**
 * A gateway session that lives as long as the client: hello, subscriptions, reconnecting with what is held, goodbye. Pure:
 * what the socket brings in, what it is to do out, time in ms and chance passed in.
 */
import { eachBlock, FrameReader, frame_payloads } from './frame_reader.js';
import { askAgainOn, GatewayError } from './gateway_error.js';
import { PacketReader, payloads } from './packet_reader.js';
import {
  type ClientMessage,
  type GatewayWelcome,
  gateway_version,
  parseServerMessage,
  type ServerMessage,
  type SubscribeOptions,
} from './protocol.js';
import { backoff, SessionRetries } from './session_retries.js';
import { Stream, type StreamHost, type StreamLimits } from './stream.js';

export interface SessionOptions {
  url: string;
  token: string;
  /** Name for the operator. */
  client: string;
  /** Without an answer for so long, the connection is given up. */
  timeoutMs: number;
  /** Said so often, so that neither side takes the other for dead. */
  pingMs: number;
  backoffMs: number;
  backoffMsMax: number;
  limits: StreamLimits;
  /** 0 … 1. */
  random: () => number;
  /** The time of day, ms. */
  wallMs: () => number;
}

export type Action = { do: 'connect'; url: string } | { do: 'disconnect'; code: number } | { do: 'send'; text: string };

/** What the client is told besides what the streams tell. */
export interface SessionHost extends Omit<StreamHost, 'send' | 'wantAnew' | 'limits' | 'wallMs'> {
  onLink(connected: boolean): void;
  onWelcome(welcome: GatewayWelcome): void;
  onError(error: GatewayError, stream: Stream | undefined): void;
  /** A subscription, or (undefined) the login. Once for each refusal, however often it is asked for again. */
  onRefused(error: GatewayError, stream: Stream | undefined): void;
  /** The connection is gone, or none could be made; another one is tried. */
  onDisconnected(reason: string): void;
  onDefinitions(channel: number, stream: Stream): void;
  onSlow(stream: Stream, did: 'conflated' | 'resnapshot'): void;
  onGoodbye(reason: string, reconnectMs: number): void;
  /** Bytes that are not what they should be: the name of the fault. */
  onFault(fault: string): void;
}

/** Where books are kept elsewhere than in the streams: what is done otherwise. */
export interface SessionParts {
  makeStream(id: number, options: SubscribeOptions, host: StreamHost): Stream;
  /** Takes every binary frame, which stays valid during the call. Returns its fault. */
  takeBinary(bytes: Uint8Array): string | undefined;
}

export interface SessionFigures {
  connects: number;
  /** Frames and packets that were refused, texts that were not understood. */
  faults: number;
  packets: number;
  frames: number;
  bytes: number;
  snapshotsAsked: number;
  /** Pings that were answered, and how long the last answer took, in ms. */
  pongs: number;
  roundTripMs: number;
}

type AnswerType = 'subscribed' | 'changed' | 'counts' | 'unsubscribed' | 'slow';
type Link = 'off' | 'down' | 'connecting' | 'greeting' | 'ready';

/** Closed with these: to come back would change nothing. */
const final_codes = new Set([4001, 4003, 4401, 4403]);
const faults_max = 16;

/** Threads: one. Every call returns what is to be done, in order; deadline() tells when tick() is due. */
export class SessionState {
  readonly streams = new Map<number, Stream>();
  readonly figures: SessionFigures = {
    connects: 0,
    faults: 0,
    packets: 0,
    frames: 0,
    bytes: 0,
    snapshotsAsked: 0,
    pongs: 0,
    roundTripMs: 0,
  };
  readonly #options: SessionOptions;
  readonly #host: SessionHost;
  readonly #parts: SessionParts | undefined;
  readonly #packet = new PacketReader();
  readonly #frame = new FrameReader();
  /** Whose snapshot the next so many packets of a message are. */
  #marked: Stream | undefined;
  #marked_left = 0;
  #link: Link = 'off';
  #url: string;
  #now = 0;
  #connect_ms = 0;
  #attempts = 0;
  #greeting_ms = 0;
  #heard_ms = 0;
  #ping_ms = 0;
  #pinged_ms = Number.NaN;
  #faults = 0;
  #id = 0;
  readonly #retries: SessionRetries;
  /** Why the login was refused, said before the socket is closed. */
  #refusal: GatewayError | undefined;
  #actions: Action[] = [];

  constructor(options: SessionOptions, host: SessionHost, parts?: SessionParts) {
    this.#options = options;
    this.#host = host;
    this.#parts = parts;
    this.#url = options.url;
    this.#retries = new SessionRetries(options);
  }

  get connected(): boolean {
    return this.#link === 'ready';
  }

  start(now: number): Action[] {
    this.#link = 'down';
    return this.tick(now);
  }

  stop(now: number): Action[] {
    this.#now = now;
    if (this.#link !== 'off' && this.#link !== 'down') this.#actions.push({ do: 'disconnect', code: 1000 });
    this.#link = 'off';
    for (const stream of this.streams.values()) stream.abandon(new Error('the client was closed'));
    return this.#finish();
  }

  /** Granted as soon as there is a gateway. Throws RangeError where there are too many. */
  subscribe(options: SubscribeOptions, now: number): { stream: Stream; actions: Action[] } {
    this.#now = now;
    const make = this.#parts?.makeStream ?? ((...given) => new Stream(...given));
    const stream = make(this.#nextId(), options, {
      ...this.#host,
      limits: this.#options.limits,
      wallMs: this.#options.wallMs,
      send: (message) => {
        this.#send(message);
        return this.#now;
      },
      wantAnew: (one) => this.#retries.wantAnew(one, this.#now),
    });
    this.streams.set(stream.id, stream);
    if (this.#link === 'ready') stream.subscribe();
    return { stream, actions: this.#finish() };
  }

  /** What `ask` sends is among the actions. The socket must be ready. */
  request<Answer>(ask: () => Answer, now: number): { answer: Answer; actions: Action[] } {
    this.#now = now;
    const answer = ask();
    return { answer, actions: this.#finish() };
  }

  opened(now: number): Action[] {
    this.#now = now;
    if (this.#link !== 'connecting') return this.#finish();
    this.#link = 'greeting';
    this.#greeting_ms = now;
    this.#heard_ms = now;
    this.#faults = 0;
    const { token, client } = this.#options;
    this.#send({
      type: 'hello',
      versions: [gateway_version],
      ...(token !== '' && { token }),
      ...(client !== '' && { client }),
    });
    return this.#finish();
  }

  /** `reason`: why it could not be made, where that is known. */
  closed(code: number, now: number, reason = ''): Action[] {
    this.#now = now;
    if (this.#link === 'off' || this.#link === 'down') return this.#finish();
    const refusal = this.#refusal;
    this.#drop(reason === '' ? lossText(this.#link, code) : reason);
    if (final_codes.has(code)) this.#refuseLogin(refusal, code);
    return this.#finish();
  }

  /** An answer to the upgrade that another one will not follow: it is not tried again. */
  refusedByServer(error: GatewayError, now: number): Action[] {
    this.#now = now;
    if (this.#link === 'off') return this.#finish();
    this.#actions.push({ do: 'disconnect', code: 1000 });
    this.#drop(error.message);
    this.#host.onError(error, undefined);
    this.#refuseLogin(error, 4401);
    return this.#finish();
  }

  #refuseLogin(said: GatewayError | undefined, code: number): void {
    this.#link = 'off';
    const error = said ?? new GatewayError(code === 4001 ? 'bad_version' : 'unauthorised', `closed (${code})`);
    if (said === undefined) this.#host.onError(error, undefined);
    for (const stream of this.streams.values()) stream.abandon(error);
    this.#host.onRefused(error, undefined);
  }

  text(text: string, now: number): Action[] {
    this.#hear(text.length, now);
    const message = parseServerMessage(text);
    if (typeof message === 'string') this.#fault(`text: ${message}`);
    else if (message !== undefined) this.#take(message);
    return this.#finish();
  }

  /** The bytes must stay as they are until the call returns. */
  binary(bytes: Uint8Array, now: number): Action[] {
    this.#hear(bytes.byteLength, now);
    const fault =
      this.#parts !== undefined
        ? this.#parts.takeBinary(bytes)
        : eachBlock(
            bytes,
            (block) => this.#takePacket(block),
            (block) => this.#takeFrame(block),
          );
    if (fault !== undefined) this.#fault(`block: ${fault}`);
    else if (this.#marked_left > 0) this.#fault('snapshot: shorter than its mark says');
    this.#marked_left = 0;
    return this.#finish();
  }

  tick(now: number): Action[] {
    this.#now = now;
    const { timeoutMs, pingMs } = this.#options;
    if (this.#link === 'down' && now >= this.#connect_ms) {
      this.#link = 'connecting';
      this.#greeting_ms = now;
      this.figures.connects++;
      this.#actions.push({ do: 'connect', url: this.#url });
    }
    const is_late = (this.#link === 'connecting' || this.#link === 'greeting') && now - this.#greeting_ms >= timeoutMs;
    // A request that is not answered may have been lost as another connection's would not be.
    const is_silent =
      this.#link === 'ready' && now >= Math.min(this.#heard_ms + pingMs, this.#askedFirst()) + timeoutMs;
    if (is_late || is_silent) {
      this.#actions.push({ do: 'disconnect', code: 4000 });
      this.#drop(silenceText(this.#link, timeoutMs));
    }
    if (this.#link === 'ready') this.#work(pingMs);
    return this.#finish();
  }

  /** When tick() is due; undefined: when something happens. */
  deadline(): number | undefined {
    const { timeoutMs, pingMs } = this.#options;
    switch (this.#link) {
      case 'off':
        return undefined;
      case 'down':
        return this.#connect_ms;
      case 'connecting':
      case 'greeting':
        return this.#greeting_ms + timeoutMs;
      default: {
        const silent_ms = Math.min(this.#heard_ms + pingMs, this.#askedFirst()) + timeoutMs;
        return Math.min(this.#ping_ms, silent_ms, this.#retries.deadline());
      }
    }
  }

  // When the oldest request that waits for an answer was sent.
  #askedFirst(): number {
    let first_ms = Number.POSITIVE_INFINITY;
    for (const { askedMs } of this.streams.values()) first_ms = Math.min(first_ms, askedMs);
    return first_ms;
  }

  #work(ping_ms: number): void {
    if (this.#now >= this.#ping_ms) {
      this.#ping_ms = this.#now + ping_ms;
      this.#pinged_ms = this.#now;
      this.#send({ type: 'ping', time: Math.floor(this.#now) });
    }
    const { anew, again } = this.#retries.takeDue(this.#now);
    for (const stream of anew) {
      this.figures.snapshotsAsked++;
      stream.askAnew();
    }
    for (const stream of again) stream.subscribe();
  }

  #take(message: ServerMessage): void {
    if (message.type === 'welcome') {
      this.#greet(message);
      return;
    }
    if (message.type === 'error') {
      this.#takeError(message);
      return;
    }
    if (message.type === 'goodbye') {
      this.#leave(message);
      return;
    }
    if (this.#link !== 'ready') {
      this.#fault(`${message.type} before welcome`);
      return;
    }
    switch (message.type) {
      case 'definitions':
        this.#eachOf(message.channel, (stream) => {
          stream.onDefinitions(message.instruments);
          this.#host.onDefinitions(message.channel, stream);
        });
        this.#retries.news(this.#now, message.channel);
        return;
      case 'session':
        this.#eachOf(message.channel, (stream) => stream.onNewSession(message.session));
        this.#retries.news(this.#now, message.channel);
        return;
      case 'entitlements':
        this.#retries.news(this.#now);
        return;
      case 'pong':
        this.#takePong(message.time);
        return;
      default:
        this.#takeAnswer(message);
        return;
    }
  }

  #takeAnswer(message: Extract<ServerMessage, { type: AnswerType }>): void {
    const stream = this.streams.get(message.id);
    if (stream === undefined) {
      this.#fault(`${message.type} of an unknown id`);
      return;
    }
    switch (message.type) {
      case 'subscribed':
        this.#retries.granted(stream);
        stream.onGranted('subscribe', message.mode, message.instruments);
        this.#host.onDefinitions(stream.options.channel, stream);
        return;
      case 'changed':
        stream.onGranted('change', message.mode, message.instruments, message.counts);
        return;
      case 'counts':
        stream.onCounts('count', message);
        return;
      case 'unsubscribed':
        // Where nobody asked, it is no longer allowed; it may be again.
        if (stream.onCounts('unsubscribe', message)) this.forget(stream);
        else this.#retries.refused(stream, undefined, this.#now);
        return;
      default:
        stream.onSlow(message.did, message.counts);
        this.#host.onSlow(stream, message.did);
        return;
    }
  }

  // Of the last ping only; one that is late beyond the next tells little.
  #takePong(time: number | undefined): void {
    if (time !== Math.floor(this.#pinged_ms)) return;
    this.figures.pongs++;
    this.figures.roundTripMs = this.#now - this.#pinged_ms;
    this.#pinged_ms = Number.NaN;
  }

  #greet({ channels, levels }: GatewayWelcome): void {
    if (this.#link !== 'greeting') {
      this.#fault('welcome twice');
      return;
    }
    this.#link = 'ready';
    this.#attempts = 0;
    this.#ping_ms = this.#now + this.#options.pingMs;
    this.#host.onLink(true);
    for (const stream of this.streams.values()) stream.subscribe();
    // Whoever hears of it may subscribe to more.
    this.#host.onWelcome({ channels, levels });
  }

  #takeError({ id, code, message, waitMs }: Extract<ServerMessage, { type: 'error' }>): void {
    const stream = id === undefined ? undefined : this.streams.get(id);
    // What nobody asked for answers nothing.
    const kind = code === 'too_slow' ? undefined : stream?.requestKind;
    const is_ended = kind === undefined && stream !== undefined && code === 'forbidden';
    const again = kind === 'subscribe' || is_ended ? askAgainOn(code) : 'never';
    const error = new GatewayError(code, message, again !== 'never');
    if (stream === undefined && (code === 'unauthorised' || code === 'bad_version')) this.#refusal = error;
    if (kind !== undefined) stream?.onError(error);
    if (stream !== undefined && kind === 'change' && stream.state === 'stale')
      this.#retries.wantAnew(stream, this.#now);
    this.#host.onError(error, stream);
    if (stream === undefined || (kind !== 'subscribe' && !is_ended)) return;
    if (again === 'never') {
      stream.abandon(error);
      this.forget(stream);
    } else if (!is_ended) this.#retries.refused(stream, again === 'time' ? waitMs : undefined, this.#now);
    // Not served yet is no refusal.
    if (code !== 'unavailable' && code !== 'rate_limited') this.#tellRefused(stream, error);
  }

  #tellRefused(stream: Stream, error: GatewayError): void {
    const is_known = stream.refusal?.message === error.message;
    stream.refuse(error);
    if (!is_known) this.#host.onRefused(error, stream);
  }

  #leave({ reason, reconnectMs, url }: Extract<ServerMessage, { type: 'goodbye' }>): void {
    if (url !== undefined && mayGoTo(this.#options.url, url)) this.#url = url;
    this.#host.onGoodbye(reason, reconnectMs);
    this.#actions.push({ do: 'disconnect', code: 1000 });
    this.#drop(`goodbye: ${reason}`);
    // All clients were told the same: some chance keeps them apart.
    this.#connect_ms = this.#now + reconnectMs + this.#options.random() * this.#options.backoffMs;
  }

  #takePacket(block: Uint8Array): void {
    this.figures.packets++;
    const is_marked = this.#marked_left > 0;
    if (is_marked) this.#marked_left--;
    const status = this.#packet.read(block);
    if (status !== 'ok') {
      this.#fault(`packet: ${status}`);
      return;
    }
    if (is_marked) {
      if (this.#marked?.options.channel === this.#packet.channel) this.#marked.onSnapshotPacket(this.#packet);
    } else if (this.#packet.payload === payloads.snapshot) this.#fault('snapshot: without a mark');
    else this.#eachOf(this.#packet.channel, (stream) => stream.onPacket(this.#packet));
  }

  #takeFrame(block: Uint8Array): void {
    this.figures.frames++;
    const status = this.#frame.read(block);
    if (status !== 'ok') {
      this.#fault(`frame: ${status}`);
      return;
    }
    const found = this.streams.get(this.#frame.subscription);
    // Else of one that was just given up.
    const stream = found?.options.channel === this.#frame.channel ? found : undefined;
    if (this.#marked_left > 0) this.#fault('snapshot: shorter than its mark says');
    this.#marked_left = this.#frame.payload === frame_payloads.snapshot ? this.#frame.datagrams : 0;
    this.#marked = stream;
    stream?.onFrame(this.#frame);
  }

  #eachOf(channel: number, use: (stream: Stream) => void): void {
    for (const stream of this.streams.values()) if (stream.options.channel === channel) use(stream);
  }

  /** It is not asked for any more. */
  forget(stream: Stream): void {
    this.streams.delete(stream.id);
    this.#retries.forget(stream);
  }

  #hear(bytes: number, now: number): void {
    this.#now = now;
    this.#heard_ms = now;
    this.figures.bytes += bytes;
  }

  // A gateway that says nonsense again and again is left.
  #fault(fault: string): void {
    this.figures.faults++;
    this.#host.onFault(fault);
    if (++this.#faults < faults_max || this.#link === 'down' || this.#link === 'off') return;
    this.#actions.push({ do: 'disconnect', code: 4000 });
    this.#drop(`it sent what was refused: ${fault}`);
  }

  // The socket is gone, or given up.
  #drop(reason: string): void {
    if (this.#link === 'down' || this.#link === 'off') return;
    const was_ready = this.#link === 'ready';
    this.#link = 'down';
    this.#connect_ms = this.#now + backoff(this.#options, this.#attempts++);
    this.#refusal = undefined;
    this.#retries.clear();
    if (was_ready) this.#host.onLink(false);
    const error = new Error('the connection to the gateway was lost');
    for (const stream of this.streams.values()) stream.onClosed(error);
    // What could not be reached elsewhere is looked for at home.
    if (this.#attempts > 2) this.#url = this.#options.url;
    this.#host.onDisconnected(reason);
  }

  #nextId(): number {
    if (this.streams.size >= 65_535) throw new RangeError('there are 65,535 subscriptions already');
    do this.#id = (this.#id % 65_535) + 1;
    while (this.streams.has(this.#id));
    return this.#id;
  }

  #send(message: ClientMessage): void {
    this.#actions.push({ do: 'send', text: JSON.stringify(message) });
  }

  #finish(): Action[] {
    if (this.#link === 'ready') this.#work(this.#options.pingMs);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

function lossText(link: Link, code: number): string {
  if (link === 'connecting') return 'it cannot be reached';
  return code === 1006 || code === 1005 ? 'the connection broke' : `it closed the connection (${code})`;
}

function silenceText(link: Link, timeout_ms: number): string {
  if (link === 'connecting') return `no connection within ${timeout_ms} ms`;
  return link === 'greeting' ? `no welcome within ${timeout_ms} ms` : 'it has fallen silent';
}

/** A gateway may send its clients elsewhere, but not from TLS to none. */
function mayGoTo(from: string, to: string): boolean {
  try {
    const [before, after] = [new URL(from).protocol, new URL(to).protocol];
    return after === 'wss:' || (after === 'ws:' && before === 'ws:');
  } catch {
    return false;
  }
}
