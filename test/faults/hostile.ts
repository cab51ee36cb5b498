/** Packets that a receiver must refuse, made from real ones of the feed that it follows. */
import { Kind, Side } from '../../src/generated/wire.js';
import { bookPacket, heartbeatPacket, openPacket, type PacketFields, prefix_bytes, seal } from './packets.js';
import type { Random } from './random.js';

/** What an attacker who listens knows. */
export interface Overheard {
  /** A packet of book messages, as it was sent. */
  datagram: Buffer;
  channel: number;
  session: bigint;
  /** A number that is about to come. */
  next: bigint;
}

export interface HostileKind {
  name: string;
  /** The subscriber's counter of what was refused so. */
  counter: string;
  make: (heard: Overheard, random: Random) => Buffer;
}

/** An order that is in no book, on an instrument that exists. */
export const forged_order = {
  orderId: 0xdead_beefn,
  price: 1n,
  quantity: 1_000_000n,
  instrument: 1,
  instrumentSequence: 1,
  kind: Kind.add,
  side: Side.bid,
  flags: 3,
};

function fieldsOf({ channel, session, next }: Overheard): PacketFields {
  return { channel, session, first: next, position: 1n };
}

function forged(heard: Overheard, changes: Partial<PacketFields>): Buffer {
  return bookPacket({ ...fieldsOf(heard), ...changes }, [forged_order]);
}

/** A forged packet with one of its bytes or words changed, and its CRC right again. */
function patched(heard: Overheard, patch: (datagram: Buffer) => void): Buffer {
  const datagram = forged(heard, {});
  patch(datagram);
  return seal(datagram);
}

/** Where a field of the root table stands in the datagram. `index` counts the fields of the schema from 0. */
function fieldOffset(datagram: Buffer, index: number): number {
  const { packet, bytes } = openPacket(datagram);
  return prefix_bytes + packet.bb_pos + bytes.__offset(packet.bb_pos, 4 + 2 * index);
}

const payload_type_field = 8;
const payload_field = 9;

/** Where the length of the message vector stands. */
function vectorLengthOffset(datagram: Buffer): number {
  const { bytes } = openPacket(datagram);
  const at = fieldOffset(datagram, payload_field) - prefix_bytes;
  const table = bytes.__indirect(at);
  return prefix_bytes + bytes.__vector(table + bytes.__offset(table, 4)) - 4;
}

function flippedBit(datagram: Buffer, byte: number, random: Random): Buffer {
  const changed = Buffer.from(datagram);
  changed[byte] = (changed[byte] as number) ^ (1 << random.below(8));
  return changed;
}

export const hostile_kinds: readonly HostileKind[] = [
  {
    name: 'another channel',
    counter: 'foreignChannel',
    make: (heard) => forged(heard, { channel: heard.channel + 1 }),
  },
  {
    name: 'an older session',
    counter: 'foreignSession',
    make: (heard) => forged(heard, { session: heard.session - 1n }),
  },
  {
    name: 'a newer session',
    counter: 'foreignSession',
    make: (heard) => forged(heard, { session: heard.session + 1n }),
  },
  { name: 'session 0', counter: 'foreignSession', make: (heard) => forged(heard, { session: 0n }) },
  {
    name: 'the end of another session',
    counter: 'foreignSession',
    make: (heard) =>
      heartbeatPacket(
        { ...fieldsOf(heard), session: heard.session + 7n },
        { digest: 0n, digestValid: true, endOfSession: true },
      ),
  },
  {
    name: 'another version',
    counter: 'packet.wrong_version',
    make: (heard, random) => patched(heard, (datagram) => datagram.writeUInt16LE(random.pick([0, 2, 0xffff]), 4)),
  },
  {
    name: 'another magic',
    counter: 'packet.wrong_magic',
    make: (heard, random) => patched(heard, (datagram) => datagram.writeUInt32LE(random.below(2 ** 30), 0)),
  },
  { name: 'nothing at all', counter: 'packet.too_short', make: () => Buffer.alloc(0) },
  {
    name: 'less than a prefix',
    counter: 'packet.too_short',
    make: ({ datagram }, random) => datagram.subarray(0, 1 + random.below(prefix_bytes - 1)),
  },
  {
    name: 'truncated',
    counter: 'packet.wrong_length',
    make: ({ datagram }, random) => datagram.subarray(0, prefix_bytes + random.below(datagram.length - prefix_bytes)),
  },
  {
    name: 'padded',
    counter: 'packet.wrong_length',
    make: ({ datagram }) => Buffer.concat([datagram, Buffer.alloc(8)]),
  },
  {
    name: 'a bit flipped behind the prefix',
    counter: 'packet.wrong_crc',
    make: ({ datagram }, random) =>
      flippedBit(datagram, prefix_bytes + random.below(datagram.length - prefix_bytes), random),
  },
  {
    name: 'a bit of the CRC or the flags flipped',
    counter: 'packet.wrong_crc',
    make: ({ datagram }, random) => flippedBit(datagram, random.pick([6, 7, 12, 13, 14, 15]), random),
  },
  { name: 'garbage', counter: 'packet.wrong_magic', make: (_heard, random) => random.bytes(16 + random.below(1_400)) },
  {
    name: 'a datagram as large as UDP allows',
    counter: 'packet.wrong_magic',
    make: () => Buffer.alloc(65_507, 0xa5),
  },
  {
    name: 'garbage behind a right prefix',
    counter: 'packet.malformed',
    make: (heard, random) =>
      patched(heard, (datagram) => random.bytes(datagram.length - prefix_bytes).copy(datagram, prefix_bytes)),
  },
  {
    name: 'truncated, with right length and CRC',
    counter: 'packet.malformed',
    make: (heard, random) => {
      const datagram = forged(heard, {});
      return seal(Buffer.from(datagram.subarray(0, prefix_bytes + random.below(datagram.length - 48 - prefix_bytes))));
    },
  },
  {
    name: 'a root outside of the packet',
    counter: 'packet.malformed',
    make: (heard, random) => patched(heard, (datagram) => datagram.writeUInt32LE(0x1_0000 + random.below(2 ** 31), 16)),
  },
  {
    name: 'a payload outside of the packet',
    counter: 'packet.malformed',
    make: (heard) =>
      patched(heard, (datagram) => datagram.writeUInt32LE(0x7fff_fff0, fieldOffset(datagram, payload_field))),
  },
  {
    name: 'more messages than there are bytes',
    counter: 'packet.malformed',
    make: (heard, random) =>
      patched(heard, (datagram) =>
        datagram.writeUInt32LE(random.pick([2, 1_000, 0xffff_ffff]), vectorLengthOffset(datagram)),
      ),
  },
  {
    name: 'a payload of unknown type',
    counter: 'packet.unknown_payload',
    make: (heard) => patched(heard, (datagram) => datagram.writeUInt8(99, fieldOffset(datagram, payload_type_field))),
  },
  {
    name: 'a count that is not the number of messages',
    counter: 'packet.inconsistent',
    make: (heard, random) => forged(heard, { count: random.pick([0, 2, 223, 224, 65_535]) }),
  },
  {
    name: 'a number beyond all numbers',
    counter: 'packet.inconsistent',
    make: (heard, random) => forged(heard, { first: random.pick([0n, 2n ** 63n, 2n ** 64n - 1n]) }),
  },
  {
    name: 'a position beyond all positions',
    counter: 'packet.inconsistent',
    make: (heard) => forged(heard, { position: 2n ** 64n - 1n }),
  },
  {
    name: 'messages far ahead',
    counter: 'implausible',
    make: (heard, random) => forged(heard, { first: heard.next + 2n ** BigInt(33 + random.below(29)) }),
  },
  {
    name: 'the end of this session far ahead',
    counter: 'implausible',
    make: (heard) =>
      heartbeatPacket(
        { ...fieldsOf(heard), first: heard.next + 2n ** 40n },
        { digest: 0n, digestValid: true, endOfSession: true },
      ),
  },
];
