/** `depthcast serve`: publishes one channel until its source ends or a signal comes. */
import { getSystemErrorName } from 'node:util';
import { Distributor, type DistributorStats } from '../distributor.js';
import { applyProfile } from '../profile.js';
import { RefusalLines } from '../view/refusal_lines.js';
import { type ServeStatus, serveLine } from '../view/status.js';
import type { CommandEnd } from './command.js';
import { exit_failure, say } from './failure.js';
import { chooseLines, readOptions } from './options.js';
import { serve_rules, serveCommandOptions } from './serve_options.js';
import { dieStopped, listenForStop, type Stopping, within } from './stopping.js';

const refused_pattern = /^(refused\.|addsLost$)/;
const stop_ms_max = 5_000;
const start_ms_max = 2_000;

const prepare = (raw: Record<string, unknown>) => applyProfile('serve', chooseLines(raw));

/** Figures of a distributor in the words of the status line. */
function statusOf(distributor: Distributor, stats: DistributorStats): ServeStatus {
  const { counters, journal, recovery } = stats;
  const errno = Number(counters.lastErrorA || counters.lastErrorB || 0n);
  const journalErrno = Number(journal.lastError ?? 0n);
  const skipped = Object.entries(counters).filter(([name]) => refused_pattern.test(name));
  const waiting = stats.position === 0n ? distributor.options.waitSubscribers - stats.subscribers : 0;
  return {
    sequence: stats.sequence,
    position: stats.position,
    rate: stats.messagesPerSecond,
    datagrams: stats.datagrams,
    sendErrors: stats.datagramsFailed,
    sendErrorLast: errno === 0 ? '' : getSystemErrorName(-errno),
    subscribers: stats.subscribers,
    waitingFor: Math.max(0, waiting),
    liveOrders: counters.liveOrders ?? 0n,
    skipped: skipped.reduce((sum, [, count]) => sum + count, 0n),
    journalMissing: journal.missingMessages ?? 0n,
    journalErrors: journal.writeErrors ?? 0n,
    replicaLost: (recovery.native.unavailable ?? 0n) > 0n && recovery.native.whole === 0n,
    journalErrorLast: journalErrno === 0 ? '' : getSystemErrorName(-journalErrno),
  };
}

function greet(distributor: Distributor): void {
  const { lineA, lineB, source, channel } = distributor.options;
  const lines = [lineA, lineB].flatMap((line) => (line === null ? [] : [`${line.group}:${line.port}`]));
  const control = distributor.control === null ? 'no control service' : `control ${distributor.control}`;
  say(`channel ${channel}, session ${distributor.session}, ${source} to ${lines.join(' and ')}, ${control}`);
  const { continued, reason, position, carriedOrders, carriedSession } = distributor.begin;
  if (distributor.gateway !== null) say(`page: ${distributor.gateway}/`);
  for (const warning of distributor.warnings) say(`warning: ${warning}`);
  if (continued) say(`the session was interrupted and goes on, with the source's message ${position}`);
  else if (reason !== '') say(`a new session: ${reason}`);
  if (carriedSession !== 0n) say(`it opens with ${carriedOrders} orders of session ${carriedSession}`);
}

/** Until the source has ended and nobody wants the process any more. */
async function run(distributor: Distributor, exitAtEnd: boolean, stopping: Stopping): Promise<CommandEnd> {
  const stopped = stopping.requested.then(() => undefined);
  const ended = await Promise.race([distributor.ended, stopped]);
  if (ended?.reason === 'fault') {
    say(ended.message);
    return { exitCode: exit_failure, reason: 'failed', detail: ended.message };
  }
  if (ended !== undefined && !exitAtEnd) {
    say(`${ended.message}; the session has ended, Ctrl-C stops control service and gateway too`);
    await stopped;
  }
  if (stopping.reason === undefined) return { exitCode: 0, reason: 'done', detail: 'end of the source' };
  await within(stop_ms_max, distributor.stop());
  return { exitCode: 0, reason: 'signal', detail: stopping.reason };
}

/** A source that is a pipe may take for ever to open: then the signal ends the process, since nothing else can. */
async function startUnlessStopped(distributor: Distributor, stopping: Stopping): Promise<void> {
  const started = distributor.start();
  await Promise.race([started, stopping.requested]);
  if (stopping.reason === undefined) return;
  try {
    await within(start_ms_max, started);
  } catch {
    await dieStopped(stopping.reason);
  }
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where it cannot start. */
export async function serve(given: Record<string, unknown>): Promise<CommandEnd> {
  const { lines: _, statusMs, ...options } = readOptions(serveCommandOptions, given, serve_rules, prepare);
  const stopping = listenForStop();
  const distributor = new Distributor(options);
  distributor.on('notice', (text) => say(text));
  distributor.on('gatewayError', ({ message }) => say(`warning: ${message}`));
  const refusals = new RefusalLines(say);
  distributor.on('refused', (refusal) => refusals.take(refusal, Date.now()));
  const tell = (prefix: string) => {
    refusals.tick(Date.now());
    say(prefix + serveLine(statusOf(distributor, distributor.stats())));
  };
  let timer: NodeJS.Timeout | undefined;
  distributor.on('engine', ({ kind, engine, refusal, detail }) => {
    if (engine === '') return; // anybody can connect and say nothing: that is counted
    const why = refusal === '' ? '' : `, ${refusal}: ${detail}`;
    say(`engine ${engine} ${kind}${why}`);
  });
  try {
    await startUnlessStopped(distributor, stopping);
    greet(distributor);
    if (statusMs > 0) timer = setInterval(tell, statusMs, '');
    const end = await run(distributor, options.exitAtEnd, stopping);
    clearInterval(timer);
    tell('ended: ');
    return end;
  } finally {
    clearInterval(timer);
    await within(stop_ms_max, distributor.close());
  }
}
