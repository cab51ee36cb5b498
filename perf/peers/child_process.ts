/** The parent's view of one process of a measurement. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChildCall, ChildTask } from './child.js';

const close_ms_max = 2_000;

/** Calls to one child. Threads: one. */
export class SideChild {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #gone: Promise<void>;
  #ids = 0;

  constructor(readonly name: string) {
    this.#process = fork(fileURLToPath(new URL('./child.js', import.meta.url)), { serialization: 'advanced' });
    this.#process.on('message', ({ id, value, error }: { id: number; value: never; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(`${name}: ${error}`));
    });
    this.#gone = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended with ${signal ?? code}`));
        this.#waiting.clear();
        resolve();
      });
    });
    this.#process.on('error', () => {});
  }

  /** Answers the address. */
  open(task: ChildTask): Promise<string> {
    return this.call('open', task);
  }

  call<Value>(name: string, ...parameters: unknown[]): Promise<Value> {
    const id = ++this.#ids;
    return new Promise<Value>((resolve, reject) => {
      if (!this.#process.connected) return reject(new Error(`${this.name} has ended`));
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, name, parameters } satisfies ChildCall);
    });
  }

  /** Never rejects. */
  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), close_ms_max);
    await this.#gone;
    clearTimeout(timer);
  }
}
