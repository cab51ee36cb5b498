/** The sessions and channels of one worker: who comes and goes, whose turn it is, what is said to them. Pure. */
import type { NativeGateway } from '../native.js';
import { TokenBucket } from '../recovery/token_bucket.js';
import type { ServerSocket } from '../uws_socket.js';
import { closeCode, type Refusal } from './access/codes.js';
import { type GatewaySessionInfo, noFigures } from './figures.js';
import { SessionPace } from './pace.js';
import { close_codes, type GatewayMessage, type InstrumentEntry, textOf } from './protocol.js';
import {
  type ChannelState,
  cut,
  type GatewayAccess,
  GatewaySession,
  type GatewaySocket,
  type Grant,
  type SessionError,
} from './session.js';
import { countsOf, sentTo, settle } from './session_counts.js';
import { sessionErrorOf } from './session_errors.js';

const invalid_max = 16;

export interface GatewayStateOptions {
  sessionsMax: number;
  subscriptionsMax: number;
  /** Most levels that a subscription may have. */
  levels: number;
  /** Most bytes that may wait for one socket before nothing more is added. */
  bufferedBytes: number;
  /** Text frames a second of one session, and at once. */
  requestsPerSecond: number;
}

export class SessionTable {
  readonly counters = noFigures();
  readonly options: GatewayStateOptions;
  readonly access: GatewayAccess;
  readonly channels: ReadonlyMap<number, ChannelState>;
  /** As the last call from outside gave it. */
  now_ms = 0;
  readonly #sessions = new Set<GatewaySession>();
  /** Those that are not carried by groups in each of their channels. */
  readonly #singles = new Set<GatewaySession>();
  /** Of them, whose turn comes next. */
  #turn: Iterator<GatewaySession> | undefined;

  constructor(options: GatewayStateOptions, access: GatewayAccess, natives: ReadonlyMap<number, NativeGateway>) {
    this.options = options;
    this.access = access;
    const channels = new Map<number, ChannelState>();
    for (const [channel, native] of natives)
      channels.set(channel, {
        channel,
        native,
        session: 0n,
        definitionsVersion: -1,
        instruments: [],
        exponents: new Map(),
      });
    this.channels = channels;
  }

  /** In the order of their coming. */
  get sessions(): ReadonlySet<GatewaySession> {
    return this.#sessions;
  }

  /** Undefined where there are too many. */
  open(socket: GatewaySocket, address: string, now_ms: number, connection: number): GatewaySession | undefined {
    if (this.#sessions.size >= this.options.sessionsMax) {
      this.counters.sessionsRefused++;
      const message = 'this server has as many sessions as it takes';
      this.turnAway(socket, { code: 'too_many', message }, close_codes.too_many, 'too many clients');
      return undefined;
    }
    const { requestsPerSecond } = this.options;
    const session = new GatewaySession(
      socket,
      address,
      now_ms,
      new TokenBucket(requestsPerSecond, requestsPerSecond, now_ms),
      connection,
    );
    this.#sessions.add(session);
    this.#singles.add(session);
    this.counters.sessionsServed++;
    this.counters.sessions = this.#sessions.size;
    this.counters.sessionsMost = Math.max(this.counters.sessionsMost, this.#sessions.size);
    return session;
  }

  /** The socket is gone, or will be. */
  remove(session: GatewaySession): void {
    if (session.phase === 'closed') return;
    session.phase = 'closed';
    session.queue.length = 0;
    this.access.closed?.(session, session.pace?.debt(this.now_ms));
    for (const subscription of session.subscriptions.values())
      settle(this.counters, countsOf(this.channels, session, subscription));
    for (const [channel, client] of session.clients) this.channels.get(channel)?.native.closeClient(client);
    this.counters.subscriptions -= session.subscriptions.size;
    session.subscriptions.clear();
    for (const { members } of session.groups.values()) members.delete(session);
    session.groups.clear();
    this.#sessions.delete(session);
    this.#singles.delete(session);
    this.counters.sessions = this.#sessions.size;
  }

  /** How many have to be served one by one. */
  get singles(): number {
    return this.#singles.size;
  }

  /** Groups serve it in all its channels. */
  carried(session: GatewaySession): void {
    this.#singles.delete(session);
  }

  /** It has to be served by itself again. */
  single(session: GatewaySession): void {
    this.#singles.add(session);
  }

  /** Those who are served by themselves, one after the other, for ever; undefined where there are none. */
  next(): GatewaySession | undefined {
    this.#turn ??= this.#singles.values();
    let next = this.#turn.next();
    if (next.done) {
      this.#turn = this.#singles.values();
      next = this.#turn.next();
    }
    return next.done ? undefined : next.value;
  }

  /** Those who hear of the channel: they have something of it, or wait for a name. */
  subscribers({ channel }: ChannelState): GatewaySession[] {
    return [...this.#sessions].filter(
      ({ awaited, phase, subscriptions }) =>
        phase === 'open' &&
        (awaited.has(channel) || [...subscriptions.values()].some((subscription) => subscription.channel === channel)),
    );
  }

  /** Of a channel, as far as they are defined; empty where there is no such channel. */
  instruments(channel: number): readonly InstrumentEntry[] {
    return this.channels.get(channel)?.instruments ?? [];
  }

  infos(): GatewaySessionInfo[] {
    return [...this.#sessions].map(({ address, client, connection, socket, subscriptions }) => ({
      connection,
      address,
      client,
      login: '',
      subscriptions: [...subscriptions.values()].map(({ channel, id, mode }) => ({ id, channel, mode })),
      bufferedBytes: socket.buffered(),
    }));
  }

  /** What it may have from now on. */
  grant(session: GatewaySession, grant: Grant): void {
    session.grant = grant;
    // Another grant is no new allowance.
    const debt = session.pace?.debt(this.now_ms) ?? grant.debt;
    session.pace = SessionPace.of(grant, sentTo(this.channels, session), this.now_ms, debt);
  }

  send(session: GatewaySession, message: GatewayMessage): void {
    if (session.phase !== 'closed') session.socket.sendText(textOf(message));
  }

  error(session: GatewaySession, error: SessionError & { id?: number }): void {
    this.#countError(error);
    this.send(session, { type: 'error', ...error });
  }

  /** A socket that gets no session. */
  turnAway(socket: ServerSocket, error: SessionError, code: number, reason: string): void {
    this.#countError(error);
    socket.sendText(textOf({ type: 'error', ...error }));
    socket.end(code, reason);
  }

  /** Whoever sends many such messages, or begins with one, is closed. */
  invalid(session: GatewaySession, fault: string, request: { id?: number } = {}): void {
    session.invalid++;
    this.error(session, { ...request, code: 'bad_message', message: cut(fault) });
    if (session.phase === 'new' || session.invalid >= invalid_max)
      this.close(session, close_codes.bad_message, 'bad message');
  }

  end(session: GatewaySession, refusal: Refusal): void {
    if (session.phase === 'closed') return;
    this.error(session, sessionErrorOf(refusal));
    this.close(session, closeCode(refusal.code), refusal.code);
  }

  /** Without a word: error() comes first, so that a client learns why even where it cannot see the close frame. */
  close(session: GatewaySession, code: number, reason: string): void {
    if (session.phase === 'closed') return;
    this.remove(session);
    session.socket.end(code, reason);
  }

  /** More than is kept for whoever does not wait for answers. */
  flooded(session: GatewaySession, message: string): void {
    this.error(session, { code: 'bad_message', message });
    this.close(session, close_codes.bad_message, message);
  }

  #countError({ code }: SessionError): void {
    this.counters.errors[code] = (this.counters.errors[code] ?? 0) + 1;
  }
}
