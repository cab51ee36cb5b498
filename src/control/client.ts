/** A subscriber's side of the control service: says that it has joined, renews that, and takes its leave. */
import { randomUUID } from 'node:crypto';
import { joinAnswer, lease_ms } from './protocol.js';

const answer_ms_max = 1_000;
const leave_ms_max = 500;
const retry_ms_first = 50;
const retry_ms_max = 1_000;

export interface ControlLinkOptions {
  /** Base URL of the control service. */
  url: string;
  lines: ('A' | 'B')[];
  /** True once the feed itself arrives: then nobody waits for us, and a service that never answered is left alone. */
  receiving: () => boolean;
}

/** Best effort: nothing of it ever fails the feed. Threads: one. */
export class ControlLink {
  readonly id = randomUUID();
  readonly #options: ControlLinkOptions;
  #stopped = false;
  #inFlight: AbortController | undefined;
  #endPause: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #joined = false;
  #lease_ms = lease_ms;

  constructor(options: ControlLinkOptions) {
    this.#options = options;
  }

  /** The service has answered, and its lease has not been lost since. */
  get joined(): boolean {
    return this.#joined;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Withdraws, waiting half a second at most. Any number of times. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#inFlight?.abort();
    this.#endPause?.();
    await this.#running;
    if (!this.#joined) return;
    this.#joined = false;
    await this.#send('DELETE', leave_ms_max);
  }

  async #run(): Promise<void> {
    let answered = false;
    let retry_ms = retry_ms_first;
    while (!this.#stopped) {
      this.#joined = await this.#send('POST', answer_ms_max);
      answered ||= this.#joined;
      if (!answered && this.#options.receiving()) return;
      const pause_ms = this.#joined ? this.#lease_ms / 3 : retry_ms;
      retry_ms = this.#joined ? retry_ms_first : Math.min(2 * retry_ms, retry_ms_max);
      if (!this.#stopped) await this.#pause(pause_ms);
    }
  }

  async #send(method: 'POST' | 'DELETE', ms_max: number): Promise<boolean> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ms_max);
    this.#inFlight = controller;
    try {
      const response = await fetch(`${this.#options.url}/subscribers/${this.id}`, {
        method,
        signal: controller.signal,
        redirect: 'error',
        headers: { 'content-type': 'application/json' },
        body: method === 'POST' ? JSON.stringify({ lines: this.#options.lines }) : null,
      });
      const answer = joinAnswer.safeParse(await response.json());
      if (answer.success) this.#lease_ms = answer.data.leaseMs;
      return response.ok;
    } catch {
      // A request that close() cut off may have arrived: then there is something to withdraw.
      return method === 'POST' && this.#stopped;
    } finally {
      clearTimeout(timer);
      this.#inFlight = undefined;
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endPause?.(), milliseconds);
      timer.unref();
      this.#endPause = () => {
        clearTimeout(timer);
        this.#endPause = undefined;
        resolve();
      };
    });
  }
}
