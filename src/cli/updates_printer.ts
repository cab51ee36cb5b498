/** Prints updates as they come: lines of JSON, or the best prices whenever they change. */
import type { InstrumentInfo } from '../book_types.js';
import type { FeedClient } from '../feed_client.js';
import type { UpdateBatch } from '../updates.js';
import { BboFilter, bboHead, bboLine } from '../view/bbo.js';
import { overrunLine, updateLine } from '../view/json_lines.js';
import type { Look } from '../view/terminal.js';
import { say } from './failure.js';
import type { Output } from './output.js';

export interface PrinterOptions {
  view: 'json' | 'bbo';
  /** Names; none: all. */
  symbols: readonly string[];
  look: Look;
}

/** Batches are printed in pieces of so many messages, so that memory for text stays bounded. */
const piece_messages = 1_024;
const tell_every_ms = 1_000;

/** Threads: one. What the output cannot take is counted and told; nothing is queued without bound. */
export class UpdatesPrinter {
  readonly #client: FeedClient;
  readonly #output: Output;
  readonly #options: PrinterOptions;
  readonly #filter = new BboFilter();
  readonly #wanted: ReadonlySet<string> | undefined;
  /** Lost updates of which the output does not know yet, and of which the user does not. */
  #unwritten = 0n;
  #untold = 0n;
  #told_ms = Number.NEGATIVE_INFINITY;
  readonly #lookup = (instrument: number): InstrumentInfo | undefined => this.#client.instrument(instrument);

  constructor(client: FeedClient, output: Output, options: PrinterOptions) {
    this.#client = client;
    this.#output = output;
    this.#options = options;
    this.#wanted = options.symbols.length === 0 ? undefined : new Set(options.symbols);
    client.on('updates', (batch) => this.#print(batch));
    client.on('overrun', (lost) => this.#lose(lost));
    client.on('session', () => this.#filter.clear());
  }

  start(): void {
    if (this.#options.view === 'bbo') this.#output.write(bboHead(this.#options.look));
  }

  /** Says what is still to be said. */
  stop(): void {
    if (this.#unwritten > 0n && this.#output.write(this.#overrunText())) this.#unwritten = 0n;
    this.#told_ms = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  #isWanted(instrument: number): boolean {
    if (this.#wanted === undefined) return true;
    const name = this.#lookup(instrument)?.name;
    return name !== undefined && this.#wanted.has(name);
  }

  #print(batch: UpdateBatch): void {
    if (!this.#output.open) return;
    for (let first = 0; first < batch.count; first += piece_messages) {
      const last = Math.min(batch.count, first + piece_messages);
      this.#printPiece(batch, first, last);
    }
  }

  #printPiece(batch: UpdateBatch, first: number, end: number): void {
    let text = '';
    let messages = 0;
    for (let row = first; row < end; row++) {
      if (!this.#isWanted(batch.instrument[row] as number)) continue;
      const line = this.#line(batch, row);
      if (line === '') continue;
      text += line;
      messages++;
    }
    if (messages === 0) return;
    if (this.#output.write(this.#overrunText() + text)) this.#unwritten = 0n;
    else this.#lose(BigInt(messages));
  }

  #line(batch: UpdateBatch, row: number): string {
    if (this.#options.view === 'json') return updateLine(batch, row, this.#lookup);
    const name = this.#lookup(batch.instrument[row] as number);
    // Without its definition nobody knows the scale of a price.
    if (name === undefined || !this.#filter.changed(batch, row)) return '';
    return bboLine(batch, row, name, this.#options.look);
  }

  #overrunText(): string {
    return this.#unwritten > 0n && this.#options.view === 'json' ? overrunLine(this.#unwritten) : '';
  }

  #lose(lost: bigint): void {
    this.#unwritten += lost;
    this.#untold += lost;
    this.#tell();
  }

  /** Once a second is enough. */
  #tell(): void {
    const now_ms = performance.now();
    if (this.#untold === 0n || now_ms - this.#told_ms < tell_every_ms) return;
    say(`${this.#untold} updates were lost: this process, or the reader of its output, is too slow`);
    this.#untold = 0n;
    this.#told_ms = now_ms;
  }
}
