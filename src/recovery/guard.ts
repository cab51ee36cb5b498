/** Access at the recovery service: a login before the first message, entitlements at each request. docs/access.md. */
import type { AccessControl, Connection } from '../gateway/access/access_control.js';
import { closeCode, type Refusal, refuse } from '../gateway/access/codes.js';
import { type Credential, credentialOf } from '../gateway/access/credentials.js';
import type { AccessRequest } from '../gateway/access/entitled.js';
import type { ServerSocket } from '../uws_socket.js';
import { type ClientMessage, clientMessage, parseMessage, type RefusedMessage, textOf } from './protocol.js';

/** Messages that are kept while a token is being checked. */
const waiting_max = 16;

export interface RecoveryGuard {
  control: AccessControl;
  channel: number;
  /** What entitlements name; undefined for an instrument that is not defined. */
  nameOf(instrument: number): string | undefined;
}

/** One socket. Threads: that of the AccessControl. */
export class GuardedSocket {
  #phase: 'new' | 'checking' | 'open' | 'closed' = 'new';
  readonly #waiting: [text: string | undefined, bytes: number][] = [];

  constructor(
    private readonly guard: RecoveryGuard,
    readonly connection: Connection,
    private readonly credential: Credential | undefined,
    private readonly socket: ServerSocket,
    /** What is let through. */
    private readonly deliver: (text: string | undefined) => void,
  ) {}

  /** A frame; `text` undefined: it was no text. */
  message(text: string | undefined, bytes: number): void {
    if (this.#phase === 'closed') return;
    if (this.#phase === 'checking') {
      if (this.#waiting.length < waiting_max) this.#waiting.push([text, bytes]);
      else this.end(refuse('requests_exceeded'));
      return;
    }
    const parsed = text === undefined ? undefined : parseMessage(clientMessage, text);
    const message = parsed !== undefined && 'message' in parsed ? parsed.message : undefined;
    const refusal = this.guard.control.message(this.connection, bytes);
    if (refusal !== undefined) this.#refuse(message, refusal);
    else if (this.#phase === 'new') void this.#login(text, message);
    else this.#ask(text, message);
  }

  /** Says why, and closes. */
  end(refusal: Refusal): void {
    if (this.#phase === 'closed') return;
    this.#refuse(undefined, refusal);
    this.#phase = 'closed';
    this.socket.end(closeCode(refusal.code), refusal.code);
  }

  /** The socket is gone. */
  closed(): void {
    this.#phase = 'closed';
    this.guard.control.close(this.connection);
  }

  async #login(text: string | undefined, message: ClientMessage | undefined): Promise<void> {
    this.#phase = 'checking';
    const token = message?.type === 'hello' ? (message.token ?? '') : '';
    const given = token === '' ? { credential: this.credential } : credentialOf(token);
    const answer =
      'refusal' in given
        ? given
        : token !== '' && this.credential !== undefined
          ? { refusal: refuse('credential_twice') }
          : await this.guard.control.login(this.connection, given.credential);
    // The socket may have gone meanwhile.
    if (this.#phase !== 'checking') return;
    if ('refusal' in answer) {
      this.end(answer.refusal);
      return;
    }
    this.#phase = 'open';
    this.deliver(text);
    for (const [next, bytes] of this.#waiting.splice(0)) this.message(next, bytes);
  }

  #ask(text: string | undefined, message: ClientMessage | undefined): void {
    const request = message === undefined ? undefined : this.#requestOf(message);
    const answer = request === undefined ? undefined : this.guard.control.allows(this.connection, request);
    if (answer?.allowed === false) this.#refuse(message, answer.refusal);
    else this.deliver(text);
  }

  #requestOf(message: ClientMessage): AccessRequest | undefined {
    const { channel } = this.guard;
    if (message.type === 'retransmit') return { use: 'retransmit', channel };
    if (message.type !== 'snapshot') return undefined;
    const { instruments = [] } = message;
    const names = instruments.map((instrument) => this.guard.nameOf(instrument) ?? String(instrument));
    return { use: 'snapshot', channel, instruments: names.length === 0 ? 'all' : names };
  }

  #refuse(message: ClientMessage | undefined, { code: reason, message: text, waitMs }: Refusal): void {
    const refused: RefusedMessage = {
      type: 'refused',
      code: reason === 'requests_exceeded' ? 'rate_limited' : 'unauthorised',
      message: `${reason}: ${text}`,
    };
    if (message !== undefined && 'id' in message) refused.id = message.id;
    if (waitMs !== undefined) refused.waitMs = waitMs;
    this.socket.sendText(textOf(refused));
  }
}
