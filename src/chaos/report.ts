/** What a chaos run found. Pure. */
import type { FaultCounters } from '../faults/fault_line.js';
import type { LineName } from '../faults/profile.js';
import type { DeliveryTotals } from './delivery_check.js';
import type { ChaosAction } from './plan.js';

/** How often each way back was used. */
export interface WaysUsed {
  /** Holes of one line that the other line filled, in packets. */
  otherLine: number;
  /** Ranges that retransmission filled. */
  retransmission: number;
  snapshot: number;
  sessionChange: number;
  resume: number;
}

export interface RepairTimes {
  count: number;
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

export interface ChaosReport {
  seed: number;
  ok: boolean;
  /** Why not; none where `ok`. */
  problems: string[];
  themes: string[];
  actions: ChaosAction[];
  seconds: number;
  sessions: { session: string; messages: number }[];
  /** The client's last words. */
  client: { state: string; session: string; sequence: string; digest: string };
  publisher: { session: string; sequence: number; digest: string };
  lines: Record<LineName, FaultCounters & { messagesLost: number }>;
  /** Numbers that neither line brought. */
  lostOnBoth: number;
  delivery: DeliveryTotals;
  ways: WaysUsed;
  repair: RepairTimes | undefined;
  /** Runs this again. */
  command: string;
}

const counted = (count: number, what: string) => (count === 0 ? [] : [`${count.toLocaleString('en-US')} ${what}`]);

/** For people. */
export function reportLines(report: ChaosReport): string[] {
  const { delivery, ways, repair, lines } = report;
  const line = (name: LineName) => {
    const { received, dropped, corrupted, duplicated, reordered, overtakenMax, delayed, messagesLost } = lines[name];
    const faults = [
      ...counted(dropped, 'dropped'),
      ...counted(corrupted, 'corrupted'),
      ...counted(duplicated, 'duplicated'),
      ...counted(reordered, `reordered (by up to ${overtakenMax})`),
      ...counted(delayed, 'delayed'),
    ];
    return `line ${name}: ${received.toLocaleString('en-US')} datagrams, ${faults.join(', ') || 'no faults'}; ${messagesLost.toLocaleString('en-US')} messages lost`;
  };
  const used = [
    ...counted(ways.otherLine, 'from the other line'),
    ...counted(ways.retransmission, 'by retransmission'),
    ...counted(ways.snapshot, 'by snapshot'),
    ...counted(ways.sessionChange, 'changes of session'),
    ...counted(ways.resume, 'resumed'),
  ];
  const text = [
    `seed ${report.seed}: ${report.themes.join(', ')}${report.actions.length === 0 ? '' : `; ${report.actions.map(({ type, at_ms }) => `${type} at ${at_ms} ms`).join(', ')}`}`,
    ...report.sessions.map(
      ({ session, messages }) => `session ${session}: ${messages.toLocaleString('en-US')} messages`,
    ),
    line('A'),
    line('B'),
    `lost on both lines: ${report.lostOnBoth.toLocaleString('en-US')} messages`,
    `ways back: ${used.join(', ') || 'none was needed'}`,
  ];
  if (repair !== undefined && repair.count > 0)
    text.push(
      `time to repair: ${repair.count} holes, median ${repair.p50_ms.toFixed(1)} ms, p99 ${repair.p99_ms.toFixed(1)} ms, longest ${repair.max_ms.toFixed(1)} ms`,
    );
  text.push(
    `delivered: ${delivery.delivered.toLocaleString('en-US')} messages, ${delivery.equal.toLocaleString('en-US')} equal to what was published, ${delivery.appliedTwice} twice, ${delivery.skipped} skipped, ${delivery.different} different, ${delivery.jumped.toLocaleString('en-US')} covered by announced jumps`,
    `client ${report.client.state} at ${report.client.sequence}, digest ${report.client.digest}; publisher at ${report.publisher.sequence}, digest ${report.publisher.digest}`,
  );
  if (report.ok) text.push('all holds');
  else text.push(...report.problems.map((problem) => `problem: ${problem}`), `again: ${report.command}`);
  return text;
}
