/** The gateway of one thread: sockets and timers around GatewayState. docs/gateway.md. */
import { setImmediate as soon } from 'node:timers';
import { isMainThread } from 'node:worker_threads';
import type { NativeGateway } from '../native.js';
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from '../uws.js';
import { asksForWebSocket, handshakeOf, refuseUpgrade, serverSocket, upgrade, upgradeWith } from '../uws_socket.js';
import type { ConnectRequest } from './access/access_control.js';
import type { Refusal } from './access/codes.js';
import { connectRequestOf } from './access/connect_request.js';
import type { GatewayFigures } from './figures.js';
import { refusalReply, sendReply, upgradeReply } from './http/reply.js';
import { close_codes, gateway_path, text_bytes_max } from './protocol.js';
import { type GatewayAccess, type GatewaySession, GatewayState, type GatewayStateOptions } from './session_state.js';
import { checkTlsFiles, type Tls } from './tls_files.js';

const tick_every_ms = 100;
/** When there was nothing to do: look again then. Conflation is no finer than this. */
const idle_ms = 1;
/** The same without anybody to serve: the channels are followed, so that a first subscription finds them. */
const alone_ms = 10;
/** Without a word from the client for so long, pings included, it is gone. */
const idle_s_max = 60;
/** What may be added to a socket that was found to have room, and texts besides. */
const backpressure_slack = 4 * 2 ** 20;

export interface GatewayServerOptions extends GatewayStateOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Other threads listen on the same port. */
  shared: boolean;
  tls: Tls | undefined;
}

/** Who is asked before a socket is opened. Neither function fails. */
export interface Door {
  connect(request: ConnectRequest): Promise<{ connection: number } | { refusal: Refusal }>;
  /** That connection never became a session. */
  abandoned(connection: number): void;
}

interface SocketData {
  session: GatewaySession | undefined;
  address: string;
  connection: number;
}

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
    this.#state = new GatewayState(options, access, channels);
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
      idleTimeout: idle_s_max,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(response, request, context),
      open: (socket) => {
        const data = socket.getUserData();
        data.session = this.#closed
          ? undefined
          : this.#state.opened(serverSocket(socket), data.address, performance.now(), data.connection);
        if (data.session !== undefined) return;
        this.#door?.abandoned(data.connection);
        socket.end(close_codes.too_many, 'too many clients');
      },
      message: (socket, message, isBinary) => {
        const { session } = socket.getUserData();
        if (session === undefined) return;
        // The memory is not ours after this call; the decoder copies.
        const text = isBinary ? undefined : Buffer.from(message).toString('utf8');
        this.#state.message(session, text, performance.now(), message.byteLength);
      },
      drain: (socket) => {
        const { session } = socket.getUserData();
        if (session !== undefined && socket.getBufferedAmount() === 0) this.#state.drained(session);
      },
      close: (socket) => {
        const { session } = socket.getUserData();
        if (session !== undefined) this.#state.closed(session);
      },
    });
  }

  #upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    const address = Buffer.from(response.getRemoteAddressAsText()).toString('utf8');
    if (!asksForWebSocket(request)) sendReply(response, upgradeReply(), true);
    else if (this.#closed) refuseUpgrade(response, '503 Service Unavailable', 'the gateway ends');
    else if (this.#door === undefined)
      upgrade(response, request, context, { session: undefined, address, connection: 0 });
    else void this.#upgradeAsked(this.#door, address, response, request, context);
  }

  /** The request is gone after the first await, and the response when the client goes. */
  async #upgradeAsked(
    door: Door,
    address: string,
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
  ): Promise<void> {
    let gone = false;
    response.onAborted(() => {
      gone = true;
    });
    const handshake = handshakeOf(request);
    const answer = await door.connect(connectRequestOf(response, request, 'websocket'));
    if ('refusal' in answer) {
      if (!gone) sendReply(response, refusalReply(answer.refusal), true);
      return;
    }
    const { connection } = answer;
    if (gone || this.#closed) door.abandoned(connection);
    if (gone) return;
    if (this.#closed) refuseUpgrade(response, '503 Service Unavailable', 'the gateway ends');
    else response.cork(() => upgradeWith(response, handshake, context, { session: undefined, address, connection }));
  }
}
