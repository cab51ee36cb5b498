/** The main thread's side of one worker of the gateway. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type GatewayFigures, type GatewaySessionInfo, noFigures } from './figures.js';
import {
  exit_asked,
  exit_none,
  type FromWorker,
  type QuestionName,
  type ToWorker,
  type WorkerPlan,
} from './worker_messages.js';

/** The same file as it runs: src/*.ts under a loader, or dist/*.js. */
const entry = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
const answer_ms_max = 2_000;

export interface ThreadEvents {
  /** An answer, which must not reject. */
  asked: (name: QuestionName, question: unknown) => Promise<unknown>;
  /** Without an answer: see AccessDesk. */
  told: (message: Extract<FromWorker, { type: 'held' | 'refused' | 'turnedAway' | 'gone' }>) => void;
  /** It was listening, and ended without having been told to. Once. */
  died: (error: Error) => void;
}

/** Threads: the one that made it. */
export class WorkerThread {
  /** As told last. */
  figures: GatewayFigures = noFigures();
  readonly #worker: Worker;
  readonly #exit: Int32Array;
  readonly #exited: Promise<void>;
  readonly #requests = new Map<number, () => void>();
  #requestLast = 0;
  #sessions: GatewaySessionInfo[] = [];
  #listening = false;
  #closing = false;
  #closed = false;
  #gone = false;
  #error: Error | undefined;
  #started: { resolve: (port: number) => void; reject: (error: Error) => void } | undefined;

  constructor(
    name: string,
    plan: Omit<WorkerPlan, 'exit'>,
    private readonly events: ThreadEvents,
  ) {
    const exit = new SharedArrayBuffer(4);
    this.#exit = new Int32Array(exit);
    this.#worker = new Worker(entry, { workerData: { ...plan, exit } satisfies WorkerPlan, name });
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#ended(code);
        resolve();
      });
    });
  }

  /** Resolves to the port when it listens. Rejects where it cannot; then it has ended. Once. */
  listening(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
    });
  }

  get listens(): boolean {
    return this.#listening && !this.#gone;
  }

  tell(message: ToWorker): void {
    if (!this.#gone) this.#worker.postMessage(message);
  }

  /** Its figures as of now; after two seconds without an answer those that it told last. */
  async freshFigures(): Promise<GatewayFigures> {
    await this.#request('figures');
    return this.figures;
  }

  /** Its sessions; none where it does not answer. */
  async sessions(): Promise<GatewaySessionInfo[]> {
    this.#sessions = [];
    await this.#request('sessions');
    return this.#sessions;
  }

  async #request(type: 'figures' | 'sessions'): Promise<void> {
    if (this.#gone || this.#closing) return;
    const number = ++this.#requestLast;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#requests.delete(number);
        resolve();
      };
      const timer = setTimeout(done, answer_ms_max);
      this.#requests.set(number, done);
      this.tell({ type, number });
    });
  }

  /**
   * Goodbye, then the server is closed, and only then the thread ends (uWebSockets.js #925). Resolves to false where it
   * does not within `ms_max`: terminating it would end the process.
   */
  async close(reconnectMs: number, url: string | undefined, ms_max: number): Promise<boolean> {
    this.#closing = true;
    this.tell({ type: 'close', reconnectMs, url });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms_max);
    });
    await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (this.#gone) return true;
    if (!this.#closed) {
      this.#worker.unref();
      return false;
    }
    await this.#worker.terminate();
    return true;
  }

  /** For an "exit" handler, where no message arrives any more: asks, and waitClosed() waits. */
  askClosed(): void {
    if (!this.#gone && !this.#closed) Atomics.compareExchange(this.#exit, 0, exit_none, exit_asked);
  }

  waitClosed(ms_max: number): void {
    if (Atomics.load(this.#exit, 0) === exit_asked) Atomics.wait(this.#exit, 0, exit_asked, ms_max);
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case 'listening':
        this.#listening = true;
        this.#started?.resolve(message.port);
        this.#started = undefined;
        break;
      case 'failed':
        this.#closing = true;
        this.#error = new Error(message.message);
        break;
      case 'figures':
        this.figures = message.figures;
        this.#requests.get(message.number)?.();
        break;
      case 'sessions':
        this.#sessions = message.sessions;
        this.#requests.get(message.number)?.();
        break;
      case 'ask':
        this.#answer(message.number, message.name, message.question);
        break;
      case 'closed':
        this.#closed = true;
        this.figures = message.figures;
        break;
      default:
        this.events.told(message);
    }
  }

  async #answer(number: number, name: QuestionName, question: unknown): Promise<void> {
    const answer = await this.events.asked(name, question);
    this.tell({ type: 'answer', number, answer });
  }

  #ended(code: number): void {
    this.#gone = true;
    for (const done of [...this.#requests.values()]) done();
    const error = this.#error ?? new Error(`it ended with code ${code}`);
    if (this.#started !== undefined) this.#started.reject(error);
    else if (this.#listening && !this.#closing) this.events.died(error);
    this.#started = undefined;
  }
}
