/** `depthcast replay`: a range of a journal or an ITCH file, again. */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ReplayOptionsInput } from '../replay/options.js';
import { Replay, type ReplayEnd, type ReplayMissing, type ReplayProgress } from '../replay/replay.js';
import type { UpdateBatch } from '../updates.js';
import { csv_head, csvLine } from '../view/csv_lines.js';
import { updateLine } from '../view/json_lines.js';
import { progressLine } from '../view/progress_bar.js';
import type { CommandEnd } from './command.js';
import { exit_failure, messageOf, say, UsageError } from './failure.js';
import { chooseLines, readOptions } from './options.js';
import { type ReplayCommandOptions, replay_rules, replayCommandOptions } from './replay_options.js';
import { listenForStop, type Stopping } from './stopping.js';

const piece_messages = 1_024;
const missing_told_max = 50;
const bar_every_ms = 100;

/** Text to a stream, no faster than that takes it. Rejects where it breaks; a reader that goes away ends it. */
class TextSink {
  closed = false;
  #failure: Error | undefined;

  constructor(
    private readonly stream: Writable,
    private readonly isFile: boolean,
  ) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.closed = true;
      if (error.code !== 'EPIPE' && error.code !== 'EIO') this.#failure = error;
    });
  }

  async write(text: string): Promise<void> {
    this.#check();
    if (this.closed || this.stream.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['drain', 'error', 'close']) this.stream.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'error', 'close']) this.stream.once(event, done);
    });
    this.#check();
  }

  async end(): Promise<void> {
    this.#check();
    if (this.closed) return;
    if (this.isFile) {
      this.stream.end();
      await finished(this.stream);
    } else await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw new Error(`cannot write: ${this.#failure.message}`);
  }
}

/** Rows of one kind, of the wanted symbols. */
class RowPrinter {
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #seen = new Set<string>();
  #headed = false;

  constructor(
    private readonly replay: Replay,
    private readonly sink: TextSink,
    private readonly output: 'json' | 'csv',
    private readonly symbols: readonly string[],
  ) {
    this.#wanted = symbols.length === 0 ? undefined : new Set(symbols);
  }

  async print(batch: UpdateBatch): Promise<void> {
    await this.head();
    const lookup = (instrument: number) => this.replay.instrument(instrument);
    const line = this.output === 'json' ? updateLine : csvLine;
    for (let first = 0; first < batch.count && !this.sink.closed; first += piece_messages) {
      let text = '';
      for (let row = first; row < Math.min(batch.count, first + piece_messages); row++)
        if (this.#isWanted(batch.instrument[row] as number)) text += line(batch, row, lookup);
      if (text !== '') await this.sink.write(text);
    }
  }

  async head(): Promise<void> {
    if (this.#headed || this.output !== 'csv') return;
    this.#headed = true;
    await this.sink.write(csv_head);
  }

  /** Symbols that no definition has named. */
  get unknown(): string[] {
    return this.symbols.filter((symbol) => this.replay.instrument(symbol) === undefined && !this.#seen.has(symbol));
  }

  #isWanted(instrument: number): boolean {
    if (this.#wanted === undefined) return true;
    const name = this.replay.instrument(instrument)?.name;
    if (name === undefined || !this.#wanted.has(name)) return false;
    this.#seen.add(name);
    return true;
  }
}

/** How far it is, where the end is known. */
function shareOf(progress: ReplayProgress, from: bigint, to: bigint | undefined): number | undefined {
  if (progress.sourceBytes !== undefined && progress.sourceBytes > 0n)
    return Number(progress.bytesTaken) / Number(progress.sourceBytes);
  const last = to ?? progress.next - 1n;
  if (progress.next === 0n || last < from) return undefined;
  return Number(progress.at - from) / Math.max(1, Number(last - from));
}

class ProgressBar {
  readonly #begin_ms = performance.now();
  #shown_ms = Number.NEGATIVE_INFINITY;
  #used = false;

  constructor(private readonly options: ReplayCommandOptions) {}

  show(progress: ReplayProgress): void {
    const now_ms = performance.now();
    if (!this.options.progress || !process.stderr.isTTY || now_ms - this.#shown_ms < bar_every_ms) return;
    this.#shown_ms = now_ms;
    this.#used = true;
    const number = (given: string | undefined) =>
      given !== undefined && /^\d+$/.test(given) ? BigInt(given) : undefined;
    const share = shareOf(progress, number(this.options.from) ?? progress.oldest, number(this.options.to));
    const note = progress.timeNs === 0n ? '' : timeText(progress.timeNs);
    const elapsed_s = (now_ms - this.#begin_ms) / 1_000;
    const line = progressLine(
      { share, messages: progress.messages, elapsed_s, note },
      (process.stderr.columns ?? 80) - 1,
    );
    process.stderr.write(`\r\x1b[2K${line}`);
  }

  clear(): void {
    if (this.#used) process.stderr.write('\r\x1b[2K');
    this.#used = false;
  }
}

function timeText(time_ns: bigint): string {
  return new Date(Number(time_ns / 1_000_000n)).toISOString();
}

function missingText({ first, last, why, segment, offset }: ReplayMissing): string {
  const place = segment > 0n ? `, segment ${segment}, offset ${offset}` : '';
  if (first === 0n) return `${why}${place}`;
  return `missing ${first === last ? `${first}` : `${first} to ${last}`}: ${why}${place}`;
}

/** Exactly what was delivered, and what was not. */
function tellEnd({ progress, missing, reason }: ReplayEnd, options: ReplayCommandOptions): void {
  const { session, first, last, messages, snapshotSequence, booksRight, sendFailures, sessionEnded } = progress;
  const range = messages === 0n ? 'nothing' : `${first} to ${last} (${messages} messages)`;
  const ended = sessionEnded ? ', and the end of the session' : '';
  say(`session ${session}: delivered ${range}${ended}${reason === 'stopped' ? '; stopped before its end' : ''}`);
  for (const one of missing.slice(0, missing_told_max)) say(missingText(one));
  if (missing.length > missing_told_max) say(`and ${missing.length - missing_told_max} more that are missing`);
  if (snapshotSequence > 0n) say(`books began with the checkpoint at ${snapshotSequence}`);
  const isRows = options.output === 'json' || options.output === 'csv';
  if (!booksRight && isRows) say('best prices are not to be trusted: messages before the range, or in it, are gone');
  if (sendFailures > 0n) say(`${sendFailures} datagrams were refused by the kernel`);
  if (options.output === 'multicast' && first > 1n && options.snapshotLine === null)
    say(
      `a client needs a snapshot of the state after ${first - 1n}: give --snapshot-line-group, or a recovery service`,
    );
}

/** What the user left out follows from what was given. */
function completed(given: Record<string, unknown>): Record<string, unknown> {
  const output = given.output ?? (given.outJournal === undefined ? 'json' : 'journal');
  return { ...chooseLines(given), output };
}

async function run(replay: Replay, options: ReplayCommandOptions, stopping: Stopping): Promise<CommandEnd> {
  const isFile = options.out !== undefined;
  const sink = new TextSink(isFile ? createWriteStream(options.out as string) : process.stdout, isFile);
  const printer = new RowPrinter(replay, sink, options.output === 'csv' ? 'csv' : 'json', options.instrument);
  const bar = new ProgressBar(options);
  const abort = new AbortController();
  void stopping.requested.then(() => abort.abort());
  const end = await replay
    .run({
      onUpdates: async (batch) => {
        await printer.print(batch);
        if (sink.closed) abort.abort();
      },
      onProgress: (progress) => bar.show(progress),
      signal: abort.signal,
    })
    .finally(() => bar.clear());
  await printer.head();
  await sink.end();
  tellEnd(end, options);
  for (const symbol of printer.unknown) say(`${symbol}: no such symbol was seen`);
  if (sink.closed) return { exitCode: 0, reason: 'closed', detail: 'nobody reads the output' };
  if (end.missing.length > 0 || end.progress.sendFailures > 0n)
    return { exitCode: exit_failure, reason: 'failed', detail: 'something is missing' };
  if (end.reason === 'stopped') return { exitCode: 0, reason: 'signal', detail: stopping.reason ?? '' };
  return { exitCode: 0, reason: 'done', detail: '' };
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where it fails. */
export async function replay(source: string, given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(replayCommandOptions, given, replay_rules, (raw) => ({ ...completed(raw), source }));
  const { out, lines: _1, progress: _2, ...library } = options;
  if (out !== undefined && options.output !== 'json' && options.output !== 'csv')
    throw new UsageError(`--out is "${out}", expected none for ${options.output}`);
  const stopping = listenForStop();
  let opened: Replay;
  try {
    opened = await Replay.open(library as ReplayOptionsInput);
  } catch (error) {
    // The source knows which sessions there are, the target whether it is free.
    if (error instanceof RangeError) throw new UsageError(messageOf(error));
    throw error;
  }
  try {
    return await run(opened, options, stopping);
  } finally {
    opened.close();
  }
}
