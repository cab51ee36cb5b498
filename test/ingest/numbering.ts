/** Two distributors of one input, and what their journals must agree on: every message and digest under its number. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addJournal } from '../../src/chaos/journal_log.js';
import { MessageLog } from '../../src/chaos/message_log.js';
import type { ServeOptionsInput } from '../../src/config.js';
import type { Distributor } from '../../src/distributor.js';
import { datagramHead } from '../../src/faults/datagram.js';
import { Heartbeat, Payload } from '../../src/generated/wire.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { cutOff } from './cut_off.js';
import { feedDistributor } from './feeds.js';

const session = 77n;

/** Valid digests of a journal's heartbeats, by the number that they refer to. */
function digestsOf(folder: string): Map<bigint, bigint> {
  const digests = new Map<bigint, bigint>();
  const heartbeat = new Heartbeat();
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.dcj'))) {
    const bytes = readFileSync(join(folder, name));
    for (let at = 128; at + 16 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at);
      const head = bytes.readUInt8(at + 4) === 1 ? datagramHead(bytes.subarray(at + 16, at + 16 + length)) : undefined;
      if (head?.packet.payloadType() === Payload.Heartbeat && head.packet.payload(heartbeat) !== null) {
        if (heartbeat.digestValid()) digests.set(head.packet.firstSequence() - 1n, heartbeat.digest());
      }
      at = (at + 16 + length + 7) & ~7;
    }
  }
  return digests;
}

/** A digest as often as can be: which numbers have one depends on how packets were cut, and both journals must have some. */
export function optionsOf(state: string, source: ServeOptionsInput, datagramBytes: number, more: ServeOptionsInput) {
  return { state, session, source: '', digestMessages: 1, heartbeatMs: 20, ...source, ...more, datagramBytes };
}

export type Run = ReturnType<typeof optionsOf>;

export function distributorOf(t: Test, number: number, { datagramBytes, ...options }: Run) {
  return feedDistributor(t, number, { ...options, lineA: { ...linePair(number).A, datagramBytes } });
}

export async function compare(t: Test, folders: [string, string], messages: bigint): Promise<void> {
  const log = new MessageLog();
  const known = folders.map((folder) => addJournal(join(folder, 'journal'), log));
  t.ok((known[0] ?? 0) > Number(messages) * 0.9, `${known[0]} messages`);
  t.equal(known[1], 0, 'the other journal has no number more');
  t.same(log.sessions, [session]);
  t.equal(log.session(session).conflicts, 0, 'every message is the same under its number');
  const [left, right] = folders.map((folder) => digestsOf(join(folder, 'journal'))) as [
    Map<bigint, bigint>,
    Map<bigint, bigint>,
  ];
  const common = [...left.keys()].filter((sequence) => right.has(sequence));
  t.ok(common.length >= 5, `${common.length} digests of the same number`);
  t.same(
    common.filter((sequence) => left.get(sequence) !== right.get(sequence)),
    [],
  );
}

/** As distributorOf(), killed when it has taken so many messages of its source. */
export async function cutOffOf(t: Test, number: number, run: Run, position: bigint): Promise<void> {
  const { datagramBytes, ...options } = run;
  await cutOff(t, { ...options, lineA: { ...linePair(number).A, datagramBytes } }, number, position);
}

/** Started again on what the one that was killed has left. */
export async function resumedOf(t: Test, number: number, run: Run): Promise<Distributor> {
  const resumed = distributorOf(t, number, run);
  await resumed.start();
  t.ok(resumed.begin.continued, resumed.begin.reason);
  return resumed;
}
