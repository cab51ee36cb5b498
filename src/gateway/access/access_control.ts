/**
 * Who may come in, what they may have, and for how long: the one place that gateway, recovery service and snapshots
 * ask. Tokens, limits, entitlements and audit come together here; sockets, files and timers are elsewhere.
 */
import type { RequestHeaders } from '../../control/access.js';
import type { PaceDebt } from '../pace.js';
import { lookAtRequest } from './at_the_door.js';
import type { AuditKind, AuditLog } from './audit.js';
import { type Refusal, type RefusalCode, refusal_codes, refuse } from './codes.js';
import type { Credential } from './credentials.js';
import { type AccessRequest, type Answer, type Entitled, entitledOf } from './entitled.js';
import type { Entitlements } from './entitlements.js';
import type { JwtVerifier } from './jwt.js';
import { AccessLimits, type Accounts, type LimitOptions } from './limits.js';
import type { Moment } from './moment.js';
import type { BrowserUse, OriginPolicy } from './origin.js';
import { anonymous, type Principal, principalKey } from './principal.js';
import { type TokenFile, TokenTable } from './token_table.js';

export interface AccessControlOptions {
  limits: LimitOptions;
  origin: OriginPolicy;
  /** What clients without a token may have; undefined: they are refused. */
  anonymous: Entitlements | undefined;
  /** API tokens are accepted; JWT are where there is a verifier. */
  tokens: boolean;
}

export interface AccessControlParts {
  jwt: JwtVerifier | undefined;
  audit: AuditLog;
  now: () => Moment;
  /** Random, 32 bits: see AccountTable. */
  seed: number;
}

/** An HTTP request that opens a connection, or is one. Absent headers are empty. */
export interface ConnectRequest extends RequestHeaders {
  /** Text of the peer's address. */
  address: string;
  path: string;
  query: string;
  authorization: string;
  use: BrowserUse;
}

/** One connection. Only AccessControl changes it. */
export interface Connection {
  readonly id: number;
  readonly address: string;
  /** Undefined before the login. */
  readonly principal: Principal | undefined;
  readonly entitled: Entitled | undefined;
  /** Why it is to be closed; whatever it asks is refused with it. */
  readonly ended: Refusal | undefined;
}

interface State extends Connection {
  principal: Principal | undefined;
  entitled: Entitled | undefined;
  ended: Refusal | undefined;
  readonly accounts: Accounts;
  readonly opened_ms: number;
  tokenHash: string | undefined;
  checking: boolean;
  open: boolean;
  /** What it took over of a session before, and when. */
  owed: { debt: PaceDebt; at_ms: number } | undefined;
}

/**
 * What the gateway must do with an open session: close it with closeCode(refusal.code), or hold its subscriptions
 * against its new entitlements (noLongerAllowed()).
 */
export type SessionAction =
  | { connection: Connection; act: 'close'; refusal: Refusal }
  | { connection: Connection; act: 'change'; entitlements: Entitlements };

export type LoginAnswer = { principal: Principal } | { refusal: Refusal };

function zeroes(): Record<RefusalCode, number> {
  return Object.fromEntries(refusal_codes.map((code) => [code, 0])) as Record<RefusalCode, number>;
}

/** Threads: one, for all workers of a server: they send it what connects, and get plain data back. */
export class AccessControl {
  readonly counters = { connections: 0, logins: 0, ended: 0, refused: zeroes() };
  readonly limits: AccessLimits;
  #tokens = new TokenTable({ version: 1, tokens: [], denied: [] });
  readonly #connections = new Map<number, State>();
  #idLast = 0;

  constructor(
    private readonly options: AccessControlOptions,
    private readonly parts: AccessControlParts,
  ) {
    this.limits = new AccessLimits(options.limits, parts.seed);
  }

  /**
   * A connection opens: call this in the upgrade, before anything of the request is logged. Where it was accepted,
   * close() must follow one day; login() next, with `credential`, or later with that of the first message.
   */
  connect(
    request: ConnectRequest,
  ):
    | { connection: Connection; credential: Credential | undefined; crossOrigin: string | undefined }
    | { refusal: Refusal } {
    const { address } = request;
    const refused = (refusal: Refusal) => {
      this.#refused(refusal, address);
      return { refusal };
    };
    const seen = lookAtRequest(request, this.options.origin);
    if ('refusal' in seen) return refused(seen.refusal);
    const { monotonic_ms } = this.parts.now();
    const opened = this.limits.open(address, monotonic_ms);
    if ('refusal' in opened) return refused(opened.refusal);
    const connection: State = {
      id: ++this.#idLast,
      address,
      principal: undefined,
      entitled: undefined,
      ended: undefined,
      accounts: opened.accounts,
      opened_ms: monotonic_ms,
      tokenHash: undefined,
      checking: false,
      open: true,
      owed: undefined,
    };
    this.#connections.set(connection.id, connection);
    this.counters.connections++;
    return { connection, ...seen };
  }

  /** For lookAtRequest() in other threads. */
  get originPolicy(): OriginPolicy {
    return this.options.origin;
  }

  /** A request that lookAtRequest() refused in another thread: for the counters and the audit log. */
  turnedAway(address: string, refusal: Refusal): void {
    this.#refused(refusal, address);
  }

  /**
   * Checks a login, or renews one: same token id or subject, other times and entitlements. Undefined: none was given.
   * Never rejects. A refusal of a first login means: answer it and close; of a renewal: the old login goes on.
   */
  async login(connection: Connection, credential: Credential | undefined): Promise<LoginAnswer> {
    const state = connection as State;
    const refused = (refusal: Refusal, id?: string) => {
      this.#refused(refusal, state.address, id === undefined ? undefined : { kind: 'token', id });
      return { refusal };
    };
    if (state.ended !== undefined || !state.open) return { refusal: state.ended ?? refuse('login_timeout') };
    if (state.checking) return refused(refuse('credential_twice'));
    if (credential === undefined) {
      const { anonymous: entitlements } = this.options;
      if (entitlements === undefined || state.principal !== undefined) return refused(refuse('credential_missing'));
      return this.#enter(state, anonymous(entitlements));
    }
    const slowed = this.limits.loginBegins(state.accounts, this.parts.now().monotonic_ms);
    if (slowed !== undefined) return refused(slowed);
    state.checking = true;
    const answer = await this.#verify(credential);
    state.checking = false;
    if ('refusal' in answer) {
      // That the issuer is down is no fault of the client.
      if (answer.refusal.code === 'jwt_keys_unavailable') this.#giveBack(state);
      return refused(answer.refusal, answer.id);
    }
    this.#giveBack(state);
    // Meanwhile it may have been closed, or have had its time.
    if (!state.open || state.ended !== undefined) return { refusal: state.ended ?? refuse('login_timeout') };
    return this.#enter(state, answer.principal);
  }

  /** Each message of a client: length in bytes, and pace, for which it counts as `cost` messages. */
  message(connection: Connection, bytes: number, cost = 1): Refusal | undefined {
    const state = connection as State;
    const refusal =
      state.ended ??
      this.limits.message(bytes, state.principal !== undefined) ??
      this.limits.request(state.accounts, this.parts.now().monotonic_ms, cost);
    if (refusal !== undefined) this.#refused(refusal, state.address, state.principal);
    return refusal;
  }

  /** Whether it may have that: retransmission, a snapshot, a subscription that changes. Counts nothing. */
  allows(connection: Connection, request: AccessRequest): Answer {
    const state = connection as State;
    const answer: Answer =
      state.ended !== undefined || state.entitled === undefined
        ? { allowed: false, refusal: state.ended ?? refuse('credential_missing') }
        : state.entitled.allows(request);
    if (!answer.allowed) this.#refused(answer.refusal, state.address, state.principal);
    return answer;
  }

  /** A subscription: `count` is what unsubscribe() gives back. */
  subscribe(
    connection: Connection,
    request: AccessRequest & { use: 'subscribe' },
  ): { count: number } | { refusal: Refusal } {
    const answer = this.allows(connection, request);
    if (!answer.allowed) return { refusal: answer.refusal };
    const count = request.instruments === 'all' ? 1 : Math.max(1, request.instruments.length);
    const state = connection as State;
    const refusal = this.limits.subscribe(state.accounts, count);
    if (refusal === undefined) return { count };
    this.#refused(refusal, state.address, state.principal);
    return { refusal };
  }

  /** More of a subscription whose entitlement was looked at elsewhere; unsubscribe() gives it back. */
  count(connection: Connection, more: number): Refusal | undefined {
    const state = connection as State;
    const refusal = state.ended ?? this.limits.subscribe(state.accounts, more);
    if (refusal !== undefined) this.#refused(refusal, state.address, state.principal);
    return refusal;
  }

  /** A request that a worker refused by the same entitlements: for the counters and the audit log. */
  refusedElsewhere(connection: Connection, refusal: Refusal): void {
    const state = connection as State;
    this.#refused(refusal, state.address, state.principal);
  }

  unsubscribe(connection: Connection, count: number): void {
    if ((connection as State).open) this.limits.unsubscribe((connection as State).accounts, count);
  }

  /** What a session of the same login, or without one of the same address, left of its pace: told once. */
  takeDebt(connection: Connection): PaceDebt | undefined {
    const state = connection as State;
    const { monotonic_ms } = this.parts.now();
    const debt = this.limits.takeDebt(state.accounts, monotonic_ms);
    state.owed = debt && { debt, at_ms: monotonic_ms };
    return debt;
  }

  /**
   * The connection is gone; `debt`: what it had used up of its pace; undefined: it never had one, and leaves what it took
   * over. Any number of times.
   */
  close(connection: Connection, debt?: PaceDebt): void {
    const state = connection as State;
    if (!state.open) return;
    state.open = false;
    this.#connections.delete(state.id);
    const left = debt === undefined ? state.owed : { debt, at_ms: this.parts.now().monotonic_ms };
    if (left !== undefined) this.limits.leaveDebt(state.accounts, left.debt, left.at_ms);
    this.limits.close(state.accounts);
    if (state.principal !== undefined && state.ended === undefined) this.#audit('logout', state);
  }

  /** The token file's content, at start and whenever it has changed. */
  tokensChanged(file: TokenFile): SessionAction[] {
    this.#tokens = new TokenTable(file);
    const detail = `${file.tokens.length} tokens, ${file.denied.length} denied`;
    this.parts.audit.record({ event: 'tokens_loaded', detail }, this.parts.now());
    const actions: SessionAction[] = [];
    const changed = new Map<string, Entitlements>();
    for (const state of this.#connections.values()) {
      const { principal } = state;
      if (principal === undefined || state.ended !== undefined) continue;
      if (principal.kind === 'jwt' && this.#tokens.deniesJwt(principal)) actions.push(this.#end(state, 'jwt_denied'));
      if (principal.kind !== 'token') continue;
      const change = this.#tokens.change(principal, state.tokenHash);
      if (change === undefined) continue;
      if ('ended' in change) actions.push(this.#end(state, change.ended));
      else {
        changed.set(principalKey(principal), change.entitlements);
        actions.push(this.#change(state, { ...principal, ...change }));
      }
    }
    for (const [key, entitlements] of changed) actions.push(...this.#endSurplus(key, entitlements));
    return actions;
  }

  /** About once a second: ends what has expired or never logged in. All are looked at: 10,000 take a millisecond. */
  tick(): SessionAction[] {
    const now = this.parts.now();
    const actions: SessionAction[] = [];
    for (const state of this.#connections.values()) {
      if (state.ended !== undefined) continue;
      const { principal } = state;
      if (principal === undefined) {
        if (now.monotonic_ms - state.opened_ms >= this.options.limits.loginMs)
          actions.push(this.#end(state, 'login_timeout'));
      } else if (principal.expires_ms !== undefined && now.wall_ms >= principal.expires_ms)
        actions.push(this.#end(state, principal.kind === 'jwt' ? 'jwt_expired' : 'token_expired'));
    }
    this.limits.tick(now.monotonic_ms);
    this.parts.audit.tick(now);
    return actions;
  }

  async #verify({ kind, text }: Credential): Promise<LoginAnswer & { id?: string }> {
    const { wall_ms } = this.parts.now();
    if (kind === 'token')
      return this.options.tokens ? this.#tokens.verify(text, wall_ms) : { refusal: refuse('credential_kind') };
    const { jwt } = this.parts;
    return jwt === undefined ? { refusal: refuse('credential_kind') } : jwt.verify(text, wall_ms);
  }

  #giveBack(state: State): void {
    this.limits.loginSucceeded(state.accounts, this.parts.now().monotonic_ms);
  }

  #enter(state: State, principal: Principal): LoginAnswer {
    const { monotonic_ms } = this.parts.now();
    const before = state.principal;
    const key = principal.kind === 'anonymous' ? undefined : principalKey(principal);
    // The file may have changed while an issuer's keys were fetched.
    const refusal =
      principal.kind === 'jwt' && this.#tokens.deniesJwt(principal)
        ? refuse('jwt_denied')
        : before !== undefined && principalKey(before) !== principalKey(principal)
          ? refuse('identity_changed')
          : this.limits.bind(state.accounts, key, principal.entitlements, monotonic_ms);
    if (refusal !== undefined) {
      this.#refused(refusal, state.address, principal);
      return { refusal };
    }
    this.#take(state, principal);
    this.counters.logins++;
    this.#audit(before === undefined ? 'login' : 'renewed', state);
    return { principal };
  }

  #take(state: State, principal: Principal): void {
    state.principal = principal;
    state.entitled = entitledOf(principal.entitlements);
    state.tokenHash = principal.kind === 'token' ? this.#tokens.hashOf(principal.id) : undefined;
  }

  #change(state: State, principal: Principal): SessionAction {
    this.#take(state, principal);
    this.limits.change(state.accounts, principal.entitlements, this.parts.now().monotonic_ms);
    this.#audit('changed', state);
    return { connection: state, act: 'change', entitlements: principal.entitlements };
  }

  #end(state: State, code: RefusalCode): SessionAction {
    state.ended = refuse(code);
    this.counters.ended++;
    this.#audit('ended', state, code);
    return { connection: state, act: 'close', refusal: state.ended };
  }

  /** Fewer connections than are open: the newest go. */
  #endSurplus(key: string, { connectionsMax }: Entitlements): SessionAction[] {
    const most = connectionsMax ?? this.options.limits.perToken.connectionsMax;
    const open = [...this.#connections.values()].filter(
      ({ principal, ended }) => ended === undefined && principal !== undefined && principalKey(principal) === key,
    );
    return open.slice(most).map((state) => this.#end(state, 'connections_exceeded'));
  }

  #refused({ code }: Refusal, address: string, who?: Pick<Principal, 'kind' | 'id'>): void {
    this.counters.refused[code]++;
    const identity = who === undefined ? {} : { kind: who.kind, id: who.id };
    this.parts.audit.record({ event: 'refused', code, address, ...identity }, this.parts.now());
  }

  #audit(event: AuditKind, { address, principal }: State, code?: RefusalCode): void {
    const identity =
      principal === undefined
        ? {}
        : { kind: principal.kind, id: principal.id, ...(principal.name === '' ? {} : { detail: principal.name }) };
    this.parts.audit.record({ event, ...(code === undefined ? {} : { code }), address, ...identity }, this.parts.now());
  }
}
