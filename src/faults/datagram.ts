/**
 * What a relay has to know of a datagram, by the generated code and the prefix of docs/protocol.md. Trusts the bytes: it
 * is for what a publisher sent. Pure.
 */
import * as flatbuffers from 'flatbuffers';
import { Heartbeat, Packet, Payload } from '../generated/wire.js';

export const prefix_bytes = 16;
const prefix_magic = 0x54434344;

export interface DatagramHead {
  channel: number;
  session: bigint;
  /** First number; with count 0, the number that the next message will carry. */
  first: number;
  count: number;
  payload: Payload;
  endOfSession: boolean;
  packet: Packet;
}

const heartbeat = new Heartbeat();

/** Undefined where the prefix is not ours. */
export function datagramHead(datagram: Buffer): DatagramHead | undefined {
  if (datagram.length <= prefix_bytes || datagram.readUInt32LE(0) !== prefix_magic) return undefined;
  const bytes = new flatbuffers.ByteBuffer(datagram.subarray(prefix_bytes));
  const packet = Packet.getRootAsPacket(bytes);
  const payload = packet.payloadType();
  return {
    channel: packet.channel(),
    session: packet.session(),
    first: Number(packet.firstSequence()),
    count: packet.count(),
    payload,
    endOfSession: payload === Payload.Heartbeat && (packet.payload(heartbeat) as Heartbeat).endOfSession(),
    packet,
  };
}
