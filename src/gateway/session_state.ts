/**
 * The gateway of one worker without sockets, clocks and threads: sessions, subscriptions, turns, bounds. Sockets, the
 * channel and who may have what are passed in as interfaces, time in ms. docs/gateway.md.
 */
import type { NativeGateway, NativeGatewayCounts } from '../native.js';
import { TokenBucket } from '../recovery/token_bucket.js';
import type { ServerSocket } from '../uws_socket.js';
import { closeCode, type Refusal } from './access/codes.js';
import { type GatewayFigures, type GatewaySessionInfo, noFigures } from './figures.js';
import { jsonTexts } from './json_frames.js';
import { SessionPace } from './pace.js';
import {
  type ChangeMessage,
  type ClientMessage,
  close_codes,
  type GatewayMessage,
  gateway_version,
  type HelloMessage,
  type InstrumentEntry,
  parseMessage,
  type SubscribeMessage,
  text_bytes_max,
  textOf,
} from './protocol.js';
import { choose, faultOf, isPattern, nameOf } from './selection.js';
import {
  type Asked,
  type ChannelState,
  cut,
  entryOf,
  type GatewayAccess,
  GatewaySession,
  type Grant,
  type Holding,
  idOf,
  type LoginVerdict,
  type Queued,
  requestOf,
  type SessionError,
  type SubscriptionState,
} from './session.js';
import { sessionErrorOf } from './session_errors.js';

export { type GatewayAccess, GatewaySession, type Grant, type LoginVerdict } from './session.js';

const hello_ms_max = 5_000;
const invalid_max = 16;
/** Messages that are kept while a token is being checked. */
const waiting_max = 64;
/** Requests of one session that wait for their answer; more come only where the main thread stands still. */
const queue_max = 512;
/** Sessions that are served before the event loop goes round, and frames of one of them. */
const sessions_per_turn = 256;
const frames_per_visit = 4;
const frame_bytes = 65_536;
/** As JSON a frame is some six times as long, and takes some milliseconds for each 64 KiB. */
const json_frame_bytes = 24_576;
const default_levels = 10;
const default_interval_ms = 100;

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

/** Who has not logged in yet may not use much memory. */
function hasRoomToWait({ waiting }: GatewaySession, text = ''): boolean {
  const length = waiting.reduce((sum, asked) => sum + (asked.text?.length ?? 0), text.length);
  return waiting.length < waiting_max && length <= text_bytes_max;
}

function parsedOf(text: string | undefined): ReturnType<typeof parseMessage> {
  if (text === undefined) return { fault: 'only text frames are understood' };
  return text.length > text_bytes_max ? { fault: `longer than ${text_bytes_max} bytes` } : parseMessage(text);
}

/** Threads: one. */
export class GatewayState {
  readonly counters = noFigures();
  readonly #options: GatewayStateOptions;
  readonly #access: GatewayAccess;
  readonly #channels = new Map<number, ChannelState>();
  readonly #sessions = new Set<GatewaySession>();
  /** Whose turn comes next. */
  #turn: Iterator<GatewaySession> | undefined;
  readonly #out = new Uint8Array(frame_bytes);
  #now_ms = 0;

  constructor(options: GatewayStateOptions, access: GatewayAccess, channels: ReadonlyMap<number, NativeGateway>) {
    this.#options = options;
    this.#access = access;
    for (const [channel, native] of channels)
      this.#channels.set(channel, {
        channel,
        native,
        session: 0n,
        definitionsVersion: -1,
        instruments: [],
        exponents: new Map(),
      });
  }

  /** Undefined where there are too many: the socket must be closed then. */
  opened(socket: ServerSocket, address: string, now_ms: number, connection = 0): GatewaySession | undefined {
    if (this.#sessions.size >= this.#options.sessionsMax) {
      this.counters.sessionsRefused++;
      return undefined;
    }
    const { requestsPerSecond } = this.#options;
    const session = new GatewaySession(
      socket,
      address,
      now_ms,
      new TokenBucket(requestsPerSecond, requestsPerSecond, now_ms),
      connection,
    );
    this.#sessions.add(session);
    this.counters.sessionsServed++;
    this.counters.sessions = this.#sessions.size;
    this.counters.sessionsMost = Math.max(this.counters.sessionsMost, this.#sessions.size);
    return session;
  }

  closed(session: GatewaySession): void {
    if (session.phase === 'closed') return;
    session.phase = 'closed';
    session.queue.length = 0;
    this.#access.closed?.(session);
    for (const subscription of session.subscriptions.values()) this.#settle(this.#countsOf(session, subscription));
    for (const [channel, client] of session.clients) this.#channels.get(channel)?.native.closeClient(client);
    this.counters.subscriptions -= session.subscriptions.size;
    session.subscriptions.clear();
    this.#sessions.delete(session);
    this.counters.sessions = this.#sessions.size;
  }

  drained(session: GatewaySession): void {
    session.blocked = false;
  }

  /** A text frame. `text` undefined: it was no text. */
  message(session: GatewaySession, text: string | undefined, now_ms: number, bytes = text?.length ?? 0): void {
    if (session.phase === 'closed') return;
    this.#now_ms = now_ms;
    this.counters.requests++;
    const asked = { text, bytes, wait_ms: this.#takeAllowance(session, now_ms) };
    if (session.phase === 'open') this.#enqueue(session, asked);
    else if (session.phase === 'new') this.#begin(session, asked);
    else if (hasRoomToWait(session, text)) session.waiting.push(asked);
    else this.#close(session, close_codes.bad_message, 'too many messages before the welcome');
  }

  /** The answer to GatewayAccess.login(). */
  loggedIn(session: GatewaySession, verdict: LoginVerdict): void {
    if (session.phase !== 'checking') return;
    if ('refusal' in verdict) {
      this.end(session, verdict.refusal);
      return;
    }
    if ('code' in verdict) {
      this.#error(session, verdict);
      this.#close(session, close_codes.unauthorised, verdict.code);
      return;
    }
    this.#take(session, verdict.grant);
    session.phase = 'open';
    this.#send(session, {
      type: 'welcome',
      version: gateway_version,
      channels: [...this.#channels.values()].map(({ channel, native }) => {
        const { session: id, sequence, ready } = native.state();
        return { channel, session: id, sequence, ready };
      }),
      limits: {
        subscriptions: this.#options.subscriptionsMax,
        levels: this.#options.levels,
        bufferedBytes: this.#options.bufferedBytes,
        textBytes: text_bytes_max,
      },
    });
    for (const asked of session.waiting.splice(0)) if (session.phase === 'open') this.#enqueue(session, asked);
  }

  /** The answer to GatewayAccess.request(): of the first that has none yet. */
  judged(session: GatewaySession, refusal: Refusal | undefined): void {
    const queued = session.queue.find(({ judged }) => !judged);
    if (queued === undefined) return;
    queued.judged = true;
    queued.refusal = refusal;
    this.#answerQueue(session);
  }

  /** The answer to GatewayAccess.renew(); what changes with it comes by regrant(). */
  renewed(session: GatewaySession, refusal: Refusal | undefined): void {
    if (session.phase !== 'open') return;
    if (refusal === undefined) this.#send(session, { type: 'renewed' });
    else this.#error(session, sessionErrorOf(refusal));
  }

  /** Its time is over, or its login was refused. */
  end(session: GatewaySession, refusal: Refusal): void {
    if (session.phase === 'closed') return;
    this.#error(session, sessionErrorOf(refusal));
    this.#close(session, closeCode(refusal.code), refusal.code);
  }

  /** Of a channel, as far as they are defined; empty where there is no such channel. */
  instruments(channel: number): readonly InstrumentEntry[] {
    return this.#channels.get(channel)?.instruments ?? [];
  }

  health(): { channel: number; ready: boolean }[] {
    return [...this.#channels.values()].map(({ channel, native }) => ({ channel, ready: native.state().ready }));
  }

  /** Those of now, in the order of their coming; `login` is not known here. */
  sessions(): GatewaySessionInfo[] {
    return [...this.#sessions].map(({ address, client, connection, socket, subscriptions }) => ({
      connection,
      address,
      client,
      login: '',
      subscriptions: [...subscriptions.values()].map(({ channel, id, mode }) => ({ id, channel, mode })),
      bufferedBytes: socket.buffered(),
    }));
  }

  /** Everything that is counted; looks at every subscription. */
  figures(turnMsMax: number): GatewayFigures {
    const figures = { ...this.counters, errors: { ...this.counters.errors }, turnMsMax };
    for (const session of this.#sessions) {
      figures.bufferedBytes += session.socket.buffered();
      for (const subscription of session.subscriptions.values()) {
        const counts = this.#countsOf(session, subscription);
        figures.messagesPublished += Number(counts?.published ?? 0n);
        figures.messagesSent += Number(counts?.sent ?? 0n);
        figures.messagesConflated += Number(counts?.conflated ?? 0n);
        figures.messagesRefused += Number(counts?.refused ?? 0n);
        figures.messagesPending += Number(counts?.pending ?? 0n);
      }
    }
    for (const { native } of this.#channels.values()) {
      const counters = native.counters();
      for (const name of ['snapshots', 'windowBytes', 'lapped', 'unavailable', 'digestsMismatched'] as const)
        figures[name] += Number(counters[name] ?? 0n);
    }
    return figures;
  }

  /** What somebody may have is another: what they have and may no longer have ends. */
  regrant(session: GatewaySession, grant: Grant): void {
    if (session.phase !== 'open') return;
    this.#take(session, grant);
    for (const subscription of [...session.subscriptions.values()]) {
      const refused = this.#refusal(session, subscription);
      if (refused === undefined) this.#rechoose(session, subscription);
      else {
        this.#error(session, { id: subscription.id, ...refused });
        this.#unsubscribe(session, subscription);
        this.#tellHeld(session, subscription.id);
      }
    }
  }

  /**
   * Follows the channels and gives sessions what there is for them; a bounded amount of work. False: there was nothing
   * to do.
   */
  turn(now_ms = this.#now_ms): boolean {
    this.#now_ms = now_ms;
    let worked = false;
    for (const channel of this.#channels.values()) {
      worked = channel.native.step() || worked;
      this.#look(channel);
    }
    let visits = Math.min(sessions_per_turn, this.#sessions.size);
    for (; visits > 0; visits--) {
      const session = this.#next();
      if (session === undefined) break;
      if (session.phase === 'open' && this.#serve(session, false)) worked = true;
    }
    return worked;
  }

  /** Looks at what only time brings; about ten times a second. */
  tick(now_ms: number): void {
    for (const session of [...this.#sessions]) {
      if (session.phase === 'new' && now_ms - session.opened_ms > hello_ms_max) {
        this.#error(session, { code: 'hello_first', message: 'no hello for 5 s' });
        this.#close(session, close_codes.bad_version, 'no hello');
      } else if (session.blocked) this.#checkBlocked(session);
    }
  }

  /** Says goodbye to everyone and closes. `url`: where to go instead. */
  closeAll(reconnectMs: number, url?: string): void {
    for (const session of [...this.#sessions]) {
      this.#send(session, {
        type: 'goodbye',
        code: close_codes.going_away,
        reason: 'the gateway ends',
        reconnectMs,
        ...(url === undefined ? {} : { url }),
      });
      this.#close(session, close_codes.going_away, 'the gateway ends');
    }
  }

  /** Before the welcome. */
  #begin(session: GatewaySession, { bytes, text, wait_ms }: Asked): void {
    const parsed = parsedOf(text);
    if (wait_ms > 0) this.#error(session, { code: 'rate_limited', message: 'too many requests', waitMs: wait_ms });
    else if ('fault' in parsed) this.#invalid(session, parsed.fault);
    else this.#hello(session, parsed.message, bytes);
  }

  #enqueue(session: GatewaySession, asked: Asked): void {
    const { bytes, text, wait_ms } = asked;
    if (session.queue.length >= queue_max) {
      this.#close(session, close_codes.bad_message, 'too many requests without an answer');
      return;
    }
    const parsed = wait_ms > 0 ? { fault: 'too soon' } : parsedOf(text);
    const judged = this.#access.request === undefined || wait_ms > 0;
    session.queue.push({ asked, parsed, judged, refusal: undefined });
    if (!judged) this.#access.request?.(session, bytes, 'message' in parsed ? holdingOf(parsed.message) : undefined);
    this.#answerQueue(session);
  }

  /** In the order of their coming, as far as they are judged. */
  #answerQueue(session: GatewaySession): void {
    while (session.phase === 'open' && session.queue[0]?.judged === true)
      this.#answer(session, session.queue.shift() as Queued);
  }

  #answer(session: GatewaySession, { asked: { text, wait_ms }, parsed, refusal }: Queued): void {
    if (wait_ms > 0)
      this.#error(session, { ...idOf(text), code: 'rate_limited', message: 'too many requests', waitMs: wait_ms });
    else if (refusal !== undefined) this.#error(session, { ...idOf(text), ...sessionErrorOf(refusal) });
    else if ('fault' in parsed) this.#invalid(session, parsed.fault);
    else {
      const { message } = parsed;
      this.#handle(session, message);
      if ('id' in message && message.type !== 'count') this.#tellHeld(session, message.id);
    }
  }

  /** What the subscription holds now, whatever was asked for. */
  #tellHeld(session: GatewaySession, id: number): void {
    const subscription = session.subscriptions.get(id);
    const count = subscription === undefined ? 0 : (subscription.selectors?.length ?? 1);
    if (session.phase === 'open') this.#access.held?.(session, { id, count });
  }

  #take(session: GatewaySession, grant: Grant): void {
    session.grant = grant;
    session.pace = SessionPace.of(grant, this.#sentTo(session), this.#now_ms);
  }

  #takeAllowance({ allowance }: GatewaySession, now_ms: number): number {
    const wait_ms = allowance.wait_ms(1, now_ms);
    if (wait_ms === 0) allowance.take(1, now_ms);
    return wait_ms;
  }

  #hello(session: GatewaySession, message: ClientMessage, bytes: number): void {
    if (message.type !== 'hello') {
      this.#error(session, { code: 'hello_first', message: 'hello comes first' });
      this.#close(session, close_codes.bad_version, 'hello comes first');
      return;
    }
    const fault = this.#helloFault(message);
    if (fault !== undefined) {
      this.#error(session, fault);
      this.#close(session, close_codes.bad_version, fault.code);
      return;
    }
    session.json = message.format === 'json';
    session.client = message.client ?? '';
    session.phase = 'checking';
    this.#access.login(session, message.token, bytes, session.client);
  }

  #helloFault({ versions }: HelloMessage): SessionError | undefined {
    if (versions.includes(gateway_version)) return undefined;
    return { code: 'bad_version', message: `version ${gateway_version} is spoken here` };
  }

  #handle(session: GatewaySession, message: ClientMessage): void {
    if (session.phase !== 'open') return;
    switch (message.type) {
      case 'hello':
        this.#invalid(session, 'hello comes once');
        break;
      case 'ping':
        this.#send(session, { type: 'pong', ...(message.time === undefined ? {} : { time: message.time }) });
        break;
      case 'renew':
        if (this.#access.renew === undefined)
          this.#error(session, { code: 'bad_message', message: 'there are no tokens here' });
        else this.#access.renew(session, message.token);
        break;
      case 'subscribe':
        this.#subscribe(session, message);
        break;
      default:
        this.#handleKnown(session, message);
    }
  }

  #handleKnown(
    session: GatewaySession,
    message: Exclude<ClientMessage, { type: 'hello' | 'ping' | 'renew' | 'subscribe' }>,
  ) {
    const subscription = session.subscriptions.get(message.id);
    if (subscription === undefined) {
      this.#error(session, { id: message.id, code: 'unknown_id', message: 'there is no such subscription' });
      return;
    }
    if (message.type === 'change') this.#change(session, subscription, message);
    else if (message.type === 'count') this.#count(session, subscription);
    else this.#unsubscribe(session, subscription);
  }

  #subscribe(session: GatewaySession, message: SubscribeMessage): void {
    const { id } = message;
    const channel = this.#channels.get(message.channel);
    const subscription: SubscriptionState = {
      id,
      channel: message.channel,
      mode: message.mode,
      selectors: message.instruments,
      levels: message.levels ?? default_levels,
      intervalMs: message.intervalMs ?? default_interval_ms,
      onSlow: message.onSlow ?? 'snapshot',
      chosen: [],
    };
    if (session.subscriptions.has(id)) {
      this.#error(session, { id, code: 'id_in_use', message: 'that number is in use' });
      return;
    }
    if (session.subscriptions.size >= this.#options.subscriptionsMax) {
      this.#error(session, {
        id,
        code: 'too_many',
        message: `at most ${this.#options.subscriptionsMax} subscriptions`,
      });
      return;
    }
    if (channel === undefined) {
      // Not before it is known whether they may have it: nobody learns which channels there are.
      const forbidden = this.#refusal(session, subscription);
      this.#error(session, { id, ...(forbidden ?? { code: 'unknown_channel', message: 'there is no such channel' }) });
      return;
    }
    const refused = this.#choose(session, channel, subscription);
    if (refused !== undefined) {
      this.#error(session, { id, ...refused });
      return;
    }
    const { resume } = message;
    const from = resume !== undefined && resume.session === channel.session ? resume.sequence : 0n;
    if (!channel.native.subscribe(this.#clientOf(session, channel), id, requestOf(subscription, from))) {
      this.#error(session, { id, code: 'id_in_use', message: 'that number is in use' });
      return;
    }
    session.subscriptions.set(id, subscription);
    this.counters.subscriptions++;
    this.#acknowledge(session, 'subscribed', subscription);
  }

  #change(session: GatewaySession, subscription: SubscriptionState, message: ChangeMessage): void {
    const channel = this.#channels.get(subscription.channel);
    if (channel === undefined) return;
    const changed: SubscriptionState = {
      ...subscription,
      mode: message.mode ?? subscription.mode,
      selectors: message.instruments ?? subscription.selectors,
      levels: message.levels ?? subscription.levels,
      intervalMs: message.intervalMs ?? subscription.intervalMs,
      onSlow: message.onSlow ?? subscription.onSlow,
    };
    const refused = this.#choose(session, channel, changed);
    if (refused !== undefined) {
      this.#error(session, { id: subscription.id, ...refused });
      return;
    }
    Object.assign(subscription, changed);
    channel.native.change(this.#clientOf(session, channel), subscription.id, requestOf(subscription, 0n));
    this.#acknowledge(session, 'changed', subscription);
  }

  /** Says what the selectors mean now, or why not. */
  #choose(session: GatewaySession, channel: ChannelState, subscription: SubscriptionState): SessionError | undefined {
    const { selectors = [], mode } = subscription;
    if (mode === 'exact' && selectors.length > 0)
      return { code: 'bad_message', message: 'exact has the whole channel; choose instruments with filtered' };
    if (mode === 'exact' && session.json)
      return { code: 'not_in_json', message: 'exact is bytes: take filtered, or format binary' };
    const fault = faultOf(selectors);
    if (fault !== undefined) return { code: 'bad_message', message: cut(fault) };
    // Asked before it is looked up: nobody learns the names of what is not theirs.
    const forbidden = this.#refusal(session, subscription);
    if (forbidden !== undefined) return forbidden;
    if (channel.session === 0n) return { code: 'unavailable', message: 'the channel has not begun' };
    if (subscription.levels > this.#options.levels)
      return { code: 'bad_message', message: `at most ${this.#options.levels} levels` };
    if (subscription.selectors === undefined) {
      subscription.chosen = [];
      return undefined;
    }
    const { chosen, unknown } = choose(selectors, channel.instruments);
    if (unknown.length > 0)
      return { code: 'unknown_instrument', message: cut(`unknown: ${unknown.slice(0, 10).join(', ')}`) };
    subscription.chosen = this.#permitted(session, subscription, chosen);
    return undefined;
  }

  /** Without those that a pattern means and the session may not have; names were asked for one by one. */
  #permitted(
    { grant }: GatewaySession,
    { channel, levels, mode, selectors }: SubscriptionState,
    entries: readonly InstrumentEntry[],
  ): InstrumentEntry[] {
    if (grant?.permits === undefined || selectors?.some(isPattern) !== true) return [...entries];
    return entries.filter(({ symbol }) => grant.permits?.(channel, mode, levels, symbol));
  }

  /** What patterns mean under another grant. */
  #rechoose(session: GatewaySession, subscription: SubscriptionState): void {
    const channel = this.#channels.get(subscription.channel);
    const { chosen: before, selectors } = subscription;
    if (channel === undefined || selectors?.some(isPattern) !== true) return;
    subscription.chosen = this.#permitted(session, subscription, choose(selectors, channel.instruments).chosen);
    const same =
      before.length === subscription.chosen.length &&
      before.every((one, at) => one.instrument === subscription.chosen[at]?.instrument);
    if (same) return;
    channel.native.change(this.#clientOf(session, channel), subscription.id, requestOf(subscription, 0n));
    this.#acknowledge(session, 'changed', subscription);
  }

  #refusal(session: GatewaySession, subscription: SubscriptionState) {
    const { channel, intervalMs, levels, mode, selectors } = subscription;
    const known = this.instruments(channel);
    const names = selectors?.filter((one) => !isPattern(one)).map((one) => nameOf(one, known));
    const instruments = names ?? 'all';
    return session.grant?.refuse({ channel, mode, instruments, levels, intervalMs });
  }

  #count(session: GatewaySession, subscription: SubscriptionState): void {
    const found = this.#nativeOf(session, subscription);
    if (found === undefined) return;
    // As far as the socket takes it, nothing is left open.
    this.#serve(session, true);
    // A policy may have closed it meanwhile.
    if (session.phase !== 'open') return;
    const counts = found.native.counts(found.client, subscription.id);
    if (counts !== undefined) this.#send(session, { type: 'counts', id: subscription.id, ...counts });
  }

  #unsubscribe(session: GatewaySession, subscription: SubscriptionState): void {
    const found = this.#nativeOf(session, subscription);
    if (found === undefined) return;
    this.#serve(session, true);
    if (session.phase !== 'open') return;
    const counts = found.native.unsubscribe(found.client, subscription.id);
    this.#settle(counts);
    session.subscriptions.delete(subscription.id);
    this.counters.subscriptions--;
    if (counts !== undefined) this.#send(session, { type: 'unsubscribed', id: subscription.id, ...counts });
  }

  #countsOf(session: GatewaySession, subscription: SubscriptionState): NativeGatewayCounts | undefined {
    const found = this.#nativeOf(session, subscription);
    return found?.native.counts(found.client, subscription.id);
  }

  /** Messages in all open subscriptions. */
  #sentTo(session: GatewaySession): bigint {
    let sent = 0n;
    for (const subscription of session.subscriptions.values())
      sent += this.#countsOf(session, subscription)?.sent ?? 0n;
    return sent;
  }

  /** A subscription has ended: what was left to send it is refused. */
  #settle(counts: NativeGatewayCounts | undefined): void {
    if (counts === undefined) return;
    this.counters.messagesPublished += Number(counts.published);
    this.counters.messagesSent += Number(counts.sent);
    this.counters.messagesConflated += Number(counts.conflated);
    this.counters.messagesRefused += Number(counts.refused + counts.pending);
  }

  #clientOf(session: GatewaySession, channel: ChannelState): number {
    let client = session.clients.get(channel.channel);
    if (client === undefined) {
      client = channel.native.openClient();
      session.clients.set(channel.channel, client);
    }
    return client;
  }

  #nativeOf(session: GatewaySession, { channel }: SubscriptionState) {
    const native = this.#channels.get(channel)?.native;
    const client = session.clients.get(channel);
    return native === undefined || client === undefined ? undefined : { native, client };
  }

  #acknowledge(session: GatewaySession, type: 'subscribed' | 'changed', subscription: SubscriptionState): void {
    const { channel: number, chosen, id, intervalMs, levels, mode, onSlow, selectors } = subscription;
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    // A client counts on from there: only we know what the old beginning had not sent.
    const counts = type === 'changed' ? channel.native.counts(this.#clientOf(session, channel), id) : undefined;
    this.#send(session, {
      type,
      id,
      ...(counts === undefined ? {} : { counts }),
      channel: number,
      session: channel.session,
      sequence: channel.native.state().sequence,
      mode,
      levels: mode === 'bbo' ? 1 : levels,
      intervalMs,
      onSlow,
      instruments: selectors === undefined ? channel.instruments : chosen,
    });
  }

  /** A new session, or definitions that have changed. */
  #look(channel: ChannelState): void {
    const { session, definitionsVersion } = channel.native.state();
    if (session !== channel.session) {
      channel.session = session;
      for (const one of this.#subscribers(channel))
        this.#send(one, { type: 'session', channel: channel.channel, session });
    }
    if (definitionsVersion === channel.definitionsVersion) return;
    channel.definitionsVersion = definitionsVersion;
    const before = new Map(channel.instruments.map((entry) => [entry.instrument, JSON.stringify(entry)]));
    channel.instruments = channel.native.definitions().map(entryOf);
    channel.exponents = new Map(channel.instruments.map((entry) => [entry.instrument, entry]));
    const news = channel.instruments.filter((entry) => before.get(entry.instrument) !== JSON.stringify(entry));
    if (news.length === 0) return;
    for (const session of this.#subscribers(channel)) this.#tellDefinitions(session, channel, news);
  }

  #subscribers({ channel }: ChannelState): GatewaySession[] {
    return [...this.#sessions].filter(
      ({ phase, subscriptions }) =>
        phase === 'open' && [...subscriptions.values()].some((subscription) => subscription.channel === channel),
    );
  }

  /** Tells what concerns the session, and lets its patterns mean the new instruments, too. */
  #tellDefinitions(session: GatewaySession, channel: ChannelState, news: readonly InstrumentEntry[]): void {
    const told = new Map<number, InstrumentEntry>();
    for (const subscription of session.subscriptions.values()) {
      if (subscription.channel !== channel.channel) continue;
      const { selectors } = subscription;
      const chosen =
        selectors === undefined ? news : this.#permitted(session, subscription, choose(selectors, news).chosen);
      for (const entry of chosen) told.set(entry.instrument, entry);
      if (selectors?.some(isPattern) !== true || chosen.length === 0) continue;
      const known = new Set(subscription.chosen.map(({ instrument }) => instrument));
      subscription.chosen = this.#permitted(session, subscription, choose(selectors, channel.instruments).chosen);
      if (subscription.chosen.every(({ instrument }) => known.has(instrument))) continue;
      channel.native.change(this.#clientOf(session, channel), subscription.id, requestOf(subscription, 0n));
      this.#acknowledge(session, 'changed', subscription);
    }
    if (told.size > 0)
      this.#send(session, { type: 'definitions', channel: channel.channel, instruments: [...told.values()] });
  }

  #next(): GatewaySession | undefined {
    this.#turn ??= this.#sessions.values();
    let next = this.#turn.next();
    if (next.done) {
      this.#turn = this.#sessions.values();
      next = this.#turn.next();
    }
    return next.done ? undefined : next.value;
  }

  /** True where something was sent. */
  #serve(session: GatewaySession, flush: boolean): boolean {
    let sent = false;
    for (const [channel, client] of session.clients) {
      const { native, exponents } = this.#channels.get(channel) ?? {};
      const out = session.json ? this.#out.subarray(0, json_frame_bytes) : this.#out;
      for (let frames = 0; native !== undefined && frames < frames_per_visit; frames++) {
        if (!this.#hasRoom(session)) return sent;
        const composed = native.compose(client, out, flush);
        const bytes = composed % 2 ** 32;
        if (bytes > 0) {
          sent = true;
          this.#sendData(session, out.subarray(0, bytes), exponents ?? new Map());
          session.pace?.went(session.pace.countsMessages ? this.#sentTo(session) : 0n, this.#now_ms);
        }
        const flags = Math.floor(composed / 2 ** 32);
        if ((flags & 2) !== 0 && !this.#tellSlow(session, native)) return sent;
        if ((flags & 1) === 0) break;
      }
    }
    return sent;
  }

  #sendData(session: GatewaySession, frame: Uint8Array, exponents: ReadonlyMap<number, InstrumentEntry>): void {
    if (!session.json) {
      this.counters.frames++;
      this.counters.bytes += frame.length;
      session.socket.sendFrame(frame);
      return;
    }
    for (const text of jsonTexts(frame, exponents)) {
      this.counters.frames++;
      this.counters.bytes += text.length;
      session.socket.sendText(text);
    }
  }

  #hasRoom(session: GatewaySession): boolean {
    if (session.phase !== 'open' || session.pace?.mayGo(this.#now_ms) === false) return false;
    if (!session.blocked) session.blocked = session.socket.buffered() > this.#options.bufferedBytes;
    else if (session.socket.buffered() === 0) session.blocked = false;
    return !session.blocked;
  }

  /** False: the session is closed. */
  #tellSlow(session: GatewaySession, native: NativeGateway): boolean {
    for (const { did, sequence, subscription: id } of native.takeSlow()) {
      if (did === 'disconnect') {
        this.counters.slowDisconnected++;
        this.#error(session, { id, code: 'too_slow', message: `the last number sent is ${sequence}` });
        this.#close(session, close_codes.too_slow, `too slow: ${sequence}`);
        return false;
      }
      const subscription = session.subscriptions.get(id);
      if (did === 'conflate') {
        this.counters.slowConflated++;
        if (subscription !== undefined) subscription.mode = 'depth';
      } else this.counters.slowResnapshot++;
      const client = did === 'conflate' ? session.clients.get(subscription?.channel ?? 0) : undefined;
      const counts = client === undefined ? undefined : native.counts(client, id);
      this.#send(session, {
        type: 'slow',
        id,
        did: did === 'conflate' ? 'conflated' : 'resnapshot',
        sequence,
        ...(counts === undefined ? {} : { counts }),
      });
    }
    return true;
  }

  /** One who takes nothing is not served, so that what it misses has to be looked for. */
  #checkBlocked(session: GatewaySession): void {
    for (const [channel, client] of [...session.clients]) {
      const native = this.#channels.get(channel)?.native;
      if (native?.check(client) === true && !this.#tellSlow(session, native)) return;
    }
  }

  #invalid(session: GatewaySession, fault: string): void {
    session.invalid++;
    this.#error(session, { code: 'bad_message', message: cut(fault) });
    if (session.phase === 'new' || session.invalid >= invalid_max)
      this.#close(session, close_codes.bad_message, 'bad message');
  }

  #error(session: GatewaySession, error: SessionError & { id?: number }): void {
    this.counters.errors[error.code] = (this.counters.errors[error.code] ?? 0) + 1;
    this.#send(session, { type: 'error', ...error });
  }

  #send(session: GatewaySession, message: GatewayMessage): void {
    if (session.phase !== 'closed') session.socket.sendText(textOf(message));
  }

  #close(session: GatewaySession, code: number, reason: string): void {
    if (session.phase === 'closed') return;
    this.closed(session);
    session.socket.end(code, reason);
  }
}

/** What a request would have its subscription hold; undefined: what it holds already. */
function holdingOf(message: ClientMessage): Holding | undefined {
  if (message.type === 'subscribe') return { id: message.id, count: message.instruments?.length ?? 1 };
  if (message.type === 'change' && message.instruments !== undefined)
    return { id: message.id, count: message.instruments.length };
  return undefined;
}
