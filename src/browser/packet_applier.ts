/** Checked packets and filtered frames onto a replica. */
import type { FrameReader } from './frame_reader.js';
import { add, high, low, numberOf } from './int64.js';
import {
  BookMessage,
  book_message_bytes,
  type Definition,
  flags,
  TradeMessage,
  trade_message_bytes,
} from './messages.js';
import { type PacketReader, payloads } from './packet_reader.js';
import type { Replica } from './replica.js';

const book = new BookMessage();
const trade = new TradeMessage();

/** The messages of a numbered packet from the one with index `skip` on. */
export function applyPacket(packet: PacketReader, replica: Replica, skip = 0): void {
  const { view, firstSequence, count } = packet;
  if (packet.payload === payloads.definitions) {
    for (let index = skip; index < count; index++)
      applyDefinition(packet, replica, packet.definitions[index] as Definition, firstSequence + index);
    return;
  }
  const is_book = packet.payload === payloads.book;
  let details_taken = 0;
  for (let index = 0; index < count; index++) {
    const sequence = firstSequence + index;
    if (!is_book) {
      if (index >= skip) applyTrade(packet, replica, view, packet.items + trade_message_bytes * index, sequence);
      continue;
    }
    const at = packet.items + book_message_bytes * index;
    const has_detail = (view.getUint16(at + 38, true) & flags.detail) !== 0;
    if (index >= skip)
      applyBook(packet, replica, view, at, sequence, has_detail ? packet.details + 8 * details_taken : 0);
    if (has_detail) details_taken++;
  }
}

/** What an unnumbered one tells: repeated definitions, and the publisher's digests. Moves no book. */
export function learnPacket(packet: PacketReader, replica: Replica): void {
  if (packet.payload === payloads.definitions)
    for (const definition of packet.definitions) replica.learnDefinition(definition);
  if (packet.payload !== payloads.heartbeat) return;
  const told = packet.firstSequence - 1;
  if (packet.digestValid) replica.onDigest(told, packet.digestHigh, packet.digestLow);
  const { view } = packet;
  for (let index = 0; index < packet.itemCount; index++) {
    const at = packet.items + 16 * index;
    replica.onInstrumentDigest(
      told,
      view.getUint32(at + 8, true),
      view.getUint32(at + 12, true),
      view.getUint32(at + 4, true),
      view.getUint32(at, true),
    );
  }
}

/** Messages of chosen instruments, from the one with index `skip` on. */
export function applyFiltered(frame: FrameReader, replica: Replica, skip = 0): void {
  const { view } = frame;
  let details_taken = 0;
  for (let index = 0; index < frame.sequenceCount; index++) {
    const sequence = sequenceAt(frame, index);
    if (frame.bookCount === 0) {
      if (index < skip) continue;
      if (frame.tradeCount > 0) applyTrade(frame, replica, view, frame.trades + trade_message_bytes * index, sequence);
      else applyDefinition(frame, replica, frame.definitions[index] as Definition, sequence);
      continue;
    }
    const at = frame.book + book_message_bytes * index;
    const has_detail = (view.getUint16(at + 38, true) & flags.detail) !== 0;
    if (index >= skip)
      applyBook(frame, replica, view, at, sequence, has_detail ? frame.details + 8 * details_taken : 0);
    if (has_detail) details_taken++;
  }
}

/** Number of the message with that index in a filtered frame. */
export function sequenceAt(frame: FrameReader, index: number): number {
  const at = frame.sequences + 8 * index;
  return numberOf(frame.view.getUint32(at + 4, true), frame.view.getUint32(at, true));
}

interface BaseTime {
  baseTimeHigh: number;
  baseTimeLow: number;
}

function applyBook(
  { baseTimeHigh, baseTimeLow }: BaseTime,
  replica: Replica,
  view: DataView,
  at: number,
  sequence: number,
  detail: number,
): void {
  book.read(view, at);
  if (detail !== 0) {
    book.detailLow = view.getUint32(detail, true);
    book.detailHigh = view.getUint32(detail + 4, true);
  }
  add(baseTimeHigh, baseTimeLow, 0, book.timeOffset);
  replica.onBook(book, sequence, high, low);
}

function applyTrade(
  { baseTimeHigh, baseTimeLow }: BaseTime,
  replica: Replica,
  view: DataView,
  at: number,
  sequence: number,
): void {
  trade.read(view, at);
  add(baseTimeHigh, baseTimeLow, 0, trade.timeOffset);
  replica.onTrade(trade, sequence, high, low);
}

function applyDefinition(
  { baseTimeHigh, baseTimeLow }: BaseTime,
  replica: Replica,
  definition: Definition,
  sequence: number,
): void {
  add(baseTimeHigh, baseTimeLow, 0, definition.timeOffset);
  replica.onDefinition(definition, sequence, high, low);
}
