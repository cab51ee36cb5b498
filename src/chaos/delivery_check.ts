/**
 * Compares what a client delivered with what was published: every number once, in order, with equal content; numbers are
 * left out only where the client has said so (a snapshot, another session, a hole that it gave up), and exactly those.
 * Pure.
 */
import type { MessageLog } from './message_log.js';

const faults_told_max = 20;

export interface DeliveryTotals {
  delivered: number;
  /** Content equal to what was published; `unknown`: the independent reader never had that number. */
  equal: number;
  unknown: number;
  appliedTwice: number;
  /** Left out without a word. */
  skipped: number;
  different: number;
  /** Numbers that an announced jump left out. */
  jumped: number;
  sessions: number;
}

interface Gap {
  session: bigint;
  first: number;
  last: number;
}

/** Threads: one. */
export class DeliveryCheck {
  readonly totals: DeliveryTotals = {
    delivered: 0,
    equal: 0,
    unknown: 0,
    appliedTwice: 0,
    skipped: 0,
    different: 0,
    jumped: 0,
    sessions: 0,
  };
  readonly #faults: string[] = [];
  readonly #gaps: Gap[] = [];
  readonly #announced: { session: bigint; sequence: number; used: boolean }[] = [];
  readonly #unknown: { session: bigint; sequence: number; high: number; low: number }[] = [];
  #session = 0n;
  /** The next number that may be delivered. */
  #next = 1;

  constructor(private readonly log: MessageLog) {}

  /** In words, the first twenty; none: all is well so far. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  get session(): bigint {
    return this.#session;
  }

  /** The next number that may come. */
  get next(): number {
    return this.#next;
  }

  /** The client follows this session from its message `from` on. */
  startSession(session: bigint, from = 1): void {
    if (session === this.#session) return;
    this.totals.sessions++;
    if (session < this.#session) this.#fault(`session ${session} came after session ${this.#session}`);
    this.#session = session;
    this.#next = from;
  }

  /** The client has said that a snapshot stands for everything up to `sequence`. It may say so before or after the fact. */
  announceSnapshot(session: bigint, sequence: number): void {
    this.#announced.push({ session, sequence, used: false });
  }

  take(sequence: number, high: number, low: number): void {
    this.totals.delivered++;
    if (sequence < this.#next) {
      this.totals.appliedTwice++;
      this.#fault(`message ${sequence} of session ${this.#session} came again, ${this.#next} was the next`);
      return;
    }
    if (sequence > this.#next) {
      this.#gaps.push({ session: this.#session, first: this.#next, last: sequence - 1 });
    }
    this.#next = sequence + 1;
    this.#compare(this.#session, sequence, high, low, false);
  }

  /** The last number for which something stands, delivered or in an announced snapshot. */
  get covered(): number {
    const snapshots = this.#announced.filter(({ session }) => session === this.#session);
    return Math.max(this.#next - 1, ...snapshots.map(({ sequence }) => sequence));
  }

  /** Once all is delivered: holds gaps against announcements, and looks again at what came before the log had it. */
  finish(): void {
    for (const gap of this.#gaps.splice(0)) this.#explain(gap);
    for (const { session, sequence, high, low } of this.#unknown.splice(0))
      this.#compare(session, sequence, high, low, true);
  }

  /** Exactly one announced snapshot has to end where the gap ends. */
  #explain({ session, first, last }: Gap): void {
    const found = this.#announced.find((one) => one.session === session && one.sequence === last && !one.used);
    if (found !== undefined) {
      found.used = true;
      this.totals.jumped += last - first + 1;
      return;
    }
    this.totals.skipped += last - first + 1;
    this.#fault(`messages ${first} to ${last} of session ${session} were left out without a word`);
  }

  #compare(session: bigint, sequence: number, high: number, low: number, final: boolean): void {
    const equal = this.log.session(session).equal(sequence, high, low);
    if (equal === true) this.totals.equal++;
    else if (equal === undefined && final) this.totals.unknown++;
    else if (equal === undefined) this.#unknown.push({ session, sequence, high, low });
    else {
      this.totals.different++;
      this.#fault(`message ${sequence} of session ${session} differs from what was published`);
    }
  }

  #fault(text: string): void {
    if (this.#faults.length < faults_told_max) this.#faults.push(text);
  }
}
