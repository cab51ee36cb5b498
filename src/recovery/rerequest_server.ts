/** Re-requests by UDP on a socket. docs/recovery.md, "Re-request by UDP". */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { NativeRecovery } from '../native.js';
import { type RerequestCounters, type RerequestOptions, RerequestState } from './rerequest_state.js';

/** Requests that are answered in one turn of the event loop at most come from the kernel's buffer of so many bytes. */
const receive_buffer_bytes = 1_048_576;
/** Answers that the kernel has not taken yet. */
const sending_max = 1_024;

/** Threads: one. The source must outlive it. */
export class RerequestServer {
  readonly #state: RerequestState;
  readonly #socket: Socket;
  #sending = 0;
  #failed = 0;
  #closed = false;

  constructor(options: RerequestOptions, source: Pick<NativeRecovery, 'state' | 'read'>) {
    this.#state = new RerequestState(options, source, performance.now());
    this.#socket = createSocket({ type: 'udp4', reuseAddr: false });
    // Answers that cannot be delivered come back as errors: the asker's loss.
    this.#socket.on('error', () => {
      this.#failed++;
    });
    this.#socket.on('message', (bytes, from) => this.#message(bytes, from));
  }

  /** Port 0 takes a free one. Rejects where the address cannot be had. */
  async start(port: number, address: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) =>
        reject(new Error(`re-requests cannot be received at ${address}:${port}: ${error.message}`));
      this.#socket.once('error', failed);
      this.#socket.bind({ port, address, exclusive: true }, () => {
        this.#socket.removeListener('error', failed);
        resolve();
      });
    });
    if (this.#closed) return;
    this.#socket.setRecvBufferSize(receive_buffer_bytes);
  }

  get port(): number {
    return this.#closed ? 0 : this.#socket.address().port;
  }

  get counters(): RerequestCounters & { failed: number } {
    return { ...this.#state.counters, failed: this.#failed };
  }

  /** Any number of times. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  #message(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed || this.#sending >= sending_max) return;
    const answer = this.#state.answer(bytes, from.address, from.port, performance.now());
    if (answer === undefined) return;
    this.#sending++;
    this.#socket.send(answer, from.port, from.address, (error) => {
      this.#sending--;
      if (error) this.#failed++;
    });
  }
}
