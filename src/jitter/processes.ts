/** The processes of a measurement, and calls to them. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Call {
  id: number;
  name: string;
  parameters: unknown[];
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

const close_ms_max = 5_000;

type Methods<Side> = {
  [Name in keyof Side as Side[Name] extends (...given: never[]) => unknown ? Name : never]: Side[Name];
};

/** A process that holds one side. Threads: one. It ends when this one does. */
export class SideProcess<Side> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #gone: Promise<void>;
  #ids = 0;
  #end: string | undefined;

  constructor(readonly name: string) {
    this.#process = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => this.#take(message as Answer));
    this.#gone = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => {
        this.#end = `${name} ended by ${signal ?? `exit code ${code}`}`;
        for (const { reject } of this.#waiting.values()) reject(new Error(this.#end));
        this.#waiting.clear();
        resolve();
      });
    });
    this.#process.on('error', () => {});
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Rejects with what the other process threw, or when it is gone. */
  call<Name extends keyof Methods<Side> & string>(
    name: Name,
    ...parameters: Methods<Side>[Name] extends (...given: infer Given) => unknown ? Given : never
  ): Promise<Awaited<Methods<Side>[Name] extends (...given: never[]) => infer Result ? Result : never>> {
    return this.callNamed(name, ...(parameters as unknown[])) as never;
  }

  callNamed(name: string, ...parameters: unknown[]): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(new Error(this.#end));
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, name, parameters } satisfies Call, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  /** Never rejects. */
  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), close_ms_max);
    await this.#gone;
    clearTimeout(timer);
  }

  #take({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }
}
