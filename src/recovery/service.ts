/** The recovery service on a WebSocket: sockets and timers around RecoveryState. docs/recovery.md, "Recovery service". */
import { setImmediate as soon } from 'node:timers';
import type { AddRoutes } from '../control/server.js';
import type { Connection, SessionAction } from '../gateway/access/access_control.js';
import { connectRequestOf } from '../gateway/access/connect_request.js';
import type { Credential } from '../gateway/access/credentials.js';
import { refusalReply, sendReply } from '../gateway/http/reply.js';
import type { NativeSnapshot } from '../native.js';
import type { HttpRequest, HttpResponse, us_socket_context_t, WebSocket } from '../uws.js';
import { refuseUpgrade, serverSocket, upgrade } from '../uws_socket.js';
import { GuardedSocket, type RecoveryGuard } from './guard.js';
import { close_codes, frame_bytes_max, recovery_path, text_bytes_max } from './protocol.js';
import {
  type ArchiveSource,
  type RecoveryClient,
  type RecoveryCounters,
  RecoveryState,
  type RecoveryStateOptions,
  socket_buffered_max,
} from './service_state.js';

const tick_every_ms = 100;
/** Without a word from the client for so long, pings included, it is gone. */
const idle_s_max = 60;
/** Bytes that a socket may ever have waiting; a client that only asks and never reads is closed at it. */
const backpressure_max = socket_buffered_max + 4 * frame_bytes_max;

interface SocketData {
  client: RecoveryClient | undefined;
  /** Where there is a guard: who it let in, and with what. */
  visitor: { connection: Connection; credential: Credential | undefined } | undefined;
  guarded: GuardedSocket | undefined;
}

/**
 * Threads: one. The source must outlive it: close() the service first. Work is done in turns of a few slices, between
 * which the event loop goes round.
 */
export class RecoveryService {
  /** Before the server listens; undefined: everyone comes in. */
  guard: RecoveryGuard | undefined;
  readonly #guarded = new Map<number, GuardedSocket>();
  #state: RecoveryState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pumping = false;
  #pumpTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #turnMsMax = 0;

  /** From now on clients are let in; before, they are told to come back (503). Once. */
  open(options: RecoveryStateOptions, source: ArchiveSource): void {
    if (this.#closed) return;
    const state = new RecoveryState(options, source, performance.now());
    this.#state = state;
    this.#timer = setInterval(() => {
      state.tick(performance.now());
      // A change of session may have ended what waited.
      this.#pump();
    }, tick_every_ms);
    this.#timer.unref();
  }

  /** For the callback of addon.Recovery. */
  readonly onSnapshot = (ticket: number, snapshot: NativeSnapshot | null, waitMs: number): void => {
    if (this.#closed) return;
    this.#state?.snapshotReady(ticket, snapshot, waitMs, performance.now());
    this.#pump();
  };

  /** The route; for ControlServer. */
  readonly addRoutes: AddRoutes = (app, refused) => {
    app.ws<SocketData>(recovery_path, {
      maxPayloadLength: text_bytes_max,
      maxBackpressure: backpressure_max,
      closeOnBackpressureLimit: true,
      idleTimeout: idle_s_max,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(response, request, context, refused(request)),
      open: (socket) => this.#opened(socket),
      message: (socket, message, isBinary) => {
        const { client, guarded } = socket.getUserData();
        if (client === undefined) return;
        // The memory is not ours after this call; the decoder copies.
        const text = isBinary ? undefined : Buffer.from(message).toString('utf8');
        if (guarded === undefined) this.#message(client, text);
        else guarded.message(text, message.byteLength);
      },
      drain: (socket) => {
        const { client } = socket.getUserData();
        if (client === undefined) return;
        this.#state?.drained(client, performance.now());
        this.#pump();
      },
      close: (socket) => {
        const { client, guarded, visitor } = socket.getUserData();
        if (client !== undefined) this.#state?.closed(client);
        if (guarded !== undefined) {
          this.#guarded.delete(guarded.connection.id);
          guarded.closed();
        } else if (visitor !== undefined) this.guard?.control.close(visitor.connection);
      },
    });
  };

  /** Figures since start; `turnMsMax` is the longest piece of work. */
  get counters(): (RecoveryCounters & { turnMsMax: number }) | undefined {
    return this.#state && { ...this.#state.counters, turnMsMax: this.#turnMsMax };
  }

  /** Ends every socket. Before the server that it stands on. Any number of times. */
  close(): void {
    if (this.#closed) return;
    this.#state?.closeAll();
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#pumpTimer);
  }

  /** Logins that have ended. What was narrowed is refused at the next request. */
  act(actions: readonly SessionAction[]): void {
    for (const action of actions)
      if (action.act === 'close') this.#guarded.get(action.connection.id)?.end(action.refusal);
  }

  #message(client: RecoveryClient, text: string | undefined): void {
    this.#state?.message(client, text, performance.now());
    this.#pump();
  }

  #opened(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData();
    const ours = serverSocket(socket);
    const client = this.#closed ? undefined : this.#state?.opened(ours, performance.now());
    data.client = client;
    if (client === undefined) socket.end(close_codes.too_many, 'too many clients');
    else if (data.visitor !== undefined && this.guard !== undefined) {
      const { connection, credential } = data.visitor;
      data.guarded = new GuardedSocket(this.guard, connection, credential, ours, (text) => {
        this.#message(client, text);
      });
      this.#guarded.set(connection.id, data.guarded);
    }
  }

  /** Goes on until there is nothing to do, letting the event loop round between turns. */
  #pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    clearTimeout(this.#pumpTimer);
    this.#pumpTimer = undefined;
    soon(() => this.#turn());
  }

  #turn(): void {
    this.#pumping = false;
    if (this.#closed || this.#state === undefined) return;
    const begin_ms = performance.now();
    const again_ms = this.#state.turn(begin_ms);
    this.#turnMsMax = Math.max(this.#turnMsMax, performance.now() - begin_ms);
    if (again_ms === 0) this.#pump();
    else if (again_ms !== undefined) this.#pumpTimer ??= setTimeout(() => this.#pump(), again_ms);
  }

  #upgrade(
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
    refused: string | undefined,
  ): void {
    if (refused !== undefined) refuseUpgrade(response, '403 Forbidden', refused);
    else if (this.#state === undefined || this.#closed)
      refuseUpgrade(response, '503 Service Unavailable', 'the service is not ready yet');
    else if (this.guard === undefined)
      upgrade<SocketData>(response, request, context, { client: undefined, visitor: undefined, guarded: undefined });
    else this.#upgradeGuarded(this.guard, response, request, context);
  }

  #upgradeGuarded(
    { control }: RecoveryGuard,
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
  ): void {
    const opened = control.connect(connectRequestOf(response, request, 'websocket'));
    if ('refusal' in opened) sendReply(response, refusalReply(opened.refusal), true);
    else upgrade<SocketData>(response, request, context, { client: undefined, visitor: opened, guarded: undefined });
  }
}
