/**
 * Datagrams of the wire back into messages. Any byte may be hostile: prefix, CRC, verifier and the rules of
 * docs/protocol.md are checked before anything is used, with the verdict of the native reader.
 */
import { crc32c } from './crc32c.js';
import { FlatVerifier } from './flat_verifier.js';
import { bigintOf, compare, numberOf } from './int64.js';
import { type Definition, instrument_digest_bytes } from './messages.js';
import { bookMessagesAgree, readDefinitions, tradeKindsFit, verifyDefinitions } from './verify_messages.js';

export const packet_statuses = [
  'ok',
  'too_short',
  'wrong_magic',
  'wrong_version',
  'wrong_length',
  'wrong_crc',
  'malformed',
  'inconsistent',
  'unknown_payload',
  /** Only here: a number beyond 2^53, which the native reader would take. */
  'inexact_number',
] as const;
export type PacketStatus = (typeof packet_statuses)[number];

export const prefix_bytes = 16;
export const packet_magic = 0x5443_4344;
const wire_version = 1;
const datagram_bytes_max = 8_952;
const packet_messages_max = Math.floor(datagram_bytes_max / 40);

export const payloads = { book: 1, trades: 2, definitions: 3, snapshot: 4, heartbeat: 5 } as const;

/** Numbers and sizes of the scalar fields of a table: what the schema says. */
type Scalars = readonly (readonly [id: number, bytes: number])[];

const packet_scalars: Scalars = [
  [0, 4],
  [1, 8],
  [2, 8],
  [3, 2],
  [4, 8],
  [5, 8],
  [6, 8],
  [8, 1],
];
const snapshot_scalars: Scalars = [
  [0, 8],
  [1, 4],
  [2, 4],
  [3, 8],
  [4, 4],
  [5, 4],
  [6, 8],
  [7, 1],
  [9, 4],
  [10, 8],
];
const heartbeat_scalars: Scalars = [
  [0, 8],
  [1, 1],
  [2, 1],
  [3, 8],
];

/**
 * Reads packets, one at a time: what it shows is of the last one that was `ok`, and reads from its bytes, which must
 * not change meanwhile. Positions are places in `view`. Threads: one. Allocates for definitions alone.
 */
export class PacketReader {
  view: DataView = new DataView(new ArrayBuffer(0));
  channel = 0;
  sessionHigh = 0;
  sessionLow = 0;
  firstSequence = 0;
  count = 0;
  baseTimeHigh = 0;
  baseTimeLow = 0;
  sendTimeHigh = 0;
  sendTimeLow = 0;
  inputPosition = 0;
  /** Where the steps of the input position stand; 0: every step is 1. */
  steps = 0;
  payload = 0;
  /** Messages of the payload, or orders of a snapshot, or digests of a heartbeat: where, and how many. */
  items = 0;
  itemCount = 0;
  details = 0;
  definitions: readonly Definition[] = [];
  // Of a snapshot.
  generation = 0n;
  instrument = 0;
  instrumentSequence = 0;
  chunk = 0;
  chunks = 0;
  status = 0;
  /** Of the whole generation; 0: chosen ones only. */
  instruments = 0;
  channelDigestHigh = 0;
  channelDigestLow = 0;
  // Of a snapshot's instrument, or of the channel in a heartbeat.
  digestHigh = 0;
  digestLow = 0;
  digestValid = false;
  endOfSession = false;

  readonly #verifier = new FlatVerifier(8, datagram_bytes_max / 8);
  #base = 0;
  #payload = 0;
  #exact = true;

  /** One datagram, whole. Never throws. */
  read(bytes: Uint8Array): PacketStatus {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const prefix = checkPrefix(bytes, view);
    if (prefix !== 'ok') return prefix;
    this.view = view;
    this.#base = prefix_bytes;
    this.#verifier.begin(view, prefix_bytes, bytes.byteLength - prefix_bytes);
    this.items = 0;
    this.itemCount = 0;
    this.details = 0;
    this.#exact = true;
    const root = this.#verifier.root();
    if (root === 0 || !this.#verifyPacket(root) || !this.#itemsAligned()) return 'malformed';
    if (this.payload < payloads.book || this.payload > payloads.heartbeat) return 'unknown_payload';
    const details = this.#readPacket(root);
    if (!this.#numbersAgree(root) || !this.#payloadAgrees(details)) return 'inconsistent';
    return this.#exact && Number.isSafeInteger(this.firstSequence + this.count) ? 'ok' : 'inexact_number';
  }

  /** By how much the input position grows from the message before that one to it. */
  stepBefore(index: number): number {
    return this.steps === 0 ? 1 : this.view.getUint8(this.steps + index - 1);
  }

  #verifyPacket(packet: number): boolean {
    const verifier = this.#verifier;
    if (!verifier.table(packet) || !this.#scalars(packet, packet_scalars)) return false;
    const steps = verifier.reference(packet, 7);
    if (steps < 0 || (steps > 0 && verifier.vector(steps, 1) < 0)) return false;
    this.payload = this.#byte(packet, 8);
    this.#payload = verifier.reference(packet, 9);
    return this.#payload > 0 && this.#verifyPayload(this.#payload);
  }

  #verifyPayload(table: number): boolean {
    const verifier = this.#verifier;
    // What a later version may have is not looked into.
    if (this.payload < payloads.book || this.payload > payloads.heartbeat) return true;
    if (!verifier.table(table)) return false;
    switch (this.payload) {
      case payloads.book:
        return this.#verifyItems(table, 0, 40, true) && this.#verifyDetails(table);
      case payloads.trades:
        return this.#verifyItems(table, 0, 88, true);
      case payloads.definitions:
        return this.#verifyItems(table, 0, 4, true) && verifyDefinitions(verifier, this.items) >= 0;
      case payloads.snapshot:
        return this.#scalars(table, snapshot_scalars) && this.#verifyItems(table, 8, 40, false);
      default:
        return this.#scalars(table, heartbeat_scalars) && this.#verifyItems(table, 4, instrument_digest_bytes, false);
    }
  }

  #scalars(table: number, scalars: Scalars): boolean {
    for (const [id, bytes] of scalars) if (!this.#verifier.scalar(table, id, bytes)) return false;
    return true;
  }

  #verifyItems(table: number, id: number, bytes: number, required: boolean): boolean {
    this.items = this.#verifier.reference(table, id);
    if (this.items <= 0) return this.items === 0 && !required;
    this.itemCount = this.#verifier.vector(this.items, bytes);
    return this.itemCount >= 0;
  }

  #verifyDetails(table: number): boolean {
    this.details = this.#verifier.reference(table, 1);
    return this.details === 0 || (this.details > 0 && this.#verifier.vector(this.details, 8) >= 0);
  }

  #itemsAligned(): boolean {
    const in_place = this.payload >= payloads.book && this.payload <= payloads.heartbeat;
    if (!in_place || this.payload === payloads.definitions) return true;
    const aligned = (vector: number) => vector === 0 || this.#verifier.aligned(vector);
    return aligned(this.items) && aligned(this.details);
  }

  // Positions from the root become places in the view. Returns the number of details.
  #readPacket(packet: number): number {
    this.channel = this.#word(packet, 0);
    this.sessionHigh = this.#high(packet, 1);
    this.sessionLow = this.#low(packet, 1);
    this.firstSequence = this.#number(packet, 2);
    const count_at = this.#verifier.field(packet, 3);
    this.count = count_at === 0 ? 0 : this.view.getUint16(this.#base + count_at, true);
    this.baseTimeHigh = this.#high(packet, 4) | 0;
    this.baseTimeLow = this.#low(packet, 4);
    this.sendTimeHigh = this.#high(packet, 5) | 0;
    this.sendTimeLow = this.#low(packet, 5);
    this.inputPosition = this.#number(packet, 6);
    const steps = this.#verifier.reference(packet, 7);
    this.steps = steps === 0 || this.#count(steps) === 0 ? 0 : this.#base + steps + 4;
    const details = this.details === 0 ? 0 : this.#count(this.details);
    if (this.payload === payloads.definitions)
      this.definitions = readDefinitions(this.#verifier, this.view, this.#base, this.items);
    if (this.items !== 0) this.items += this.#base + 4;
    if (this.details !== 0) this.details += this.#base + 4;
    if (this.payload === payloads.snapshot) this.#readSnapshot();
    if (this.payload === payloads.heartbeat) this.#readHeartbeat();
    return details;
  }

  #readSnapshot(): void {
    const table = this.#payload;
    this.generation = bigintOf(this.#high(table, 0), this.#low(table, 0));
    this.instrument = this.#word(table, 1);
    this.instrumentSequence = this.#word(table, 2);
    this.chunk = this.#word(table, 4);
    this.chunks = this.#word(table, 5);
    this.digestHigh = this.#high(table, 6);
    this.digestLow = this.#low(table, 6);
    this.status = this.#byte(table, 7);
    this.instruments = this.#word(table, 9);
    this.channelDigestHigh = this.#high(table, 10);
    this.channelDigestLow = this.#low(table, 10);
  }

  #readHeartbeat(): void {
    const table = this.#payload;
    this.digestHigh = this.#high(table, 0);
    this.digestLow = this.#low(table, 0);
    this.digestValid = this.#byte(table, 1) !== 0;
    this.endOfSession = this.#byte(table, 2) !== 0;
  }

  #numbersAgree(packet: number): boolean {
    const first_high = this.#high(packet, 2);
    if (first_high >= 2 ** 31 || (first_high === 0 && this.#low(packet, 2) === 0)) return false;
    if (this.#high(packet, 6) >= 2 ** 31) return false;
    // So that adding an offset to it cannot overflow: ±(2^62 - 1).
    const time_high = this.baseTimeHigh;
    if (time_high >= 2 ** 30 || time_high < -(2 ** 30) || (time_high === -(2 ** 30) && this.baseTimeLow === 0))
      return false;
    if (this.count > packet_messages_max) return false;
    const steps = this.#verifier.reference(packet, 7);
    return steps === 0 || this.#count(steps) === 0 || this.#count(steps) + 1 === this.count;
  }

  #payloadAgrees(details: number): boolean {
    switch (this.payload) {
      case payloads.book:
        return this.itemCount === this.count && bookMessagesAgree(this.view, this.items, this.itemCount, details);
      case payloads.trades:
        return this.itemCount === this.count && tradeKindsFit(this.view, this.items, this.itemCount);
      case payloads.definitions:
        return this.count === 0 || this.itemCount === this.count;
      case payloads.snapshot:
        return this.#snapshotAgrees();
      default:
        return this.count === 0;
    }
  }

  #snapshotAgrees(): boolean {
    if (this.count !== 0 || this.chunk > this.chunks || this.status > 4) return false;
    if (this.instruments !== 0 && this.instrument >= this.instruments) return false;
    if (!this.#precedes(this.#payload)) return false;
    for (let index = 0; index < this.itemCount; index++) {
      const at = this.items + 40 * index;
      const side = this.view.getUint8(at + 32);
      if (side !== 1 && side !== 2) return false;
      if (this.view.getUint32(at + 16, true) === 0 && this.view.getUint32(at + 20, true) === 0) return false;
    }
    return true;
  }

  // The snapshot's last number is the one before the packet's first.
  #precedes(snapshot: number): boolean {
    const packet = this.#verifier.root();
    const low = this.#low(packet, 2);
    const high = this.#high(packet, 2);
    const before_high = low === 0 ? (high - 1) >>> 0 : high;
    return compare(this.#high(snapshot, 3), this.#low(snapshot, 3), before_high, (low - 1) >>> 0) === 0;
  }

  #count(vector: number): number {
    return this.view.getUint32(this.#base + vector, true);
  }

  #byte(table: number, id: number): number {
    const at = this.#verifier.field(table, id);
    return at === 0 ? 0 : this.view.getUint8(this.#base + at);
  }

  #word(table: number, id: number): number {
    const at = this.#verifier.field(table, id);
    return at === 0 ? 0 : this.view.getUint32(this.#base + at, true);
  }

  #low(table: number, id: number): number {
    return this.#word(table, id);
  }

  #high(table: number, id: number): number {
    const at = this.#verifier.field(table, id);
    return at === 0 ? 0 : this.view.getUint32(this.#base + at + 4, true);
  }

  #number(table: number, id: number): number {
    const value = numberOf(this.#high(table, id), this.#low(table, id));
    if (!Number.isSafeInteger(value)) this.#exact = false;
    return value;
  }
}

function checkPrefix(bytes: Uint8Array, view: DataView): PacketStatus {
  if (bytes.byteLength < prefix_bytes) return 'too_short';
  if (view.getUint32(0, true) !== packet_magic) return 'wrong_magic';
  if (view.getUint16(4, true) !== wire_version) return 'wrong_version';
  if (view.getUint32(8, true) !== bytes.byteLength - prefix_bytes) return 'wrong_length';
  const crc = crc32c(crc32c(0, bytes, 0, 12), bytes, prefix_bytes);
  return crc === view.getUint32(12, true) ? 'ok' : 'wrong_crc';
}
