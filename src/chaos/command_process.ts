/** One `depthcast` command as a process that can be killed and started again. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const stderr_lines_max = 400;
const stop_ms_max = 8_000;

/** The command line as it is built; from sources under a loader, the build that stands beside them. */
export function commandLine(): string {
  const beside = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
}

/** Threads: one. The process ends by itself when this one is gone. */
export class CommandProcess {
  /** What it said on stderr, over all its lives; the last 400 lines. */
  readonly lines: string[] = [];
  /** How often it was started. */
  starts = 0;
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly parameters: readonly string[],
    private readonly environment: Readonly<Record<string, string>> = {},
  ) {}

  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** How it ended last: its exit code or signal. */
  get how(): string {
    const process = this.#process;
    if (process === undefined) return 'not started';
    return process.signalCode ?? (process.exitCode === null ? 'running' : `exit code ${process.exitCode}`);
  }

  get exited(): Promise<unknown> {
    return this.#exited;
  }

  start(more: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): void {
    this.starts++;
    const child = fork(commandLine(), [...this.parameters, ...more], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
      env: { ...process.env, ...this.environment, ...environment },
    });
    this.#process = child;
    this.#exited = Promise.race([once(child, 'close'), once(child, 'error')]).catch(() => {});
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (this.lines.push(line) > stderr_lines_max) this.lines.shift();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** kill -9, and its end. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#exited;
  }

  /** In good order; killed where that takes longer than 8 s. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.#process?.kill('SIGTERM');
    const timer = setTimeout(() => this.#process?.kill('SIGKILL'), stop_ms_max);
    await this.#exited;
    clearTimeout(timer);
  }
}
