/** The socket around PublisherState: connects, sends, hears, and connects again. */
import { EventEmitter } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { PublisherError } from './errors.js';
import type { EventBatch } from './event_batch.js';
import type { EventPublisher, EventPublisherEvents } from './event_publisher.js';
import { type DistributorFrame, endOfDayFrame, FrameReader, heartbeatFrame, loginFrame } from './frames.js';
import { PublisherState, type Verdict } from './publisher_state.js';
import { passes, type RefusalName } from './refusals.js';
import { Waiters } from './waiters.js';

export interface ConnectOptions {
  /** `tcp:HOST:PORT` or `unix:PATH`, as the distributor's `source`. */
  to: string;
  /** The name that the distributor logs: 1 to 64 printable characters without spaces. */
  engine: string;
  /** As `depthcast token new` shows it; empty where the distributor asks for none. */
  token?: string;
  /** TLS, with node:tls's options (`ca`, `servername` …); left out: none. */
  tls?: ConnectionOptions;
  /** Memory for events that are not acknowledged yet, in bytes: at 48 bytes an event, 64 MiB are 1.4 million. */
  retainBytes?: number;
  /** For how long the first connection, and each that was lost, is tried again, in ms; 0: for ever. Default 30,000. */
  connectMs?: number;
  /** Ms between two attempts, at least; it doubles up to a second. */
  retryMs?: number;
  /**
   * Called when a new session begins, which knows nothing of the books: pushes definitions and live orders anew. Events
   * that were not acknowledged are forgotten, their effect is to be part of that. Left out: the publisher fails then.
   */
  restate?: (publisher: EventPublisher) => void | Promise<void>;
}

/** Bytes that may wait in the socket before no more are given to it. */
const socket_bytes_max = 1_048_576;
const retry_ms_max = 1_000;
const login_ms = 10_000;

interface Limits {
  frameBytesMax: number;
  batchEventsMax: number;
  heartbeatMs: number;
  idleMs: number;
}

function socketTo(to: string, tls: ConnectionOptions | undefined): Socket {
  const [, host, port] = /^tcp:(.+):(\d{1,5})$/.exec(to) ?? [];
  const path = /^unix:(.+)$/s.exec(to)?.[1];
  if (host === undefined && path === undefined)
    throw new RangeError(`to is ${JSON.stringify(to)}, expected tcp:HOST:PORT or unix:PATH`);
  const place = path === undefined ? { host: host?.replace(/^\[(.*)\]$/, '$1'), port: Number(port) } : { path };
  const socket =
    tls === undefined ? connectPlain(place as never) : connectTls({ ...place, ...tls } as ConnectionOptions);
  socket.setNoDelay(true);
  return socket;
}

export class SocketPublisher extends EventEmitter<EventPublisherEvents> implements EventPublisher {
  readonly #options: ConnectOptions;
  readonly #state: PublisherState;
  readonly #opened = new Waiters();
  readonly #room = new Waiters();
  readonly #flush = new Waiters();
  readonly #ended = new Waiters();
  #limits: Limits | undefined;
  #socket: Socket | undefined;
  #reader = new FrameReader();
  #streaming = false;
  #ending = false;
  #done = false;
  #error: PublisherError | undefined;
  #refusal: PublisherError | undefined;
  #heard_ms = 0;
  #told_ms = 0;
  #lost_ms = 0;
  #attempts = 0;
  #wanted_bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  private constructor(options: ConnectOptions) {
    super();
    if (!/^[!-~]{1,64}$/.test(options.engine))
      throw new RangeError(`engine is ${JSON.stringify(options.engine)}, expected 1 to 64 printable characters`);
    const retainBytes = options.retainBytes ?? 64 * 2 ** 20;
    if (!Number.isInteger(retainBytes) || retainBytes < 65_536 || retainBytes > 2 ** 32)
      throw new RangeError(`retainBytes is ${retainBytes}, expected 65536 to 4294967296`);
    this.#options = options;
    this.#state = new PublisherState(Math.ceil(retainBytes / 8) * 8, options.restate !== undefined);
    this.#lost_ms = performance.now();
  }

  static async connect(options: ConnectOptions): Promise<EventPublisher> {
    const publisher = new SocketPublisher(options);
    publisher.#attempt();
    await publisher.#opened.wait();
    return publisher;
  }

  get next(): bigint {
    return this.#state.next;
  }
  get acknowledged(): bigint {
    return this.#state.acknowledged;
  }
  get session(): bigint {
    return this.#state.session;
  }

  push(batch: EventBatch): number {
    if (this.#error !== undefined) throw this.#error;
    if (this.#ending) throw new PublisherError('closed', 'the day has ended');
    const bytes = batch.frameBytes();
    const eventsMax = this.#limits?.batchEventsMax ?? batch.count;
    if (batch.count > eventsMax)
      throw new RangeError(`the batch has ${batch.count} events, the distributor takes ${eventsMax}`);
    if (bytes > (this.#limits?.frameBytesMax ?? bytes))
      throw new RangeError(`the batch has ${bytes} bytes, the distributor takes ${this.#limits?.frameBytesMax}`);
    if (bytes > this.#retainBytes / 2)
      throw new RangeError(`the batch has ${bytes} bytes, expected at most half of retainBytes (${this.#retainBytes})`);
    const taken = this.#state.push(batch);
    // Waiting for less would end at once, and help nobody.
    this.#wanted_bytes = taken === 0 ? bytes : 0;
    this.#send();
    return taken;
  }

  async drain(): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#hasRoom()) await this.#room.wait();
  }

  async flushed(): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (!this.#state.allAcknowledged) await this.#flush.wait();
  }

  async endOfDay(): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (this.#done) return;
    this.#ending = true;
    this.#send();
    await this.#ended.wait();
  }

  close(): void {
    this.#fail(new PublisherError('closed', 'close() was called'), false);
  }

  // For the batch that had none.
  #hasRoom(): boolean {
    return this.#state.retained.fits(this.#wanted_bytes);
  }

  get #retainBytes(): number {
    return this.#options.retainBytes ?? 64 * 2 ** 20;
  }

  #attempt(): void {
    this.#retryTimer = undefined;
    this.#attempts++;
    this.#reader = new FrameReader();
    this.#refusal = undefined;
    const socket = socketTo(this.#options.to, this.#options.tls);
    this.#socket = socket;
    this.#heard_ms = this.#told_ms = performance.now();
    const opened = () => {
      const { token = '', engine } = this.#options;
      socket.write(loginFrame({ token, engine, oldest: this.#state.oldest }));
    };
    socket.once(this.#options.tls === undefined ? 'connect' : 'secureConnect', opened);
    socket.on('data', (chunk) => this.#hear(socket, chunk));
    socket.on('drain', () => this.#send());
    let reason = 'the distributor closed the connection';
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => this.#lost(socket, reason));
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), 100);
  }

  #hear(socket: Socket, chunk: Uint8Array): void {
    if (socket !== this.#socket) return;
    this.#heard_ms = performance.now();
    const frames = this.#reader.read(chunk);
    if (frames === undefined) {
      this.#fail(new PublisherError('protocol', 'the distributor sent what is no frame of this version'));
      return;
    }
    for (const frame of frames) this.#take(frame);
    this.#send();
  }

  #take(frame: DistributorFrame): void {
    switch (frame.kind) {
      case 'accepted':
        this.#limits = frame;
        this.#streaming = true;
        this.#attempts = 0;
        this.#follow(this.#state.accepted(frame));
        break;
      case 'ack':
        this.#state.ack(frame.event);
        if (this.#hasRoom()) this.#room.settle();
        if (this.#state.allAcknowledged) this.#flush.settle();
        break;
      case 'refused':
        this.#follow(this.#state.refused(frame));
        break;
      case 'endOfDay':
        // Said in an earlier life of the engine, or by another one: what this one has still to tell is not taken.
        if (!this.#ending || !this.#state.allAcknowledged) {
          this.#fail(new PublisherError('closed', 'the day was ended before', this.#state.next));
          break;
        }
        this.#done = true;
        this.#ended.settle();
        this.#stop();
        break;
      default:
    }
  }

  #follow(verdict: Verdict): void {
    if (verdict.act === 'fail') {
      // Whoever only has to wait is told by 'close', which follows a refusal.
      if (passes(verdict.error.code as RefusalName)) this.#refusal = verdict.error;
      else this.#fail(verdict.error);
      return;
    }
    if (verdict.act !== 'stream') {
      this.#room.settle();
      this.#flush.settle();
    }
    if (verdict.act === 'again') return;
    if (verdict.act === 'restate') void this.#restate();
    this.#opened.settle();
    this.emit('connected', this.#state.session, this.#state.next);
  }

  async #restate(): Promise<void> {
    try {
      await this.#options.restate?.(this);
    } catch (error) {
      this.#fail(new PublisherError('restate_needed', `restate() failed: ${(error as Error).message}`));
    }
  }

  #send(): void {
    const socket = this.#socket;
    if (!this.#streaming || socket === undefined) return;
    while (socket.writableLength < socket_bytes_max) {
      const frame = this.#state.takeFrame();
      if (frame === undefined) break;
      // Its memory stays as it is until it was sent, and the distributor has acknowledged it.
      socket.write(frame.bytes, (error) => this.#written(socket, frame.last, error));
      this.#told_ms = performance.now();
    }
    if (this.#ending && !this.#done && this.#state.allSent && !this.#endSent) {
      this.#endSent = true;
      socket.write(endOfDayFrame(this.#state.next));
    }
  }
  #endSent = false;

  #written(socket: Socket, last: bigint, error: Error | null | undefined): void {
    if (socket !== this.#socket || error) return;
    this.#state.written(last);
    if (this.#hasRoom()) this.#room.settle();
  }

  #tick(): void {
    const now_ms = performance.now();
    const silent_ms = now_ms - this.#heard_ms;
    if (silent_ms > (this.#streaming ? (this.#limits?.idleMs ?? login_ms) : login_ms)) {
      this.#socket?.destroy(new Error(`nothing was heard for ${Math.round(silent_ms)} ms`));
      return;
    }
    if (!this.#streaming || this.#endSent || now_ms - this.#told_ms < (this.#limits?.heartbeatMs ?? login_ms)) return;
    this.#told_ms = now_ms;
    // What waits in the socket says as much.
    if (this.#state.allSent && this.#socket?.writableLength === 0) this.#socket.write(heartbeatFrame(this.#state.next));
  }

  #lost(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return;
    const was_streaming = this.#streaming;
    this.#streaming = false;
    this.#endSent = false;
    this.#socket = undefined;
    clearInterval(this.#timer);
    if (this.#done || this.#error !== undefined) return;
    const error = this.#refusal ?? new PublisherError('connection', `${this.#options.to}: ${reason}`);
    const now_ms = performance.now();
    if (was_streaming) {
      this.#lost_ms = now_ms;
      this.emit('disconnected', error);
    }
    const { connectMs = 30_000, retryMs = 20 } = this.#options;
    if (connectMs > 0 && now_ms - this.#lost_ms > connectMs) {
      this.#fail(error);
      return;
    }
    const wait_ms = Math.min(retryMs * 2 ** Math.min(this.#attempts, 10), retry_ms_max);
    this.#retryTimer = setTimeout(() => this.#attempt(), wait_ms);
  }

  #fail(error: PublisherError, tell = true): void {
    if (this.#error !== undefined || (this.#done && tell)) return;
    this.#error = error;
    this.#stop();
    for (const waiters of [this.#opened, this.#room, this.#flush, this.#ended]) waiters.reject(error);
    if (tell) this.emit('failed', error);
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#streaming = false;
    socket?.destroy();
  }
}
