/** Frames as a gateway makes them: generated code, and docs/gateway.md. */
import * as flatbuffers from 'flatbuffers';
import {
  DepthEntry,
  DepthFrame,
  DepthLevel,
  DigestFrame,
  FilteredFrame,
  Frame,
  FramePayload,
  Print,
  PrintFrame,
  SnapshotFrame,
  SnapshotWhy,
} from '../../src/generated/gateway.js';
import { BookMessage, InstrumentDigest, Packet, Payload, SnapshotOrders } from '../../src/generated/wire.js';
import { type BookMessageFields, seal } from '../faults/packets.js';
import { mix64 } from '../mix64.js';

export interface LevelFields {
  price: bigint;
  quantity: bigint;
  orders: number;
  /** 1 bid, 2 ask. */
  side: number;
}

/** From docs/gateway.md alone; bids then asks, best first. */
export function windowHash(levels: readonly LevelFields[], status: number): bigint {
  let hash = 0x9e3779b97f4a7c15n;
  for (const { price, quantity, orders, side } of levels) {
    hash = mix64(hash ^ BigInt.asUintN(64, price));
    hash = mix64(hash ^ quantity);
    hash = mix64(hash ^ (BigInt(orders) + (BigInt(side) << 32n)));
  }
  return mix64(hash ^ BigInt(status));
}

export interface FrameFields {
  channel?: number;
  subscription: number;
  session?: bigint;
  sequence: bigint;
  /** CLOCK_REALTIME ns. */
  sendTime?: bigint;
}

export interface EntryFields {
  first: bigint;
  last: bigint;
  base: bigint;
  hash: bigint;
  instrument: number;
  instrumentSequence: number;
  messages: number;
  full: boolean;
  status: number;
  state?: number;
  levels: readonly LevelFields[];
}

function finish(builder: flatbuffers.Builder, fields: FrameFields, type: FramePayload, payload: number): Buffer {
  const { channel = 1, subscription, session = 7n, sequence, sendTime = 0n } = fields;
  builder.finish(Frame.createFrame(builder, channel, subscription, session, sequence, sendTime, type, payload));
  const root = builder.asUint8Array();
  const block = Buffer.concat([Buffer.alloc(16), root]);
  block.write('DCGF', 0, 'latin1');
  block.writeUInt16LE(1, 4);
  block.writeUInt16LE(subscription, 6);
  block.writeUInt32LE(root.length, 8);
  return block;
}

export function depthBlock(fields: FrameFields, entries: readonly EntryFields[]): Buffer {
  const builder = new flatbuffers.Builder(1_024);
  const levels = entries.flatMap((entry) => entry.levels);
  let end = levels.length;
  DepthFrame.startEntriesVector(builder, entries.length);
  for (const entry of [...entries].reverse()) {
    end -= entry.levels.length;
    const { first, last, base, hash, instrument, instrumentSequence, messages, full, status, state = 0 } = entry;
    const count = entry.levels.length;
    const flag = full ? 1 : 0;
    DepthEntry.createDepthEntry(
      builder,
      first,
      last,
      base,
      hash,
      1_000n + last,
      instrument,
      instrumentSequence,
      messages,
      end,
      count,
      flag,
      status,
      state,
      0,
      0,
    );
  }
  const entries_vector = builder.endVector();
  DepthFrame.startLevelsVector(builder, levels.length);
  for (const { price, quantity, orders, side } of levels.reverse())
    DepthLevel.createDepthLevel(builder, price, quantity, orders, side, 0, 0);
  const levels_vector = builder.endVector();
  const payload = DepthFrame.createDepthFrame(builder, entries_vector, levels_vector);
  return finish(builder, fields, FramePayload.DepthFrame, payload);
}

export function printBlock(fields: FrameFields, sequences: readonly bigint[], others: number): Buffer {
  const builder = new flatbuffers.Builder(1_024);
  PrintFrame.startPrintsVector(builder, sequences.length);
  for (const sequence of [...sequences].reverse())
    Print.createPrint(builder, sequence, sequence + 100n, -5n, 3n, 1_000n, 1, Number(sequence), 16, 1, 1, 0);
  const payload = PrintFrame.createPrintFrame(builder, builder.endVector(), others, 0n);
  return finish(builder, fields, FramePayload.PrintFrame, payload);
}

export function filteredBlock(
  fields: FrameFields,
  previous: bigint,
  messages: readonly (BookMessageFields & { sequence: bigint })[],
): Buffer {
  const builder = new flatbuffers.Builder(1_024);
  const sequences = FilteredFrame.createSequencesVector(
    builder,
    messages.map(({ sequence }) => sequence),
  );
  FilteredFrame.startBookVector(builder, messages.length);
  for (const { orderId, price, quantity, instrument, instrumentSequence, kind, side, flags } of [...messages].reverse())
    BookMessage.createBookMessage(
      builder,
      orderId,
      price,
      quantity,
      0,
      instrument,
      instrumentSequence,
      kind,
      side,
      flags,
    );
  const book = builder.endVector();
  FilteredFrame.startFilteredFrame(builder);
  FilteredFrame.addPrevious(builder, previous);
  FilteredFrame.addSequences(builder, sequences);
  FilteredFrame.addBook(builder, book);
  return finish(builder, fields, FramePayload.FilteredFrame, FilteredFrame.endFilteredFrame(builder));
}

/** The mark of a snapshot that begins, in one part. */
export function markBlock(
  fields: FrameFields,
  {
    generation = 1n,
    covered = 0n,
    part = 0,
    datagrams = 1,
    instruments = 0,
    why = SnapshotWhy.begin,
    last = true,
  } = {},
): Buffer {
  const builder = new flatbuffers.Builder(256);
  const whole = instruments === 0;
  const payload = SnapshotFrame.createSnapshotFrame(
    builder,
    fields.sequence,
    generation,
    covered,
    part,
    datagrams,
    whole,
    instruments,
    why,
    last,
  );
  return finish(builder, fields, FramePayload.SnapshotFrame, payload);
}

export function digestBlock(
  fields: FrameFields,
  digests: readonly { instrument: number; instrumentSequence: number; digest: bigint }[],
): Buffer {
  const builder = new flatbuffers.Builder(256);
  DigestFrame.startDigestsVector(builder, digests.length);
  for (const { digest, instrument, instrumentSequence } of [...digests].reverse())
    InstrumentDigest.createInstrumentDigest(builder, digest, instrument, instrumentSequence);
  const payload = DigestFrame.createDigestFrame(builder, builder.endVector());
  return finish(builder, fields, FramePayload.DigestFrame, payload);
}

/** A whole snapshot after message `sequence`: one chunk of the channel itself, no order, no instrument. */
export function emptySnapshot(sequence: bigint, { session = 7n, generation = 1n, digest = 0n } = {}): Buffer {
  const builder = new flatbuffers.Builder(512);
  const payload = SnapshotOrders.createSnapshotOrders(builder, generation, 0, 0, sequence, 1, 1, 0n, 0, 0, 1, digest);
  Packet.startPacket(builder);
  Packet.addChannel(builder, 1);
  Packet.addSession(builder, session);
  Packet.addFirstSequence(builder, sequence + 1n);
  Packet.addPayloadType(builder, Payload.SnapshotOrders);
  Packet.addPayload(builder, payload);
  builder.finish(Packet.endPacket(builder));
  const datagram = Buffer.concat([Buffer.alloc(16), builder.asUint8Array()]);
  datagram.write('DCCT', 0, 'latin1');
  datagram.writeUInt16LE(1, 4);
  return seal(datagram);
}

/** The same with its mark. */
export function markedSnapshot(
  sequence: bigint,
  { session = 7n, generation = 1n, digest = 0n, subscription = 1, why = SnapshotWhy.begin, covered = 0n } = {},
): Buffer {
  const mark = markBlock({ subscription, session, sequence }, { generation, why, covered });
  return Buffer.concat([mark, emptySnapshot(sequence, { session, generation, digest })]);
}
