/** Follows a gateway over a WebSocket: one connection, any number of subscriptions. For browsers, and Node with `ws`. */
import type { SequenceRange } from '../book_types.js';
import { Emitter } from './emitter.js';
import { GatewayError } from './gateway_error.js';
import { WallClock } from './latency.js';
import type { Print } from './prints.js';
import type { GatewayInstrument, GatewayWelcome, SubscribeOptions } from './protocol.js';
import {
  type Action,
  type SessionFigures,
  type SessionHost,
  type SessionParts,
  SessionState,
} from './session_state.js';
import type { Stream, StreamLimits, StreamState } from './stream.js';
import { Subscription } from './subscription.js';

/** The part of a WebSocket that is used: a browser's, Node 22's, or that of `ws`. */
export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface GatewayClientOptions {
  /** Such as wss://host/feed. */
  url: string;
  token?: string;
  /** Name for the gateway's operator. */
  client?: string;
  /** 5,000 ms unless given: an answer that takes longer ends the connection. */
  timeoutMs?: number;
  /** 15,000 ms: how often the gateway hears of us. */
  pingMs?: number;
  /** 250 ms and 10,000 ms: first and longest wait before the next attempt to connect; doubles, half of it chance. */
  backoffMs?: number;
  backoffMsMax?: number;
  /** What the books of one subscription may hold: 1,048,576 orders, 16,384 instruments, snapshots of 256 MiB. */
  limits?: Partial<StreamLimits>;
  /** Where there is no global WebSocket (Node 20): `WebSocket` of the package `ws`. */
  webSocket?: new (
    url: string,
  ) => SocketLike;
}

/** `new`: not started. The worst of the subscriptions' states; `connecting` without a connection, or a subscription. */
export type GatewayState = 'new' | StreamState | 'closed';

export interface GatewayClientEvents {
  state: [state: GatewayState, previous: GatewayState];
  /** Connected, and the token accepted: the channels that there are. */
  welcome: [welcome: GatewayWelcome];
  subscriptionState: [state: StreamState, previous: StreamState, subscription: Subscription];
  /** A session is followed from here on: books and windows are empty. */
  session: [session: bigint, subscription: Subscription];
  /** `exact`, `filtered`: every book was replaced. Updates go on behind it. */
  snapshot: [snapshot: { sequence: bigint }, subscription: Subscription];
  /** It could not be used: the reason. Another one is asked for. */
  snapshotRefused: [reason: string, subscription: Subscription];
  /** As of this message some book or window was not the publisher's; it is asked for anew. */
  digestMismatch: [sequence: bigint, subscription: Subscription];
  definitions: [instruments: GatewayInstrument[], subscription: Subscription];
  /** `exact`, `filtered`: these messages were applied. Of `filtered`, only those of its instruments among them. */
  updates: [range: SequenceRange, subscription: Subscription];
  /** `depth`, `bbo`: windows of these instruments changed. */
  depth: [instruments: readonly number[], subscription: Subscription];
  /** `trades`. */
  prints: [prints: readonly Print[], subscription: Subscription];
  /** The policy for slow consumers acted. */
  slow: [did: 'conflated' | 'resnapshot', subscription: Subscription];
  /** What the gateway counted is not what came. */
  countMismatch: [fault: string, subscription: Subscription];
  /** The gateway ends; the client comes back by itself. */
  goodbye: [reason: string, reconnectMs: number];
  error: [error: GatewayError, subscription: Subscription | undefined];
  /**
   * A subscription is not granted, or no longer; undefined: the login, and then for good. Where the error is `askedAgain`,
   * the client asks again by itself when it may have passed. Once for each reason.
   */
  refused: [error: GatewayError, subscription: Subscription | undefined];
  /** The connection is gone, or none could be made, and why, as far as is known; another one is tried. */
  disconnected: [reason: string];
  /** Bytes that were refused, by the name of their fault. */
  fault: [fault: string];
}

const defaults = { timeoutMs: 5_000, pingMs: 15_000, backoffMs: 250, backoffMsMax: 10_000 };
const limits_default: StreamLimits = { orders: 1 << 20, instruments: 16_384, snapshotBytes: 256 << 20 };

/** States from worst to best. */
const ranks: readonly StreamState[] = ['stale', 'connecting', 'recovering', 'synchronized'];

/** Threads: the one that made it. Reconnects by itself until close(). */
export class GatewayClient extends Emitter<GatewayClientEvents> {
  readonly #session: SessionState;
  readonly #open: new (
    url: string,
  ) => SocketLike;
  readonly #subscriptions = new Map<Stream, Subscription>();
  #socket: SocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: GatewayState = 'new';

  /** Throws Error where there is no WebSocket. `parts`: of the native client (src/client). */
  constructor(options: GatewayClientOptions, parts?: SessionParts) {
    super();
    const { webSocket, limits, url, token = '', client = '', ...more } = options;
    const open = webSocket ?? (globalThis as unknown as { WebSocket?: new (url: string) => SocketLike }).WebSocket;
    if (open === undefined) throw new Error('there is no WebSocket here: give one as options.webSocket');
    this.#open = open;
    const clock = new WallClock();
    this.#session = new SessionState(
      {
        ...{ ...defaults, ...more, url, token, client, limits: { ...limits_default, ...limits } },
        random: Math.random,
        wallMs: () => clock.now(),
      },
      this.#host(),
      parts,
    );
  }

  /** Connects, and goes on doing so. Once. */
  start(): void {
    if (this.#state !== 'new') throw new Error('this client was started before');
    this.#changeState('connecting');
    this.#do(this.#session.start(performance.now()));
  }

  /** Any number of times. Books stay readable as they are. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#do(this.#session.stop(performance.now()));
    clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions.values()) subscription.end();
    this.#changeState('closed');
  }

  /** At any time; granted when there is a connection, and again after each reconnect. */
  subscribe(options: SubscribeOptions): Subscription {
    if (this.#state === 'closed') throw new Error('this client is closed');
    const { stream, actions } = this.#session.subscribe(options, performance.now());
    const session = this.#session;
    const subscription = new Subscription(stream, {
      get connected() {
        return session.connected;
      },
      request: (ask) => this.#request(ask),
      remove: (one) => this.#remove(one),
    });
    this.#subscriptions.set(stream, subscription);
    this.#do(actions);
    return subscription;
  }

  get state(): GatewayState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  figures(): SessionFigures {
    return { ...this.#session.figures };
  }

  async #request<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (!this.#session.connected) throw new Error('there is no connection to the gateway');
    const { answer, actions } = this.#session.request(ask, performance.now());
    this.#do(actions);
    return answer;
  }

  #remove(stream: Stream): void {
    this.#session.forget(stream);
    this.#subscriptions.get(stream)?.end();
    this.#subscriptions.delete(stream);
    this.#judge();
  }

  #do(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.do === 'connect') this.#connect(action.url);
      else if (action.do === 'send') this.#socket?.send(action.text);
      else this.#hangUp(action.code);
    }
    this.#judge();
    this.#arm();
  }

  #connect(url: string): void {
    let socket: SocketLike;
    try {
      socket = new this.#open(url);
    } catch {
      // A wrong URL, or one that the page may not reach: tried again as any other that fails.
      queueMicrotask(() => this.#do(this.#session.closed(1006, performance.now())));
      return;
    }
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    // What a socket says that was given up is of no interest.
    const current = (use: () => readonly Action[]) => {
      if (this.#socket === socket) this.#do(use());
    };
    socket.onopen = () => current(() => this.#session.opened(performance.now()));
    // Browsers do not say what it was.
    let reason = '';
    socket.onerror = ({ error, message }: { error?: unknown; message?: string }) => {
      if (error instanceof GatewayError) current(() => this.#session.refusedByServer(error, performance.now()));
      else reason = message ?? '';
    };
    socket.onclose = ({ code }: { code: number }) =>
      current(() => {
        this.#socket = undefined;
        return this.#session.closed(code, performance.now(), reason);
      });
    socket.onmessage = ({ data }: { data: unknown }) =>
      current(() => {
        const now = performance.now();
        if (typeof data === 'string') return this.#session.text(data, now);
        return data instanceof ArrayBuffer ? this.#session.binary(new Uint8Array(data), now) : [];
      });
  }

  #hangUp(code: number): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(code);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const deadline = this.#session.deadline();
    if (deadline === undefined) return;
    const wait_ms = Math.max(0, deadline - performance.now());
    this.#timer = setTimeout(() => this.#do(this.#session.tick(performance.now())), wait_ms);
  }

  #judge(): void {
    if (this.#state === 'new' || this.#state === 'closed') return;
    let worst = this.#session.connected && this.#session.streams.size > 0 ? ranks.length - 1 : 1;
    for (const { state } of this.#session.streams.values()) worst = Math.min(worst, ranks.indexOf(state));
    this.#changeState(ranks[worst] ?? 'connecting');
  }

  #changeState(state: GatewayState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.emit('state', state, previous);
  }

  #host(): SessionHost {
    const of = (stream: Stream, tell: (subscription: Subscription) => void) => {
      const subscription = this.#subscriptions.get(stream);
      if (subscription !== undefined) tell(subscription);
    };
    return {
      onState: (stream, state, previous) => of(stream, (one) => this.emit('subscriptionState', state, previous, one)),
      onSession: (stream, session) => of(stream, (one) => this.emit('session', session, one)),
      onSnapshot: (stream, sequence) =>
        of(stream, (one) => {
          one.note(one.instruments().map(({ instrument }) => instrument));
          this.emit('snapshot', { sequence: BigInt(sequence) }, one);
        }),
      onSnapshotRefused: (stream, reason) => of(stream, (one) => this.emit('snapshotRefused', reason, one)),
      onMismatch: (stream, sequence) => of(stream, (one) => this.emit('digestMismatch', BigInt(sequence), one)),
      onDepth: (stream, instruments) =>
        of(stream, (one) => {
          one.note(instruments);
          this.emit('depth', instruments, one);
        }),
      onPrints: (stream, prints) =>
        of(stream, (one) => {
          one.notePrints(prints);
          this.emit('prints', prints, one);
        }),
      onUpdates: (stream, first, last) =>
        of(stream, (one) => {
          one.note(stream.changed);
          stream.changed.clear();
          this.emit('updates', { first: BigInt(first), last: BigInt(last) }, one);
        }),
      onCountMismatch: (stream, fault) => of(stream, (one) => this.emit('countMismatch', fault, one)),
      onDefinitions: (_, stream) => of(stream, (one) => this.emit('definitions', one.instruments(), one)),
      onSlow: (stream, did) => of(stream, (one) => this.emit('slow', did, one)),
      onError: (error, stream) => this.emit('error', error, stream && this.#subscriptions.get(stream)),
      onRefused: (error, stream) => this.emit('refused', error, stream && this.#subscriptions.get(stream)),
      onDisconnected: (reason) => this.emit('disconnected', reason),
      onGoodbye: (reason, reconnectMs) => this.emit('goodbye', reason, reconnectMs),
      onFault: (fault) => this.emit('fault', fault),
      onLink: () => {},
      onWelcome: (welcome) => this.emit('welcome', welcome),
    };
  }
}
