/** `depthcast start`: a simulated exchange, a distributor and a client with a live ladder, each run as a user would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { screen } from '../view/terminal.js';
import { Child } from './child.js';
import type { CommandEnd } from './command.js';
import { exit_failure, say, UsageError } from './failure.js';
import { chooseLines, readOptions, toFlags } from './options.js';
import { start_rules, startCommandOptions } from './start_options.js';
import { listenForStop, type Stopping, within } from './stopping.js';
import { checkSymbol } from './subscribe_options.js';

type StartOptions = z.output<typeof startCommandOptions>;

/** Longer than either process takes to end in order. */
const end_ms_max = 8_000;
/** A process may hear of Ctrl-C, or see the end of the session, before we do. */
const hear_ms = 500;

const engine_program = fileURLToPath(new URL('../matching_engine/engine.js', import.meta.url));
/** Events a second of the engine where no rate is given: as the simulated exchange in real time. */
const engine_rate = 20_000;

function serveParameters(options: StartOptions, session: bigint, source: string): string[] {
  const { lines: _1, symbol: _2, levels: _3, intervalMs: _4, source: _5, lineA, lineB, ...shared } = options;
  const flags = toFlags({ ...shared, session, lineA, lineB, waitSubscribers: 1, exitAtEnd: true, statusMs: 0 });
  return ['serve', '--source', source, '--lines', linesOf(options), ...flags];
}

function engineParameters({ rate, simulate }: StartOptions, source: string): string[] {
  const { symbols, liveOrders } = simulate;
  // Its seed has 32 bits.
  const seed = BigInt.asUintN(32, simulate.seed);
  const flow = { seed, instruments: Math.min(symbols, 1_000), 'live-orders': Math.min(liveOrders, 1_000_000) };
  const flags = { to: source, rate: Math.ceil(rate) || engine_rate, ...flow };
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

function subscribeParameters(options: StartOptions, session: bigint, view: 'ladder' | 'status'): string[] {
  const { channel, interface: address, control, gateway, symbol, levels, intervalMs, wait } = options;
  const address_of = (line: StartOptions['lineA']) => (line === null ? null : { group: line.group, port: line.port });
  const lines = { lineA: address_of(options.lineA), lineB: address_of(options.lineB) };
  const shared = { channel, interface: address, control, session, wait, ...lines };
  const note = gateway.port === null ? '' : `page: http://${gateway.host}:${gateway.port}/`;
  const flags = toFlags({ ...shared, symbol, levels, intervalMs, view, note, exitAtEndOfSession: true });
  return ['subscribe', '--lines', linesOf(options), ...flags];
}

function linesOf({ lineA, lineB }: StartOptions): string {
  return `${lineA === null ? '' : 'A'}${lineB === null ? '' : 'B'}`;
}

/** Until the user, or one of the two, ends it; then the end of both. */
async function supervise(children: readonly Child[], stopping: Stopping): Promise<void> {
  const soon = () =>
    Promise.race([stopping.requested, Promise.all(children.map(({ exited }) => exited)), delay(hear_ms)]);
  await Promise.race([stopping.requested, ...children.map(({ exited }) => exited)]);
  if (stopping.reason === undefined) await soon();
  for (const child of children) child.stop();
  try {
    await within(end_ms_max, Promise.all(children.map(({ exited }) => exited)));
  } catch {
    for (const child of children) child.kill();
    await Promise.all(children.map(({ exited }) => exited));
  }
}

/** Rejects with ConfigError or UsageError for wrong options. */
export async function start(given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(startCommandOptions, given, start_rules, chooseLines);
  checkSymbol(options.symbol);
  // The client is told before the distributor could say which port it got.
  if (new URL(options.control).port === '0') throw new UsageError(`--control is "${options.control}", expected a port`);
  if (options.gateway.port === 0) throw new UsageError('--gateway-port is 0, expected a port');
  const stopping = listenForStop();
  const session = BigInt(Date.now()) * 1_000_000n;
  const terminal = process.stdout.isTTY && process.env.TERM !== 'dumb';
  // On a terminal the ladder has the screen to itself.
  const onStderrLine = terminal ? () => {} : (line: string) => process.stderr.write(`${line}\n`);
  // Of this user alone, and of this run.
  const folder = options.source === 'engine' ? mkdtempSync(join(tmpdir(), 'depthcast-start-')) : undefined;
  const source = folder === undefined ? 'simulate' : `unix:${join(folder, 'engine')}`;
  const distributor = new Child({
    name: 'the distributor',
    parameters: serveParameters(options, session, source),
    stdout: 'ignore',
    onStderrLine,
  });
  const client = new Child({
    name: 'the client',
    parameters: subscribeParameters(options, session, terminal ? 'ladder' : 'status'),
    stdout: 'inherit',
    onStderrLine,
  });
  const children = [distributor, client];
  if (folder !== undefined) {
    const parameters = engineParameters(options, source);
    // First: what it has pushed when it is told to end is still taken.
    children.unshift(
      new Child({ name: 'the engine', program: engine_program, parameters, stdout: 'ignore', onStderrLine }),
    );
  }
  await supervise(children, stopping);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  // A client that died could not give the terminal back.
  if (terminal && client.end === undefined) process.stdout.write(screen.leave);
  const failed = children.filter((child) => !child.endedWell(stopping.reason !== undefined));
  if (failed.length === 0) return { exitCode: 0, reason: 'done', detail: stopping.reason ?? '' };
  for (const child of failed) say(`${child.name} ended: ${child.why}`);
  return { exitCode: exit_failure, reason: 'failed', detail: '' };
}
