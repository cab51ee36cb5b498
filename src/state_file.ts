/** What a distributor writes down so that a restart finds the same source: `session.json` of the state folder. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { midnightNs, type ServeOptions } from './config.js';

const file_bytes_max = 65_536;

const remembered = z.object({
  version: z.literal(1),
  session: z.string(),
  source: z.string(),
  /** Day (UTC) whose midnight the source's times count from. */
  date: z.string(),
  /** The session has ended in good order. */
  ended: z.boolean().default(false),
  /** All that the source had was published: under the same name comes something else, from position 1. */
  finished: z.boolean().default(false),
  /** Of the last session that did, before this one. */
  endedSource: z.string().default(''),
});

/** What the source is, and the midnight that its times count from. */
export interface SourceIdentity {
  source: string;
  midnightNs: bigint;
  /** 64-bit hash of all that decides what it gives. */
  hash: bigint;
  /** Of the last session that ended in good order; empty where that source had no more to give. */
  endedSource: string;
  /** It is that one: its positions go on. */
  goesOn: boolean;
}

function fileOf(folder: string): string {
  return join(folder, 'session.json');
}

function read(folder: string): z.output<typeof remembered> | undefined {
  try {
    const text = readFileSync(fileOf(folder), 'utf8');
    if (text.length > file_bytes_max) return undefined;
    const parsed = remembered.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Nothing that can be understood: then nothing is remembered, and the restart begins a new session.
    return undefined;
  }
}

/** A run that was cut off yesterday goes on with yesterday's midnight. `source`: Source.identity; `nowMs` as of Date.now(). */
export function identifySource(options: ServeOptions, source: string, nowMs: number): SourceIdentity {
  const before = options.state === '' ? undefined : read(options.state);
  const endedBefore = before?.finished ? '' : before?.source;
  const endedSource = (before?.ended ? endedBefore : before?.endedSource) ?? '';
  const date = options.date ?? (before?.source === source && !before.ended ? before.date : undefined);
  const midnight = midnightNs({ source: options.source, date }, nowMs);
  const digest = createHash('sha256').update(`${source}\n${midnight}`).digest();
  return { source, midnightNs: midnight, hash: digest.readBigUInt64LE(), endedSource, goesOn: endedSource === source };
}

/** Written before the session begins, in one step: a crash leaves the old file or the new one. */
export function rememberSource(
  folder: string,
  session: bigint,
  { source, midnightNs: midnight, endedSource }: SourceIdentity,
): void {
  const date = new Date(Number(midnight / 1_000_000n)).toISOString().slice(0, 10);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  write(folder, { version: 1, session: String(session), source, date, ended: false, endedSource });
}

function write(folder: string, content: z.input<typeof remembered>): void {
  const file = fileOf(folder);
  writeFileSync(`${file}.new`, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * The session has ended in good order: the next one is a new one, of its own day. `finished`: all that can be read of the
 * source was.
 */
export function endSource(folder: string, finished: boolean): void {
  const before = read(folder);
  if (before !== undefined) write(folder, { ...before, ended: true, finished });
}
