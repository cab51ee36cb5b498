/** `depthcast simulate`: writes the simulated exchange's flow to a file. */
import { rename, rm, stat } from 'node:fs/promises';
import { addon } from '../native.js';
import { bytes, grouped } from '../view/format.js';
import type { CommandEnd } from './command.js';
import { messageOf, say, UsageError } from './failure.js';
import { readOptions } from './options.js';
import { simulate_rules, simulateCommandOptions } from './simulate_options.js';
import { listenForStop } from './stopping.js';

/** Where the file grows; it gets its name when it is complete. A pipe or device is written as it is. */
async function growingFile(out: string): Promise<string> {
  const found = await stat(out).catch(() => undefined);
  if (found?.isDirectory()) throw new Error(`cannot write ${out}: it is a folder`);
  return found === undefined || found.isFile() ? `${out}.${process.pid}.part` : out;
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where the file cannot be written. */
export async function simulate(given: Record<string, unknown>): Promise<CommandEnd> {
  const { out, ...options } = readOptions(simulateCommandOptions, given, simulate_rules);
  if (options.messages === 0n) throw new UsageError('--messages is 0, expected at least 1: a file has an end');
  const stopping = listenForStop();
  const growing = await growingFile(out);
  const started_ms = performance.now();
  try {
    const writing = addon.simulateToFile(growing, options);
    const messages = await Promise.race([writing, stopping.requested.then(() => undefined)]);
    if (messages === undefined) {
      await removeGrowing(growing, out);
      say(`stopped: ${out} was not written`);
      return { exitCode: 1, reason: 'signal', detail: stopping.reason ?? '' };
    }
    const { size } = await stat(growing);
    if (growing !== out) await rename(growing, out);
    const seconds = (performance.now() - started_ms) / 1_000;
    say(`${out}: ${grouped(messages)} messages, ${bytes(size)}, seed ${options.seed}, ${seconds.toFixed(1)} s`);
    return { exitCode: 0, reason: 'done', detail: out };
  } catch (error) {
    await removeGrowing(growing, out);
    const message = messageOf(error);
    // What the flow needs at least depends on several options at once; only the generator knows.
    if (/^\w+ must be /.test(message)) throw new UsageError(`--${message}`);
    throw new Error(`cannot write ${out}: ${message}`);
  }
}

async function removeGrowing(growing: string, out: string): Promise<void> {
  if (growing !== out) await rm(growing, { force: true });
}
