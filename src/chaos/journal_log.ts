/**
 * The publisher's journal held against the message log, read here by the tables of docs/recovery.md alone: what stands in it
 * must be what was sent, and fills in what the independent reader's socket had no room for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { datagramHead } from '../faults/datagram.js';
import { hashMessages } from './message_hash.js';
import type { MessageLog } from './message_log.js';

const segment_header_bytes = 128;
const record_header_bytes = 16;
const record_marker = 0x4a44;
const record_packet = 1;

/** Datagrams of one segment, up to the first bytes that are no record. */
function* datagramsOf(segment: Buffer): Generator<Buffer> {
  for (let at = segment_header_bytes; at + record_header_bytes <= segment.length; ) {
    const length = segment.readUInt32LE(at);
    const end = at + record_header_bytes + length;
    if (segment.readUInt16LE(at + 6) !== record_marker || end > segment.length) return;
    if (segment.readUInt8(at + 4) === record_packet) yield segment.subarray(at + record_header_bytes, end);
    at = (end + 7) & ~7;
  }
}

/** Numbers that the log did not have before. Where one differs from what was sent, the log counts a conflict. */
export function addJournal(folder: string, log: MessageLog): number {
  let known = 0;
  for (const session of log.sessions) known -= log.session(session).known;
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.dcj')))
    for (const datagram of datagramsOf(readFileSync(join(folder, name)))) {
      const head = datagramHead(datagram);
      if (head === undefined || head.count === 0) continue;
      const messages = log.session(head.session);
      hashMessages(head, (sequence, high, low) => messages.put(sequence, high, low));
    }
  for (const session of log.sessions) known += log.session(session).known;
  return known;
}
