/** `depthcast simulate`: writes the simulated exchange's flow to a file. */
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { addon } from '../native.js';
import { bytes, grouped } from '../view/format.js';
import type { CommandEnd } from './command.js';
import { messageOf, say, UsageError } from './failure.js';
import { readOptions } from './options.js';
import { simulate_rules, simulateCommandOptions } from './simulate_options.js';
import { dieStopped, listenForStop } from './stopping.js';

interface Target {
  /** Where the bytes go. */
  growing: string;
  /** The name that they get when they are complete; undefined for a pipe or device, which is written as it is. */
  name: string | undefined;
}

/** A link is followed: what it names is written, the link stays (/dev/stdout is one). */
async function targetOf(out: string): Promise<Target> {
  const found = await stat(out).catch(() => undefined);
  if (found?.isDirectory()) throw new Error(`cannot write ${out}: it is a folder`);
  if (found !== undefined && !found.isFile()) return { growing: out, name: undefined };
  const name = found === undefined ? out : await realpath(out);
  return { growing: `${name}.${process.pid}.part`, name };
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where the file cannot be written. */
export async function simulate(given: Record<string, unknown>): Promise<CommandEnd> {
  const { out, ...options } = readOptions(simulateCommandOptions, given, simulate_rules);
  if (options.messages === 0n) throw new UsageError('--messages is 0, expected at least 1: a file has an end');
  const stopping = listenForStop();
  const target = await targetOf(out);
  const started_ms = performance.now();
  try {
    const writing = addon.simulateToFile(target.growing, options);
    const messages = await Promise.race([writing, stopping.requested.then(() => undefined)]);
    if (messages === undefined) {
      await removeGrowing(target);
      say(`stopped: ${out} was not written`);
      return dieStopped(stopping.reason ?? 'SIGTERM');
    }
    const { size } = await stat(target.growing);
    if (target.name !== undefined) await rename(target.growing, target.name);
    const length = target.name === undefined ? '' : ` ${bytes(size)},`;
    const seconds = (performance.now() - started_ms) / 1_000;
    say(`${out}: ${grouped(messages)} messages,${length} seed ${options.seed}, ${seconds.toFixed(1)} s`);
    return { exitCode: 0, reason: 'done', detail: out };
  } catch (error) {
    await removeGrowing(target);
    const message = messageOf(error);
    // What the flow needs at least depends on several options at once; only the generator knows.
    if (/^\w+ must be /.test(message)) throw new UsageError(`--${message}`);
    throw new Error(`cannot write ${out}: ${message}`);
  }
}

async function removeGrowing({ growing, name }: Target): Promise<void> {
  if (name !== undefined) await rm(growing, { force: true });
}
