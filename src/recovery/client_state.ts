/**
 * How a client gets back what it missed: what it sees of its feed and of the recovery service in, what is to be done out.
 * Pure: no I/O, time in ms is passed in, randomness too. docs/recovery.md, "From cheapest to dearest".
 */
import { type ClientMessage, type DoneMessage, ranges_max, recovery_version, type ServiceMessage } from './protocol.js';

export interface Range {
  first: bigint;
  last: bigint;
}

/** What the receiving thread knows. */
export interface FeedView {
  /** 0: none yet. */
  session: bigint;
  /** The first number that has not been applied; every number below knownEnd has been sent. */
  next: bigint;
  knownEnd: bigint;
  /** First number kept behind the holes; 0: none. */
  parkedFirst: bigint;
  /** Numbers missing in all. */
  missing: bigint;
  synchronized: boolean;
  /** Every book is live. */
  whole: boolean;
  /** The publisher has said that the session ends. */
  endAnnounced: boolean;
  /** Holes that the other line has not filled in time, ascending. */
  overdue: readonly Range[];
}

export type SnapshotReason = 'behind' | 'unavailable' | 'mismatch' | 'resume';

export type ResumeTarget = { session: bigint; sequence: bigint };

export interface ClientStateOptions {
  channel: number;
  token: string;
  timeoutMs: number;
  backoffMs: number;
  backoffMsMax: number;
  retransmitMax: number;
  resume: ResumeTarget | null;
  /** Is there a service, a port for re-requests, a snapshot line? */
  hasService: boolean;
  hasUdp: boolean;
  hasSnapshotLine: boolean;
  /** 0 … 1. */
  random: () => number;
}

export type Action =
  | { do: 'connect' }
  | { do: 'disconnect' }
  | { do: 'send'; message: ClientMessage }
  | { do: 'confirmSession'; session: bigint }
  /** The parts of a snapshot are to be taken from now on. */
  | { do: 'wantSnapshot' }
  | { do: 'cancelResume'; reason: string }
  | { do: 'giveUp'; end: bigint }
  | { do: 'rerequest'; ranges: Range[] }
  | { do: 'joinSnapshotLine'; joined: boolean };

type Link = 'none' | 'down' | 'connecting' | 'greeting' | 'ready';

interface Retransmission {
  id: number;
  ranges: readonly Range[];
  /** Something of the answer has come then. */
  progress_ms: number;
  /** Answered: not asked for again before. */
  until_ms: number | undefined;
}

interface Snapshot {
  id: number;
  reason: SnapshotReason;
  /** Numbers from here on were not known when it was asked for. */
  end: bigint;
  progress_ms: number;
  done: boolean;
}

const retransmissions_max = 4;
/** How often the feed is looked at while something is missing. */
const look_ms = 5;
/** How long a service that was there is waited for when the session is over: what killed it starts it again. */
const restart_ms = 15_000;
const rerequest_missing_max = 10_000n;
const rerequest_ranges_max = 64;

/** Threads: one. Every call returns what is to be done, in order; `deadline_ms` tells when tick() is due. */
export class ClientState {
  readonly #options: ClientStateOptions;
  #link: Link;
  #connect_ms = 0;
  #connect_attempts = 0;
  #down_ms: number | undefined;
  #greeting_ms = 0;
  #absent = false;
  #reached = false;
  #service = { session: 0n, next: 1n, oldest: 1n, snapshots: false };
  #view: FeedView | undefined;
  #id = 0;
  #asked: Retransmission[] = [];
  #ask_ms = 0;
  #ask_attempts = 0;
  #snapshot: Snapshot | undefined;
  #snapshot_needed: SnapshotReason | undefined;
  #snapshot_ms = 0;
  #snapshot_attempts = 0;
  #good_since_ms: number | undefined;
  #resume: 'none' | 'wanted' | 'asked' | 'following';
  #line_joined = false;
  #line_ms = 0;
  #rerequest_ms = 0;
  #missing_ms = 0;
  #actions: Action[] = [];

  constructor(options: ClientStateOptions) {
    this.#options = options;
    this.#link = options.hasService ? 'down' : 'none';
    this.#resume = options.resume === null ? 'none' : 'wanted';
  }

  get connected(): boolean {
    return this.#link === 'ready';
  }

  /** Why the snapshot that is on its way, or came last, was asked for. */
  snapshotReason: SnapshotReason = 'behind';

  start(now: number): Action[] {
    this.#down_ms = now;
    return this.tick(now);
  }

  /** The socket is open. */
  opened(now: number): Action[] {
    const { channel, token } = this.#options;
    this.#link = 'greeting';
    this.#greeting_ms = now;
    const hello = { type: 'hello' as const, version: recovery_version, channel };
    this.#send(token === '' ? hello : { ...hello, token });
    return this.#finish(now);
  }

  /** The socket is closed, or could not be opened; `absent`: there is no such service at that address. */
  closed(now: number, absent = false): Action[] {
    if (this.#link === 'none') return [];
    this.#absent = absent;
    if (this.#link === 'ready') this.#connect_attempts = 0;
    this.#link = 'down';
    this.#down_ms ??= now;
    this.#connect_ms = now + this.#backoff(this.#connect_attempts++);
    this.#asked = [];
    if (this.#snapshot !== undefined) this.#retrySnapshot(now);
    return this.#finish(now);
  }

  message(message: ServiceMessage, now: number): Action[] {
    switch (message.type) {
      case 'welcome':
        if (this.#link !== 'greeting') break;
        this.#link = 'ready';
        this.#reached = true;
        this.#down_ms = undefined;
        this.#connect_attempts = 0;
        this.#ask_ms = 0;
        this.#service = {
          session: message.session,
          next: message.next,
          oldest: message.oldest,
          snapshots: message.snapshots,
        };
        break;
      case 'session':
        this.#service = { ...this.#service, session: message.session, next: message.next, oldest: message.oldest };
        break;
      case 'done':
        this.#done(message, now);
        break;
      case 'refused':
        this.#refused(message.id, message.code, message.waitMs, now);
        break;
    }
    return this.#finish(now);
  }

  /** A binary frame of that request has come. */
  progress(id: number, now: number): Action[] {
    for (const one of this.#asked) if (one.id === id) one.progress_ms = now;
    if (this.#snapshot?.id === id) this.#snapshot.progress_ms = now;
    return [];
  }

  /** What the feed looks like now. */
  feed(view: FeedView, now: number): Action[] {
    const before = this.#view;
    if (before !== undefined && before.session !== view.session) this.#forget();
    if (before === undefined || before.session !== view.session || before.missing !== view.missing)
      this.#missing_ms = now;
    this.#view = view;
    if (view.synchronized) this.#good_since_ms ??= now;
    else this.#good_since_ms = undefined;
    return this.#finish(now);
  }

  /** The books are a snapshot's now. */
  snapshotTaken(now: number): Action[] {
    this.#snapshot = undefined;
    this.#snapshot_needed = undefined;
    // How things stand now is told next.
    if (this.#view !== undefined) this.#view = { ...this.#view, whole: true, missing: 0n, overdue: [] };
    // What was refused before may lie below it now; and one that does not help for long is not asked for at once again.
    this.#ask_ms = 0;
    this.#snapshot_ms = now + this.#backoff(this.#snapshot_attempts);
    if (this.#resume === 'asked') this.#resume = 'following';
    this.#leaveLine();
    return this.#finish(now);
  }

  /** It could not be used. */
  snapshotRefused(now: number): Action[] {
    this.#retrySnapshot(now);
    return this.#finish(now);
  }

  /** The point to resume at was reached; `equal`: with the digest of then. */
  resumed(equal: boolean, now: number): Action[] {
    if (this.#resume === 'none') return [];
    if (equal) this.#resume = 'following';
    else this.#failResume('digest differs');
    return this.#finish(now);
  }

  tick(now: number): Action[] {
    return this.#finish(now);
  }

  /** When tick() is due; undefined: when something happens. */
  deadline(now: number): number | undefined {
    const times: number[] = [];
    if (this.#link === 'down') times.push(this.#connect_ms);
    if (this.#link === 'greeting') times.push(this.#greeting_ms + this.#options.timeoutMs);
    for (const { progress_ms, until_ms } of this.#asked) times.push(until_ms ?? progress_ms + this.#options.timeoutMs);
    if (this.#snapshot !== undefined) times.push(this.#snapshot.progress_ms + this.#options.timeoutMs);
    if (this.#hasTrouble()) times.push(now + look_ms);
    return times.length === 0 ? undefined : Math.max(now, Math.min(...times));
  }

  #hasTrouble(): boolean {
    const view = this.#view;
    return view !== undefined && (view.overdue.length > 0 || !view.whole || this.#snapshot_needed !== undefined);
  }

  #finish(now: number): Action[] {
    if (this.#link === 'down' && now >= this.#connect_ms) {
      this.#link = 'connecting';
      this.#actions.push({ do: 'connect' });
    }
    this.#checkTimeouts(now);
    this.#decide(now);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #checkTimeouts(now: number): void {
    const { timeoutMs } = this.#options;
    this.#asked = this.#asked.filter(({ until_ms }) => until_ms === undefined || now < until_ms);
    const late = (since_ms: number) => now - since_ms >= timeoutMs;
    const silent =
      (this.#link === 'greeting' && late(this.#greeting_ms)) ||
      this.#asked.some(({ until_ms, progress_ms }) => until_ms === undefined && late(progress_ms)) ||
      (this.#snapshot !== undefined && !this.#snapshot.done && late(this.#snapshot.progress_ms));
    // A service that answers nothing may be a half-open connection: another one is tried.
    if (silent && (this.#link === 'greeting' || this.#link === 'ready')) {
      this.#actions.push({ do: 'disconnect' });
      this.#link = 'down';
      this.#down_ms ??= now;
      this.#connect_ms = now + this.#backoff(this.#connect_attempts++);
      this.#asked = [];
      if (this.#snapshot !== undefined) this.#retrySnapshot(now);
    }
    // All of it was sent, and yet no snapshot came of it.
    if (this.#snapshot?.done && late(this.#snapshot.progress_ms)) this.#retrySnapshot(now);
    if (this.#good_since_ms !== undefined && now - this.#good_since_ms >= this.#options.backoffMsMax) {
      this.#snapshot_attempts = 0;
      this.#ask_attempts = 0;
    }
  }

  #decide(now: number): void {
    const view = this.#view;
    if (view === undefined) return;
    if (this.#link === 'ready') {
      if (this.#service.session > view.session && this.#service.session !== 0n)
        this.#actions.push({ do: 'confirmSession', session: this.#service.session });
      // Its numbers are not ours until both follow the same session.
      if (this.#service.session !== view.session || view.session === 0n) return;
      if (this.#line_joined) this.#leaveLine();
      this.#decideResume(now, view);
      this.#decideSnapshot(now, view);
      this.#decideRetransmission(now, view);
      return;
    }
    if (view.session !== 0n) this.#decideAlone(now, view);
  }

  #decideResume(now: number, view: FeedView): void {
    const { resume } = this.#options;
    if (resume === null) return;
    if (this.#resume === 'following' && view.synchronized) this.#resume = 'none';
    if (this.#resume !== 'wanted') return;
    if (view.session !== resume.session) {
      this.#failResume('session is over');
    } else if (view.next > resume.sequence) {
      this.#resume = 'following';
    } else if (this.#service.snapshots && this.#snapshot === undefined && now >= this.#snapshot_ms) {
      this.#resume = 'asked';
      this.#askSnapshot('resume', now, view);
    } else if (!this.#service.snapshots) {
      this.#resumeWithoutCheckpoint('no snapshots');
    }
  }

  #resumeWithoutCheckpoint(reason: string): void {
    // From the first message on, if it is still there.
    if (this.#service.oldest <= 1n) this.#resume = 'following';
    else this.#failResume(reason);
  }

  #failResume(reason: string): void {
    this.#resume = 'none';
    this.#snapshot_needed ??= 'behind';
    this.#actions.push({ do: 'cancelResume', reason });
  }

  #decideSnapshot(now: number, view: FeedView): void {
    if (!view.whole) this.#snapshot_needed ??= 'mismatch';
    const resuming = this.#resume !== 'none';
    if (view.overdue.length > 0 && !resuming && view.missing > BigInt(this.#options.retransmitMax))
      this.#snapshot_needed ??= 'behind';
    if (view.overdue.length === 0 && view.whole && this.#snapshot === undefined) this.#snapshot_needed = undefined;
    if (this.#snapshot_needed === undefined || this.#snapshot !== undefined || now < this.#snapshot_ms) return;
    if (this.#service.snapshots) this.#askSnapshot(this.#snapshot_needed, now, view);
  }

  #askSnapshot(reason: SnapshotReason, now: number, view: FeedView): void {
    this.#snapshot_attempts++;
    this.snapshotReason = reason;
    this.#snapshot = { id: this.#nextId(), reason, end: view.knownEnd, progress_ms: now, done: false };
    const { id } = this.#snapshot;
    const { resume } = this.#options;
    this.#actions.push({ do: 'wantSnapshot' });
    const session = view.session;
    if (reason === 'resume' && resume !== null) this.#send({ type: 'snapshot', id, session, before: resume.sequence });
    else {
      const from = view.parkedFirst !== 0n ? view.parkedFirst : view.next;
      this.#send({ type: 'snapshot', id, session, from });
    }
  }

  #decideRetransmission(now: number, view: FeedView): void {
    if (this.#resume === 'wanted' || this.#resume === 'asked' || now < this.#ask_ms) return;
    if (this.#asked.filter(({ until_ms }) => until_ms === undefined).length >= retransmissions_max) return;
    // A snapshot on its way, or about to be asked for, covers what was known when it was asked for.
    const covered = this.#snapshot !== undefined ? this.#snapshot.end : 0n;
    if (this.#snapshot_needed !== undefined && this.#snapshot === undefined && this.#service.snapshots) return;
    let wanted = clip(view.overdue, covered);
    for (const { ranges } of this.#asked) wanted = without(wanted, ranges);
    const ranges = wanted.slice(0, ranges_max);
    if (ranges.length === 0) return;
    const id = this.#nextId();
    this.#asked.push({ id, ranges, progress_ms: now, until_ms: undefined });
    this.#send({
      type: 'retransmit',
      id,
      session: view.session,
      ranges: ranges.map(({ first, last }) => [first, last]),
    });
  }

  // Without the service: re-requests by UDP, the snapshot line, and the end where nobody can help.
  #decideAlone(now: number, view: FeedView): void {
    // Only once the service was looked for.
    if (this.#link === 'greeting' || (this.#link !== 'none' && this.#connect_attempts === 0)) return;
    const { hasUdp, hasSnapshotLine, timeoutMs } = this.#options;
    const small = view.missing <= rerequest_missing_max;
    if (hasUdp && view.whole && small && view.overdue.length > 0 && now >= this.#rerequest_ms) {
      this.#rerequest_ms = now + look_ms;
      this.#actions.push({ do: 'rerequest', ranges: view.overdue.slice(0, rerequest_ranges_max) });
    }
    const helpless =
      !view.whole || (view.overdue.length > 0 && (!hasUdp || !small || this.#snapshot_needed !== undefined));
    if (hasSnapshotLine && helpless && !this.#line_joined && now >= this.#line_ms) {
      this.snapshotReason = view.whole ? 'behind' : 'mismatch';
      this.#line_joined = true;
      this.#actions.push({ do: 'joinSnapshotLine', joined: true }, { do: 'wantSnapshot' });
    }
    if (!helpless && this.#line_joined) this.#leaveLine();
    const down_ms = this.#down_ms ?? now;
    const over = view.endAnnounced || (this.#absent && !hasUdp);
    const patience_ms = this.#reached && !this.#absent ? Math.max(timeoutMs, restart_ms) : timeoutMs;
    const hopeless =
      over && view.overdue.length > 0 && now - this.#missing_ms >= timeoutMs && now - down_ms >= patience_ms;
    // The session is over and who could have brought the rest is gone; or there never was anybody.
    if (hopeless && !hasSnapshotLine) this.#actions.push({ do: 'giveUp', end: view.knownEnd });
  }

  /** A re-request by UDP was answered with "too low" or "unavailable". */
  rerequestRefused(now: number): Action[] {
    this.#snapshot_needed ??= 'unavailable';
    return this.#finish(now);
  }

  #leaveLine(): void {
    if (!this.#line_joined) return;
    this.#line_joined = false;
    this.#actions.push({ do: 'joinSnapshotLine', joined: false });
  }

  #done(message: DoneMessage, now: number): void {
    if (this.#snapshot?.id === message.id) {
      this.#snapshot.done = true;
      this.#snapshot.progress_ms = now;
      const refusal = message.refused[0];
      if (refusal !== undefined) this.#refused(message.id, refusal.code, refusal.waitMs, now);
      return;
    }
    const asked = this.#asked.find(({ id }) => id === message.id);
    if (asked === undefined) return;
    // What came is on its way to the books; what of it is still missing then was damaged, and is asked for again.
    asked.until_ms = now + this.#options.backoffMs;
    if (message.refused.length === 0) {
      this.#ask_attempts = 0;
      return;
    }
    this.#asked = this.#asked.filter((one) => one !== asked);
    const sent = message.sent.map(([first, last]) => ({ first, last }));
    if (sent.length > 0) this.#asked.push({ ...asked, ranges: sent });
    let wait_ms = 0;
    for (const { code, waitMs } of message.refused) wait_ms = Math.max(wait_ms, this.#consider(code, waitMs));
    if (wait_ms > 0) this.#ask_ms = now + wait_ms;
  }

  #refused(id: number | undefined, code: string, waitMs: number | undefined, now: number): void {
    if (id !== undefined && this.#snapshot?.id === id) {
      this.#snapshot = undefined;
      if (this.#resume === 'asked') {
        if (code === 'rate_limited') this.#resume = 'wanted';
        else this.#resumeWithoutCheckpoint(`no checkpoint (${code})`);
      }
      this.#snapshot_ms = now + Math.max(waitMs ?? 0, this.#backoff(this.#snapshot_attempts));
      return;
    }
    if (id !== undefined) this.#asked = this.#asked.filter((one) => one.id !== id);
    this.#ask_ms = now + Math.max(this.#consider(code, waitMs), 1);
  }

  /** How long to wait before ranges that were refused are asked for again. */
  #consider(code: string, waitMs: number | undefined): number {
    if (code === 'too_low' || code === 'unavailable') {
      if (this.#resume === 'following') this.#failResume(`messages are ${code.replace('_', ' ')}`);
      this.#snapshot_needed ??= 'unavailable';
      // Where there are no snapshots, it may yet become available.
      return this.#service.snapshots ? 0 : this.#backoff(this.#ask_attempts++);
    }
    if (code === 'rate_limited' && waitMs !== undefined)
      return waitMs + this.#options.random() * this.#options.backoffMs;
    return Math.max(waitMs ?? 0, this.#backoff(this.#ask_attempts++));
  }

  #retrySnapshot(now: number): void {
    const reason = this.#snapshot?.reason;
    this.#snapshot = undefined;
    if (reason !== undefined && reason !== 'resume') this.#snapshot_needed ??= reason;
    if (this.#resume === 'asked') this.#resume = 'wanted';
    this.#snapshot_ms = now + this.#backoff(this.#snapshot_attempts);
    this.#line_ms = now + this.#backoff(this.#snapshot_attempts++);
    this.#leaveLine();
  }

  // Of another session.
  #forget(): void {
    this.#asked = [];
    this.#snapshot = undefined;
    this.#snapshot_needed = undefined;
    this.#snapshot_ms = 0;
    this.#snapshot_attempts = 0;
    this.#ask_ms = 0;
    this.#ask_attempts = 0;
    if (this.#resume === 'asked' || this.#resume === 'following') this.#failResume('session is over');
    this.#snapshot_needed = undefined;
  }

  /** Doubles with every attempt, up to the greatest; half of it is chance, so that not all come back at once. */
  #backoff(attempts: number): number {
    const { backoffMs, backoffMsMax, random } = this.#options;
    const full = Math.min(backoffMsMax, backoffMs * 2 ** Math.min(attempts, 30));
    return full / 2 + (random() * full) / 2;
  }

  #nextId(): number {
    this.#id = (this.#id % 0xffff_ffff) + 1;
    return this.#id;
  }

  #send(message: ClientMessage): void {
    this.#actions.push({ do: 'send', message });
  }
}

/** What of the ranges is not below `from`. */
function clip(ranges: readonly Range[], from: bigint): Range[] {
  const rest: Range[] = [];
  for (const { first, last } of ranges) if (last >= from) rest.push({ first: first < from ? from : first, last });
  return rest;
}

/** Ranges less others; both ascending. */
export function without(ranges: readonly Range[], others: readonly Range[]): Range[] {
  const rest: Range[] = [];
  let at = 0;
  for (const range of ranges) {
    let first = range.first;
    while (at < others.length && (others[at] as Range).last < first) at++;
    for (let index = at; index < others.length; index++) {
      const other = others[index] as Range;
      if (other.first > range.last) break;
      if (other.first > first) rest.push({ first, last: other.first - 1n });
      if (other.last + 1n > first) first = other.last + 1n;
    }
    if (first <= range.last) rest.push({ first, last: range.last });
  }
  return rest;
}
