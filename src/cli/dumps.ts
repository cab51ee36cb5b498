/** The dumps that `subscribe` writes: at positions, and at the end. */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BookExport } from '../book_export.js';
import { dumpFileAt, writeDump } from '../dump.js';
import type { FeedClient } from '../feed_client.js';
import { messageOf, say } from './failure.js';

const snapshot_ms_max = 30_000;

/**
 * /dev/stdout that is a pipe leads to no name. writeDump would take it for a new file and rename its own over the link,
 * which as root replaces /dev/stdout for the whole machine.
 */
function refuseNameless(file: string): void {
  try {
    // Not realpathSync itself, which stops at the pipe instead of failing.
    realpathSync.native(file);
  } catch {
    throw new Error('it is a pipe without a name, expected a file');
  }
}

/** Says early what would go wrong hours later: a folder that is missing or may not be written. Throws Error. */
export function checkDumpFile(file: string, at: readonly bigint[]): void {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error('it is a folder');
    const plain = found === undefined || found.isFile();
    if (!plain && at.length > 0) throw new Error('dumps at positions need a file to be named after');
    if (!plain) refuseNameless(file);
    accessSync(plain ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    throw new Error(`cannot write the dump ${file}: ${messageOf(error)}`);
  }
}

/** Threads: one. */
export class Dumps {
  readonly #client: FeedClient;
  readonly #file: string;
  readonly #orders: boolean;
  readonly #writing: Promise<void>[] = [];
  readonly #open: Set<bigint>;
  #failure: unknown;

  constructor(client: FeedClient, file: string, { orders, at }: { orders: boolean; at: readonly bigint[] }) {
    this.#client = client;
    this.#file = file;
    this.#orders = orders;
    this.#open = new Set(at);
    client.on('export', (books) => {
      this.#open.delete(books.position);
      this.#writing.push(this.#write(dumpFileAt(file, books.position), books));
    });
  }

  /** The last dump, and the end of those that are being written. Rejects with the first failure. */
  async finish(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the receiver does not answer: no dump at the end')), snapshot_ms_max);
    });
    const books = await Promise.race([this.#client.snapshot({ orders: this.#orders }), late]);
    clearTimeout(timer);
    this.#writing.push(this.#write(this.#file, books));
    await Promise.all(this.#writing);
    for (const position of this.#open) say(`no dump at ${position}: the source has not come so far`);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(file: string, books: BookExport): Promise<void> {
    const { counters } = this.#client.stats();
    try {
      await writeDump(file, books, {
        channel: this.#client.options.channel,
        counters,
        missing: this.#client.missing(),
      });
    } catch (error) {
      this.#failure ??= new Error(`cannot write the dump ${file}: ${messageOf(error)}`);
    }
  }
}
