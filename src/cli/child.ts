/** One command that another one runs as a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type CommandEnd, isEndMessage } from './command.js';

const main = fileURLToPath(new URL('./main.js', import.meta.url));
const stderr_lines_max = 200;
const stop_signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export interface ChildOptions {
  /** For people: "the distributor". */
  name: string;
  /** The command and its flags. */
  parameters: string[];
  /** The program; depthcast itself where left out. */
  program?: string;
  stdout: 'inherit' | 'ignore';
  /** Each line that it says on stderr, as it comes. */
  onStderrLine: (line: string) => void;
}

/** Threads: one. The process ends by itself when this one is gone, however that happens. */
export class Child {
  readonly name: string;
  /** Resolves when the process is gone and all that it said has been read. Never rejects. */
  readonly exited: Promise<void>;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #end: CommandEnd | undefined;
  #how: string | undefined;
  #signal: NodeJS.Signals | null = null;
  #told = false;
  #gone = false;

  constructor({ name, parameters, program = main, stdout, onStderrLine }: ChildOptions) {
    this.name = name;
    this.#process = fork(program, parameters, { stdio: ['ignore', stdout, 'pipe', 'ipc'], execArgv: [] });
    this.#process.on('message', (message) => {
      if (isEndMessage(message)) this.#end = message.end;
    });
    this.#readLines(onStderrLine);
    this.exited = new Promise((resolve) => {
      const gone = () => {
        this.#gone = true;
        resolve();
      };
      this.#process.on('error', (error) => {
        this.#how ??= error.message;
        // A process that never was does not close.
        if (this.#process.pid === undefined) gone();
      });
      this.#process.on('exit', (code, signal) => {
        this.#signal = signal;
        this.#how ??= signal === null ? `exit code ${code}` : `killed by ${signal}`;
      });
      this.#process.on('close', gone);
    });
  }

  /** How it says it ended; undefined while it runs, and where it died before it could say. */
  get end(): CommandEnd | undefined {
    return this.#end;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /**
   * It ended because it was to, or because nothing was left to do. `asked`: the user wants an end, of which the process may
   * have heard before we told it, even before it could listen.
   */
  endedWell(asked: boolean): boolean {
    const wanted = asked || this.#told;
    if (this.#end === undefined) return wanted && this.#signal !== null && stop_signals.includes(this.#signal);
    return this.#end.exitCode === 0 && (wanted || this.#end.reason !== 'signal');
  }

  /** Why it ended, in one line. */
  get why(): string {
    const words = this.#end?.reason === 'signal' ? `stopped by ${this.#end.detail}` : (this.#how ?? 'running');
    const last = this.#end?.reason === 'failed' ? this.#lines[this.#lines.length - 1] : undefined;
    return last === undefined ? words : `${words}: ${last.replace(/^depthcast: /, '')}`;
  }

  /** Asks it to end. Any number of times. */
  stop(): void {
    if (this.#gone || this.#told) return;
    this.#told = true;
    this.#process.kill('SIGTERM');
  }

  kill(): void {
    if (!this.#gone) this.#process.kill('SIGKILL');
  }

  #readLines(onLine: (line: string) => void): void {
    let rest = '';
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (this.#lines.push(line) > stderr_lines_max) this.#lines.shift();
        onLine(line);
      }
    });
  }
}
