/**
 * One suite for Node and browsers: recorded datagrams through the browser's books, compared with the native replica's,
 * order by order. No Node API in here: node_conformance.test.ts and chromium.test.ts run it.
 */
import { applyPacket, learnPacket, PacketReader, Replica, SnapshotAssembler } from '../../src/browser/parts.js';

export interface ExpectedInstrument {
  instrument: number;
  symbol: string;
  /** Decimal. */
  digest: string;
  state: string;
  status: string;
  instrumentSequence: number;
  /** Each level: price, quantity, orders, then id and quantity of each order in queue order. */
  bids: string[];
  asks: string[];
}

export interface ExpectedBooks {
  /** The last message included. */
  sequence: number;
  digest: string;
  instruments: ExpectedInstrument[];
}

export interface Recording {
  packets: Uint8Array[];
  /** Datagrams of whole generations. */
  snapshots: Uint8Array[][];
  expected: ExpectedBooks[];
}

export interface ConformanceResult {
  packets: number;
  messages: number;
  /** Points at which every order was compared. */
  points: number;
  orders: number;
  digestsChecked: number;
  snapshots: number;
}

const limits = { orders: 65_536, instruments: 1_024 };
const statuses = ['unknown', 'trading', 'halted', 'paused', 'quotation_only'];

class Difference extends Error {}

function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Difference(`${what} is ${found}, expected ${expected}`);
}

function sideText(replica: Replica, instrument: number, side: 'bid' | 'ask'): string[] {
  return Array.from(replica.book.queues(instrument, side), ({ price, quantity, orders, queue }) =>
    [price, quantity, orders, ...queue.flatMap((order) => [order.id, order.quantity])].join(' '),
  );
}

/** Throws at the first difference. Returns how many orders were compared. */
export function compareBooks(replica: Replica, expected: ExpectedBooks): number {
  const at = `after ${expected.sequence}`;
  let orders = 0;
  for (const one of expected.instruments) {
    const { instrument } = one;
    const of = `of instrument ${instrument} ${at}`;
    same(`symbol ${of}`, replica.definition(instrument)?.symbol ?? '', one.symbol);
    same(`state ${of}`, replica.state(instrument), one.state);
    same(`status ${of}`, statuses[replica.book.status(instrument)], one.status);
    same(`instrument sequence ${of}`, replica.book.instrumentSequence(instrument), one.instrumentSequence);
    for (const side of ['bid', 'ask'] as const)
      same(`${side}s ${of}`, sideText(replica, instrument, side).join('\n'), one[`${side}s`].join('\n'));
    same(`digest ${of}`, String(replica.book.instrumentDigest(instrument)), one.digest);
    orders += replica.book.liveOrdersOf(instrument);
  }
  same(`digest ${at}`, String(replica.book.digest()), expected.digest);
  return orders;
}

/** From the first message on. Throws at the first difference. */
export function runStream({ packets, expected }: Recording): ConformanceResult {
  const result = { packets: 0, messages: 0, points: 0, orders: 0, digestsChecked: 0, snapshots: 0 };
  const due = new Map(expected.map((one) => [one.sequence, one]));
  const check = (_: unknown, sequence: number) => {
    const one = due.get(sequence);
    if (one === undefined) return;
    result.points++;
    result.orders += compareBooks(replica, one);
  };
  const replica: Replica = new Replica(limits, { onBook: check, onTrade: check, onDefinition: check });
  follow(replica, packets, 1, result);
  same('points', result.points, due.size);
  same('mismatches', replica.counters.digestsMismatched, 0);
  same('proved', replica.proved, true);
  same('refusals', JSON.stringify(replica.counters.refused), '{}');
  result.digestsChecked = replica.counters.digestsChecked;
  return result;
}

function follow(replica: Replica, packets: Uint8Array[], first: number, result: ConformanceResult): void {
  const reader = new PacketReader();
  let next = first;
  for (const bytes of packets) {
    same('status of a packet', reader.read(bytes), 'ok');
    result.packets++;
    if (reader.count === 0) {
      learnPacket(reader, replica);
      continue;
    }
    const skip = Math.max(0, next - reader.firstSequence);
    if (skip >= reader.count) continue;
    same('first number of a packet', reader.firstSequence + skip, next);
    applyPacket(reader, replica, skip);
    result.messages += reader.count - skip;
    next = reader.firstSequence + reader.count;
  }
}

/** Each snapshot, its datagrams in a shuffled order, then the messages behind it to the end. */
export function runSnapshots({ packets, snapshots, expected }: Recording): ConformanceResult {
  const result = { packets: 0, messages: 0, points: 0, orders: 0, digestsChecked: 0, snapshots: 0 };
  const reader = new PacketReader();
  for (const datagrams of snapshots) {
    const assembler = new SnapshotAssembler({ bytesMax: 64 << 20, instruments: limits.instruments });
    const replica: Replica = new Replica(limits);
    for (const [, bytes] of [...datagrams.entries()].sort(([a], [b]) => ((a * 7_919) % 101) - ((b * 7_919) % 101))) {
      same('status of a datagram', reader.read(bytes), 'ok');
      const offer = assembler.offer(reader);
      if (!['taken', 'complete', 'duplicate'].includes(offer)) throw new Difference(`snapshot: ${offer}`);
    }
    same('completeness of a snapshot', assembler.complete, true);
    same('verdict on a snapshot', assembler.verify(), true);
    same('refusal of a snapshot', assembler.loadInto(replica), 'none');
    const then = expected.find(({ sequence }) => sequence === assembler.sequence);
    if (then !== undefined) result.orders += compareBooks(replica, then);
    follow(replica, packets, assembler.sequence + 1, result);
    result.orders += compareBooks(replica, expected.at(-1) as ExpectedBooks);
    same('mismatches', replica.counters.digestsMismatched, 0);
    result.points++;
    result.snapshots++;
    result.digestsChecked += replica.counters.digestsChecked;
  }
  return result;
}
