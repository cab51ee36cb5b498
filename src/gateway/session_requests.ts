/** What sessions ask for, from the hello on: each within its allowance, judged, and answered in order. Pure. */
import type { Refusal } from './access/codes.js';
import {
  type ClientMessage,
  close_codes,
  gateway_version,
  type HelloMessage,
  parseMessage,
  text_bytes_max,
} from './protocol.js';
import { costOf } from './selection.js';
import {
  type Asked,
  type GatewaySession,
  type Grant,
  type Holding,
  idOf,
  type LoginVerdict,
  type Queued,
  type RenewVerdict,
  type SessionError,
} from './session.js';
import { sessionErrorOf } from './session_errors.js';
import type { SessionTable } from './session_table.js';
import type { Subscriptions } from './subscriptions.js';

/** Messages that are kept while a token is being checked. */
const waiting_max = 64;
/** Requests of one session that wait for their answer; more come only where the main thread stands still. */
const queue_max = 512;

export class SessionRequests {
  readonly #table: SessionTable;
  readonly #subscriptions: Subscriptions;

  constructor(table: SessionTable, subscriptions: Subscriptions) {
    this.#table = table;
    this.#subscriptions = subscriptions;
  }

  /** A text frame. `text` undefined: it was no text. */
  message(session: GatewaySession, text: string | undefined, bytes: number): void {
    this.#table.counters.requests++;
    const asked = { text, bytes, wait_ms: takeAllowance(session, this.#table.now_ms) };
    if (session.phase === 'open') this.#enqueue(session, asked);
    else if (session.phase === 'new') this.#begin(session, asked);
    else if (hasRoomToWait(session, text)) session.waiting.push(asked);
    else this.#table.flooded(session, 'too many messages before the welcome');
  }

  loggedIn(session: GatewaySession, verdict: LoginVerdict): void {
    if (session.phase !== 'checking') return;
    if ('refusal' in verdict) {
      this.#table.end(session, verdict.refusal);
      return;
    }
    if ('code' in verdict) {
      this.#table.error(session, verdict);
      this.#table.close(session, close_codes.unauthorised, verdict.code);
      return;
    }
    this.#table.grant(session, verdict.grant);
    session.phase = 'open';
    this.#welcome(session);
    for (const asked of session.waiting.splice(0)) if (session.phase === 'open') this.#enqueue(session, asked);
  }

  /** The first that has no answer yet. */
  judged(session: GatewaySession, refusal: Refusal | undefined): void {
    const queued = session.queue.find(({ judged }) => !judged);
    if (queued === undefined) return;
    queued.judged = true;
    queued.refusal = refusal;
    this.#answerQueue(session);
  }

  /** In its turn among the answers: `renewed`, what the new grant changes, and only then what was asked after it. */
  renewed(session: GatewaySession, verdict: RenewVerdict): void {
    if (session.phase !== 'open') return;
    session.renewing = false;
    if ('refusal' in verdict) this.#table.error(session, sessionErrorOf(verdict.refusal));
    else {
      this.#table.send(session, { type: 'renewed' });
      if (verdict.grant !== undefined) this.regrant(session, verdict.grant);
    }
    this.#answerQueue(session);
  }

  /** What somebody may have is another: what they have and may no longer have ends. */
  regrant(session: GatewaySession, grant: Grant): void {
    if (session.phase !== 'open') return;
    this.#table.grant(session, grant);
    this.#subscriptions.regranted(session);
    this.#table.send(session, { type: 'entitlements' });
  }

  /** Before the welcome. */
  #begin(session: GatewaySession, { bytes, text, wait_ms }: Asked): void {
    const parsed = parsedOf(text);
    if (wait_ms > 0)
      this.#table.error(session, { code: 'rate_limited', message: 'too many requests', waitMs: wait_ms });
    else if ('fault' in parsed) this.#table.invalid(session, parsed.fault);
    else this.#hello(session, parsed.message, bytes);
  }

  #hello(session: GatewaySession, message: ClientMessage, bytes: number): void {
    if (message.type !== 'hello') {
      this.#table.error(session, { code: 'hello_first', message: 'hello comes first' });
      this.#table.close(session, close_codes.bad_version, 'hello comes first');
      return;
    }
    const fault = helloFault(message);
    if (fault !== undefined) {
      this.#table.error(session, fault);
      this.#table.close(session, close_codes.bad_version, fault.code);
      return;
    }
    session.json = message.format === 'json';
    session.client = message.client ?? '';
    session.phase = 'checking';
    this.#table.access.login(session, message.token, bytes, session.client);
  }

  #welcome(session: GatewaySession): void {
    const { channels, options } = this.#table;
    this.#table.send(session, {
      type: 'welcome',
      version: gateway_version,
      channels: [...channels.values()]
        .filter(({ channel }) => session.grant?.sees?.(channel) !== false)
        .map(({ channel, native }) => {
          const { session: id, sequence, ready } = native.state();
          return { channel, session: id, sequence, ready };
        }),
      limits: {
        subscriptions: options.subscriptionsMax,
        levels: options.levels,
        bufferedBytes: options.bufferedBytes,
        textBytes: text_bytes_max,
      },
    });
  }

  #enqueue(session: GatewaySession, asked: Asked): void {
    const { access } = this.#table;
    const { bytes, text, wait_ms } = asked;
    if (session.queue.length >= queue_max) {
      this.#table.flooded(session, 'too many requests without an answer');
      return;
    }
    const parsed = wait_ms > 0 ? { fault: 'too soon' } : parsedOf(text);
    const judged = access.request === undefined || wait_ms > 0;
    const message = 'message' in parsed ? parsed.message : undefined;
    const cost = message === undefined ? 1 : this.#costOf(session, message);
    session.queue.push({ asked, parsed, judged, refusal: undefined, cost });
    session.allowance.take(cost - 1, this.#table.now_ms);
    if (!judged) access.request?.(session, bytes, message === undefined ? undefined : holdingOf(message), cost);
    this.#answerQueue(session);
  }

  #costOf(session: GatewaySession, message: ClientMessage): number {
    if (message.type !== 'subscribe' && message.type !== 'change') return 1;
    const countOf = (channel: number) => this.#table.instruments(channel).length;
    if (message.type === 'subscribe') return costOf(message.instruments, countOf(message.channel));
    const known = session.subscriptions.get(message.id);
    let count = known === undefined ? 0 : countOf(known.channel);
    let cost = known === undefined ? 1 : costOf(known.selectors, count);
    // What was asked for before and is not carried out yet may be what it changes.
    for (const { cost: before, parsed } of session.queue) {
      if (!('message' in parsed && 'id' in parsed.message) || parsed.message.id !== message.id) continue;
      cost = Math.max(cost, before);
      if (parsed.message.type === 'subscribe') count = Math.max(count, countOf(parsed.message.channel));
    }
    return message.instruments === undefined ? cost : costOf(message.instruments, count);
  }

  /** In the order of their coming, as far as they are judged. */
  #answerQueue(session: GatewaySession): void {
    while (session.phase === 'open' && !session.renewing && session.queue[0]?.judged === true)
      this.#answer(session, session.queue.shift() as Queued);
  }

  #answer(session: GatewaySession, { asked: { text, wait_ms }, parsed, refusal }: Queued): void {
    if (wait_ms > 0)
      this.#table.error(session, {
        ...idOf(text),
        code: 'rate_limited',
        message: 'too many requests',
        waitMs: wait_ms,
      });
    else if (refusal !== undefined) this.#table.error(session, { ...idOf(text), ...sessionErrorOf(refusal) });
    else if ('fault' in parsed) this.#table.invalid(session, parsed.fault, idOf(text));
    else {
      const { message } = parsed;
      session.reserved = holdingOf(message)?.id;
      this.#handle(session, message);
      // It came to nothing: what was counted for it is given back.
      if (session.reserved !== undefined) this.#subscriptions.tellHeld(session, session.reserved);
    }
  }

  #handle(session: GatewaySession, message: ClientMessage): void {
    if (session.phase !== 'open') return;
    const { access } = this.#table;
    switch (message.type) {
      case 'hello':
        this.#table.invalid(session, 'hello comes once');
        break;
      case 'ping':
        this.#table.send(session, { type: 'pong', ...(message.time === undefined ? {} : { time: message.time }) });
        break;
      case 'renew':
        if (access.renew === undefined)
          this.#table.error(session, { code: 'bad_message', message: 'there are no tokens here' });
        else {
          session.renewing = true;
          access.renew(session, message.token);
        }
        break;
      case 'subscribe':
        this.#subscriptions.subscribe(session, message);
        break;
      default:
        this.#subscriptions.handle(session, message);
    }
  }
}

function parsedOf(text: string | undefined): ReturnType<typeof parseMessage> {
  if (text === undefined) return { fault: 'only text frames are understood' };
  return text.length > text_bytes_max ? { fault: `longer than ${text_bytes_max} bytes` } : parseMessage(text);
}

/** How long it would have to wait; 0: taken. */
function takeAllowance({ allowance }: GatewaySession, now_ms: number): number {
  const wait_ms = allowance.wait_ms(1, now_ms);
  if (wait_ms === 0) allowance.take(1, now_ms);
  return wait_ms;
}

/** Who has not logged in yet may not use much memory. */
function hasRoomToWait({ waiting }: GatewaySession, text = ''): boolean {
  const length = waiting.reduce((sum, asked) => sum + (asked.text?.length ?? 0), text.length);
  return waiting.length < waiting_max && length <= text_bytes_max;
}

function helloFault({ versions }: HelloMessage): SessionError | undefined {
  if (versions.includes(gateway_version)) return undefined;
  return { code: 'bad_version', message: `version ${gateway_version} is spoken here` };
}

/** What a request would have its subscription hold; undefined: what it holds already. */
function holdingOf(message: ClientMessage): Holding | undefined {
  if (message.type === 'subscribe') return { id: message.id, count: message.instruments?.length ?? 1 };
  if (message.type === 'change' && message.instruments !== undefined)
    return { id: message.id, count: message.instruments.length };
  return undefined;
}
