/** A snapshot's datagrams counted up and digested by docs/protocol.md and docs/recovery.md alone. */
import { Definitions, Payload, SnapshotOrder, SnapshotOrders } from '../../src/generated/wire.js';
import { openPacket } from '../faults/packets.js';
import { mask, mix64 } from '../mix64.js';

function term(instrument: number, order: SnapshotOrder): bigint {
  const place = (BigInt(instrument) << 2n) | BigInt(order.side());
  const identity = mix64(
    place * 0x6a09e667f3bcc909n + order.price() * 0xbb67ae8584caa73bn + order.orderId() * 0x3c6ef372fe94f82bn,
  );
  return mix64(identity + order.quantity() * 0xa54ff53a5f1d36f1n + order.priority() * 0x510e527fade682d1n);
}

function statusTerm(instrument: number, status: number): bigint {
  if (status === 0) return 0n;
  return mix64(BigInt(instrument) * 0x9b05688c2b3e6c1fn + BigInt(status) * 0x1f83d9abfb41bd6bn);
}

export interface SnapshotFound {
  generation: bigint;
  sequence: bigint;
  instruments: number[];
  definitions: number;
  orders: number;
  /** As told, and recomputed over all. */
  channelDigest: bigint;
  digest: bigint;
}

/** Throws where something contradicts itself or a chunk is missing. */
export function readSnapshot(datagrams: readonly Buffer[]): SnapshotFound {
  const parts = new Map<number, { chunks: number; seen: Set<number>; told: bigint; sum: bigint }>();
  let definitions = 0;
  let orders = 0;
  let head: { generation: bigint; sequence: bigint; channelDigest: bigint; instruments: number } | undefined;
  for (const datagram of datagrams) {
    const { packet } = openPacket(datagram);
    if (packet.count() !== 0) throw new Error('a snapshot takes no numbers');
    if (packet.payloadType() === Payload.Definitions) {
      definitions += (packet.payload(new Definitions()) as Definitions).definitionsLength();
      continue;
    }
    if (packet.payloadType() !== Payload.SnapshotOrders) throw new Error('another payload in a snapshot');
    const chunk = packet.payload(new SnapshotOrders()) as SnapshotOrders;
    head ??= {
      generation: chunk.generation(),
      sequence: chunk.lastSequence(),
      channelDigest: chunk.channelDigest(),
      instruments: chunk.instruments(),
    };
    if (chunk.generation() !== head.generation || chunk.lastSequence() !== head.sequence)
      throw new Error('two generations in one answer');
    if (packet.firstSequence() !== head.sequence + 1n) throw new Error('first_sequence is not S + 1');
    const part = parts.get(chunk.instrument()) ?? {
      chunks: chunk.chunks(),
      seen: new Set<number>(),
      told: chunk.digest(),
      sum: statusTerm(chunk.instrument(), chunk.status()),
    };
    part.seen.add(chunk.chunk());
    for (let index = 0; index < chunk.ordersLength(); index++) {
      part.sum += term(chunk.instrument(), chunk.orders(index, new SnapshotOrder()) as SnapshotOrder);
      orders++;
    }
    parts.set(chunk.instrument(), part);
  }
  if (head === undefined) throw new Error('there is no snapshot');
  let digest = 0n;
  for (const [instrument, part] of parts) {
    if (part.seen.size !== part.chunks) throw new Error(`chunks of instrument ${instrument} are missing`);
    if ((part.sum & mask) !== part.told) throw new Error(`the digest of instrument ${instrument} differs`);
    digest += part.sum;
  }
  if (head.instruments !== 0 && parts.size !== head.instruments) throw new Error('instruments are missing');
  return { ...head, instruments: [...parts.keys()], definitions, orders, digest: digest & mask };
}
