/** The command line in a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from '../data.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

function newestChange(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newestChange(path) : statSync(path).mtimeMs;
    }),
  );
}

/**
 * What is built, when it is newer than all of src/; else src/ itself, with the loader that this process was started with,
 * which takes a second for each start.
 */
function entryPoint(): { main: string; execArgv: string[] } {
  const built = join(root, 'dist/cli/main.js');
  if (existsSync(built) && statSync(built).mtimeMs > newestChange(join(root, 'src')))
    return { main: built, execArgv: [] };
  return { main: join(root, 'src/cli/main.ts'), execArgv: process.execArgv };
}

const { main, execArgv } = entryPoint();

export interface CommandResult {
  /** Exit code, or the signal that ended it, or "still running after N ms", when it was killed. */
  end: string;
  stdout: string;
  stderr: string;
}

export class Command {
  readonly #process: ChildProcess;
  readonly #output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  readonly #closed: Promise<unknown>;

  /** It ends with the test, and with this process, whatever happens. */
  constructor(t: Pick<Test, 'teardown'>, parameters: readonly string[]) {
    this.#process = fork(main, parameters, { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const name of ['stdout', 'stderr'] as const)
      this.#process[name]?.on('data', (chunk: Buffer) => this.#output[name].push(chunk));
    this.#closed = once(this.#process, 'close');
    t.teardown(() => {
      this.#process.kill('SIGKILL');
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  get stderr(): string {
    return Buffer.concat(this.#output.stderr).toString();
  }

  /** Waits for its end; kills it when that takes longer than `ms_max`. */
  async result(ms_max = 60_000): Promise<CommandResult> {
    let late = '';
    const timer = setTimeout(() => {
      late = `still running after ${ms_max} ms`;
      this.#process.kill('SIGKILL');
    }, ms_max);
    await this.#closed;
    clearTimeout(timer);
    const { exitCode, signalCode } = this.#process;
    const end = late || (signalCode ?? `exit code ${exitCode}`);
    return { end, stdout: Buffer.concat(this.#output.stdout).toString(), stderr: this.stderr };
  }
}
