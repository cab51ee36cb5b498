/** Which streams begin anew and which are asked for again, and when. Pure: time in ms and chance are passed in. */
import type { Stream } from './stream.js';

export interface RetryOptions {
  backoffMs: number;
  backoffMsMax: number;
  /** 0 … 1. */
  random: () => number;
}

/** Doubles with every attempt, up to the greatest; half of it is chance, so that not all come back at once. */
export function backoff({ backoffMs, backoffMsMax, random }: RetryOptions, attempts: number): number {
  const full = Math.min(backoffMsMax, backoffMs * 2 ** Math.min(attempts, 30));
  return full / 2 + (random() * full) / 2;
}

interface Anew {
  due_ms: number;
  attempts: number;
  wanted: boolean;
}

interface Again {
  /** Infinite: at news. */
  due_ms: number;
  attempts: number;
  /** It was, and what came before the answer is in it. */
  asked: boolean;
}

/** Threads: one. Of one connection: a new one asks for everything. */
export class SessionRetries {
  readonly #options: RetryOptions;
  readonly #anew = new Map<Stream, Anew>();
  /** Those that were refused. */
  readonly #again = new Map<Stream, Again>();

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** Full frames or a snapshot, at once or when the last request is long enough ago. */
  wantAnew(stream: Stream, now: number): void {
    const anew = this.#anew.get(stream) ?? { due_ms: now, attempts: 0, wanted: false };
    // What has been well for long begins with short waits again.
    if (now - anew.due_ms > 2 * this.#options.backoffMsMax) {
      anew.attempts = 0;
      anew.due_ms = now;
    }
    anew.wanted = true;
    this.#anew.set(stream, anew);
  }

  /** `wait_ms`: what the gateway said; undefined: until there is news. */
  refused(stream: Stream, wait_ms: number | undefined, now: number): void {
    const attempts = this.#again.get(stream)?.attempts ?? 0;
    const due_ms = wait_ms === undefined ? Number.POSITIVE_INFINITY : now + wait_ms + backoff(this.#options, attempts);
    this.#again.set(stream, { due_ms, attempts: wait_ms === undefined ? attempts : attempts + 1, asked: false });
  }

  /** What was refused may be granted now: of one channel, or of all. Many clients hear that at the same time. */
  news(now: number, channel?: number): void {
    for (const [stream, again] of this.#again) {
      if (channel !== undefined && stream.options.channel !== channel) continue;
      if (again.asked || Number.isFinite(again.due_ms)) continue;
      again.due_ms = now + backoff(this.#options, again.attempts++);
    }
  }

  granted(stream: Stream): void {
    this.#again.delete(stream);
  }

  forget(stream: Stream): void {
    this.#anew.delete(stream);
    this.#again.delete(stream);
  }

  clear(): void {
    this.#anew.clear();
    this.#again.clear();
  }

  /** When takeDue() has something; infinite: when something happens. */
  deadline(): number {
    let first_ms = Number.POSITIVE_INFINITY;
    for (const { due_ms, wanted } of this.#anew.values()) if (wanted) first_ms = Math.min(first_ms, due_ms);
    for (const { due_ms } of this.#again.values()) first_ms = Math.min(first_ms, due_ms);
    return first_ms;
  }

  /** Those that are to begin anew, and those that are to be asked for again. */
  takeDue(now: number): { anew: Stream[]; again: Stream[] } {
    const due: { anew: Stream[]; again: Stream[] } = { anew: [], again: [] };
    for (const [stream, anew] of this.#anew) {
      if (!anew.wanted || now < anew.due_ms) continue;
      anew.wanted = false;
      anew.due_ms = now + backoff(this.#options, anew.attempts++);
      due.anew.push(stream);
    }
    for (const [stream, again] of this.#again) {
      if (now < again.due_ms) continue;
      again.due_ms = Number.POSITIVE_INFINITY;
      again.asked = true;
      due.again.push(stream);
    }
    return due;
  }
}
