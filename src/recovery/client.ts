/** The ways back, with their I/O: the recovery service, re-requests by UDP, the snapshot line. Decides nothing itself. */
import { WebSocket } from 'ws';
import { ThreadPace } from '../client/thread_pace.js';
import type { NativeSubscriber } from '../native.js';
import { type Action, ClientState, type FeedView, type ResumeTarget, type SnapshotReason } from './client_state.js';
import {
  type ClientMessage,
  frame_bytes_max,
  frame_header_bytes,
  parseMessage,
  readFrameHeader,
  recovery_path,
  serviceMessage,
  textOf,
} from './protocol.js';
import { RerequestClient } from './rerequest_client.js';

export interface RecoveryClientOptions {
  channel: number;
  /** Base URL of the service; null: none. */
  url: string | null;
  token: string;
  /** "address:port" for re-requests; empty: none. */
  udp: string;
  hasSnapshotLine: boolean;
  timeoutMs: number;
  backoffMs: number;
  backoffMsMax: number;
  retransmitMax: number;
  resume: ResumeTarget | null;
  /** 0 … 1. */
  random: () => number;
  /** The point to resume at cannot be reached. */
  onResumeFailed: (reason: string) => void;
}

export interface RecoveryFigures {
  connected: boolean;
  connects: number;
  retransmitRequests: number;
  rangesRequested: number;
  snapshotRequests: number;
  rerequests: number;
  bytes: number;
  framesRefused: number;
}

/** Best effort, for as long as the feed runs: nothing of it throws. Threads: one. */
export class RecoveryClient {
  readonly #options: RecoveryClientOptions;
  readonly #native: NativeSubscriber;
  readonly #pace: ThreadPace;
  readonly #state: ClientState;
  readonly #rerequests: RerequestClient | undefined;
  readonly figures: RecoveryFigures = {
    connected: false,
    connects: 0,
    retransmitRequests: 0,
    rangesRequested: 0,
    snapshotRequests: 0,
    rerequests: 0,
    bytes: 0,
    framesRefused: 0,
  };
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timer_ms = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(native: NativeSubscriber, options: RecoveryClientOptions) {
    this.#options = options;
    this.#native = native;
    this.#pace = new ThreadPace(native);
    this.#state = new ClientState({
      ...options,
      hasService: options.url !== null,
      hasUdp: options.udp !== '',
    });
    if (options.udp !== '')
      this.#rerequests = new RerequestClient({
        address: options.udp,
        channel: options.channel,
        onDatagram: (bytes) => void native.offer(bytes),
        onRefused: () => this.#act(this.#state.rerequestRefused(this.#now())),
      });
  }

  get snapshotReason(): SnapshotReason {
    return this.#state.snapshotReason;
  }

  start(): void {
    this.#act(this.#state.start(this.#now()));
  }

  /** Something has happened to the feed. */
  look(): void {
    if (this.#closed) return;
    const view = this.#view();
    if (view !== undefined) this.#act(this.#state.feed(view, this.#now()));
  }

  snapshotTaken(): void {
    this.#act(this.#state.snapshotTaken(this.#now()));
    this.look();
  }

  snapshotRefused(): void {
    this.#act(this.#state.snapshotRefused(this.#now()));
  }

  resumed(equal: boolean): void {
    this.#act(this.#state.resumed(equal, this.#now()));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#pace.close();
    this.#drop();
    this.#rerequests?.close();
  }

  #now(): number {
    return performance.now();
  }

  #view(): FeedView | undefined {
    const native = this.#native.recovery();
    if (native === undefined) return undefined;
    const { session, next, knownEnd, parkedFirst, missing, whole, endAnnounced } = native;
    const overdue: { first: bigint; last: bigint }[] = [];
    for (let index = 0; index + 1 < native.overdue.length; index += 2)
      overdue.push({ first: native.overdue[index] ?? 0n, last: native.overdue[index + 1] ?? 0n });
    const synchronized = native.state === 'synchronized';
    return { session, next, knownEnd, parkedFirst, missing, whole, endAnnounced, synchronized, overdue };
  }

  #act(actions: Action[]): void {
    if (this.#closed) return;
    for (const action of actions) this.#carryOut(action);
    this.#setTimer();
  }

  #carryOut(action: Action): void {
    switch (action.do) {
      case 'connect':
        this.#connect();
        break;
      case 'disconnect':
        this.#drop();
        break;
      case 'send':
        this.#send(action.message);
        break;
      case 'confirmSession':
        this.#native.confirmSession(action.session);
        break;
      case 'wantSnapshot':
        this.#native.wantSnapshot();
        break;
      case 'cancelResume':
        this.#native.cancelResume();
        this.#options.onResumeFailed(action.reason);
        break;
      case 'giveUp':
        this.#native.giveUpBelow(action.end);
        break;
      case 'rerequest':
        this.figures.rerequests += action.ranges.length;
        this.#rerequests?.ask(this.#native.recovery()?.session ?? 0n, action.ranges);
        break;
      case 'joinSnapshotLine':
        this.#native.joinSnapshotLine(action.joined);
        break;
    }
  }

  #send(message: ClientMessage): void {
    if (message.type === 'retransmit') {
      this.figures.retransmitRequests++;
      this.figures.rangesRequested += message.ranges.length;
    } else if (message.type === 'snapshot') this.figures.snapshotRequests++;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(textOf(message));
  }

  #connect(): void {
    this.#drop();
    const url = `${this.#options.url}`.replace(/^http/, 'ws').replace(/\/$/, '');
    const socket = new WebSocket(`${url}${recovery_path}`, {
      perMessageDeflate: false,
      maxPayload: 4 * frame_bytes_max,
      handshakeTimeout: this.#options.timeoutMs,
      followRedirects: false,
    });
    this.#socket = socket;
    const mine = () => this.#socket === socket && !this.#closed;
    socket.on('open', () => {
      if (!mine()) return;
      this.figures.connects++;
      this.#act(this.#state.opened(this.#now()));
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (mine()) this.#receive(data, isBinary);
    });
    let absent = false;
    // Whatever it is, "close" follows.
    socket.on('error', ({ message }) => {
      absent = message === 'Unexpected server response: 404';
    });
    socket.on('close', () => {
      if (!mine()) return;
      this.#socket = undefined;
      this.#act(this.#state.closed(this.#now(), absent));
      this.figures.connected = this.#state.connected;
    });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.figures.connected = false;
    socket?.terminate();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.#receiveFrame(data);
      return;
    }
    const parsed = parseMessage(serviceMessage, data.toString());
    if ('fault' in parsed) {
      this.figures.framesRefused++;
      return;
    }
    this.#act(this.#state.message(parsed.message, this.#now()));
    this.figures.connected = this.#state.connected;
    this.look();
  }

  #receiveFrame(frame: Buffer): void {
    const header = readFrameHeader(frame);
    if (header === undefined) {
      this.figures.framesRefused++;
      return;
    }
    this.figures.bytes += frame.byteLength;
    this.#pace.offered(this.#native.offer(frame.subarray(frame_header_bytes)), this.#socket);
    this.#act(this.#state.progress(header.id, this.#now()));
  }

  #setTimer(): void {
    const now = this.#now();
    const due_ms = this.#state.deadline(now);
    if (due_ms === undefined) {
      clearTimeout(this.#timer);
      this.#timer_ms = Number.POSITIVE_INFINITY;
      return;
    }
    if (this.#timer_ms > now && this.#timer_ms <= due_ms) return;
    clearTimeout(this.#timer);
    this.#timer_ms = due_ms;
    this.#timer = setTimeout(
      () => {
        this.#timer_ms = Number.POSITIVE_INFINITY;
        this.look();
        this.#act(this.#state.tick(this.#now()));
      },
      Math.max(1, due_ms - now),
    );
  }
}
