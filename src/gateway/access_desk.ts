/** What one worker's sessions are to AccessControl, which counts for all workers. Lives in the main thread. */
import type { AccessControl, Connection, ConnectRequest, SessionAction } from './access/access_control.js';
import { type Refusal, refuse } from './access/codes.js';
import { type Credential, credentialOf } from './access/credentials.js';
import type { PaceDebt } from './pace.js';
import type { Held } from './session.js';
import type { LoginQuestion, Questions, RequestQuestion, SessionOrder } from './worker_messages.js';

interface Visitor {
  connection: Connection;
  /** Of the header; used once. */
  credential: Credential | undefined;
  /** By subscription. */
  holds: Map<number, Hold>;
}

/** What one subscription counts for: the most of what it holds and of what it will hold when its requests are carried out. */
interface Hold {
  held: number;
  /** Of requests that were let through and whose outcome was not told yet, in their order. */
  wanted: number[];
}

/** Threads: the main one. Questions about a connection that is gone are refused. */
export class AccessDesk {
  readonly #visitors = new Map<number, Visitor>();

  constructor(private readonly control: AccessControl) {}

  connect(request: ConnectRequest): Questions['connect']['answer'] {
    const opened = this.control.connect(request);
    if ('refusal' in opened) return opened;
    const { connection, credential } = opened;
    this.#visitors.set(connection.id, { connection, credential, holds: new Map() });
    return { connection: connection.id };
  }

  async login({ bytes, connection, token }: LoginQuestion): Promise<Questions['login']['answer']> {
    const visitor = this.#visitors.get(connection);
    if (visitor === undefined) return { refusal: refuse('login_timeout') };
    const refusal = bytes === undefined ? undefined : this.control.message(visitor.connection, bytes);
    if (refusal !== undefined) return { refusal };
    const given = this.#credentialOf(visitor, token);
    if ('refusal' in given) {
      this.control.refusedElsewhere(visitor.connection, given.refusal);
      return given;
    }
    const answer = await this.control.login(visitor.connection, given.credential);
    if ('refusal' in answer) return answer;
    const { entitlements } = answer.principal;
    return bytes === undefined ? { entitlements } : { entitlements, debt: this.control.takeDebt(visitor.connection) };
  }

  request({ bytes, connection, cost, holds }: RequestQuestion): Refusal | undefined {
    const visitor = this.#visitors.get(connection);
    if (visitor === undefined) return refuse('login_timeout');
    const refusal = this.control.message(visitor.connection, bytes, cost);
    if (refusal !== undefined || holds === undefined) return refusal;
    const hold = visitor.holds.get(holds.id) ?? { held: 0, wanted: [] };
    const more = holds.count - countOf(hold);
    const exceeded = more > 0 ? this.control.count(visitor.connection, more) : undefined;
    if (exceeded !== undefined) return exceeded;
    // What it would give back is given back when it was carried out: it may fail yet.
    hold.wanted.push(holds.count);
    visitor.holds.set(holds.id, hold);
    return undefined;
  }

  /** What a subscription holds really: never more than it asked for. */
  held(connection: number, { asked, count, id }: Held): void {
    const visitor = this.#visitors.get(connection);
    const hold = visitor?.holds.get(id);
    if (visitor === undefined || hold === undefined) return;
    const before = countOf(hold);
    if (asked) hold.wanted.shift();
    hold.held = Math.min(count, before);
    this.control.unsubscribe(visitor.connection, before - countOf(hold));
    if (countOf(hold) === 0) visitor.holds.delete(id);
  }

  /** Kind and id, as in the audit log; empty before the login. */
  loginOf(connection: number): string {
    const principal = this.#visitors.get(connection)?.connection.principal;
    if (principal === undefined) return '';
    return principal.id === '' ? principal.kind : `${principal.kind} ${principal.id}`;
  }

  /** Before there was a connection. */
  turnedAway(address: string, refusal: Refusal): void {
    this.control.turnedAway(address, refusal);
  }

  refused(connection: number, refusal: Refusal): void {
    const visitor = this.#visitors.get(connection);
    if (visitor !== undefined) this.control.refusedElsewhere(visitor.connection, refusal);
  }

  /** `debt`: what it had used up of its pace. */
  gone(connection: number, debt?: PaceDebt): void {
    const visitor = this.#visitors.get(connection);
    this.#visitors.delete(connection);
    if (visitor !== undefined) this.control.close(visitor.connection, debt);
  }

  /** The worker is gone. */
  close(): void {
    for (const connection of [...this.#visitors.keys()]) this.gone(connection);
  }

  /** Those of the actions that concern this worker. */
  orders(actions: readonly SessionAction[]): SessionOrder[] {
    return actions
      .filter(({ connection }) => this.#visitors.has(connection.id))
      .map((action) =>
        action.act === 'close'
          ? { connection: action.connection.id, act: 'close', refusal: action.refusal }
          : { connection: action.connection.id, act: 'change', entitlements: action.entitlements },
      );
  }

  #credentialOf(
    visitor: Visitor,
    token: string | undefined,
  ): { credential: Credential | undefined } | { refusal: Refusal } {
    const { credential } = visitor;
    visitor.credential = undefined;
    if (token === undefined) return { credential };
    return credential === undefined ? credentialOf(token) : { refusal: refuse('credential_twice') };
  }
}

function countOf({ held, wanted }: Hold): number {
  return Math.max(held, ...wanted);
}
