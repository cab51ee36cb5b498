/** Standard output of a command: bounded, and closed without a word when its reader goes away. */

const pending_bytes_max = 16 * 1_048_576;

/** Threads: one. Terminals and files are written at once; a pipe's reader may be slow, so its queue is bounded. */
export class Output {
  /** Resolves when the reader has gone away. */
  readonly closed: Promise<void>;
  #open = true;

  constructor(private readonly stream: NodeJS.WriteStream = process.stdout) {
    this.closed = new Promise((resolve) => {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        // EPIPE: `| head -1`; EIO: the terminal is gone. Anything else, such as a full disk, is worth a word.
        if (this.#open && error.code !== 'EPIPE' && error.code !== 'EIO') this.failure = error;
        this.#open = false;
        resolve();
      });
    });
  }

  /** Why writing ended, unless the reader went away. */
  failure: Error | undefined;

  get open(): boolean {
    return this.#open;
  }

  /** False, without writing, while the reader is too slow or gone. */
  write(text: string): boolean {
    if (!this.#open || this.stream.writableLength > pending_bytes_max) return false;
    this.stream.write(text);
    return true;
  }

  /** Waits until all is written, at most `timeout_ms`: a reader that stands still does not keep us. */
  async flush(timeout_ms: number): Promise<void> {
    if (!this.#open || this.stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeout_ms);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.stream.write('', done);
      void this.closed.then(done);
    });
  }
}
