/** Draws the ladder of one instrument again and again: in place on a terminal, as plain pictures elsewhere. */
import type { InstrumentInfo } from '../book_types.js';
import { DepthBusyError } from '../depth_reader.js';
import type { FeedClient } from '../feed_client.js';
import { fit, printable } from '../view/format.js';
import { type LadderBook, ladder_lines_fixed, ladderLines } from '../view/ladder.js';
import { statusPanel } from '../view/status.js';
import { columns_min, frame, type Look, type Size, screen, sizeOf } from '../view/terminal.js';
import type { FeedStatusReader } from './feed_status.js';
import type { Output } from './output.js';

export interface LadderScreenOptions {
  /** Undefined: the first instrument that has orders. */
  symbol: string | undefined;
  levels: number;
  look: Look;
  /** A terminal: the alternate screen, at its size. */
  terminal: NodeJS.WriteStream | undefined;
  intervalMs: number;
  /** A line at the foot; empty: none. */
  note: string;
}

/** Threads: one. */
export class LadderScreen {
  readonly #client: FeedClient;
  #status: FeedStatusReader | undefined;
  readonly #output: Output;
  readonly #options: LadderScreenOptions;
  #timer: NodeJS.Timeout | undefined;
  #entered = false;
  #symbol: string | undefined;
  #book: LadderBook | undefined;
  readonly #draw = () => this.#drawNow();
  readonly #suspend = () => this.#suspendNow();
  readonly #resume = () => this.#enter();
  readonly #leave = () => this.#leaveNow();

  constructor(client: FeedClient, output: Output, options: LadderScreenOptions) {
    this.#client = client;
    this.#output = output;
    this.#options = options;
    this.#symbol = options.symbol;
    client.on('session', () => {
      this.#symbol = this.#options.symbol;
      this.#book = undefined;
    });
  }

  start(status: FeedStatusReader): void {
    this.#status = status;
    const { terminal, intervalMs } = this.#options;
    if (terminal !== undefined) {
      // Whatever ends the process, the user's screen comes back.
      process.on('exit', this.#leave).on('SIGTSTP', this.#suspend).on('SIGCONT', this.#resume);
      terminal.on('resize', this.#draw);
      this.#enter();
    }
    this.#timer = setInterval(this.#draw, intervalMs);
    this.#drawNow();
  }

  /** Gives the terminal back. Any number of times. */
  stop(): void {
    clearInterval(this.#timer);
    this.#options.terminal?.off('resize', this.#draw);
    this.#leaveNow();
    process.off('exit', this.#leave).off('SIGTSTP', this.#suspend).off('SIGCONT', this.#resume);
  }

  #enter(): void {
    this.#entered = true;
    this.#output.write(screen.enter);
    this.#drawNow();
  }

  #leaveNow(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#output.write(screen.leave);
  }

  #suspendNow(): void {
    this.#leaveNow();
    process.kill(process.pid, 'SIGSTOP');
  }

  #drawNow(): void {
    const { terminal } = this.#options;
    if (terminal !== undefined && !this.#entered) return;
    const size = sizeOf(terminal ?? {});
    if (terminal === undefined) this.#output.write(`${this.#lines(size).join('\n')}\n\n`);
    else this.#output.write(frame(this.#lines(size), size));
  }

  #lines({ columns, rows }: Size): string[] {
    const { look, terminal } = this.#options;
    const width = Math.max(columns_min, columns);
    const panel = this.#status === undefined ? [] : statusPanel(this.#status.now(), look, width);
    if (this.#options.note !== '') panel.push(fit(printable(this.#options.note), width));
    const room = terminal === undefined ? Number.POSITIVE_INFINITY : rows - ladder_lines_fixed - panel.length - 1;
    const levels = Math.max(1, Math.min(this.#options.levels, Math.floor(room / 2)));
    const book = this.#read(levels);
    if (book === undefined) return [this.#waitingText(width), '', ...panel];
    // Where rows are very few, the panel gives way: the best prices matter most.
    return [...ladderLines(book, { look, columns: width, levels }), '', ...panel];
  }

  #waitingText(width: number): string {
    if (this.#client.session === 0n) return fit('waiting for a session', width);
    return fit(`waiting for ${this.#symbol === undefined ? 'orders' : printable(this.#symbol)}`, width);
  }

  /** The book as it is now, or as it was at the last picture while its writer is busy. */
  #read(levels: number): LadderBook | undefined {
    try {
      this.#symbol ??= this.#firstWithOrders();
      const info = this.#symbol === undefined ? undefined : this.#client.instrument(this.#symbol);
      if (info === undefined) return undefined;
      this.#book = this.#readBook(info, levels) ?? this.#book;
    } catch (error) {
      if (!(error instanceof DepthBusyError)) throw error;
    }
    return this.#book;
  }

  #readBook(info: InstrumentInfo, levels: number): LadderBook | undefined {
    const depth = this.#client.depth(info.instrument, levels);
    if (depth === undefined) return undefined;
    const { name, priceExponent, quantityExponent } = info;
    const { status, timeNs, bids, asks } = depth;
    return { symbol: name, status, state: this.#client.state, timeNs, priceExponent, quantityExponent, bids, asks };
  }

  #firstWithOrders(): string | undefined {
    return this.#client.instruments().find(({ instrument }) => {
      const depth = this.#client.depth(instrument, 1);
      return depth !== undefined && depth.bids.length > 0 && depth.asks.length > 0;
    })?.name;
  }
}
