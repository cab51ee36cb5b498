/** An exact subscription whose books are kept by the native thread: what the gateway sends goes there as it is. */
import type { SubscribeOptions } from '../browser/protocol.js';
import { Stream, type StreamHost } from '../browser/stream.js';

/** What the native books say. */
export interface FedBooks {
  /** The last message applied, every one before it too, in books that are right; undefined: none. */
  held(): { session: bigint; sequence: bigint } | undefined;
  /** What is half there of a snapshot will not go on. */
  forgetSnapshot(): void;
}

/** Its state is the connection's: `synchronized` means that packets come. Threads: one. */
export class FedStream extends Stream {
  readonly #books: FedBooks;

  constructor(id: number, options: SubscribeOptions, host: StreamHost, books: FedBooks) {
    super(id, options, host);
    this.#books = books;
  }

  /** Something of it has come. */
  arrived(): void {
    if (this.state === 'recovering') this.changeState('synchronized');
  }

  /** The books are wrong, or something is missing. */
  wantSnapshot(): void {
    if (this.state === 'synchronized') this.fail('digest');
  }

  // The packets say themselves which session they are of, and snapshots come unasked.
  override onNewSession(): void {}
  override onSlow(): void {}

  protected override held(): { session: bigint; sequence: bigint } | undefined {
    return this.#books.held();
  }

  protected override begin(): void {
    // The native thread counts for itself.
    this.counts.comparable = false;
    this.#books.forgetSnapshot();
    this.changeState('recovering');
  }
}
