/**
 * What the peers carry: the simulated exchange's messages in the 40 bytes of depthcast's own book message (little-endian:
 * order id, price, quantity u64; time, instrument, sequence u32; kind, side u8; flags u16). Time is when the message was
 * due, in ns from the start of the slice; sequence counts from its start; flags hold the number of the slice.
 */
import { Kind, Side } from 'depthcast';
import { type ItchMessage, ItchReader } from '../../test/reference/itch_reader.js';

export const message_bytes = 40;
/** As many as fill a datagram of depthcast's. */
export const packet_messages = 29;
/** What depthcast's datagrams hold besides: 1,400 bytes in all where they are full. */
export const packet_header_bytes = 1_400 - packet_messages * message_bytes;

export const field = {
  order: 0,
  price: 8,
  quantity: 16,
  time: 24,
  instrument: 28,
  sequence: 32,
  kind: 36,
  side: 37,
  flags: 38,
};

export interface BookMessage {
  order: number;
  price: number;
  quantity: number;
  instrument: number;
  kind: number;
  side: number;
}

/** Those that change a book; a replace is two. */
export function bookMessages(itch: Uint8Array, count: number): BookMessage[] {
  const orders = new Map<number, BookMessage>();
  const messages: BookMessage[] = [];
  for (const message of new ItchReader(Buffer.from(itch)).messages()) {
    for (const each of expand(message, orders)) messages.push(each);
    if (messages.length >= count) break;
  }
  if (messages.length < count) throw new Error(`the source has ${messages.length} book messages, not ${count}`);
  return messages.slice(0, count);
}

function expand(message: ItchMessage, orders: Map<number, BookMessage>): BookMessage[] {
  const instrument = message.locate;
  const add = (order: number, side: string, quantity: number, price: number): BookMessage => {
    const added = { order, price, quantity, instrument, kind: Kind.add, side: side === 'B' ? Side.bid : Side.ask };
    orders.set(order, added);
    return added;
  };
  const reduce = (order: number, kind: number, quantity?: number): BookMessage[] => {
    const known = orders.get(order);
    return known === undefined ? [] : [{ ...known, kind, quantity: quantity ?? 0 }];
  };
  switch (message.type) {
    case 'A':
    case 'F':
      return [add(message.reference, message.side, message.shares, message.price)];
    case 'E':
    case 'C':
      return reduce(message.reference, Kind.execute, message.shares);
    case 'X':
      return reduce(message.reference, Kind.modify, message.shares);
    case 'D':
      return reduce(message.reference, Kind.delete_order);
    case 'U': {
      const side = orders.get(message.reference)?.side === Side.bid ? 'B' : 'S';
      const gone = reduce(message.reference, Kind.delete_order);
      return [...gone, add(message.new_reference, side, message.shares, message.price)];
    }
    default:
      return [];
  }
}

/** Writes all but time, sequence and flags. */
export function writeMessage(view: DataView, offset: number, message: BookMessage): void {
  view.setBigUint64(offset + field.order, BigInt(message.order), true);
  view.setBigInt64(offset + field.price, BigInt(message.price), true);
  view.setBigUint64(offset + field.quantity, BigInt(message.quantity), true);
  view.setUint32(offset + field.instrument, message.instrument, true);
  view.setUint8(offset + field.kind, message.kind);
  view.setUint8(offset + field.side, message.side);
}

export function read32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] ?? 0) |
      ((bytes[offset + 1] ?? 0) << 8) |
      ((bytes[offset + 2] ?? 0) << 16) |
      ((bytes[offset + 3] ?? 0) << 24)) >>>
    0
  );
}
