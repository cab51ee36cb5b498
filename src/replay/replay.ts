/** Replays a range of a journal or an ITCH file. The work is done by native threads of the pool, a stretch at a time. */
import { stat } from 'node:fs/promises';
import type { InstrumentInfo } from '../book_types.js';
import { midnightNs, parseOptions, speedFactor } from '../config.js';
import { InstrumentDirectory } from '../instruments.js';
import { type ItchFile, openItchFile } from '../itch_source.js';
import {
  addon,
  type NativeReplayer,
  type NativeReplayMissing,
  type NativeReplayOptions,
  type NativeReplayProgress,
  type UpdateColumns,
} from '../native.js';
import { nativeLimits } from '../native_limits.js';
import { makeBatch, makeColumns, type UpdateBatch } from '../updates.js';
import { checkReplay, placeOf, type ReplayOptions, type ReplayOptionsInput, replayOptions } from './options.js';

const step_ms = 50;
const rows = 65_536;
const sequence_max = 2n ** 64n - 1n;

export type ReplayProgress = NativeReplayProgress & {
  /** Of an ITCH file: its size, where it is a plain file. */
  sourceBytes: bigint | undefined;
};
export type ReplayMissing = NativeReplayMissing;

/** How a replay ended. */
export interface ReplayEnd {
  reason: 'end' | 'stopped';
  progress: ReplayProgress;
  /** What was asked for and did not come. */
  missing: ReplayMissing[];
}

export interface ReplayRun {
  /** Updates, whole events, valid until it settles; the replay waits for it. */
  onUpdates?: (batch: UpdateBatch) => Promise<void> | void;
  /** About twenty times a second. */
  onProgress?: (progress: ReplayProgress) => void;
  /** Ends it early. */
  signal?: AbortSignal;
}

/** Threads: one. Runs once; close() at any moment. */
export class Replay {
  readonly options: ReplayOptions;
  readonly #directory = new InstrumentDirectory();
  readonly #columns: UpdateColumns;
  readonly #native: NativeReplayer;
  readonly #file: ItchFile | undefined;
  readonly #sourceBytes: bigint | undefined;
  #closed = false;

  private constructor(options: ReplayOptions, file: ItchFile | undefined, sourceBytes: bigint | undefined) {
    this.options = options;
    this.#file = file;
    this.#sourceBytes = sourceBytes;
    this.#columns = makeColumns(hasUpdates(options) ? rows : 0);
    this.#native = new addon.Replayer(nativeOptions(options, file), this.#columns);
  }

  /** Rejects with ConfigError for wrong options, with RangeError or Error where the source or the target cannot be had. */
  static async open(given: ReplayOptionsInput): Promise<Replay> {
    const options = parseOptions(replayOptions, given, 'replay options');
    checkReplay(options);
    const { source } = options;
    const found = await stat(source).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'there is no such file or folder' : error.message;
      throw new Error(`cannot open ${source}: ${why}`);
    });
    if (found.isDirectory()) return new Replay(options, undefined, undefined);
    const file = await openItchFile(source, options);
    try {
      const isPlain = found.isFile() && !source.endsWith('.gz');
      return new Replay(options, file, isPlain ? BigInt(found.size) : undefined);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Resolves at the end of the range, or when the signal says so. Rejects where the target cannot take it. */
  async run({ onUpdates, onProgress, signal }: ReplayRun = {}): Promise<ReplayEnd> {
    const native = this.#native;
    let progress = this.progress();
    while (!progress.ended && !this.#stopped(signal)) {
      await native.step(step_ms);
      if (this.#closed) break;
      progress = this.progress();
      await this.#deliver(onUpdates);
      onProgress?.(progress);
    }
    if (this.#closed) throw new Error('this replay was closed');
    native.finish();
    const missing = native.missing();
    const { fault } = this.#file ?? {};
    if (fault !== undefined)
      missing.push({
        first: 0n,
        last: 0n,
        why: `unpacking broke at byte ${fault.offset}: expected ${fault.expected}`,
        segment: 0n,
        offset: fault.offset,
      });
    return { reason: progress.ended ? 'end' : 'stopped', progress: this.progress(), missing };
  }

  /** Any number of times. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.close();
    this.#file?.close();
  }

  /** By number or name; as of the updates delivered so far. */
  instrument(key: string | number): InstrumentInfo | undefined {
    return this.#directory.find(key);
  }

  instruments(): InstrumentInfo[] {
    return this.#directory.all();
  }

  /** Not while a step runs: from the callbacks of run(), before or after it. */
  progress(): ReplayProgress {
    return { ...this.#native.progress(), sourceBytes: this.#sourceBytes };
  }

  #stopped(signal: AbortSignal | undefined): boolean {
    return this.#closed || signal?.aborted === true;
  }

  async #deliver(onUpdates: ReplayRun['onUpdates']): Promise<void> {
    if (!hasUpdates(this.options)) return;
    const batch = makeBatch(this.#columns);
    for (let first = true; !this.#closed; first = false) {
      batch.count = this.#native.drainUpdates();
      if (batch.count === 0) return;
      if (first) this.#directory.replace(this.#native.definitions());
      await onUpdates?.(batch);
    }
  }
}

function hasUpdates({ output }: ReplayOptions): boolean {
  return output === 'json' || output === 'csv' || output === 'updates';
}

function nativeOptions(options: ReplayOptions, file: ItchFile | undefined): NativeReplayOptions {
  const { output, lineA, lineB, snapshotLine, interface: address } = options;
  const from = options.from === undefined ? undefined : placeOf(options.from);
  const to = options.to === undefined ? undefined : placeOf(options.to);
  const multicast = output === 'multicast';
  const lines = multicast ? [lineA, lineB].filter((line) => line !== null) : [];
  // What receivers are to follow comes as it came then; what is stored, as fast as it can.
  const speed = options.speed ?? (multicast && options.rate === 0 ? 'realtime' : 'max');
  return {
    journal: options.source,
    itchDescriptor: file === undefined ? null : file.take(),
    session: options.session === 0n && file !== undefined ? BigInt(Date.now()) * 1_000_000n : options.session,
    channel: options.channel,
    midnightNs: midnightNs({ date: options.date, source: `itch:${options.source}` }, Date.now()),
    fromSequence: from !== undefined && 'sequence' in from ? from.sequence : 1n,
    toSequence: to !== undefined && 'sequence' in to ? to.sequence : sequence_max,
    fromTimeNs: from !== undefined && 'timeNs' in from ? from.timeNs : null,
    toTimeNs: to !== undefined && 'timeNs' in to ? to.timeNs : null,
    speed: speedFactor(speed) ?? 0,
    rate: options.rate,
    lines: lines.map((line) => ({ ...line, interface: address })),
    snapshotLine: multicast && snapshotLine !== null ? { ...snapshotLine, interface: address } : null,
    ttl: options.ttl,
    loop: options.loop,
    datagramBytes: options.datagramBytes,
    outJournal: options.outJournal,
    updates: hasUpdates(options),
    ...nativeLimits(options.limits),
  };
}
