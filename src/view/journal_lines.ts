/** What a journal holds and what is wrong with it, as lines for people or as JSON. Pure. */
import type {
  JournalFault,
  JournalListing,
  JournalRecord,
  JournalRepair,
  JournalVerification,
} from '../journal/native_tools.js';
import { bytes, grouped, left, right } from './format.js';

function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** One line; 64-bit values are decimal text, keys are written like_this. */
export function journalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, entry]) => [snake(key), entry]));
  });
}

export function recordLine(record: JournalRecord): string {
  return journalJson(record);
}

function range(first: bigint, last: bigint): string {
  return first === last ? `message ${first}` : `messages ${first} to ${last}`;
}

export function faultText({ file, offset, fault, first, last }: JournalFault): string {
  const missing = first !== undefined && last !== undefined ? `; missing: ${range(first, last)}` : '';
  return `${file}: ${fault} at byte ${offset}${missing}`;
}

function counted(count: bigint | number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${BigInt(count) === 1n ? one : many}`;
}

export function verificationLines(folder: string, result: JournalVerification): string[] {
  const { sessions, segments, checkpoints, packets, messages, holes, faults, faultsTotal } = result;
  const lines = [
    `${folder}: ${counted(sessions, 'session')}, ${counted(segments, 'segment')}, ` +
      `${counted(packets, 'packet')}, ${counted(messages, 'message')}, ${bytes(Number(result.bytes))}, ` +
      `${counted(checkpoints, 'checkpoint')}${result.inUse ? '; in use' : ''}`,
    ...holes.map(({ session, first, last, reason }) => `hole    session ${session}: ${range(first, last)} (${reason})`),
    ...faults.map((fault) => `fault   ${faultText(fault)}`),
  ];
  if (faultsTotal > BigInt(faults.length))
    lines.push(`        and ${grouped(faultsTotal - BigInt(faults.length))} more`);
  lines.push(faultsTotal === 0n ? 'sound   yes' : `sound   no: ${counted(faultsTotal, 'fault')}`);
  return lines;
}

export function repairLines(folder: string, repairs: readonly JournalRepair[]): string[] {
  if (repairs.length === 0) return [`${folder}: nothing to repair`];
  return repairs.map(({ file, action, packets, missing }) => {
    const kept = action === 'rewritten' ? `, ${counted(packets, 'packet')} kept` : '';
    return `${file}: ${action}${kept}${missing > 0n ? `, ${counted(missing, 'message')} missing` : ''}`;
  });
}

function isoTime(ns: bigint): string {
  if (ns === 0n) return '-';
  const ms = ns / 1_000_000n;
  // Event times may be anything that fits 64 bits.
  return ms > 8_640_000_000_000_000n || ms < 0n ? `${ns} ns` : new Date(Number(ms)).toISOString();
}

function table(rows: readonly (readonly string[])[], numeric: readonly boolean[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (numeric[column] ? right : left)(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function listingLines({ sessions, segments, checkpoints }: JournalListing): string[] {
  const lines = table(
    [
      ['SESSION', 'CHANNEL', 'FIRST', 'NEXT', 'SEGMENTS', 'BYTES', 'STATE', 'EVENTS FROM', 'TO'],
      ...sessions.map((session) => [
        String(session.session),
        String(session.channel),
        String(session.first),
        String(session.next),
        String(session.segments),
        bytes(Number(session.bytes)),
        session.closed ? 'closed' : 'open',
        isoTime(session.firstTimeNs),
        isoTime(session.lastTimeNs),
      ]),
    ],
    [false, true, true, true, true, true, false, false, false],
  );
  if (segments.length > 0)
    lines.push(
      '',
      ...table(
        [
          ['SEGMENT', 'FIRST', 'NEXT', 'BYTES', 'STATE'],
          ...segments.map(({ file, first, next, bytes: size, closed, sound }) => [
            file,
            sound ? String(first) : '?',
            closed ? String(next) : '-',
            bytes(Number(size)),
            sound ? (closed ? 'closed' : 'open') : 'damaged header',
          ]),
        ],
        [false, true, true, true, false],
      ),
    );
  if (checkpoints.length > 0)
    lines.push(
      '',
      ...table(
        [
          ['CHECKPOINT', 'AFTER', 'BYTES'],
          ...checkpoints.map(({ file, sequence, bytes: size }) => [file, String(sequence), bytes(Number(size))]),
        ],
        [false, true, true],
      ),
    );
  return lines;
}
