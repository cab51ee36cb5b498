/** What an engine's connections mean for its numbers: which events to send again, when all is safe. Pure: no I/O, no time. */
import { PublisherError } from './errors.js';
import type { EventBatch } from './event_batch.js';
import type { DistributorFrame } from './frames.js';
import { type RetainedFrame, RetainedFrames } from './retained_frames.js';

/** What the owner is to do. */
export type Verdict =
  | { act: 'stream' }
  /** Connect again. */
  | { act: 'again' }
  /** A new session: the numbers begin at state.next, and the engine states its books anew. */
  | { act: 'restate' }
  | { act: 'fail'; error: PublisherError };

type Accepted = Extract<DistributorFrame, { kind: 'accepted' }>;
type Refused = Extract<DistributorFrame, { kind: 'refused' }>;

/** Threads: one. */
export class PublisherState {
  /** Number of the next event that is pushed; 0n before the first login. */
  next = 0n;
  acknowledged = 0n;
  session = 0n;
  readonly retained: RetainedFrames;
  /** Frames of `retained` that this connection has been given. */
  #sent = 0;
  /** Events up to this one have left this process, on this connection or before it. */
  #written = 0n;
  /** A login was refused since a new session has begun: the next one opens it. */
  #restates = false;

  constructor(
    retainBytes: number,
    private readonly canRestate: boolean,
  ) {
    this.retained = new RetainedFrames(retainBytes);
  }

  /** For the login of the next connection. */
  get oldest(): bigint {
    return this.next === 0n ? 0n : (this.retained.oldest ?? this.next);
  }

  accepted({ session, next }: Accepted): Verdict {
    const known = this.session;
    this.session = session;
    if (known === 0n) {
      this.next = next;
      this.acknowledged = next - 1n;
      if (!this.#restates) return this.#stream(next);
      this.#restates = false;
      // What was pushed since the refusal knew nothing of the new session.
      this.#forget(next);
      return { act: 'restate' };
    }
    if (next >= this.oldest && next <= this.next) return this.#stream(next);
    if (session !== known) return this.#restate(next, session);
    if (next > this.next)
      return fail(
        'numbers_ahead',
        `it expects event ${next}, and this engine has pushed up to ${this.next - 1n}`,
        next,
      );
    return fail('events_lost', `it expects event ${next}, and none before ${this.oldest} is retained`, next);
  }

  refused({ name, expected, message }: Refused): Verdict {
    // What it expects was acknowledged by an earlier session: this one begins anew.
    if (name === 'events_unavailable' && this.next !== 0n && expected < this.oldest) {
      const verdict = this.#restate(expected, 0n);
      this.#restates = verdict.act === 'restate';
      return verdict.act === 'restate' ? { act: 'again' } : verdict;
    }
    return fail(name, message === '' ? name : message, expected);
  }

  ack(event: bigint): void {
    if (event <= this.acknowledged) return;
    this.acknowledged = event;
    this.#release();
  }

  /** The socket does not need the memory of frames up to that event any more. */
  written(event: bigint): void {
    if (event <= this.#written) return;
    this.#written = event;
    this.#release();
  }

  /** Takes all of it or, where there is no room, nothing. Returns the events taken. */
  push(batch: EventBatch): number {
    const count = batch.count;
    if (count === 0 || this.retained.add(batch, this.next) === undefined) return 0;
    this.next += BigInt(count);
    batch.clear();
    return count;
  }

  /** The next frame for this connection. */
  takeFrame(): RetainedFrame | undefined {
    const frame = this.retained.at(this.#sent);
    if (frame !== undefined) this.#sent++;
    return frame;
  }

  get allSent(): boolean {
    return this.#sent >= this.retained.size;
  }

  get allAcknowledged(): boolean {
    return this.acknowledged + 1n >= this.next;
  }

  // What an earlier connection has brought may be acknowledged while it still waits in this one's socket.
  #release(): void {
    const upto = this.acknowledged < this.#written ? this.acknowledged : this.#written;
    this.#sent = Math.max(0, this.#sent - this.retained.release(upto));
  }

  #forget(next: bigint): void {
    this.retained.clear();
    this.#sent = 0;
    this.#written = next - 1n;
  }

  #stream(next: bigint): Verdict {
    this.#written = next - 1n;
    this.#release();
    this.#sent = this.retained.indexOf(next);
    return { act: 'stream' };
  }

  // Session 0n: it is told by the next login.
  #restate(next: bigint, session: bigint): Verdict {
    if (!this.canRestate)
      return fail('restate_needed', `a new session expects event ${next}; give connect() a function restate`, next);
    this.#forget(next);
    this.next = next;
    this.acknowledged = next - 1n;
    this.session = session;
    return { act: 'restate' };
  }
}

function fail(code: PublisherError['code'], message: string, expected: bigint): Verdict {
  return { act: 'fail', error: new PublisherError(code, message, expected) };
}
