/** Many WebSocket clients in a native process of their own (perf/native/websocket_load.cc). */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { perfProgram } from '../native_program.js';

export interface LoadGroup {
  clients: number;
  /** Of them, those that stop reading at silence(). */
  silent?: number;
  /** Text of its first message behind hello; empty: it says nothing and takes what comes. */
  request?: string;
}

/** Of one group since the last mark. */
export interface GroupFigures {
  group: number;
  /** Clients that read and are open. */
  reading: number;
  seconds: number;
  /** Of the whole process. */
  cpu_seconds: number;
  messages: number;
  frames: number;
  bytes: number;
  /** Of one client that reads. */
  messages_least: number;
  messages_most: number;
  slow: number;
  errors: number;
  closed: number;
  close_code: number;
  /** Clients that were told their counts at the end of their subscription; where they add up to what was published. */
  counted: number;
  counted_equal: number;
  /** From the server's send time to the client, of the first block of each frame. */
  latency_us_p50: number;
  latency_us_p99: number;
  latency_us_p999: number;
}

export class Load {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #groups: number;
  readonly #lines: Record<string, number>[] = [];
  #told = () => {};
  #ended: string | undefined;

  private constructor(port: number, groups: readonly LoadGroup[], requests: string, core: number) {
    const parameters = [
      'websocket_load',
      ...['--port', `${port}`, '--clients', groups.map(({ clients }) => clients).join()],
      ...['--silent', groups.map(({ silent = 0 }) => silent).join()],
      ...(requests === '' ? [] : ['--requests', requests]),
    ];
    this.#groups = groups.length;
    this.#child =
      core < 0 ? spawn(perfProgram, parameters) : spawn('taskset', ['-c', `${core}`, perfProgram, ...parameters]);
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#ended = text.toString();
    });
    this.#child.on('exit', (code) => {
      this.#ended ??= `ended with ${code}`;
      this.#told();
    });
    this.#child.stdin.on('error', () => {});
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line) as Record<string, number>);
      this.#told();
    });
  }

  /** `requests`: a file with the groups' requests, one a line; empty: none. Resolves when all are connected. */
  static async open(port: number, groups: readonly LoadGroup[], requests: string, core: number): Promise<Load> {
    const load = new Load(port, groups, requests, core);
    await load.#take(1);
    return load;
  }

  async mark(): Promise<GroupFigures[]> {
    this.#child.stdin.write('mark\n');
    return (await this.#take(this.#groups)) as unknown as GroupFigures[];
  }

  silence(): void {
    this.#child.stdin.write('silence\n');
  }

  /** Those that stopped read on. */
  resume(): void {
    this.#child.stdin.write('resume\n');
  }

  /** They end their subscription, and are told its counts. */
  count(): void {
    this.#child.stdin.write('count\n');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill();
  }

  async #take(count: number): Promise<Record<string, number>[]> {
    while (this.#lines.length < count) {
      if (this.#ended !== undefined) throw new Error(`websocket_load: ${this.#ended.trim()}`);
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
    return this.#lines.splice(0, count);
  }
}
