/** `depthcast inspect`: what an ITCH 5.0 file holds, and where it breaks. */
import { type ItchFile, openItchFile } from '../itch_source.js';
import { addon, type NativeInspection } from '../native.js';
import { type Inspection, inspectionLines } from '../view/inspection.js';
import type { CommandEnd } from './command.js';
import { exit_failure, say } from './failure.js';
import { inspectCommandOptions } from './inspect_options.js';
import { readOptions } from './options.js';
import { Output } from './output.js';
import { dieStopped, listenForStop } from './stopping.js';

const flush_ms_max = 60_000;

/** A fault of unpacking explains the end of the bytes better than the messages can. */
function faultOf(found: NativeInspection, file: ItchFile): Inspection['fault'] {
  return file.fault ?? found.fault;
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where the file cannot be read. */
export async function inspect(name: string, given: Record<string, unknown>): Promise<CommandEnd> {
  const { json, ...options } = readOptions(inspectCommandOptions, given);
  const stopping = listenForStop();
  const output = new Output();
  // A pipe opens when somebody writes to it, perhaps never.
  const file = await Promise.race([openItchFile(name, options), stopping.requested.then(() => undefined)]);
  if (file === undefined) return dieStopped(stopping.reason ?? 'SIGTERM');
  try {
    const found = await Promise.race([addon.inspectItch(file.take()), stopping.requested.then(() => undefined)]);
    if (found === undefined) return dieStopped(stopping.reason ?? 'SIGTERM');
    const inspection = { ...found, file: name, fault: faultOf(found, file) };
    output.write(`${inspectionLines(inspection, json).join('\n')}\n`);
    await output.flush(flush_ms_max);
    if (inspection.fault === undefined) return { exitCode: 0, reason: 'done', detail: name };
    say(`${name}: breaks at byte ${inspection.fault.offset}: expected ${inspection.fault.expected}`);
    return { exitCode: exit_failure, reason: 'failed', detail: name };
  } finally {
    file.close();
  }
}
