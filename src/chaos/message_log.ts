/** What a publisher published, by session and number, as an independent reader of its lines saw it. Pure. */

const initial_messages = 1 << 16;
/** Two lanes of four bytes for each: 512 MiB. */
const messages_max = 64 << 20;

/** Hashes of the messages of one session. */
class SessionMessages {
  last = 0;
  known = 0;
  /** Numbers under which two different messages were published. */
  conflicts = 0;
  conflictFirst = 0;
  #lanes = new Uint32Array(2 * initial_messages);

  put(sequence: number, high: number, low: number): void {
    if (sequence > messages_max) throw new RangeError(`message ${sequence}: a message log holds ${messages_max}`);
    if (2 * sequence + 1 >= this.#lanes.length) {
      const larger = new Uint32Array(Math.max(2 * this.#lanes.length, 2 * sequence + 2));
      larger.set(this.#lanes);
      this.#lanes = larger;
    }
    this.last = Math.max(this.last, sequence);
    const at = 2 * sequence;
    // An odd second lane says that there is one.
    const marked = (low | 1) >>> 0;
    if (this.#lanes[at + 1] === 0) {
      this.#lanes[at] = high;
      this.#lanes[at + 1] = marked;
      this.known++;
    } else if (this.#lanes[at] !== high >>> 0 || this.#lanes[at + 1] !== marked) {
      this.conflictFirst ||= sequence;
      this.conflicts++;
    }
  }

  /** Undefined where it was never seen. */
  equal(sequence: number, high: number, low: number): boolean | undefined {
    const at = 2 * sequence;
    if (at + 1 >= this.#lanes.length || this.#lanes[at + 1] === 0) return undefined;
    return this.#lanes[at] === high >>> 0 && this.#lanes[at + 1] === (low | 1) >>> 0;
  }

  /** Numbers from 1 to the last that were never seen. */
  get holes(): number {
    return this.last - this.known;
  }
}

/** Threads: one. Throws RangeError beyond 64 Mi messages of a session. */
export class MessageLog {
  readonly #sessions = new Map<bigint, SessionMessages>();

  session(session: bigint): SessionMessages {
    let messages = this.#sessions.get(session);
    if (messages === undefined) {
      messages = new SessionMessages();
      this.#sessions.set(session, messages);
    }
    return messages;
  }

  get sessions(): bigint[] {
    return [...this.#sessions.keys()];
  }
}

export type { SessionMessages };
