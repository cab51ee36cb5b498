/** The gateway of one thread: sockets and timers around GatewayState. docs/gateway.md. */
import { setImmediate as soon } from 'node:timers';
import { isMainThread } from 'node:worker_threads';
import type { NativeGateway } from '../native.js';
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from '../uws.js';
import { asksForWebSocket, serverSocket, upgrade } from '../uws_socket.js';
import type { ConnectRequest } from './access/access_control.js';
import { type Refusal, refuse } from './access/codes.js';
import { connectRequestOf } from './access/connect_request.js';
import type { GatewayFigures } from './figures.js';
import { refusalReply, sendReply, upgradeReply } from './http/reply.js';
import { gateway_path, text_bytes_max } from './protocol.js';
import {
  type GatewayAccess,
  type GatewaySession,
  type GatewaySocket,
  GatewayState,
  type GatewayStateOptions,
} from './session_state.js';
import { checkTlsFiles, type Tls } from './tls_files.js';

const tick_every_ms = 100;
/** When there was nothing to do: look again then. Conflation is no finer than this. */
const idle_ms = 1;
/** The same without anybody to serve: the channels are followed, so that a first subscription finds them. */
const alone_ms = 10;
/** What may be added to a socket that was found to have room, and texts besides. */
const backpressure_slack = 4 * 2 ** 20;

export interface GatewayServerOptions extends GatewayStateOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Other threads listen on the same port. */
  shared: boolean;
  tls: Tls | undefined;
  /** Without a word from the client for so long, answers to pings included, it is gone; 8 to 960. */
  idleSeconds: number;
}

/** Who is asked about a socket before it becomes a session. No function fails. */
export interface Door {
  /** In the upgrade: why the request may not come in, whoever else is connected. */
  lookAt(request: ConnectRequest): Refusal | undefined;
  /** Whether there is room for one more of them. */
  connect(request: ConnectRequest): Promise<{ connection: number } | { refusal: Refusal }>;
  /** That connection never became a session. */
  abandoned(connection: number): void;
}

interface SocketData {
  request: ConnectRequest;
  session: GatewaySession | undefined;
  /** Frames that came before the door has answered, with their bytes in all. */
  early: { text: string | undefined; bytes: number }[];
  earlyBytes: number;
  gone: boolean;
}

/** Who does not wait for the door's answer may send so much. */
const early_max = 64;
const early_bytes_max = text_bytes_max;
const door_overrun = refuse('requests_exceeded', 'before the connection was let in');

/**
 * Threads: one. The channels must outlive it: close() it first, and in a worker before worker.terminate()
 * (uWebSockets.js #925). Work is done in turns, between which the event loop goes round.
 */
export class GatewayServer {
  readonly #options: GatewayServerOptions;
  readonly #state: GatewayState;
  readonly #door: Door | undefined;
  readonly #addRoutes: ((app: TemplatedApp) => void) | undefined;
  #app: TemplatedApp | undefined;
  #tick: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #port = 0;
  #turnMsMax = 0;
  readonly #onExit = () => this.close();

  /** Without a door everyone comes in. */
  constructor(
    options: GatewayServerOptions,
    access: GatewayAccess,
    channels: ReadonlyMap<number, NativeGateway>,
    door: Door | undefined,
    addRoutes?: (app: TemplatedApp) => void,
  ) {
    this.#options = options;
    this.#state = new GatewayState(options, access, channels, {
      publish: (topic, frame) => void this.#app?.publish(topic, frame as Uint8Array<ArrayBuffer>, true),
    });
    this.#door = door;
    this.#addRoutes = addRoutes;
  }

  get port(): number {
    return this.#port;
  }

  /** Since start. */
  get figures(): GatewayFigures {
    return this.#state.figures(this.#turnMsMax);
  }

  /** Called in every turn; at least a hundred times a second. */
  onTurn: () => void = () => {};

  get state(): GatewayState {
    return this.#state;
  }

  /** Listens. Rejects where the address cannot be had. */
  async start(): Promise<void> {
    const uws = await import('../uws.js');
    if (this.#closed) return;
    const { host, port, shared, tls } = this.#options;
    if (tls !== undefined) checkTlsFiles(tls);
    const app =
      tls === undefined ? uws.App() : uws.SSLApp({ key_file_name: tls.keyFile, cert_file_name: tls.certificateFile });
    this.#addFeed(app);
    this.#addRoutes?.(app);
    this.#port = await uws.listenOn(app, 'the gateway', host, port, shared);
    if (this.#closed) {
      app.close();
      return;
    }
    this.#app = app;
    if (!isMainThread) process.once('exit', this.#onExit);
    this.#tick = setInterval(() => this.#state.tick(performance.now()), tick_every_ms);
    this.#work();
  }

  /** Sends what there still is, as far as sockets take it, for `ms_max` at most. Before close(). */
  finish(ms_max: number): void {
    if (this.#closed) return;
    // What is published goes out when the event loop goes round.
    this.#state.separate();
    for (
      const end_ms = performance.now() + ms_max;
      this.#state.turn(performance.now()) && performance.now() < end_ms;
    );
  }

  /** Says goodbye and ends every connection. Any number of times. */
  close(reconnectMs = 1_000, url?: string): void {
    if (this.#closed) return;
    this.#closed = true;
    process.removeListener('exit', this.#onExit);
    clearInterval(this.#tick);
    clearTimeout(this.#timer);
    this.#state.closeAll(reconnectMs, url);
    this.#app?.close();
    this.#app = undefined;
  }

  #work(): void {
    if (this.#closed) return;
    const begin_ms = performance.now();
    const worked = this.#state.turn(begin_ms);
    this.#turnMsMax = Math.max(this.#turnMsMax, performance.now() - begin_ms);
    this.onTurn();
    if (this.#closed) return;
    if (worked) soon(() => this.#work());
    else this.#timer = setTimeout(() => this.#work(), this.#state.counters.sessions > 0 ? idle_ms : alone_ms);
  }

  #addFeed(app: TemplatedApp): void {
    app.ws<SocketData>(gateway_path, {
      // Who sends a little too much is told so; beyond it uWebSockets.js ends the socket without a word.
      maxPayloadLength: 2 * text_bytes_max,
      // Beyond it the socket is closed: a frame that is dropped would be a silent loss.
      maxBackpressure: this.#options.bufferedBytes + backpressure_slack,
      closeOnBackpressureLimit: true,
      idleTimeout: this.#options.idleSeconds,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(response, request, context),
      open: (socket) => {
        if (this.#door === undefined) this.#begin(socket, socket.getUserData(), 0);
        else void this.#askDoor(this.#door, socket, socket.getUserData());
      },
      message: (socket, message, isBinary) => {
        const data = socket.getUserData();
        // The memory is not ours after this call; the decoder copies.
        const text = isBinary ? undefined : Buffer.from(message).toString('utf8');
        if (data.session !== undefined) this.#state.message(data.session, text, performance.now(), message.byteLength);
        else if (!data.gone) this.#keep(socket, data, { text, bytes: message.byteLength });
      },
      drain: (socket) => {
        const { session } = socket.getUserData();
        if (session !== undefined && socket.getBufferedAmount() === 0) this.#state.drained(session);
      },
      close: (socket) => {
        const data = socket.getUserData();
        data.gone = true;
        if (data.session !== undefined) this.#state.closed(data.session);
      },
    });
  }

  /**
   * In the request's handler, never later: uWebSockets.js looks at a response again after cork(), and where a socket was
   * upgraded there without being moved it reads freed memory and may end it without a word.
   */
  #upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    const asked = connectRequestOf(response, request, 'websocket');
    const refusal = this.#door?.lookAt(asked);
    if (refusal !== undefined) sendReply(response, refusalReply(refusal), true);
    else if (!asksForWebSocket(request)) sendReply(response, upgradeReply(), true);
    else
      upgrade<SocketData>(response, request, context, {
        request: asked,
        session: undefined,
        early: [],
        earlyBytes: 0,
        gone: false,
      });
  }

  async #askDoor(door: Door, socket: WebSocket<SocketData>, data: SocketData): Promise<void> {
    const answer = await door.connect(data.request);
    if ('refusal' in answer) this.#turnAway(socket, data, answer.refusal);
    else if (data.gone || !this.#begin(socket, data, answer.connection)) door.abandoned(answer.connection);
  }

  /** False where there are too many sessions; the socket ends then. */
  #begin(socket: WebSocket<SocketData>, data: SocketData, connection: number): boolean {
    const session = this.#state.opened(gatewaySocket(socket), data.request.address, performance.now(), connection);
    data.session = session;
    data.gone = session === undefined;
    const early = data.early.splice(0);
    if (session === undefined) return false;
    for (const { text, bytes } of early) this.#state.message(session, text, performance.now(), bytes);
    return true;
  }

  #keep(socket: WebSocket<SocketData>, data: SocketData, frame: SocketData['early'][number]): void {
    data.earlyBytes += frame.bytes;
    if (data.early.length < early_max && data.earlyBytes <= early_bytes_max) data.early.push(frame);
    else this.#turnAway(socket, data, door_overrun);
  }

  #turnAway(socket: WebSocket<SocketData>, data: SocketData, refusal: Refusal): void {
    if (data.gone) return;
    data.gone = true;
    data.early.length = 0;
    this.#state.turnAway(serverSocket(socket), refusal);
  }
}

function gatewaySocket<Data>(socket: WebSocket<Data>): GatewaySocket {
  return {
    ...serverSocket(socket),
    join: (topic) => void socket.subscribe(topic),
    leave: (topic) => void socket.unsubscribe(topic),
  };
}
