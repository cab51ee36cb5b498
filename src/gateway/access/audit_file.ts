/** The audit log's file: appended to, never waited for. */
import { closeSync, constants, createWriteStream, fstatSync, openSync, statSync, type WriteStream } from 'node:fs';
import type { AuditWriter } from './audit.js';

/** Bytes that may wait for the disk; beyond, lines are refused, which the log counts and tells. */
const pending_bytes_max = 2 ** 20;

/**
 * Threads: one. Opened for appending with mode 0600, links not followed. A file that was moved away (logrotate) is made
 * anew by reopenIfMoved().
 */
export class AuditFile {
  /** What the disk said last; undefined while all is well. */
  failure: Error | undefined;
  #stream: WriteStream;
  #fd: number;

  /** Throws where the file cannot be had. */
  constructor(private readonly path: string) {
    [this.#fd, this.#stream] = this.#open();
  }

  readonly write: AuditWriter = (line) => {
    if (this.failure !== undefined || this.#stream.writableLength > pending_bytes_max) return false;
    this.#stream.write(line);
    return true;
  };

  /** About once a second. Tries again where writing has failed. */
  reopenIfMoved(): void {
    if (this.failure === undefined && !this.#isMoved()) return;
    try {
      const [fd, stream] = this.#open();
      this.#stream.end();
      [this.#fd, this.#stream] = [fd, stream];
      this.failure = undefined;
    } catch (error) {
      this.failure = error as Error;
    }
  }

  /** Resolves when all is written. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.on('error', () => resolve());
      this.#stream.end(() => resolve());
    });
  }

  #isMoved(): boolean {
    try {
      const [here, open] = [statSync(this.path), fstatSync(this.#fd)];
      return here.ino !== open.ino || here.dev !== open.dev;
    } catch {
      return true;
    }
  }

  #open(): [number, WriteStream] {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    // O_NONBLOCK: a pipe in its place must not hold us.
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const fd = openSync(this.path, flags, 0o600);
    if (!fstatSync(fd).isFile()) {
      closeSync(fd);
      throw new Error(`${this.path} is no regular file`);
    }
    const stream = createWriteStream('', { fd });
    stream.on('error', (error) => {
      if (stream === this.#stream) this.failure = error;
    });
    return [fd, stream];
  }
}
