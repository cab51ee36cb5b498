/**
 * Faults of one line. Pure: a datagram and the time in, datagrams to send out.
 *
 * What happens to a datagram is decided by the seed, the line and its first message number (a datagram without numbers:
 * its place among those), not by the moment of its arrival; only the phases' times depend on a clock.
 */
import type { FaultPhase, FaultProfile, LineName } from './profile.js';
import { chance, hashOf } from './random.js';

/** Nothing is held back longer than this where too few later datagrams come. */
const held_ms_max = 500;
const held_datagrams_max = 200_000;
const ends_of_session_at_risk = 4;

enum Fault {
  drop = 1,
  burst,
  duplicate,
  reorder,
  delay,
  corrupt,
}

/** What the injector has to know of a datagram. */
export interface FaultSubject {
  datagram: Buffer;
  /** Its first number; without numbers, the next one. */
  sequence: number;
  /** How many numbers it holds. */
  count: number;
  endOfSession: boolean;
}

export interface FaultCounters {
  received: number;
  /** By chance, in a burst, in a partition. */
  dropped: number;
  droppedInBurst: number;
  droppedDead: number;
  bursts: number;
  corrupted: number;
  /** Copies besides the first. */
  duplicated: number;
  reordered: number;
  /** Most datagrams that one was overtaken by. */
  overtakenMax: number;
  delayed: number;
  /** Handed to `send`. */
  sent: number;
}

interface Held {
  datagram: Buffer;
  /** How many had been received then. */
  received: number;
  /** Sent when so many have been received, or at that time. */
  afterReceived: number;
  at_ms: number;
}

/** What became of a datagram: `through` at once or later, whole. */
export type FaultVerdict = 'through' | 'dropped' | 'corrupted';

/** Threads: one. Bounded: what would be held beyond 200,000 datagrams is sent at once. */
export class FaultLine {
  readonly counters: FaultCounters = {
    received: 0,
    dropped: 0,
    droppedInBurst: 0,
    droppedDead: 0,
    bursts: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    overtakenMax: 0,
    delayed: 0,
    sent: 0,
  };
  readonly #letter: number;
  readonly #phases: readonly FaultPhase[];
  #held: Held[] = [];
  #nextAfter = Number.POSITIVE_INFINITY;
  #nextAt_ms = Number.POSITIVE_INFINITY;
  #burstLeft = 0;
  #unnumbered = 0;
  #ends = 0;

  constructor(
    private readonly seed: number,
    line: LineName,
    private readonly profile: FaultProfile,
    private readonly send: (datagram: Buffer) => void,
  ) {
    this.#letter = line.charCodeAt(0);
    this.#phases = profile.phases.filter((phase) => phase.line === 'both' || phase.line === line);
  }

  /** Datagrams that wait to be sent. */
  get held(): number {
    return this.#held.length;
  }

  /** `now_ms` counts from the first numbered datagram. */
  take(subject: FaultSubject, now_ms: number): FaultVerdict {
    this.counters.received++;
    const key = subject.count > 0 ? subject.sequence : ++this.#unnumbered;
    // Two words of the number, and whether it is one: 2^32 messages do not begin the same story again.
    const words = [subject.count > 0 ? 1 : 0, key >>> 0, Math.floor(key / 2 ** 32)] as const;
    const verdict = this.#judge(subject, words, now_ms);
    this.#release(now_ms);
    return verdict;
  }

  /** Sends what is due. To be called now and then: what is held has a time too. */
  tick(now_ms: number): void {
    this.#release(now_ms);
  }

  /** Sends all that is held. */
  drain(): void {
    for (const { datagram } of this.#held.splice(0)) this.#pass(datagram);
    this.#nextAfter = this.#nextAt_ms = Number.POSITIVE_INFINITY;
  }

  #judge(subject: FaultSubject, words: readonly [number, number, number], now_ms: number): FaultVerdict {
    const { datagram, sequence } = subject;
    const hits = (rate: number | undefined, fault: Fault) =>
      rate !== undefined && chance(rate, this.seed, this.#letter, fault, ...words);
    const held = this.#phases.filter(
      (phase) =>
        now_ms >= phase.fromMs && now_ms < phase.toMs && sequence >= phase.fromSequence && sequence <= phase.toSequence,
    );
    const spared = subject.endOfSession && this.profile.spareEndOfSession && ++this.#ends > ends_of_session_at_risk;
    if (!spared && this.#isLost(held, hits)) {
      this.counters.dropped++;
      return 'dropped';
    }
    const word = hashOf(this.seed, this.#letter, ...words);
    for (const { corrupt } of held) {
      if (spared || corrupt === undefined || !hits(corrupt.rate, Fault.corrupt)) continue;
      this.counters.corrupted++;
      this.#pass(withFlippedBits(datagram, corrupt.bits, word));
      return 'corrupted';
    }
    this.#schedule(held, datagram, word, now_ms, hits);
    return 'through';
  }

  #isLost(phases: readonly FaultPhase[], hits: (rate: number | undefined, fault: Fault) => boolean): boolean {
    for (const { dead } of phases) {
      if (!dead) continue;
      this.counters.droppedDead++;
      return true;
    }
    if (this.#burstLeft === 0) {
      for (const { burst } of phases) {
        if (burst === undefined || !hits(burst.rate, Fault.burst)) continue;
        this.#burstLeft = burst.packets;
        this.counters.bursts++;
        break;
      }
    }
    if (this.#burstLeft > 0) {
      this.#burstLeft--;
      this.counters.droppedInBurst++;
      return true;
    }
    return phases.some(({ drop }) => hits(drop, Fault.drop));
  }

  #schedule(
    phases: readonly FaultPhase[],
    datagram: Buffer,
    word: number,
    now_ms: number,
    hits: (rate: number | undefined, fault: Fault) => boolean,
  ): void {
    for (const { duplicate } of phases) {
      if (duplicate === undefined || !hits(duplicate.rate, Fault.duplicate)) continue;
      this.counters.duplicated += duplicate.copies;
      for (let copy = 1; copy <= duplicate.copies; copy++) {
        if (duplicate.distance === 0) this.#pass(datagram);
        else this.#hold(datagram, hashOf(word, copy) % (duplicate.distance + 1), now_ms);
      }
    }
    for (const { reorder, delay } of phases) {
      if (reorder !== undefined && hits(reorder.rate, Fault.reorder)) {
        this.counters.reordered++;
        this.#hold(datagram, 1 + (word % reorder.distance), now_ms);
        return;
      }
      if (delay !== undefined && hits(delay.rate, Fault.delay)) {
        this.counters.delayed++;
        this.#holdUntil({
          datagram,
          received: this.counters.received,
          afterReceived: Number.POSITIVE_INFINITY,
          at_ms: now_ms + 1 + (word % delay.ms),
        });
        return;
      }
    }
    this.#pass(datagram);
  }

  #hold(datagram: Buffer, packets: number, now_ms: number): void {
    const { received } = this.counters;
    this.#holdUntil({ datagram, received, afterReceived: received + packets, at_ms: now_ms + held_ms_max });
  }

  #holdUntil(held: Held): void {
    if (this.#held.length >= held_datagrams_max) {
      this.#pass(held.datagram);
      return;
    }
    this.#held.push(held);
    this.#nextAfter = Math.min(this.#nextAfter, held.afterReceived);
    this.#nextAt_ms = Math.min(this.#nextAt_ms, held.at_ms);
  }

  #release(now_ms: number): void {
    const { received } = this.counters;
    if (received < this.#nextAfter && now_ms < this.#nextAt_ms) return;
    const kept: Held[] = [];
    this.#nextAfter = this.#nextAt_ms = Number.POSITIVE_INFINITY;
    for (const held of this.#held) {
      if (held.afterReceived <= received || held.at_ms <= now_ms) {
        this.counters.overtakenMax = Math.max(this.counters.overtakenMax, received - held.received);
        this.#pass(held.datagram);
        continue;
      }
      kept.push(held);
      this.#nextAfter = Math.min(this.#nextAfter, held.afterReceived);
      this.#nextAt_ms = Math.min(this.#nextAt_ms, held.at_ms);
    }
    this.#held = kept;
  }

  #pass(datagram: Buffer): void {
    this.counters.sent++;
    this.send(datagram);
  }
}

function withFlippedBits(datagram: Buffer, bits: number, word: number): Buffer {
  const broken = Buffer.from(datagram);
  const flipped = new Set<number>();
  for (let index = 0; index < bits; index++) {
    const bit = hashOf(word, index) % (8 * broken.length);
    // Twice the same would be none.
    if (flipped.has(bit)) continue;
    flipped.add(bit);
    broken[bit >> 3] = (broken[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  return broken;
}
