/**
 * Datagrams taken apart and made, with nothing but the generated code and the table of docs/protocol.md: a prefix of
 * magic u32, version u16, flags u16, length u32, CRC-32C u32, then one FlatBuffers root.
 */
import * as flatbuffers from 'flatbuffers';
import { type DatagramHead, datagramHead, prefix_bytes } from '../../src/faults/datagram.js';
import { BookMessage, BookMessages, Heartbeat, InstrumentDigest, Packet, Payload } from '../../src/generated/wire.js';
import { addon } from '../../src/native.js';

export { prefix_bytes } from '../../src/faults/datagram.js';

const prefix_magic = 0x54434344;
const wire_version = 1;

/** Throws Error where the prefix is not ours. Checks no CRC and trusts the root: only for what a publisher sent. */
export function packetHead(datagram: Buffer): DatagramHead {
  const head = datagramHead(datagram);
  if (head === undefined) throw new Error(`${datagram.length} bytes without our prefix`);
  return head;
}

export function openPacket(datagram: Buffer): { packet: Packet; bytes: flatbuffers.ByteBuffer } {
  const { packet } = packetHead(datagram);
  return { packet, bytes: packet.bb as flatbuffers.ByteBuffer };
}

/** Sets length and CRC to what the bytes now need. Changes and returns `datagram`. */
export function seal(datagram: Buffer): Buffer {
  datagram.writeUInt32LE(datagram.length - prefix_bytes, 8);
  const covered = Buffer.concat([datagram.subarray(0, 12), datagram.subarray(prefix_bytes)]);
  datagram.writeUInt32LE(addon.crc32c(covered), 12);
  return datagram;
}

export interface PacketFields {
  channel: number;
  session: bigint;
  first: bigint;
  /** Said to be the number of messages; the right one unless given. */
  count?: number;
  position: bigint;
  time?: bigint;
}

function finish(
  builder: flatbuffers.Builder,
  fields: PacketFields,
  count: number,
  type: Payload,
  payload: flatbuffers.Offset,
): Buffer {
  Packet.startPacket(builder);
  Packet.addChannel(builder, fields.channel);
  Packet.addSession(builder, fields.session);
  Packet.addFirstSequence(builder, fields.first);
  Packet.addCount(builder, fields.count ?? count);
  Packet.addBaseTime(builder, fields.time ?? 0n);
  Packet.addSendTime(builder, BigInt(Date.now()) * 1_000_000n);
  Packet.addInputPosition(builder, fields.position);
  Packet.addPayloadType(builder, type);
  Packet.addPayload(builder, payload);
  builder.finish(Packet.endPacket(builder));
  const datagram = Buffer.concat([Buffer.alloc(prefix_bytes), builder.asUint8Array()]);
  datagram.writeUInt32LE(prefix_magic, 0);
  datagram.writeUInt16LE(wire_version, 4);
  return seal(datagram);
}

export interface BookMessageFields {
  orderId: bigint;
  price: bigint;
  quantity: bigint;
  instrument: number;
  instrumentSequence: number;
  kind: number;
  side: number;
  flags: number;
}

/** A sound packet of book messages: right CRC, right structure, whatever it says. */
export function bookPacket(fields: PacketFields, messages: readonly BookMessageFields[]): Buffer {
  const builder = new flatbuffers.Builder(1_024);
  BookMessages.startMessagesVector(builder, messages.length);
  for (const message of [...messages].reverse())
    BookMessage.createBookMessage(
      builder,
      message.orderId,
      message.price,
      message.quantity,
      0,
      message.instrument,
      message.instrumentSequence,
      message.kind,
      message.side,
      message.flags,
    );
  const vector = builder.endVector();
  BookMessages.startBookMessages(builder);
  BookMessages.addMessages(builder, vector);
  const payload = BookMessages.endBookMessages(builder);
  return finish(builder, fields, messages.length, Payload.BookMessages, payload);
}

export interface HeartbeatFields {
  digest: bigint;
  digestValid: boolean;
  endOfSession?: boolean;
  instruments?: readonly { instrument: number; instrumentSequence: number; digest: bigint }[];
}

/** A sound heartbeat; `fields.first` is the number that the next message will carry. */
export function heartbeatPacket(fields: PacketFields, heartbeat: HeartbeatFields): Buffer {
  const builder = new flatbuffers.Builder(512);
  const instruments = heartbeat.instruments ?? [];
  Heartbeat.startInstrumentsVector(builder, instruments.length);
  for (const { digest, instrument, instrumentSequence } of [...instruments].reverse())
    InstrumentDigest.createInstrumentDigest(builder, digest, instrument, instrumentSequence);
  const vector = builder.endVector();
  const payload = Heartbeat.createHeartbeat(
    builder,
    heartbeat.digest,
    heartbeat.digestValid,
    heartbeat.endOfSession ?? false,
    0n,
    vector,
  );
  return finish(builder, fields, 0, Payload.Heartbeat, payload);
}
