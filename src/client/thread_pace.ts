/** Lets a socket wait for the receiving thread, so that what is offered to it stays bounded. */
import type { NativeSubscriber } from '../native.js';

/** The socket is not read while more than this waits for the receiving thread … */
const waiting_bytes_max = 32 * 2 ** 20;
/** … until less than this does. */
const waiting_bytes_low = 8 * 2 ** 20;
const waiting_look_ms = 5;

export interface PacedSocket {
  pause(): void;
  resume(): void;
}

/** Threads: one. */
export class ThreadPace {
  readonly #native: NativeSubscriber;
  #timer: NodeJS.Timeout | undefined;

  constructor(native: NativeSubscriber) {
    this.#native = native;
  }

  /** `waiting`: bytes, as offer() said. */
  offered(waiting: number, socket: PacedSocket | undefined): void {
    if (waiting <= waiting_bytes_max || socket === undefined || this.#timer !== undefined) return;
    socket.pause();
    const look = () => {
      this.#timer = undefined;
      if (this.#native.offer(new Uint8Array(0)) < waiting_bytes_low) socket.resume();
      else this.#timer = setTimeout(look, waiting_look_ms);
    };
    this.#timer = setTimeout(look, waiting_look_ms);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
