/** The example engine (tools/engine) as a process that can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What the engine prints when it ends in good order. */
export interface EngineReport {
  /** Of the stream, over all its lives. */
  events: number;
  /** Messages that a distributor makes of them. */
  messages: number;
  live_orders: number;
  /** See booksHash(). */
  books: string;
  /** In this life. */
  pushed: number;
  /** How often the ring was found full in this life. */
  full: number;
}

/** Threads: one. */
export class EngineProcess {
  readonly name = 'the engine';
  /** What it said on stderr, over all its lives. */
  errors = '';
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #output = '';

  constructor(
    private readonly program: string,
    private readonly parameters: readonly string[],
  ) {}

  start(more: readonly string[] = []): void {
    const child = spawn(this.program, [...this.parameters, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#output = '';
    this.#exited = Promise.race([once(child, 'close'), once(child, 'error')]).catch((error: unknown) => {
      this.errors += String(error);
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** How it ended last, and what it said on stderr. */
  get how(): string {
    return `${this.#process?.signalCode ?? this.#process?.exitCode ?? 'running'} ${this.errors}`;
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#exited;
  }

  /** Until it ends by itself. Rejects where it says nothing that can be read. */
  async end(): Promise<EngineReport> {
    await this.#exited;
    const [line = ''] = this.#output.split('\n');
    if (line === '') throw new Error(`the engine ended without a report: ${this.errors || this.#process?.signalCode}`);
    return JSON.parse(line) as EngineReport;
  }

  /** In good order. */
  stop(): Promise<EngineReport> {
    this.#process?.kill('SIGTERM');
    return this.end();
  }
}
