/** The gateway as a distributor runs it: worker threads that share one port. docs/gateway.md. */
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { DirectoryChannel } from '../control/protocol.js';
import type { NativeGatewayOptions } from '../native.js';
import type { AccessControl, ConnectRequest, SessionAction } from './access/access_control.js';
import { AccessDesk } from './access_desk.js';
import { type GatewayFigures, type GatewaySessionInfo, type GatewayStats, remains, sumFigures } from './figures.js';
import { admitHttp } from './http/admission.js';
import type { HttpAsk, Metrics } from './http/context.js';
import type { GatewayOptions } from './options.js';
import { portToShare } from './shared_port.js';
import type { FromWorker, LoginQuestion, QuestionName, RequestQuestion } from './worker_messages.js';
import { WorkerThread } from './worker_thread.js';

const tell_every_ms = 500;
const close_ms_max = 3_000;
const exit_ms_max = 300;
const prints_max = 65_536;
const snapshot_age_ms = 500;
/** So many threads may die within a minute before none is begun anew. */
const deaths_max = 3;
const deaths_ms = 60_000;
const restart_ms = 200;

/** A channel, as addon.Gateway takes it; the gateway adds what its own options say. */
export type GatewayChannel = Omit<NativeGatewayOptions, 'windowBytesMax' | 'printsMax' | 'snapshotAgeMs'>;

export interface GatewayParts {
  channels: readonly GatewayChannel[];
  /** The directory, asked for twice a second. */
  directory: () => DirectoryChannel[];
  /** In this thread; started and closed by whoever made it. */
  access: AccessControl;
  /** Figures besides the gateway's own. */
  metrics: () => Metrics['parts'];
  pageFolder: string;
}

interface GatewayEvents {
  /** A thread died, and will be begun anew unless the message says otherwise; or it does not end. */
  error: [error: Error];
}

/**
 * Threads: one. The channels' rings stay as long as it is open. Where the process ends without close(), sockets are closed
 * in its "exit" event, without a goodbye that anyone could wait for.
 */
export class Gateway extends EventEmitter<GatewayEvents> {
  readonly #threads = new Map<WorkerThread, AccessDesk>();
  readonly #restarting = new Set<NodeJS.Timeout>();
  /** Of threads that are gone. */
  #past: GatewayFigures = sumFigures([]);
  #deaths: number[] = [];
  #restarts = 0;
  #port = 0;
  #directory: DirectoryChannel[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  readonly #onExit = () => this.#closeAtExit();

  /** `options.port` is not null. */
  constructor(
    private readonly options: GatewayOptions,
    private readonly parts: GatewayParts,
  ) {
    super();
  }

  /** Base URL, with the port it listens on. */
  get url(): string {
    const { host, port, tls } = this.options;
    const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
    return `${tls.keyFile === '' ? 'http' : 'https'}://${name}:${this.#port || port}`;
  }

  /** Resolves when every thread listens. Rejects where the port cannot be had, or close() comes in between; then all is closed. */
  async start(): Promise<void> {
    const { host, workers } = this.options;
    const wanted = this.options.port ?? 0;
    process.once('exit', this.#onExit);
    try {
      this.#directory = this.parts.directory();
      const port = workers > 1 ? await portToShare(host, wanted) : wanted;
      this.#port = await this.#begin(1, port);
      await Promise.all(Array.from({ length: workers - 1 }, (_, index) => this.#begin(index + 2, this.#port)));
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#closing !== undefined) throw new Error('the gateway was closed while it started');
    this.#timer = setInterval(() => this.#tell(), tell_every_ms);
    this.#timer.unref();
  }

  /** Says goodbye to every client and ends. Any number of times. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What AccessControl wants of open sessions. */
  act(actions: readonly SessionAction[]): void {
    for (const [thread, desk] of this.#threads) {
      const orders = desk.orders(actions);
      if (orders.length > 0) thread.tell({ type: 'orders', orders });
    }
  }

  /** Of all threads together; at most half a second old. */
  stats(): GatewayStats {
    return this.#sum([...this.#threads.keys()].map(({ figures }) => figures));
  }

  /** The same as of now. */
  async freshStats(): Promise<GatewayStats> {
    return this.#sum(await Promise.all([...this.#threads.keys()].map((thread) => thread.freshFigures())));
  }

  /** Everyone who is connected. */
  async sessions(): Promise<GatewaySessionInfo[]> {
    const lists = [...this.#threads].map(async ([thread, desk]) => {
      const sessions = await thread.sessions();
      return sessions.map((session) => ({ ...session, login: desk.loginOf(session.connection) }));
    });
    return (await Promise.all(lists)).flat();
  }

  #sum(figures: GatewayFigures[]): GatewayStats {
    return { ...sumFigures([this.#past, ...figures]), workers: this.#listening, restarts: this.#restarts };
  }

  get #listening(): number {
    return [...this.#threads.keys()].filter(({ listens }) => listens).length;
  }

  async #begin(number: number, port: number): Promise<number> {
    if (this.#closing !== undefined) throw new Error('the gateway was closed while it started');
    const { host, workers, goodbye, tls, windowBytesMax, nice, ...state } = this.options;
    const desk = new AccessDesk(this.parts.access);
    const thread: WorkerThread = new WorkerThread(
      `gateway-${number}`,
      {
        server: {
          ...state,
          host,
          port,
          shared: workers > 1,
          tls: tls.keyFile === '' ? undefined : tls,
        },
        origin: this.parts.access.originPolicy,
        channels: this.parts.channels.map((channel) => ({
          ...channel,
          windowBytesMax,
          printsMax: prints_max,
          snapshotAgeMs: snapshot_age_ms,
        })),
        directory: this.#directory,
        pageFolder: this.parts.pageFolder,
        nice,
        exitReconnectMs: goodbye.reconnectMs,
      },
      {
        asked: (name, question) => this.#answer(desk, name, question),
        told: (message) => told(desk, message),
        died: (error) => {
          this.#threads.delete(thread);
          desk.close();
          this.#past = sumFigures([this.#past, remains(thread.figures)]);
          this.#died(number, error);
        },
      },
    );
    this.#threads.set(thread, desk);
    try {
      return await thread.listening();
    } catch (error) {
      this.#threads.delete(thread);
      throw error;
    }
  }

  async #answer(desk: AccessDesk, name: QuestionName, question: unknown): Promise<unknown> {
    switch (name) {
      case 'metrics':
        return { gateway: { ...(await this.freshStats()) }, parts: this.parts.metrics() } satisfies Metrics;
      case 'admit':
        return admitHttp(this.parts.access, question as HttpAsk);
      case 'connect':
        return desk.connect(question as ConnectRequest);
      case 'login':
        return desk.login(question as LoginQuestion);
      case 'request':
        return desk.request(question as RequestQuestion);
    }
  }

  #died(number: number, error: Error): void {
    if (this.#closing !== undefined) return;
    const now_ms = performance.now();
    this.#deaths = [...this.#deaths.filter((at_ms) => now_ms - at_ms < deaths_ms), now_ms];
    const again = this.#deaths.length <= deaths_max;
    const left = this.#listening;
    const what = again ? 'it is begun anew' : `that was too often; ${left} of ${this.options.workers} are left`;
    this.#fail(`thread ${number} of the gateway died (${error.message}): ${what}`);
    if (!again) return;
    const timer = setTimeout(() => {
      this.#restarting.delete(timer);
      this.#restarts++;
      this.#begin(number, this.#port).catch((failure: Error) => this.#died(number, failure));
    }, restart_ms * this.#deaths.length);
    this.#restarting.add(timer);
  }

  #tell(): void {
    const directory = this.parts.directory();
    const changed = !isDeepStrictEqual(directory, this.#directory);
    this.#directory = directory;
    for (const thread of this.#threads.keys()) {
      if (changed) thread.tell({ type: 'directory', channels: directory });
      thread.tell({ type: 'figures', number: 0 });
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    for (const timer of this.#restarting) clearTimeout(timer);
    const { reconnectMs, url } = this.options.goodbye;
    const ended = await Promise.all(
      [...this.#threads.keys()].map((thread) => thread.close(reconnectMs, url === '' ? undefined : url, close_ms_max)),
    );
    process.removeListener('exit', this.#onExit);
    if (ended.includes(false)) this.#fail(`a thread of the gateway does not end within ${close_ms_max} ms`);
  }

  #closeAtExit(): void {
    for (const thread of this.#threads.keys()) thread.askClosed();
    for (const thread of this.#threads.keys()) thread.waitClosed(exit_ms_max);
  }

  #fail(message: string): void {
    if (this.listenerCount('error') > 0) this.emit('error', new Error(message));
  }
}

function told(
  desk: AccessDesk,
  message: Extract<FromWorker, { type: 'held' | 'refused' | 'turnedAway' | 'gone' }>,
): void {
  if (message.type === 'held') desk.held(message.connection, message.held);
  else if (message.type === 'refused') desk.refused(message.connection, message.refusal);
  else if (message.type === 'turnedAway') desk.turnedAway(message.address, message.refusal);
  else desk.gone(message.connection, message.debt);
}
