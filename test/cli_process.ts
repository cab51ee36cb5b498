/** The built command line in processes of its own, for tests: never two builds at once, nothing left behind. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from './data.js';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const main = join(root, 'dist/cli/main.js');
/** The example engine in TypeScript. */
export const engine = join(root, 'dist/matching_engine/engine.js');
const lock = join(root, 'node_modules', '.depthcast_build_lock');
const build_ms_max = 300_000;

function newestChange(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newestChange(path) : statSync(path).mtimeMs;
    }),
  );
}

function isCurrent(): boolean {
  const changed = Math.max(...['src', 'tools/matching_engine'].map((folder) => newestChange(join(root, folder))));
  return [main, engine].every((file) => existsSync(file) && statSync(file).mtimeMs > changed);
}

/** Runs `action` while no other test file runs one. */
export async function locked(action: () => void): Promise<void> {
  for (const begin = Date.now(); ; await delay(100)) {
    if (Date.now() - begin > build_ms_max) rmSync(lock, { recursive: true, force: true });
    try {
      mkdirSync(lock);
      break;
    } catch {}
  }
  try {
    action();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** Builds dist/ where src/ is newer; other test files wait meanwhile. */
export async function ensureBuilt(): Promise<void> {
  if (isCurrent()) return;
  await locked(() => {
    if (isCurrent()) return;
    // The example engine needs the library's types.
    for (const project of ['tsconfig.build.json', 'tools/matching_engine']) {
      const { status, stdout } = spawnSync('npx', ['tsc', '-p', project], { cwd: root });
      if (status !== 0) throw new Error(`tsc: ${stdout}`);
    }
  });
}

/** Groups and ports of its own for each test; nothing leaves this machine. */
export function channelFlags(number: number): string[] {
  const port = 29_000 + 3 * number;
  return [
    `--line-a-group=239.192.70.${number}`,
    `--line-a-port=${port}`,
    `--line-b-group=239.192.71.${number}`,
    `--line-b-port=${port + 1}`,
    `--control=${controlUrl(number)}`,
  ];
}

export function controlUrl(number: number): string {
  return `http://127.0.0.1:${29_002 + 3 * number}`;
}

/** Small books, so that many processes fit. */
export const small = ['--limits-orders=65536', '--limits-instruments=1024'];

/** Process ids whose command line holds `text`. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export interface CliEnd {
  /** Exit code, or the name of the signal. */
  end: number | string;
  stdout: string;
  stderr: string;
}

/** Threads: one. The process is killed with the test, and when it takes longer than `ms_max`. */
export class Cli {
  readonly #process: ChildProcess;
  readonly #closed: Promise<CliEnd>;
  #stdout = '';
  #stderr = '';

  /** `program`: for node, instead of the built command line. */
  constructor(
    t: Pick<Test, 'teardown'>,
    parameters: readonly string[],
    options: SpawnOptions = {},
    ms_max = 120_000,
    program: readonly string[] = [main],
  ) {
    const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C', ...options.env };
    const stdio = options.stdio ?? ['ignore', 'pipe', 'pipe'];
    this.#process = spawn(process.execPath, [...program, ...parameters], { ...options, env, stdio });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#process.kill('SIGKILL');
    }, ms_max);
    this.#closed = new Promise((resolve) => {
      this.#process.on('close', (code, signal) => {
        clearTimeout(timer);
        const end = late ? `still running after ${ms_max} ms` : (signal ?? code ?? 'unknown');
        resolve({ end, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    t.teardown(() => {
      clearTimeout(timer);
      this.#process.kill('SIGKILL');
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get input(): NodeJS.WritableStream | null {
    return this.#process.stdin;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Nobody reads its output any more. */
  closeOutput(): void {
    this.#process.stdout?.destroy();
  }

  ended(): Promise<CliEnd> {
    return this.#closed;
  }

  /** Resolves when it has said something that matches; rejects after `ms`, or when it has ended without. */
  async said(pattern: RegExp, ms = 60_000): Promise<void> {
    const found = () => pattern.test(this.#stdout) || pattern.test(this.#stderr);
    let over = false;
    void this.#closed.then(() => {
      over = true;
    });
    for (const begin = Date.now(); !found(); await delay(10))
      if (over || Date.now() - begin > ms)
        throw new Error(`it did not say ${pattern} but: ${`${this.#stdout}${this.#stderr}`.slice(-2_000)}`);
  }
}

/** Runs a command to its end. */
export function run(
  t: Pick<Test, 'teardown'>,
  parameters: readonly string[],
  options: SpawnOptions = {},
): Promise<CliEnd> {
  return new Cli(t, parameters, options).ended();
}

/** Resolves when `condition` holds; rejects after `ms`. */
export async function until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
  for (const begin = Date.now(); !condition(); await delay(10))
    if (Date.now() - begin > ms) throw new Error(`waited ${ms} ms for ${what}`);
}
