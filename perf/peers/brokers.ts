/** The servers between publisher and subscribers, as processes of the measurement. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { peerProgram } from './install.js';

export type BrokerName = 'nats' | 'redis';

const programs = {
  nats: {
    path: 'usr/sbin/nats-server',
    port: 27_511,
    scheme: 'nats',
    parameters: ['--addr', '127.0.0.1', '--port', '27511'],
  },
  redis: {
    path: 'usr/bin/redis-server',
    port: 27_512,
    scheme: 'redis',
    parameters: [
      ...['--bind', '127.0.0.1', '--port', '27512', '--save', '', '--appendonly', 'no'],
      ...['--client-output-buffer-limit', 'pubsub 0 0 0'],
    ],
  },
} as const;

const start_ms_max = 5_000;
const ticks_per_second = 100; // USER_HZ

export function brokerVersion(name: BrokerName): string {
  const { file, env } = peerProgram(name, programs[name].path);
  return /\d+\.\d+\.\d+/.exec(execFileSync(file, ['--version'], { env, encoding: 'utf8' }))?.[0] ?? 'unknown';
}

/** Threads: one. `close` once. */
export class Broker {
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(name: BrokerName) {
    const { path, port, scheme, parameters } = programs[name];
    const { file, env } = peerProgram(name, path);
    this.address = `${scheme}://127.0.0.1:${port}`;
    this.#process = spawn(file, parameters, { env, stdio: 'ignore' });
    this.#process.on('error', () => {});
  }

  /** Rejects where it cannot be connected to. */
  static async open(name: BrokerName): Promise<Broker> {
    const broker = new Broker(name);
    for (const begin = performance.now(); performance.now() - begin < start_ms_max; await delay(20)) {
      if (await answers(programs[name].port)) return broker;
    }
    await broker.close();
    throw new Error(`${name}: the server does not listen on port ${programs[name].port}`);
  }

  /** Processor time so far, in ms, by hundredths of a second. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticks_per_second;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.pid === undefined) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await gone;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
