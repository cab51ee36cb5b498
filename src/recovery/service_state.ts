/**
 * The recovery service without sockets and clocks: who may have what, in which turn. Sockets and the channel's past are
 * passed in as interfaces, time in ms. docs/recovery.md, "Recovery service".
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { NativeRecovery, NativeSnapshot } from '../native.js';
import type { ServerSocket } from '../uws_socket.js';
import {
  type ClientMessage,
  clientMessage,
  close_codes,
  frame_bytes_max,
  frame_header_bytes,
  frame_retransmission,
  frame_snapshot,
  parseMessage,
  type RefusalCode,
  type RefusedMessage,
  type RetransmitMessage,
  recovery_version,
  requests_open_max,
  type ServiceMessage,
  type SnapshotMessage,
  textOf,
  writeFrameHeader,
} from './protocol.js';
import { RangeCursor } from './range_cursor.js';
import { ComeBackQueue, TokenBucket } from './token_bucket.js';

/** Bytes of a frame, header included: small enough that no turn is long. */
const slice_bytes = frame_bytes_max / 2;
/** Less than this is not worth a frame: the request waits, or is refused. */
const slice_bytes_min = 16_384;
/** Reads of one slice: many small ranges share a turn. */
const reads_per_slice = 16;
/** A socket with more than this waiting is left alone until it has drained. */
export const socket_buffered_max = 2 ** 20 - frame_bytes_max;
/** The same for all sockets together. */
const buffered_total_max = 256 * 2 ** 20;
/** A request that has waited so long in all, because the buckets are empty, is told when to come back for the rest. */
const patience_ms = 200;
/** Who is refused is told to come back when so many bytes are there. */
const come_back_bytes = 2 ** 20;
const come_back_ms_max = 30_000;
/** A request that has had so much is a long one, and only so many of those are answered at a time. */
const long_answer_bytes = 2 ** 20;
const long_answers_max = 64;
/** Snapshots are taken on only as far as they can be out after so long. */
const snapshot_backlog_ms = 1_500;
const snapshot_wait_ms = 500;
const hello_ms_max = 5_000;
/** A socket that takes nothing for so long is closed, and what it holds is given back. */
const stalled_ms_max = 20_000;
const invalid_max = 16;
/** Slices of one turn, and clients that are looked at for them. */
const slices_per_turn = 8;
const looks_per_turn = 128;
/** When nobody can have anything now: look again then. */
const starved_ms = 5;

export type ArchiveSource = Pick<
  NativeRecovery,
  'state' | 'read' | 'requestSnapshot' | 'sliceSnapshot' | 'releaseSnapshot'
>;

export interface RecoveryStateOptions {
  channel: number;
  bytesPerSecond: number;
  burstBytes: number;
  totalBytesPerSecond: number;
  snapshotBytesPerSecond: number;
  /** Snapshots can be had at all. */
  snapshots: boolean;
  clientsMax: number;
  /** Empty: none is asked for. */
  token: string;
}

/** Figures since start; `clients`, `requestsOpen` and `bufferedBytes` are those of now. */
export interface RecoveryCounters {
  clients: number;
  clientsMost: number;
  clientsServed: number;
  clientsRefused: number;
  clientsSlow: number;
  requests: number;
  requestsOpen: number;
  requestsCancelled: number;
  retransmissions: number;
  retransmittedDatagrams: number;
  retransmittedBytes: number;
  snapshots: number;
  snapshotBytes: number;
  frames: number;
  invalid: number;
  sessions: number;
  bufferedBytes: number;
  bufferedBytesMost: number;
  refused: Record<RefusalCode, number>;
}

interface Job {
  readonly id: number;
  readonly session: bigint;
  /** It has had nothing since then; and in all, before that. */
  starved_ms: number | undefined;
  waited_ms: number;
}
interface RetransmitJob extends Job {
  readonly type: 'retransmit';
  readonly cursor: RangeCursor;
  bytes: number;
  long: boolean;
}
interface SnapshotJob extends Job {
  readonly type: 'snapshot';
  /** Number under which the replica was asked. */
  readonly ticket: number;
  readonly estimate: number;
  snapshot: NativeSnapshot | undefined;
  offset: number;
}

/** One socket's state; only RecoveryState looks into it. */
export class RecoveryClient {
  readonly socket: ServerSocket;
  readonly bucket: TokenBucket;
  readonly jobs = new Map<number, RetransmitJob | SnapshotJob>();
  readonly opened_ms: number;
  greeted = false;
  open = true;
  queued = false;
  buffered = 0;
  progress_ms: number;
  invalid = 0;

  constructor(socket: ServerSocket, bucket: TokenBucket, now_ms: number) {
    this.socket = socket;
    this.bucket = bucket;
    this.opened_ms = now_ms;
    this.progress_ms = now_ms;
  }
}

export class RecoveryState {
  readonly counters: RecoveryCounters = {
    clients: 0,
    clientsMost: 0,
    clientsServed: 0,
    clientsRefused: 0,
    clientsSlow: 0,
    requests: 0,
    requestsOpen: 0,
    requestsCancelled: 0,
    retransmissions: 0,
    retransmittedDatagrams: 0,
    retransmittedBytes: 0,
    snapshots: 0,
    snapshotBytes: 0,
    frames: 0,
    invalid: 0,
    sessions: 0,
    bufferedBytes: 0,
    bufferedBytesMost: 0,
    refused: {
      too_low: 0,
      too_high: 0,
      unavailable: 0,
      rate_limited: 0,
      wrong_session: 0,
      no_snapshot: 0,
      unauthorised: 0,
      invalid: 0,
    },
  };
  readonly #options: RecoveryStateOptions;
  readonly #source: ArchiveSource;
  readonly #clients = new Set<RecoveryClient>();
  /** In turn; each at most once. */
  readonly #queue: RecoveryClient[] = [];
  readonly #total: TokenBucket;
  readonly #comeBack: ComeBackQueue;
  readonly #snapshotTotal: TokenBucket;
  readonly #snapshotComeBack: ComeBackQueue;
  readonly #tickets = new Map<number, { client: RecoveryClient; job: SnapshotJob }>();
  #ticketLast = 0;
  /** Bytes of snapshots that were taken on and are not out yet; of the last whole one. */
  #snapshotBacklog = 0;
  #snapshotBytes = 0;
  #session = 0n;
  readonly #token: Buffer;
  #longAnswers = 0;

  constructor(options: RecoveryStateOptions, source: ArchiveSource, now_ms: number) {
    this.#options = options;
    this.#source = source;
    const total = options.totalBytesPerSecond;
    // A quarter of a second at once: what comes together is served together, and the feed's machine is not flooded.
    this.#total = new TokenBucket(total, Math.max(slice_bytes_min, total / 4), now_ms);
    this.#comeBack = new ComeBackQueue(total, come_back_ms_max, now_ms);
    const snapshots = options.snapshotBytesPerSecond;
    this.#snapshotTotal = new TokenBucket(snapshots, Math.max(slice_bytes_min, snapshots / 4), now_ms);
    this.#snapshotComeBack = new ComeBackQueue(snapshots, come_back_ms_max, now_ms);
    this.#token = digestOf(options.token);
    this.#session = source.state().session;
  }

  /** Undefined where there are too many: the socket must be closed then. */
  opened(socket: ServerSocket, now_ms: number): RecoveryClient | undefined {
    if (this.#clients.size >= this.#options.clientsMax) {
      this.counters.clientsRefused++;
      return undefined;
    }
    const bucket = new TokenBucket(this.#options.bytesPerSecond, this.#options.burstBytes, now_ms);
    const client = new RecoveryClient(socket, bucket, now_ms);
    this.#clients.add(client);
    this.counters.clientsServed++;
    this.counters.clients = this.#clients.size;
    this.counters.clientsMost = Math.max(this.counters.clientsMost, this.#clients.size);
    return client;
  }

  closed(client: RecoveryClient): void {
    if (!client.open) return;
    client.open = false;
    for (const job of client.jobs.values()) this.#drop(job);
    this.counters.requestsOpen -= client.jobs.size;
    client.jobs.clear();
    this.#setBuffered(client, 0);
    this.#clients.delete(client);
    this.counters.clients = this.#clients.size;
  }

  drained(client: RecoveryClient, now_ms: number): void {
    if (!client.open) return;
    this.#setBuffered(client, client.socket.buffered());
    client.progress_ms = now_ms;
    this.#enqueue(client);
  }

  /** A text frame. `text` undefined: it was no text. */
  message(client: RecoveryClient, text: string | undefined, now_ms: number): void {
    if (!client.open) return;
    const parsed =
      text === undefined ? { fault: 'only text frames are understood' } : parseMessage(clientMessage, text);
    if ('fault' in parsed) {
      this.#invalid(client, parsed.fault);
      return;
    }
    const { message } = parsed;
    // Not only at a tick: what a welcome names must be what is served from that moment on.
    this.#followSession();
    if (!client.greeted) this.#greet(client, message);
    else if (message.type === 'hello') this.#invalid(client, 'hello comes once');
    else if (message.type === 'cancel') this.#cancel(client, message.id);
    else this.#request(client, message, now_ms);
  }

  /** The answer to a ticket; see NativeRecovery.requestSnapshot. */
  snapshotReady(ticket: number, snapshot: NativeSnapshot | null, waitMs: number, now_ms: number): void {
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (found === undefined) {
      if (snapshot !== null) this.#source.releaseSnapshot(snapshot.handle);
      return;
    }
    const { client, job } = found;
    this.#snapshotBacklog -= job.estimate;
    // The replica may still stand in the session before.
    const another = snapshot !== null && snapshot.session !== job.session;
    if (another) this.#source.releaseSnapshot(snapshot.handle);
    if (snapshot === null || another) {
      const wait = another ? snapshot_wait_ms : waitMs;
      this.#end(client, job);
      this.#refuse(client, { id: job.id, code: 'no_snapshot', ...(wait > 0 ? { waitMs: wait } : {}) });
      return;
    }
    job.snapshot = snapshot;
    this.#snapshotBacklog += snapshot.bytes;
    this.#snapshotBytes = Math.max(snapshot.bytes, this.#snapshotBytes * 0.75);
    client.progress_ms = now_ms;
    this.#enqueue(client);
  }

  /**
   * Does some work, a bounded amount. Returns after how many ms it makes sense to come again; undefined: when something
   * has happened.
   */
  turn(now_ms: number): number | undefined {
    let slices = 0;
    let looks = Math.min(looks_per_turn, this.#queue.length);
    for (; looks > 0 && slices < slices_per_turn; looks--) {
      const client = this.#queue.shift();
      if (client === undefined) break;
      client.queued = false;
      if (client.buffered > socket_buffered_max) continue; // drained() brings it back
      if (client.open && this.#serve(client, now_ms)) slices++;
      this.#enqueue(client);
    }
    if (this.#queue.length === 0) return undefined;
    return slices === 0 ? starved_ms : 0;
  }

  /** Looks at what only time brings; about ten times a second. */
  tick(now_ms: number): void {
    this.#followSession();
    for (const client of [...this.#clients]) {
      if (!client.greeted && now_ms - client.opened_ms > hello_ms_max)
        this.#close(client, close_codes.invalid, 'no hello');
      else if (client.buffered > 0 && now_ms - client.progress_ms > stalled_ms_max) {
        this.counters.clientsSlow++;
        this.#close(client, close_codes.too_slow, 'too slow');
      }
    }
  }

  closeAll(): void {
    for (const client of [...this.#clients]) this.#close(client, close_codes.going_away, 'the service ends');
  }

  #greet(client: RecoveryClient, message: ClientMessage): void {
    const fault =
      message.type !== 'hello'
        ? 'hello comes first'
        : message.version !== recovery_version
          ? `version ${recovery_version} is spoken here`
          : message.channel !== this.#options.channel
            ? `this is channel ${this.#options.channel}`
            : undefined;
    if (fault !== undefined) {
      this.#refuse(client, { code: 'invalid', message: fault });
      this.#close(client, close_codes.invalid, fault);
      return;
    }
    const token = (message as { token?: string }).token ?? '';
    if (this.#options.token !== '' && !timingSafeEqual(digestOf(token), this.#token)) {
      this.#refuse(client, { code: 'unauthorised' });
      this.#close(client, close_codes.unauthorised, 'unauthorised');
      return;
    }
    client.greeted = true;
    const { session, next, oldest, ended } = this.#source.state();
    this.#send(client, {
      type: 'welcome',
      version: recovery_version,
      channel: this.#options.channel,
      session,
      next,
      oldest,
      snapshots: this.#options.snapshots,
      ended,
    });
  }

  #request(client: RecoveryClient, message: RetransmitMessage | SnapshotMessage, now_ms: number): void {
    const { id } = message;
    this.counters.requests++;
    if (client.jobs.has(id)) {
      this.#invalid(client, `request ${id} is still being answered`);
      return;
    }
    if (client.jobs.size >= requests_open_max) {
      this.#refuse(client, { id, code: 'rate_limited', waitMs: patience_ms, message: 'too many requests at once' });
      return;
    }
    if (message.session !== this.#session) {
      this.#refuse(client, { id, code: 'wrong_session' });
      this.#tellSession(client);
      return;
    }
    if (message.type === 'snapshot') this.#requestSnapshot(client, message, now_ms);
    else {
      this.counters.retransmissions++;
      this.#begin(client, {
        type: 'retransmit',
        id,
        session: message.session,
        starved_ms: undefined,
        waited_ms: 0,
        cursor: new RangeCursor(message.ranges),
        bytes: 0,
        long: false,
      });
      this.#enqueue(client);
    }
  }

  #requestSnapshot(client: RecoveryClient, message: SnapshotMessage, now_ms: number): void {
    const { id, from = 0n, before = 0n, instruments = [] } = message;
    if (!this.#options.snapshots) {
      this.#refuse(client, { id, code: 'no_snapshot', message: 'none are given here' });
      return;
    }
    // A snapshot is sent whole: it may take the client's bucket into debt, and the next one waits until that is paid.
    const debt_ms = client.bucket.wait_ms(1, now_ms);
    if (debt_ms > 0) {
      this.#refuse(client, { id, code: 'rate_limited', waitMs: debt_ms });
      return;
    }
    const estimate = instruments.length === 0 ? this.#snapshotBytes : 65_536;
    const backlog_ms = (this.#snapshotBacklog / this.#options.snapshotBytesPerSecond) * 1_000;
    if (backlog_ms > snapshot_backlog_ms) {
      const waitMs = Math.ceil(backlog_ms) + this.#snapshotComeBack.wait_ms(estimate, now_ms);
      this.#refuse(client, { id, code: 'rate_limited', waitMs });
      return;
    }
    this.#ticketLast = (this.#ticketLast + 1) % 2 ** 32;
    const ticket = this.#ticketLast;
    const sequenceMin = from > 0n ? from - 1n : 0n;
    if (!this.#source.requestSnapshot(ticket, sequenceMin, before, Uint32Array.from(instruments))) {
      this.#refuse(client, { id, code: 'no_snapshot', waitMs: snapshot_wait_ms });
      return;
    }
    const job: SnapshotJob = {
      type: 'snapshot',
      id,
      session: message.session,
      starved_ms: undefined,
      waited_ms: 0,
      ticket,
      estimate,
      snapshot: undefined,
      offset: 0,
    };
    this.#snapshotBacklog += estimate;
    this.#tickets.set(ticket, { client, job });
    this.#begin(client, job);
  }

  #cancel(client: RecoveryClient, id: number): void {
    const job = client.jobs.get(id);
    if (job === undefined) return; // it has been answered meanwhile
    this.counters.requestsCancelled++;
    this.#end(client, job);
    const sent = job.type === 'retransmit' ? [...job.cursor.sent] : [];
    const refused = job.type === 'retransmit' ? [...job.cursor.refused] : [];
    this.#send(client, { type: 'done', id, sent, refused });
  }

  /** One slice for the client's request in turn; false where there was nothing to be had. */
  #serve(client: RecoveryClient, now_ms: number): boolean {
    for (const job of client.jobs.values()) {
      if (job.type === 'snapshot' && job.snapshot === undefined) continue;
      // The next one in turn is another one.
      client.jobs.delete(job.id);
      client.jobs.set(job.id, job);
      if (this.counters.bufferedBytes > buffered_total_max) return this.#starve(client, job, now_ms);
      return job.type === 'retransmit'
        ? this.#retransmit(client, job, now_ms)
        : this.#sendSnapshot(client, job, now_ms);
    }
    return false;
  }

  #retransmit(client: RecoveryClient, job: RetransmitJob, now_ms: number): boolean {
    let bytes = 0;
    let moved = false;
    for (let reads = 0; reads < reads_per_slice && bytes < slice_bytes; reads++) {
      const wanted = job.cursor.want();
      if (wanted === undefined) return this.#finish(client, job);
      const allowed = Math.min(slice_bytes, client.bucket.available(now_ms), this.#total.available(now_ms));
      if (allowed < slice_bytes_min) return moved || this.#starve(client, job, now_ms);
      const limit = allowed - frame_header_bytes;
      const { status, next, until, datagrams, frame } = this.#source.read(
        job.session,
        wanted[0],
        wanted[1],
        limit,
        frame_header_bytes,
      );
      if (datagrams > 0) {
        this.counters.retransmittedDatagrams += datagrams;
        this.counters.retransmittedBytes += frame.byteLength - frame_header_bytes;
        client.bucket.take(frame.byteLength, now_ms);
        this.#total.take(frame.byteLength, now_ms);
        this.#sendFrame(client, job, frame, frame_retransmission, now_ms);
        if (!client.open) return true;
        bytes += frame.byteLength;
        job.bytes += frame.byteLength;
        job.cursor.gave(next);
        if (!this.#mayGoOn(job)) return this.#comeBackLater(client, job, now_ms);
      }
      if (status === 'wrong_session') job.cursor.refuseRest(status);
      else if (status !== 'ok') {
        this.counters.refused[status]++;
        job.cursor.refuse(status, until);
      } else if (datagrams === 0) return moved || this.#starve(client, job, now_ms);
      moved = true;
    }
    return job.cursor.want() === undefined ? this.#finish(client, job) : moved;
  }

  #finish(client: RecoveryClient, job: RetransmitJob): boolean {
    this.#end(client, job);
    this.#send(client, { type: 'done', id: job.id, sent: [...job.cursor.sent], refused: [...job.cursor.refused] });
    return true;
  }

  #sendSnapshot(client: RecoveryClient, job: SnapshotJob, now_ms: number): boolean {
    const { snapshot } = job;
    if (snapshot === undefined) return false;
    const allowed = Math.min(slice_bytes, this.#snapshotTotal.available(now_ms));
    if (allowed < slice_bytes_min) return false; // it goes on: half a snapshot is of no use to anyone
    const limit = allowed - frame_header_bytes;
    const frame = this.#source.sliceSnapshot(snapshot.handle, job.offset, limit, frame_header_bytes);
    const bytes = (frame?.byteLength ?? 0) - frame_header_bytes;
    if (frame === undefined || bytes <= 0) {
      this.#end(client, job);
      this.#refuse(client, { id: job.id, code: 'no_snapshot', waitMs: snapshot_wait_ms });
      return true;
    }
    job.offset += bytes;
    this.#snapshotBacklog -= bytes;
    this.counters.snapshotBytes += bytes;
    client.bucket.take(frame.byteLength, now_ms);
    this.#snapshotTotal.take(frame.byteLength, now_ms);
    this.#sendFrame(client, job, frame, frame_snapshot, now_ms);
    if (!client.open || job.offset < snapshot.bytes) return true;
    this.#end(client, job);
    this.counters.snapshots++;
    this.#send(client, { type: 'done', id: job.id, sent: [], sequence: snapshot.sequence, refused: [] });
    return true;
  }

  /** Nothing can be had now. A request that has waited long enough is told when to come back. */
  #starve(client: RecoveryClient, job: RetransmitJob | SnapshotJob, now_ms: number): false {
    if (job.type === 'snapshot') return false;
    job.starved_ms ??= now_ms;
    const own_ms = client.bucket.wait_ms(slice_bytes_min, now_ms);
    if (own_ms <= patience_ms && job.waited_ms + now_ms - job.starved_ms < patience_ms) return false;
    if (job.cursor.sent.length > 0 || job.cursor.refused.length > 0) {
      this.#comeBackLater(client, job, now_ms);
      return false;
    }
    this.#end(client, job);
    this.#refuse(client, { id: job.id, code: 'rate_limited', waitMs: this.#wait_ms(client, now_ms) });
    return false;
  }

  /**
   * False: so much is being given to others that it would take long. In a storm everyone has the beginning at once and
   * knows when the rest may be asked for; the few who go on are through soon.
   */
  #mayGoOn(job: RetransmitJob): boolean {
    if (job.long || job.bytes < long_answer_bytes || job.cursor.want() === undefined) return true;
    if (this.#longAnswers >= long_answers_max) return false;
    job.long = true;
    this.#longAnswers++;
    return true;
  }

  /** Ends a request with what it has had; the rest is to be asked for again. */
  #comeBackLater(client: RecoveryClient, job: RetransmitJob, now_ms: number): boolean {
    this.counters.refused.rate_limited++;
    job.cursor.refuseRest('rate_limited', this.#wait_ms(client, now_ms));
    return this.#finish(client, job);
  }

  #wait_ms(client: RecoveryClient, now_ms: number): number {
    const bytes = Math.min(come_back_bytes, this.#options.burstBytes);
    return Math.max(client.bucket.wait_ms(bytes, now_ms), this.#comeBack.wait_ms(bytes, now_ms));
  }

  #followSession(): void {
    const { session } = this.#source.state();
    if (session === this.#session) return;
    this.#session = session;
    this.counters.sessions++;
    for (const client of [...this.#clients]) this.#changeSession(client);
  }

  #changeSession(client: RecoveryClient): void {
    if (!client.greeted) return;
    this.#tellSession(client);
    for (const job of [...client.jobs.values()]) {
      this.#end(client, job);
      if (job.type === 'snapshot') {
        this.#refuse(client, { id: job.id, code: 'wrong_session' });
        continue;
      }
      this.counters.refused.wrong_session++;
      job.cursor.refuseRest('wrong_session');
      this.#send(client, { type: 'done', id: job.id, sent: [...job.cursor.sent], refused: [...job.cursor.refused] });
    }
  }

  #begin(client: RecoveryClient, job: RetransmitJob | SnapshotJob): void {
    client.jobs.set(job.id, job);
    this.counters.requestsOpen++;
  }

  #end(client: RecoveryClient, job: RetransmitJob | SnapshotJob): void {
    if (!client.jobs.delete(job.id)) return;
    this.counters.requestsOpen--;
    this.#drop(job);
  }

  /** Gives back what the request holds. */
  #drop(job: RetransmitJob | SnapshotJob): void {
    if (job.type === 'retransmit') {
      if (job.long) this.#longAnswers--;
      return;
    }
    if (this.#tickets.delete(job.ticket)) this.#snapshotBacklog -= job.estimate;
    if (job.snapshot === undefined) return;
    this.#snapshotBacklog -= job.snapshot.bytes - job.offset;
    this.#source.releaseSnapshot(job.snapshot.handle);
    job.snapshot = undefined;
  }

  #enqueue(client: RecoveryClient): void {
    if (client.queued || !client.open) return;
    const ready = [...client.jobs.values()].some((job) => job.type === 'retransmit' || job.snapshot !== undefined);
    if (!ready) return;
    client.queued = true;
    this.#queue.push(client);
  }

  #sendFrame(client: RecoveryClient, job: Job, frame: Uint8Array, type: 1 | 2, now_ms: number): void {
    writeFrameHeader(frame, { id: job.id, type, flags: 0 });
    if (job.starved_ms !== undefined) job.waited_ms += now_ms - job.starved_ms;
    job.starved_ms = undefined;
    this.counters.frames++;
    // What waited before is the first to go: as long as some of it goes, the client is not stalled.
    if (client.buffered === 0) client.progress_ms = now_ms;
    client.socket.sendFrame(frame);
    if (client.open) this.#setBuffered(client, client.socket.buffered());
  }

  #setBuffered(client: RecoveryClient, bytes: number): void {
    this.counters.bufferedBytes += bytes - client.buffered;
    this.counters.bufferedBytesMost = Math.max(this.counters.bufferedBytesMost, this.counters.bufferedBytes);
    client.buffered = bytes;
  }

  #tellSession(client: RecoveryClient): void {
    const { session, next, oldest } = this.#source.state();
    this.#send(client, { type: 'session', session, next, oldest });
  }

  #invalid(client: RecoveryClient, fault: string): void {
    this.counters.invalid++;
    client.invalid++;
    this.#refuse(client, { code: 'invalid', message: fault });
    if (!client.greeted || client.invalid >= invalid_max) this.#close(client, close_codes.invalid, 'invalid');
  }

  #refuse(client: RecoveryClient, refused: Omit<RefusedMessage, 'type'>): void {
    this.counters.refused[refused.code]++;
    this.#send(client, { type: 'refused', ...refused });
  }

  #send(client: RecoveryClient, message: ServiceMessage): void {
    if (client.open) client.socket.sendText(textOf(message));
  }

  #close(client: RecoveryClient, code: number, reason: string): void {
    if (!client.open) return;
    this.closed(client);
    client.socket.end(code, reason);
  }
}

/** Of one length, whatever the token's is. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
