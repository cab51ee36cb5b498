/** The files of a journal: look at them, check them, mend them. Every call leaves the JavaScript thread free. */
import { parseOptions } from '../config_parse.js';
import { addon } from '../native.js';
import type {
  JournalListing,
  JournalPlace,
  JournalRecord,
  JournalRepair,
  JournalVerification,
} from './native_tools.js';
import {
  type JournalPruneOptionsInput,
  type JournalReadOptionsInput,
  journalPruneOptions,
  journalReadOptions,
} from './options.js';

const page_records = 1_000;

/**
 * Reads every segment, index and checkpoint from the first byte to the last. `folder` here and below is a state folder,
 * or a folder of segments. Rejects where it cannot be read; faults are no rejection.
 */
export function verifyJournal(folder: string): Promise<JournalVerification> {
  return addon.verifyJournal(folder);
}

export interface JournalRepairOptions {
  /** Leave what was damaged beside it, as ".damaged". Default true. */
  keepDamaged?: boolean;
}

/**
 * Mends what `verifyJournal` finds, and keeps every packet that can be read. Rejects where a distributor is at work on
 * the folder.
 */
export function repairJournal(
  folder: string,
  { keepDamaged = true }: JournalRepairOptions = {},
): Promise<JournalRepair[]> {
  return addon.repairJournal(folder, keepDamaged);
}

export function listJournal(folder: string): Promise<JournalListing> {
  return addon.listJournal(folder);
}

/** Resolves to what was removed. Rejects with ConfigError for wrong options, and where a distributor is at work. */
export async function pruneJournal(
  folder: string,
  options: JournalPruneOptionsInput,
): Promise<{ file: string; bytes: bigint }[]> {
  const { retainBytes, retainMs, before, dryRun } = parseOptions(journalPruneOptions, options, 'options');
  const retention = { retainBytes: BigInt(retainBytes), retainNs: BigInt(retainMs) * 1_000_000n, before, dryRun };
  return await addon.pruneJournal(folder, retention);
}

/** The session or the number is not in the journal. */
export class NotInJournalError extends Error {
  override readonly name = 'NotInJournalError';
}

/**
 * The records in order, holes and damage included; ends where nothing more stands there now. Throws ConfigError for
 * wrong options and NotInJournalError.
 */
export async function* readJournal(
  folder: string,
  options: JournalReadOptionsInput = {},
): AsyncGenerator<JournalRecord, void, undefined> {
  const { session = 0n, first = 0n, limit } = parseOptions(journalReadOptions, options, 'options');
  let left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  let place: JournalPlace | undefined;
  let current = session;
  while (left > 0) {
    const request = { session: current, from: first, place, limit: Math.min(left, page_records) };
    const page = await addon.readJournal(folder, request);
    if (!page.found && place !== undefined) throw new NotInJournalError(`a segment was removed while it was read`);
    if (!page.found && !(first === 0n && session === 0n && page.session === 0n))
      throw new NotInJournalError(
        `${folder} holds no ${first === 0n ? '' : `message ${first} of `}session ${page.session || session}`,
      );
    current = page.session;
    yield* page.records;
    left -= page.records.length;
    place = page.next;
    if (place === undefined) return;
  }
}
