/** A worker's side of access: what needs no shared state is decided here, the rest is asked of the main thread. */
import { isDeepStrictEqual } from 'node:util';
import type { ConnectRequest } from './access/access_control.js';
import { lookAtRequest } from './access/at_the_door.js';
import { type Refusal, refuse } from './access/codes.js';
import { entitledOf } from './access/entitled.js';
import type { Entitlements } from './access/entitlements.js';
import type { OriginPolicy } from './access/origin.js';
import type { MainLink } from './main_link.js';
import type { PaceDebt } from './pace.js';
import type { GatewayAccess, GatewaySession, Grant, Held, Holding } from './session.js';
import { sessionErrorOf } from './session_errors.js';
import type { GatewayState } from './session_state.js';
import type { Questions, SessionOrder } from './worker_messages.js';

/** The main thread's answer did not come: the gateway ends, or is overwhelmed. */
const unanswered: Refusal = refuse('server_full');

/** Threads: the worker's. */
export class WorkerAccess implements GatewayAccess {
  readonly #main: MainLink;
  readonly #state: () => GatewayState;
  readonly #sessions = new Map<number, GatewaySession>();
  /** As granted last. */
  readonly #entitlements = new WeakMap<GatewaySession, Entitlements>();

  constructor(
    main: MainLink,
    state: () => GatewayState,
    private readonly origin: OriginPolicy,
  ) {
    this.#main = main;
    this.#state = state;
  }

  /** In the upgrade. */
  lookAt(request: ConnectRequest): Refusal | undefined {
    const seen = lookAtRequest(request, this.origin);
    if (!('refusal' in seen)) return undefined;
    this.#main.tell({ type: 'turnedAway', address: request.address, refusal: seen.refusal });
    return seen.refusal;
  }

  /** Of a socket that is open already. Never rejects. */
  connect(request: ConnectRequest): Promise<Questions['connect']['answer']> {
    return this.#main.ask('connect', request).catch(() => ({ refusal: unanswered }));
  }

  /** The client went away before it was let in. */
  abandoned(connection: number): void {
    this.#main.tell({ type: 'gone', connection });
  }

  login(session: GatewaySession, token: string | undefined, bytes: number): void {
    const { connection } = session;
    this.#sessions.set(connection, session);
    this.#main
      .ask('login', { connection, token, bytes })
      .catch(() => ({ refusal: unanswered }))
      .then((answer) => {
        const verdict =
          'refusal' in answer ? answer : { grant: { ...this.#grant(session, answer.entitlements), debt: answer.debt } };
        this.#state().loggedIn(session, verdict);
      });
  }

  renew(session: GatewaySession, token: string): void {
    this.#main
      .ask('login', { connection: session.connection, token, bytes: undefined })
      .catch(() => ({ refusal: unanswered }))
      .then((answer) => {
        if ('refusal' in answer) {
          this.#state().renewed(session, answer);
          return;
        }
        const { entitlements } = answer;
        const same = isDeepStrictEqual(entitlements, this.#entitlements.get(session));
        this.#state().renewed(session, { grant: same ? undefined : this.#grant(session, entitlements) });
      });
  }

  request(session: GatewaySession, bytes: number, holds: Holding | undefined, cost: number): void {
    this.#main
      .ask('request', { connection: session.connection, bytes, holds, cost })
      .catch(() => unanswered)
      .then((refusal) => this.#state().judged(session, refusal));
  }

  held(session: GatewaySession, held: Held): void {
    this.#main.tell({ type: 'held', connection: session.connection, held });
  }

  closed(session: GatewaySession, debt: PaceDebt | undefined): void {
    this.#sessions.delete(session.connection);
    this.#main.tell({ type: 'gone', connection: session.connection, debt });
  }

  obey(orders: readonly SessionOrder[]): void {
    for (const order of orders) {
      const session = this.#sessions.get(order.connection);
      if (session === undefined) continue;
      if (order.act === 'close') this.#state().end(session, order.refusal);
      else this.#state().regrant(session, this.#grant(session, order.entitlements));
    }
  }

  #grant(session: GatewaySession, entitlements: Entitlements): Grant {
    const { connection } = session;
    this.#entitlements.set(session, entitlements);
    const entitled = entitledOf(entitlements);
    return {
      refuse: ({ channel, instruments, levels, mode }) => {
        const answer = entitled.allows({ use: 'subscribe', channel, mode, instruments, levels });
        if (answer.allowed) return undefined;
        this.#main.tell({ type: 'refused', connection, refusal: answer.refusal });
        return sessionErrorOf(answer.refusal);
      },
      sees: (channel) => entitled.view(channel) !== undefined,
      permits: (channel, mode, levels, name) => entitled.allowsInstrument(channel, mode, levels, name),
      framesPerSecondMax: entitlements.framesPerSecondMax,
      messagesPerSecondMax: entitlements.messagesPerSecondMax,
    };
  }
}
