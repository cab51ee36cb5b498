/**
 * An independent reader of both lines, before any fault: what was published under which number, the publisher's digests as
 * heartbeats told them, ends of sessions, and whether numbers of a line ever went back or jumped. Pure.
 */
import type { DatagramHead } from '../faults/datagram.js';
import type { LineName } from '../faults/profile.js';
import { Heartbeat, Payload } from '../generated/wire.js';
import { hashMessages } from './message_hash.js';
import type { MessageLog, SessionMessages } from './message_log.js';

export interface PublishedSession {
  session: bigint;
  /** Last number seen. */
  last: number;
  /** Number up to which the last valid digest counts, and that digest. */
  digestSequence: number;
  digest: bigint;
  ended: boolean;
  /** Datagrams whose first number did not follow the one before on the same line. */
  jumps: number;
  repeats: number;
}

interface Followed extends PublishedSession {
  next: Record<LineName, number>;
}

/** Threads: one. */
export class Publication {
  readonly #sessions = new Map<bigint, Followed>();
  readonly #heartbeat = new Heartbeat();

  constructor(
    readonly log: MessageLog,
    private readonly onFirstMessage: () => void = () => {},
  ) {}

  take(line: LineName, head: DatagramHead): void {
    const of = this.#of(head.session);
    if (head.count === 0) {
      if (head.payload === Payload.Heartbeat) this.#heard(of, head);
      return;
    }
    if (head.first > of.next[line]) of.jumps++;
    else if (head.first < of.next[line]) of.repeats++;
    const next = head.first + head.count;
    of.next[line] = Math.max(of.next[line], next);
    if (of.last === 0) this.onFirstMessage();
    of.last = Math.max(of.last, next - 1);
    const messages: SessionMessages = this.log.session(head.session);
    hashMessages(head, (sequence, high, low) => messages.put(sequence, high, low));
  }

  /** In the order of their ids. */
  sessions(): PublishedSession[] {
    return [...this.#sessions.values()].sort((a, b) => (a.session < b.session ? -1 : 1));
  }

  /** The session with the highest id. */
  get latest(): PublishedSession | undefined {
    return this.sessions().at(-1);
  }

  #heard(of: Followed, { packet, first, endOfSession }: DatagramHead): void {
    const heartbeat = packet.payload(this.#heartbeat) as Heartbeat;
    if (heartbeat.digestValid() && first - 1 >= of.digestSequence) {
      of.digestSequence = first - 1;
      of.digest = heartbeat.digest();
    }
    of.last = Math.max(of.last, first - 1);
    if (endOfSession) of.ended = true;
  }

  #of(session: bigint): Followed {
    let of = this.#sessions.get(session);
    if (of === undefined) {
      of = {
        session,
        last: 0,
        digestSequence: 0,
        digest: 0n,
        ended: false,
        jumps: 0,
        repeats: 0,
        next: { A: 1, B: 1 },
      };
      this.#sessions.set(session, of);
    }
    return of;
  }
}
