/** What one worker's sessions are to AccessControl, which counts for all workers. Lives in the main thread. */
import type { AccessControl, Connection, ConnectRequest, SessionAction } from './access/access_control.js';
import { type Refusal, refuse } from './access/codes.js';
import { type Credential, credentialOf } from './access/credentials.js';
import type { Holding } from './session.js';
import type { LoginQuestion, Questions, RequestQuestion, SessionOrder } from './worker_messages.js';

interface Visitor {
  connection: Connection;
  /** Of the header; used once. */
  credential: Credential | undefined;
  /** Instruments by subscription. */
  holds: Map<number, number>;
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
    const refusal = this.control.message(visitor.connection, bytes);
    if (refusal !== undefined) return { refusal };
    const given = this.#credentialOf(visitor, token);
    if ('refusal' in given) {
      this.control.refusedElsewhere(visitor.connection, given.refusal);
      return given;
    }
    const answer = await this.control.login(visitor.connection, given.credential);
    return 'refusal' in answer ? answer : { entitlements: answer.principal.entitlements };
  }

  request({ bytes, connection, holds }: RequestQuestion): Refusal | undefined {
    const visitor = this.#visitors.get(connection);
    if (visitor === undefined) return refuse('login_timeout');
    const refusal = this.control.message(visitor.connection, bytes);
    if (refusal !== undefined || holds === undefined) return refusal;
    const more = holds.count - (visitor.holds.get(holds.id) ?? 0);
    const exceeded = more > 0 ? this.control.count(visitor.connection, more) : undefined;
    if (exceeded === undefined) this.#note(visitor, holds, more);
    return exceeded;
  }

  /** What a subscription holds really; where that is more than was counted, as far as limits go. */
  held(connection: number, holding: Holding): void {
    const visitor = this.#visitors.get(connection);
    if (visitor === undefined) return;
    const more = holding.count - (visitor.holds.get(holding.id) ?? 0);
    if (more > 0 && this.control.count(visitor.connection, more) !== undefined) return;
    this.#note(visitor, holding, more);
  }

  /** Kind and id, as in the audit log; empty before the login. */
  loginOf(connection: number): string {
    const principal = this.#visitors.get(connection)?.connection.principal;
    if (principal === undefined) return '';
    return principal.id === '' ? principal.kind : `${principal.kind} ${principal.id}`;
  }

  refused(connection: number, refusal: Refusal): void {
    const visitor = this.#visitors.get(connection);
    if (visitor !== undefined) this.control.refusedElsewhere(visitor.connection, refusal);
  }

  gone(connection: number): void {
    const visitor = this.#visitors.get(connection);
    this.#visitors.delete(connection);
    if (visitor !== undefined) this.control.close(visitor.connection);
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

  #note({ connection, holds }: Visitor, { count, id }: Holding, more: number): void {
    if (more < 0) this.control.unsubscribe(connection, -more);
    if (count === 0) holds.delete(id);
    else holds.set(id, count);
  }
}
