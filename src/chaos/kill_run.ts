/**
 * A publisher that is killed again and again under load, at random instants and at named points, and an independent reader
 * of line A: no number may be lost, and none may stand for two messages.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { datagramHead } from '../faults/datagram.js';
import { SeededRandom } from '../faults/random.js';
import { openReceiver } from '../faults/sockets.js';
import { Replay } from '../replay/replay.js';
import { CommandProcess } from './command_process.js';
import { DeliveryCheck } from './delivery_check.js';
import { hashUpdates } from './message_hash.js';
import { MessageLog } from './message_log.js';
import { freeAddresses } from './ports.js';
import { Publication } from './publication.js';

export const crash_points = ['reserve', 'commit', 'send', 'segment', 'checkpoint'] as const;
export type CrashPoint = (typeof crash_points)[number];

/** How often a point is passed before the publisher dies there, at most: packets, segments, checkpoints. */
const passes_max: Record<CrashPoint, number> = {
  reserve: 3_000,
  commit: 3_000,
  send: 1_000,
  segment: 2,
  checkpoint: 3,
};
const load_ms_max = 400;
const live_ms_max = 20_000;
const reach_ms_max = 8_000;
const quiet_ms = 150;

export interface KillOptions {
  seed: number;
  kills: number;
  /** Messages a second. */
  rate: number;
  onKill?: (text: string) => void;
}

export interface KillReport {
  ok: boolean;
  problems: string[];
  kills: Record<CrashPoint | 'instant', number>;
  /** A named point that was not reached in time: killed there at an instant instead. */
  notReached: number;
  sessions: number;
  messages: number;
  /** Datagrams whose numbers jumped forward on line A. */
  jumps: number;
  /** Numbers that were given to two different messages. */
  conflicts: number;
  /** Datagrams that were sent again, byte for byte as before: the publisher died between sending and noting it. */
  sentAgain: number;
  /** Messages that the journal gives back, equal to what was read. */
  journaled: number;
  restart_ms_max: number;
  seconds: number;
}

/** Rejects only where it could not be run. */
export async function runKills({ seed, kills, rate, onKill = () => {} }: KillOptions): Promise<KillReport> {
  const begin_ms = performance.now();
  const random = new SeededRandom(seed);
  const state = await mkdtemp(join(tmpdir(), 'depthcast-kills-'));
  const { from } = await freeAddresses();
  const log = new MessageLog();
  const publication = new Publication(log);
  const reader = await openReceiver(from.A, '127.0.0.1');
  reader.on('message', (datagram) => {
    const head = datagramHead(datagram);
    if (head !== undefined) publication.take('A', head);
  });
  const publisher = new CommandProcess('the publisher', [
    'serve',
    '--lines=A',
    `--line-a-group=${from.A.group}`,
    `--line-a-port=${from.A.port}`,
    '--no-control',
    '--no-gateway-port',
    `--state=${state}`,
    '--source=simulate',
    `--simulate-seed=${seed}`,
    '--simulate-symbols=20',
    '--simulate-live-orders=2000',
    `--rate=${rate}`,
    '--limits-orders=131072',
    '--limits-instruments=1024',
    '--ring-bytes=16MiB',
    '--journal-fsync=never',
    '--journal-segment-bytes=1MiB',
    '--journal-checkpoint-ms=250',
    '--status-ms=0',
  ]);
  const report: KillReport = {
    ok: false,
    problems: [],
    kills: { instant: 0, reserve: 0, commit: 0, send: 0, segment: 0, checkpoint: 0 },
    notReached: 0,
    sessions: 0,
    messages: 0,
    jumps: 0,
    conflicts: 0,
    sentAgain: 0,
    journaled: 0,
    restart_ms_max: 0,
    seconds: 0,
  };
  const last = () => publication.latest?.last ?? 0;
  const until = async (what: string, condition: () => boolean, ms: number): Promise<boolean> => {
    for (const from_ms = performance.now(); !condition(); await delay(2))
      if (performance.now() - from_ms > ms) {
        report.problems.push(`waited ${ms} ms for ${what}: ${publisher.how}: ${publisher.lines.at(-1) ?? ''}`);
        return false;
      }
    return true;
  };
  const goesOn = async (environment: Record<string, string>): Promise<boolean> => {
    const before = last();
    const started_ms = performance.now();
    publisher.start([], environment);
    const alive = await until('new messages', () => last() > before || !publisher.running, live_ms_max);
    report.restart_ms_max = Math.max(report.restart_ms_max, Math.round(performance.now() - started_ms));
    return alive;
  };
  try {
    for (let kill = 0; kill < kills; kill++) {
      // Every other one at an instant, the rest at each point in turn.
      const point = kill % 2 === 0 ? undefined : crash_points[(kill >> 1) % crash_points.length];
      const passes = point === undefined ? 0 : random.between(1, passes_max[point]);
      if (!(await goesOn(point === undefined ? {} : { DEPTHCAST_CRASH_AT: `${point}:${passes}` }))) break;
      const at = point === undefined ? random.between(0, load_ms_max) : reach_ms_max;
      if (point === undefined) await delay(at);
      else {
        const reached = await Promise.race([publisher.exited.then(() => true), delay(at, false, { ref: false })]);
        if (!reached) report.notReached++;
      }
      if (publisher.running) await publisher.kill();
      report.kills[point ?? 'instant']++;
      onKill(`${kill + 1}: ${point === undefined ? `after ${at} ms` : `${point}:${passes}`}, message ${last()}`);
    }
    if (await goesOn({})) {
      await delay(load_ms_max);
      await publisher.stop();
      await delay(quiet_ms);
    }
    await judge(report, publication, log, state);
  } finally {
    await publisher.kill();
    reader.close();
    await rm(state, { recursive: true, force: true, maxRetries: 3 });
  }
  report.seconds = Math.round(performance.now() - begin_ms) / 1_000;
  report.ok = report.problems.length === 0;
  return report;
}

async function judge(report: KillReport, publication: Publication, log: MessageLog, state: string): Promise<void> {
  const { problems } = report;
  const sessions = publication.sessions();
  report.sessions = sessions.length;
  for (const { session, last, jumps, repeats, ended, digestSequence } of sessions) {
    const { conflicts, conflictFirst, holes } = log.session(session);
    report.messages += last;
    report.jumps += jumps;
    report.sentAgain += repeats;
    report.conflicts += conflicts;
    if (jumps > 0 || holes > 0) problems.push(`session ${session}: ${holes} numbers were never sent on line A`);
    if (conflicts > 0) problems.push(`session ${session}: number ${conflictFirst} and others were given twice`);
    if (!ended) problems.push(`session ${session}: no end of session was sent`);
    else if (digestSequence !== last) problems.push(`session ${session}: no digest of message ${last}`);
  }
  if (sessions.length !== 1) problems.push(`${sessions.length} sessions, expected one that goes on`);
  await compareJournal(report, log, state, sessions.at(-1)?.session ?? 0n, sessions.at(-1)?.last ?? 0);
}

/** What a receiver saw, the journal gives back. */
async function compareJournal(
  report: KillReport,
  log: MessageLog,
  state: string,
  session: bigint,
  last: number,
): Promise<void> {
  const check = new DeliveryCheck(log);
  check.startSession(session);
  const replay = await Replay.open({ source: state, session, limits: { orders: 131_072, instruments: 1_024 } });
  try {
    const { missing } = await replay.run({
      onUpdates: (batch) => hashUpdates(batch, (sequence, high, low) => check.take(sequence, high, low)),
    });
    check.finish();
    report.journaled = check.totals.equal;
    report.problems.push(...missing.map(({ first, last, why }) => `journal: ${first} to ${last}: ${why}`));
    report.problems.push(...check.faults.map((fault) => `journal: ${fault}`));
    if (check.next !== last + 1) report.problems.push(`journal: ends before ${check.next}, line A with ${last}`);
  } finally {
    replay.close();
  }
}
