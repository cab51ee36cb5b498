/**
 * The audit log: lines of JSON about logins, refusals and what became of sessions. Holds no secret and nothing that a
 * client made up: only addresses, codes, and names of tokens and subjects that were verified. Bounded: the first of
 * equal events is a line at once, the rest of them is summed; the counts of all lines add up to all events. Pure: the
 * writer and time are passed in.
 */
import { TokenBucket } from '../../recovery/token_bucket.js';
import type { RefusalCode } from './codes.js';
import type { Moment } from './moment.js';

export type AuditKind =
  /** A client has logged in; has renewed its login; a connection that had logged in was closed. */
  | 'login'
  | 'renewed'
  | 'logout'
  /** A connection, login or request was refused. */
  | 'refused'
  /** The server ended an open session; its entitlements changed. */
  | 'ended'
  | 'changed'
  /** The token file was taken over; cannot be used. */
  | 'tokens_loaded'
  | 'tokens_broken';

export interface AuditEvent {
  event: AuditKind;
  code?: RefusalCode;
  address?: string;
  /** Verified ones only: id of a token, `sub` of a JWT. */
  kind?: string;
  id?: string;
  /** For people: name of the token; why the file is broken. */
  detail?: string;
}

/** Writes one line, with its newline; false where it could not. */
export type AuditWriter = (line: string) => boolean;

const repeats_ms = 10_000;
const repeats_max = 1_024;
const text_length_max = 256;
/** Lines a second, and at once; sums come on top, at most repeats_max and one for each kind and code per 10 s. */
const lines_per_second = 50;
const lines_burst = 500;

interface Repeats {
  event: AuditEvent;
  count: number;
  first_ms: number;
  last_ms: number;
  began_ms: number;
}

/** ASCII only: what is not is escaped, so that no line moves a cursor, turns writing round or looks like another. */
export function auditText(value: object): string {
  const text = JSON.stringify(value, (_, inner) =>
    typeof inner === 'string' && inner.length > text_length_max ? `${inner.slice(0, text_length_max)}…` : inner,
  );
  return text.replace(/[\x7f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Threads: one. */
export class AuditLog {
  /** `lost`: events of lines that the writer did not take; they are in the next line that it does take. */
  readonly counters = { events: 0, lines: 0, lost: 0 };
  readonly #bucket: TokenBucket;
  readonly #repeats = new Map<string, Repeats>();
  readonly #sums = new Map<string, Repeats>();
  #lostUntold = 0;

  constructor(
    private readonly writer: AuditWriter,
    now: Moment,
  ) {
    this.#bucket = new TokenBucket(lines_per_second, lines_burst, now.monotonic_ms);
  }

  record(event: AuditEvent, now: Moment): void {
    this.counters.events++;
    const key = [event.event, event.code, event.address, event.kind, event.id].join('\n');
    const known = this.#repeats.get(key);
    if (known !== undefined) {
      count(known, now);
      return;
    }
    if (this.#repeats.size >= repeats_max || this.#bucket.available(now.monotonic_ms) < 1) {
      this.#sum(event, now);
      return;
    }
    this.#bucket.take(1, now.monotonic_ms);
    this.#repeats.set(key, {
      event,
      count: 0,
      first_ms: now.wall_ms,
      last_ms: now.wall_ms,
      began_ms: now.monotonic_ms,
    });
    this.#write({ time: isoTime(now.wall_ms), ...event, count: 1 }, 1);
  }

  /** About once a second: tells the sums that are due. */
  tick(now: Moment): void {
    for (const table of [this.#repeats, this.#sums])
      for (const [key, repeats] of table) {
        if (now.monotonic_ms - repeats.began_ms < repeats_ms) continue;
        table.delete(key);
        this.#tell(repeats, now);
      }
  }

  /** Tells all sums; at the end. */
  flush(now: Moment): void {
    for (const table of [this.#repeats, this.#sums]) {
      for (const repeats of table.values()) this.#tell(repeats, now);
      table.clear();
    }
  }

  /** Too much to keep apart: by kind and code only. */
  #sum({ event, code }: AuditEvent, now: Moment): void {
    const key = `${event}\n${code}`;
    const known = this.#sums.get(key);
    if (known !== undefined) {
      count(known, now);
      return;
    }
    const first_ms = now.wall_ms;
    const summed: AuditEvent = code === undefined ? { event } : { event, code };
    this.#sums.set(key, { event: summed, count: 1, first_ms, last_ms: first_ms, began_ms: now.monotonic_ms });
  }

  #tell({ event, count: events, first_ms, last_ms }: Repeats, now: Moment): void {
    if (events === 0) return;
    const span = { since: isoTime(first_ms), until: isoTime(last_ms) };
    this.#write({ time: isoTime(now.wall_ms), ...event, count: events, ...span }, events);
  }

  #write(line: object, events: number): void {
    const lost = this.#lostUntold;
    let written = false;
    try {
      written = this.writer(`${auditText(lost > 0 ? { ...line, lost } : line)}\n`);
    } catch {
      // Counted below: a full disk must not end anybody's session.
    }
    if (written) {
      this.counters.lines++;
      this.#lostUntold = 0;
    } else {
      this.counters.lost += events;
      this.#lostUntold += events;
    }
  }
}

function count(repeats: Repeats, now: Moment): void {
  if (repeats.count === 0) repeats.first_ms = now.wall_ms;
  repeats.count++;
  repeats.last_ms = now.wall_ms;
}

function isoTime(wall_ms: number): string {
  return new Date(wall_ms).toISOString();
}
