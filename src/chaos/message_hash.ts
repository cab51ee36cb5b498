/**
 * Hashes of numbered messages, for the independent check: computed from datagrams by the generated code and the field
 * tables of docs/protocol.md, and from delivered updates, without the addon's decoder. Two 32-bit lanes. Pure.
 */
import type { DatagramHead } from '../faults/datagram.js';
import {
  BookMessage,
  BookMessages,
  Definition,
  Definitions,
  Payload,
  TradeMessage,
  TradeMessages,
} from '../generated/wire.js';
import { message_flags, type UpdateBatch } from '../updates.js';

const kind_definition = 32;

/** Fields in this order, each as two words: the same for a message of any payload. */
export class MessageHasher {
  high = 0;
  low = 0;

  reset(): void {
    this.high = 0x2545f491;
    this.low = 0x6a09e667;
  }

  word(word: number): void {
    this.high = Math.imul(this.high ^ word, 0x85ebca6b);
    this.high ^= this.high >>> 13;
    this.low = Math.imul(this.low + word, 0xc2b2ae35);
    this.low ^= this.low >>> 16;
  }

  words(low: number, high: number): void {
    this.word(low);
    this.word(high);
  }

  big(value: bigint): void {
    this.words(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
  }
}

/** Called for each numbered message of a datagram: its number, and the two lanes of its hash. */
export type OnMessage = (sequence: number, high: number, low: number) => void;

const hasher = new MessageHasher();
const book_messages = new BookMessages();
const book_message = new BookMessage();
const trade_messages = new TradeMessages();
const trade_message = new TradeMessage();
const definitions = new Definitions();
const definition = new Definition();

/** Offsets of docs/protocol.md, in a BookMessage and in a TradeMessage. */
const book_layout = { time: 24, instrument: 28, instrumentSequence: 32, kind: 36, side: 37, flags: 38 };
const trade_layout = { time: 64, instrument: 68, instrumentSequence: 72, kind: 76, side: 77, flags: 78, code: 80 };
/** Of trades: quantity_2 at 16, then price_2 … price_5 from 32. */
const trade_words = [16, 32, 40, 48, 56] as const;

/** Messages of one datagram, in order. */
export function hashMessages({ packet, first, count, payload }: DatagramHead, onMessage: OnMessage): void {
  if (count === 0) return;
  let position = packet.inputPosition();
  const base_time = packet.baseTime();
  const steps = packet.inputStepsLength() > 0;
  const each = (hashOne: (index: number, position: bigint) => void) => {
    for (let index = 0; index < count; index++) {
      if (index > 0) position += steps ? BigInt(packet.inputSteps(index - 1) ?? 1) : 1n;
      hasher.reset();
      hashOne(index, position);
      onMessage(first + index, hasher.high, hasher.low);
    }
  };
  if (payload === Payload.BookMessages) hashBook(packet.payload(book_messages), base_time, each);
  else if (payload === Payload.TradeMessages) hashTrades(packet.payload(trade_messages), base_time, each);
  else if (payload === Payload.Definitions) hashDefinitions(packet.payload(definitions), base_time, each);
}

type Each = (hashOne: (index: number, position: bigint) => void) => void;

function viewOf({ bb }: { bb: import('flatbuffers').ByteBuffer | null }): DataView {
  const bytes = bb?.bytes() ?? new Uint8Array(0);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hashBook(messages: BookMessages, base_time: bigint, each: Each): void {
  const view = viewOf(messages);
  let details = 0;
  each((index, position) => {
    const at = messages.messages(index, book_message)?.bb_pos ?? 0;
    const flags = view.getUint16(at + book_layout.flags, true);
    hasher.big(position);
    hasher.big(BigInt.asUintN(64, base_time + BigInt(view.getUint32(at + book_layout.time, true))));
    hasher.word(view.getUint32(at + book_layout.instrument, true));
    hasher.word(view.getUint32(at + book_layout.instrumentSequence, true));
    hasher.word(view.getUint8(at + book_layout.kind));
    hasher.word(view.getUint8(at + book_layout.side));
    hasher.word(flags);
    // order id, price, quantity
    for (let word = 0; word < 24; word += 8)
      hasher.words(view.getUint32(at + word, true), view.getUint32(at + word + 4, true));
    hasher.big((flags & message_flags.detail) === 0 ? 0n : (messages.details(details++) ?? 0n));
    for (let word = 0; word < 2 * trade_words.length + 1; word++) hasher.word(0);
  });
}

function hashTrades(messages: TradeMessages, base_time: bigint, each: Each): void {
  const view = viewOf(messages);
  each((index, position) => {
    const at = messages.messages(index, trade_message)?.bb_pos ?? 0;
    const words = (offset: number) =>
      hasher.words(view.getUint32(at + offset, true), view.getUint32(at + offset + 4, true));
    hasher.big(position);
    hasher.big(BigInt.asUintN(64, base_time + BigInt(view.getUint32(at + trade_layout.time, true))));
    hasher.word(view.getUint32(at + trade_layout.instrument, true));
    hasher.word(view.getUint32(at + trade_layout.instrumentSequence, true));
    hasher.word(view.getUint8(at + trade_layout.kind));
    hasher.word(view.getUint8(at + trade_layout.side));
    hasher.word(view.getUint16(at + trade_layout.flags, true));
    words(0); // trade id
    words(24); // price
    words(8); // quantity
    hasher.big(0n);
    for (const offset of trade_words) words(offset);
    hasher.word(view.getUint32(at + trade_layout.code, true));
  });
}

function hashDefinitions(messages: Definitions, base_time: bigint, each: Each): void {
  each((index, position) => {
    const one = messages.definitions(index, definition);
    hasher.big(position);
    hasher.big(BigInt.asUintN(64, base_time + BigInt(one?.timeOffset() ?? 0)));
    hasher.word(one?.instrument() ?? 0);
    hasher.word(one?.instrumentSequence() ?? 0);
    hasher.word(kind_definition);
    hasher.word(0);
    hasher.word(message_flags.end_of_event);
    for (let word = 0; word < 8 + 2 * trade_words.length + 1; word++) hasher.word(0);
  });
}

/** The same of delivered updates, row by row. */
export function hashUpdates(batch: UpdateBatch, onMessage: OnMessage): void {
  const columns = new BatchWords(batch);
  for (let row = 0; row < batch.count; row++) {
    hasher.reset();
    columns.hash(row);
    onMessage(Number(batch.sequence[row]), hasher.high, hasher.low);
  }
}

/** The columns as 32-bit words, so that no bigint is made for each field. */
class BatchWords {
  readonly #head: Uint32Array[];
  readonly #tail: Uint32Array[];

  constructor(private readonly batch: UpdateBatch) {
    const words = (column: BigUint64Array | BigInt64Array) =>
      new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
    this.#head = [words(batch.position), words(batch.time)];
    const { orderId, price, quantity, detail, quantity2, price2, price3, price4, price5 } = batch;
    this.#tail = [orderId, price, quantity, detail, quantity2, price2, price3, price4, price5].map(words);
  }

  hash(row: number): void {
    const { batch } = this;
    for (const words of this.#head) hasher.words(words[2 * row] ?? 0, words[2 * row + 1] ?? 0);
    for (const column of [batch.instrument, batch.instrumentSequence, batch.kind, batch.side, batch.flags])
      hasher.word(column[row] ?? 0);
    for (const words of this.#tail) hasher.words(words[2 * row] ?? 0, words[2 * row + 1] ?? 0);
    hasher.word(batch.code[row] ?? 0);
  }
}
