/** One session of the gateway as GatewayState keeps it, and what it asks of others about it. Pure. */
import type { NativeDefinition, NativeGateway, NativeGatewayRequest } from '../native.js';
import type { TokenBucket } from '../recovery/token_bucket.js';
import type { ServerSocket } from '../uws_socket.js';
import type { Refusal } from './access/codes.js';
import type { PaceDebt, SessionPace } from './pace.js';
import type { ClientMessage, ErrorCode, InstrumentEntry, Mode, Selector } from './protocol.js';

/** What an error message says. `reason`: the access code behind it (docs/access.md). */
export interface SessionError {
  code: ErrorCode;
  message: string;
  reason?: string;
  waitMs?: number;
}

/** What somebody may have; made from a login. */
export interface Grant {
  /** Undefined: allowed. `instruments`: names; patterns are not among them, since they mean what is permitted. */
  refuse(wanted: {
    channel: number;
    mode: Mode;
    instruments: readonly string[] | 'all';
    levels: number;
    intervalMs: number;
  }): SessionError | undefined;
  /** An instrument that a pattern means; absent: each of them. */
  permits?(channel: number, mode: Mode, levels: number, name: string): boolean;
  /** Whether anything of the channel is allowed; absent: of each. Others are not named to the session. */
  sees?(channel: number): boolean;
  /** That is sent to the session; what is more waits. Absent or null: as much as there is. */
  framesPerSecondMax?: number | null;
  messagesPerSecondMax?: number | null;
  /** Of a session that the login had before. */
  debt?: PaceDebt | undefined;
}

/** What the state asks of who guards the door. */
export interface GatewayAccess {
  /** Checks a token (undefined: none was given). Answers by GatewayState.loggedIn(), at once or later. */
  login(session: GatewaySession, token: string | undefined, bytes: number, client: string): void;
  /**
   * A request of so many bytes that counts for `cost` requests; `holds`: with it, subscription `id` holds so many instruments, once it was carried out:
   * held() tells with `asked` what came of it. Answers by GatewayState.judged(), later, in the order of the requests. Absent: all are let through at once.
   */
  request?(session: GatewaySession, bytes: number, holds: Holding | undefined, cost: number): void;
  /** What a subscription holds really; before anybody is answered. */
  held?(session: GatewaySession, held: Held): void;
  /** Another token of an open session, whose request was let through. Answers by GatewayState.renewed(). Absent: there is none. */
  renew?(session: GatewaySession, token: string): void;
  /** The session is gone, and what it had used up of its pace. */
  closed?(session: GatewaySession, debt: PaceDebt | undefined): void;
}

export interface Holding {
  id: number;
  count: number;
}

/** `asked`: the outcome of a request that said what it would hold, also where that came to nothing. */
export interface Held extends Holding {
  asked: boolean;
}

export type LoginVerdict = { grant: Grant } | SessionError | { refusal: Refusal };

/** `grant`: another one than before. */
export type RenewVerdict = { grant?: Grant | undefined } | { refusal: Refusal };

export interface SubscriptionState {
  readonly id: number;
  readonly channel: number;
  mode: Mode;
  /** Undefined: all. */
  selectors: readonly Selector[] | undefined;
  levels: number;
  intervalMs: number;
  onSlow: NativeGatewayRequest['onSlow'];
  /** What the selectors meant last. */
  chosen: InstrumentEntry[];
  /** Its mode before it was conflated for being slow: what entitles to it goes on doing so. */
  conflatedFrom?: Mode | undefined;
}

/** A frame from a client; `text` undefined: it was no text. `wait_ms`: over the rate by so much. */
export interface Asked {
  text: string | undefined;
  bytes: number;
  wait_ms: number;
}

/** A request in the order of its coming; answered when all before it are. */
export interface Queued {
  asked: Asked;
  parsed: { message: ClientMessage } | { fault: string };
  /** It has been asked for; `refusal` is the answer. */
  judged: boolean;
  refusal: Refusal | undefined;
  /** Requests that it counts for. */
  cost: number;
}

export interface GatewaySocket extends ServerSocket {
  /** What is published to that topic is for it as well, from here on. */
  join(topic: string): void;
  /** What was published to it before still comes. */
  leave(topic: string): void;
}

/** Sessions that one frame is for: see SessionGroups. */
export interface SessionGroup {
  readonly topic: string;
  readonly channel: ChannelState;
  /** As the native side knows it. */
  readonly number: number;
  readonly members: Set<GatewaySession>;
  /** Published since somebody has looked at what waits for the members' sockets. */
  unseenBytes: number;
}

export function groupOf(topic: string, channel: ChannelState, number: number): SessionGroup {
  return { topic, channel, number, members: new Set(), unseenBytes: 0 };
}

/** One socket's state; only GatewayState looks into it. */
export class GatewaySession {
  readonly subscriptions = new Map<number, SubscriptionState>();
  /** By channel: the number under which the native side knows it. */
  readonly clients = new Map<number, number>();
  /** Channels in which it asked for a name that meant nothing: it is told when something is defined there. */
  readonly awaited = new Set<number>();
  /** By channel: the group that carries it there. */
  readonly groups = new Map<number, SessionGroup>();
  /** Before the welcome. */
  readonly waiting: Asked[] = [];
  /** After it. */
  readonly queue: Queued[] = [];
  phase: 'new' | 'checking' | 'open' | 'closed' = 'new';
  grant: Grant | undefined;
  pace: SessionPace | undefined;
  blocked = false;
  /** Another token is being checked: requests wait. */
  renewing = false;
  /** Of the request that is being carried out: the subscription of which held() must tell. */
  reserved: number | undefined;
  json = false;
  invalid = 0;
  /** As it called itself, for the operator. */
  client = '';

  constructor(
    readonly socket: GatewaySocket,
    readonly address: string,
    readonly opened_ms: number,
    /** One for each request. */
    readonly allowance: TokenBucket,
    /** Of AccessControl, where there is one; else 0. */
    readonly connection: number,
  ) {}
}

/** One channel as this worker sees it. */
export interface ChannelState {
  readonly channel: number;
  readonly native: NativeGateway;
  session: bigint;
  definitionsVersion: number;
  instruments: InstrumentEntry[];
  /** The same by number. */
  exponents: ReadonlyMap<number, InstrumentEntry>;
}

export function entryOf({ instrument, symbol, priceExponent, quantityExponent }: NativeDefinition): InstrumentEntry {
  return { instrument, symbol, priceExponent, quantityExponent };
}

export const cut = (text: string) => (text.length <= 200 ? text : `${text.slice(0, 200)}…`);

/** The number of a request that is not looked at any further. */
export function idOf(text: string | undefined): { id?: number } {
  const [, digits] = /"id"\s*:\s*(\d{1,5})\b/.exec(text?.slice(0, 1_024) ?? '') ?? [];
  return digits === undefined ? {} : { id: Number(digits) };
}

export function requestOf(subscription: SubscriptionState, resume: bigint): NativeGatewayRequest {
  const { chosen, intervalMs, levels, mode, onSlow, selectors } = subscription;
  return {
    mode: mode === 'bbo' ? 'depth' : mode,
    instruments: selectors === undefined ? null : Uint32Array.from(chosen, ({ instrument }) => instrument),
    levels: mode === 'bbo' ? 1 : levels,
    intervalMs,
    onSlow,
    resume,
  };
}
