/** Latency of multicast datagrams by phases, from the publisher's clock to the kernel's receive timestamp. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Figures, perfProgram } from './native_program.js';

/** perf/native/live_listener.h in a process of its own. */
export class LiveListener {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  readonly ready: Promise<void>;

  /** `samples`: a file that gets every datagram of the phases (perf/clients/samples.ts); empty: none. */
  constructor(group: string, port: number, samples = '') {
    const parameters = ['live_listen', '--group', group, '--port', String(port)];
    this.#process = spawn(perfProgram, samples === '' ? parameters : [...parameters, '--samples', samples], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const output = this.#process.stdout as NodeJS.ReadableStream;
    const lines = createInterface({ input: output });
    this.ready = new Promise((resolve, reject) => {
      lines.once('line', () => resolve());
      this.#process.once('exit', (code) => reject(new Error(`the listener ended with ${code}`)));
    });
    this.ready.catch(() => {});
    lines.on('line', (line) => this.#lines.push(line));
    this.#ended = new Promise((resolve) => lines.once('close', resolve));
  }

  phase(number: number): void {
    this.#process.stdin?.write(`${number}\n`);
  }

  async end(): Promise<Figures[]> {
    this.#process.stdin?.end();
    await this.#ended;
    return this.#lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Figures);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
