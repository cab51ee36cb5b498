/** `depthcast journal ls|cat|verify|repair|prune`. */
import { listJournal, pruneJournal, readJournal, repairJournal, verifyJournal } from '../journal/journal.js';
import { bytes } from '../view/format.js';
import {
  faultText,
  journalJson,
  listingLines,
  recordLine,
  repairLines,
  verificationLines,
} from '../view/journal_lines.js';
import type { CommandEnd } from './command.js';
import { exit_failure, say, UsageError } from './failure.js';
import {
  journalCatCommandOptions,
  journalLsCommandOptions,
  journalPruneCommandOptions,
  journalRepairCommandOptions,
  journalVerifyCommandOptions,
} from './journal_options.js';
import { readOptions } from './options.js';
import { Output } from './output.js';
import { dieStopped, listenForStop } from './stopping.js';

const flush_ms_max = 60_000;

type Given = Record<string, unknown>;

/** The work, unless a signal comes first: then the process ends by it. */
async function orStopped<Result>(work: Promise<Result>): Promise<Result> {
  const stopping = listenForStop();
  try {
    const stopped = Symbol('stopped');
    const result = await Promise.race([work, stopping.requested.then(() => stopped)]);
    if (result === stopped) return await dieStopped(stopping.reason ?? 'SIGTERM');
    return result as Result;
  } finally {
    stopping.dispose();
  }
}

async function print(lines: readonly string[]): Promise<void> {
  const output = new Output();
  output.write(`${lines.join('\n')}\n`);
  await output.flush(flush_ms_max);
}

function end(sound: boolean, folder: string): CommandEnd {
  return { exitCode: sound ? 0 : exit_failure, reason: sound ? 'done' : 'failed', detail: folder };
}

export async function verify(folder: string, given: Given): Promise<CommandEnd> {
  const { json } = readOptions(journalVerifyCommandOptions, given);
  const result = await orStopped(verifyJournal(folder));
  await print(json ? [journalJson({ folder, ...result })] : verificationLines(folder, result));
  const [first] = result.faults;
  if (first !== undefined) say(`${folder}: ${result.faultsTotal} fault(s), the first: ${faultText(first)}`);
  return end(first === undefined, folder);
}

export async function repair(folder: string, given: Given): Promise<CommandEnd> {
  const { json, keepDamaged } = readOptions(journalRepairCommandOptions, given);
  const repairs = await orStopped(repairJournal(folder, { keepDamaged }));
  await print(json ? [journalJson({ folder, repairs })] : repairLines(folder, repairs));
  return end(true, folder);
}

export async function ls(folder: string, given: Given): Promise<CommandEnd> {
  const { json } = readOptions(journalLsCommandOptions, given);
  const listing = await orStopped(listJournal(folder));
  await print(json ? [journalJson({ folder, ...listing })] : listingLines(listing));
  return end(true, folder);
}

export async function cat(folder: string, given: Given): Promise<CommandEnd> {
  const options = readOptions(journalCatCommandOptions, given);
  const output = new Output();
  let sound = true;
  const copy = async () => {
    let text = '';
    for await (const record of readJournal(folder, options)) {
      sound &&= record.type !== 'damaged';
      text += `${recordLine(record)}\n`;
      if (text.length < 65_536) continue;
      output.write(text);
      text = '';
      await output.flush(flush_ms_max);
      if (!output.open) return;
    }
    output.write(text);
    await output.flush(flush_ms_max);
  };
  await orStopped(copy());
  if (output.failure !== undefined) throw new Error(`cannot write: ${output.failure.message}`);
  if (!sound) say(`${folder}: damaged, see "depthcast journal verify ${folder}"`);
  return end(sound, folder);
}

export async function prune(folder: string, given: Given): Promise<CommandEnd> {
  const { json, ...options } = readOptions(journalPruneCommandOptions, given);
  if (options.retainBytes === 0 && options.retainMs === 0 && options.before === 0n)
    throw new UsageError('one of --retain-bytes, --retain-ms and --before must be given');
  const removed = await orStopped(pruneJournal(folder, options));
  const verb = options.dryRun ? 'would be removed' : 'removed';
  const lines = removed.map(({ file, bytes: size }) => `${file}: ${verb}, ${bytes(Number(size))}`);
  if (lines.length === 0) lines.push(`${folder}: nothing to remove`);
  await print(json ? [journalJson({ folder, dryRun: options.dryRun, removed })] : lines);
  return end(true, folder);
}
