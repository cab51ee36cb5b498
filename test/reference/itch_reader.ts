/**
 * Nasdaq TotalView-ITCH 5.0, read and written from one table of fields. Part of the reference that tests compare the
 * native code with: it shares no code with it, and prefers being obviously right to being fast.
 *
 * A file is a run of messages, each after its length as a big-endian u16. Integers are big-endian and unsigned, prices
 * are in 1/10,000 (MWCB levels in 1/100,000,000), text is padded with spaces on the right, timestamps are ns since
 * midnight.
 */

/** Exact length in bytes of each message, type byte included, as the specification's tables give it. */
export const message_length = {
  S: 12, // system event
  R: 39, // stock directory
  H: 25, // stock trading action
  Y: 20, // Reg SHO restriction
  L: 26, // market participant position
  V: 35, // market-wide circuit breaker: levels
  W: 12, // market-wide circuit breaker: breached
  K: 28, // IPO quotation release
  J: 35, // limit up, limit down: auction collar
  h: 21, // operational halt
  A: 36, // add order
  F: 40, // add order with market participant
  E: 31, // order executed
  C: 36, // order executed with price
  X: 23, // order cancel (part of it)
  D: 19, // order delete
  U: 35, // order replace
  P: 44, // trade against a hidden order
  Q: 40, // cross trade
  B: 19, // broken trade
  I: 50, // net order imbalance
  N: 20, // retail price improvement
  O: 48, // direct listing with capital raise: price discovery
} as const;

export type MessageType = keyof typeof message_length;
export const message_types = Object.keys(message_length) as MessageType[];

/** Bid ("B") or ask ("S"), as ITCH's buy/sell indicator says it. */
export type Side = 'B' | 'S';

type Kind = 'u16' | 'u32' | 'u64' | 'side' | 'a1' | 'a2' | 'a4' | 'a8';
type Field = readonly [name: string, kind: Kind];
const kind_length = { u16: 2, u32: 4, u64: 8, side: 1, a1: 1, a2: 2, a4: 4, a8: 8 } as const;

/** Every message starts so: type, stock locate u16, tracking number u16, timestamp u48. */
export const header_length = 11;

/** The fields after the header, in the order of the wire. */
const layout = {
  S: [['event', 'a1']],
  R: [
    ['stock', 'a8'],
    ['market_category', 'a1'],
    ['financial_status', 'a1'],
    ['round_lot_size', 'u32'],
    ['round_lots_only', 'a1'],
    ['issue_classification', 'a1'],
    ['issue_subtype', 'a2'],
    ['authenticity', 'a1'],
    ['short_sale_threshold', 'a1'],
    ['ipo_flag', 'a1'],
    ['luld_tier', 'a1'],
    ['etp_flag', 'a1'],
    ['etp_leverage', 'u32'],
    ['inverse', 'a1'],
  ],
  H: [
    ['stock', 'a8'],
    ['trading_state', 'a1'],
    ['reserved', 'a1'],
    ['reason', 'a4'],
  ],
  Y: [
    ['stock', 'a8'],
    ['action', 'a1'],
  ],
  L: [
    ['participant', 'a4'],
    ['stock', 'a8'],
    ['primary_market_maker', 'a1'],
    ['market_maker_mode', 'a1'],
    ['participant_state', 'a1'],
  ],
  V: [
    ['level_1', 'u64'],
    ['level_2', 'u64'],
    ['level_3', 'u64'],
  ],
  W: [['level', 'a1']],
  K: [
    ['stock', 'a8'],
    ['release_time', 'u32'],
    ['release_qualifier', 'a1'],
    ['price', 'u32'],
  ],
  J: [
    ['stock', 'a8'],
    ['reference_price', 'u32'],
    ['upper_price', 'u32'],
    ['lower_price', 'u32'],
    ['extension', 'u32'],
  ],
  h: [
    ['stock', 'a8'],
    ['market_code', 'a1'],
    ['action', 'a1'],
  ],
  A: [
    ['reference', 'u64'],
    ['side', 'side'],
    ['shares', 'u32'],
    ['stock', 'a8'],
    ['price', 'u32'],
  ],
  F: [
    ['reference', 'u64'],
    ['side', 'side'],
    ['shares', 'u32'],
    ['stock', 'a8'],
    ['price', 'u32'],
    ['participant', 'a4'],
  ],
  E: [
    ['reference', 'u64'],
    ['shares', 'u32'],
    ['match_number', 'u64'],
  ],
  C: [
    ['reference', 'u64'],
    ['shares', 'u32'],
    ['match_number', 'u64'],
    ['printable', 'a1'],
    ['price', 'u32'],
  ],
  X: [
    ['reference', 'u64'],
    ['shares', 'u32'],
  ],
  D: [['reference', 'u64']],
  U: [
    ['reference', 'u64'],
    ['new_reference', 'u64'],
    ['shares', 'u32'],
    ['price', 'u32'],
  ],
  P: [
    ['reference', 'u64'],
    ['side', 'side'],
    ['shares', 'u32'],
    ['stock', 'a8'],
    ['price', 'u32'],
    ['match_number', 'u64'],
  ],
  Q: [
    ['shares', 'u64'],
    ['stock', 'a8'],
    ['price', 'u32'],
    ['match_number', 'u64'],
    ['cross_type', 'a1'],
  ],
  B: [['match_number', 'u64']],
  I: [
    ['paired_shares', 'u64'],
    ['imbalance_shares', 'u64'],
    ['imbalance_direction', 'a1'],
    ['stock', 'a8'],
    ['far_price', 'u32'],
    ['near_price', 'u32'],
    ['reference_price', 'u32'],
    ['cross_type', 'a1'],
    ['price_variation', 'a1'],
  ],
  N: [
    ['stock', 'a8'],
    ['interest', 'a1'],
  ],
  O: [
    ['stock', 'a8'],
    ['open_eligibility', 'a1'],
    ['minimum_price', 'u32'],
    ['maximum_price', 'u32'],
    ['near_price', 'u32'],
    ['near_price_time', 'u64'],
    ['lower_collar_price', 'u32'],
    ['upper_collar_price', 'u32'],
  ],
} as const satisfies Record<MessageType, readonly Field[]>;

type ValueOf<K extends Kind> = K extends 'side' ? Side : K extends 'u16' | 'u32' | 'u64' ? number : string;
type Body<T extends MessageType> = {
  -readonly [F in (typeof layout)[T][number] as F[0]]: ValueOf<F[1]>;
};
type Header<T extends MessageType> = { type: T; locate: number; tracking: number; timestamp_ns: number };

/** One decoded message: a plain object with the fields of its type. Text comes without its padding. */
export type ItchMessage<T extends MessageType = MessageType> = { [K in T]: Header<K> & Body<K> }[T];

/** Counts by name; a name that never occurred is absent. */
export type Tally = Record<string, number>;

export function increment(tally: Tally, name: string): void {
  tally[name] = (tally[name] ?? 0) + 1;
}

/** A u64 as a Number. Throws RangeError beyond 2^53 - 1, rather than round an order reference. */
function readU64(bytes: Buffer, offset: number): number {
  const high = bytes.readUInt32BE(offset);
  if (high >= 2 ** 21) throw RangeError(`u64 at byte ${offset} is ${bytes.readBigUInt64BE(offset)}, beyond 2^53 - 1`);
  return high * 2 ** 32 + bytes.readUInt32BE(offset + 4);
}

function readField(bytes: Buffer, offset: number, kind: Kind): number | string {
  if (kind === 'u16') return bytes.readUInt16BE(offset);
  if (kind === 'u32') return bytes.readUInt32BE(offset);
  if (kind === 'u64') return readU64(bytes, offset);
  const text = bytes.toString('latin1', offset, offset + kind_length[kind]).trimEnd();
  if (kind === 'side' && text !== 'B' && text !== 'S')
    throw RangeError(`side at byte ${offset} is "${text}", neither B nor S`);
  return text;
}

/** Decodes the message whose type byte is at `start`. The caller has checked type and length. */
function decode(bytes: Buffer, start: number, type: MessageType): ItchMessage {
  const message: Record<string, number | string> = {
    type,
    locate: bytes.readUInt16BE(start + 1),
    tracking: bytes.readUInt16BE(start + 3),
    timestamp_ns: bytes.readUIntBE(start + 5, 6),
  };
  let offset = start + header_length;
  for (const [name, kind] of layout[type]) {
    message[name] = readField(bytes, offset, kind);
    offset += kind_length[kind];
  }
  return message as unknown as ItchMessage;
}

function isMessageType(type: string): type is MessageType {
  return Object.hasOwn(message_length, type);
}

/**
 * Reads the messages of a length-prefixed file once, in order. Its counters are complete when `messages()` has ended.
 * A message of unknown type or wrong length is counted and yields no record, but takes its number in the file.
 */
export class ItchReader {
  /**
   * Messages framed so far, those without a record included. While a record is out, it is that record's number, from 1.
   */
  message_count = 0;
  /** Bytes framed so far. */
  parsed_bytes = 0;
  /** Framed messages by type, those of unknown type or wrong length not included. */
  readonly types: Tally = {};
  readonly unknown_types: Tally = {};
  readonly bad_length: Tally = {};
  /** Set where the file ends inside a length or a message; nothing after that point is read. */
  framing_error: string | null = null;

  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  *messages(): Generator<ItchMessage, void, undefined> {
    const bytes = this.#bytes;
    while (this.parsed_bytes < bytes.length) {
      const start = this.parsed_bytes + 2;
      if (start > bytes.length || start + bytes.readUInt16BE(start - 2) > bytes.length) {
        this.framing_error = `the file ends inside the message at byte ${this.parsed_bytes}`;
        return;
      }
      const length = bytes.readUInt16BE(start - 2);
      this.parsed_bytes = start + length;
      this.message_count++;
      const type = length === 0 ? '' : String.fromCharCode(bytes[start] as number);
      if (!isMessageType(type)) increment(this.unknown_types, type);
      else if (message_length[type] !== length) increment(this.bad_length, type);
      else {
        increment(this.types, type);
        yield decode(bytes, start, type);
      }
    }
  }
}

function writeField(bytes: Buffer, offset: number, kind: Kind, value: number | string): void {
  if (kind === 'u16') bytes.writeUInt16BE(value as number, offset);
  else if (kind === 'u32') bytes.writeUInt32BE(value as number, offset);
  else if (kind === 'u64') bytes.writeBigUInt64BE(BigInt(value), offset);
  else {
    const text = String(value);
    if (text.length > kind_length[kind]) throw RangeError(`"${text}" does not fit in ${kind_length[kind]} bytes`);
    bytes.write(text.padEnd(kind_length[kind]), offset, 'latin1');
  }
}

/**
 * The bytes of one message after its length prefix: the inverse of the reader. Throws RangeError on values that do not
 * fit.
 */
export function encodeItch(message: ItchMessage): Buffer {
  const bytes = Buffer.alloc(2 + message_length[message.type]);
  bytes.writeUInt16BE(message_length[message.type], 0);
  bytes.write(message.type, 2, 'latin1');
  bytes.writeUInt16BE(message.locate, 3);
  bytes.writeUInt16BE(message.tracking, 5);
  bytes.writeUIntBE(message.timestamp_ns, 7, 6);
  let offset = 2 + header_length;
  const values = message as unknown as Record<string, number | string>;
  for (const [name, kind] of layout[message.type]) {
    writeField(bytes, offset, kind, values[name] as number | string);
    offset += kind_length[kind];
  }
  return bytes;
}
