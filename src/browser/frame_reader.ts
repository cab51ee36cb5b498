/** Frames of the gateway (docs/gateway.md), checked as packets are; a socket has no need of a CRC. */
import { FlatVerifier } from './flat_verifier.js';
import { bigintOf, compare, numberOf } from './int64.js';
import { type Definition, instrument_digest_bytes, sides } from './messages.js';
import { packet_magic, prefix_bytes } from './packet_reader.js';
import { bookMessagesAgree, readDefinitions, tradeKindsFit, verifyDefinitions } from './verify_messages.js';

export const frame_magic = 0x4647_4344;
const gateway_version = 1;

export type FrameStatus =
  | 'ok'
  | 'too_short'
  | 'wrong_magic'
  | 'wrong_version'
  | 'wrong_length'
  | 'malformed'
  | 'inconsistent'
  | 'unknown_payload'
  | 'inexact_number';

export const frame_payloads = { depth: 1, prints: 2, filtered: 3, snapshot: 4, digests: 5 } as const;
export const snapshot_whys = ['begin', 'resume', 'slow', 'change', 'session', 'gap'] as const;
export type SnapshotWhy = (typeof snapshot_whys)[number];
export const depth_entry_bytes = 64;
export const depth_level_bytes = 24;
export const print_bytes = 56;

const frame_scalars = [
  [0, 4],
  [1, 4],
  [2, 8],
  [3, 8],
  [4, 8],
  [5, 1],
] as const;

const mark_scalars = [
  [0, 8],
  [1, 8],
  [2, 8],
  [3, 4],
  [4, 4],
  [5, 1],
  [6, 4],
  [7, 1],
  [8, 1],
] as const;

/** As PacketReader. */
export class FrameReader {
  view: DataView = new DataView(new ArrayBuffer(0));
  channel = 0;
  subscription = 0;
  sessionHigh = 0;
  sessionLow = 0;
  sequence = 0;
  /** CLOCK_REALTIME of the gateway, in ms: exact to a microsecond. */
  sendTimeMs = 0;
  payload = 0;
  // Of a depth frame.
  entries = 0;
  entryCount = 0;
  levels = 0;
  levelCount = 0;
  // Of prints.
  prints = 0;
  printCount = 0;
  others = 0;
  refused = 0;
  // Of the mark of a snapshot.
  markSequence = 0;
  generation = 0n;
  covered = 0;
  part = 0;
  datagrams = 0;
  isWhole = false;
  instrumentCount = 0;
  why: SnapshotWhy = 'begin';
  isLast = false;
  // Of digests.
  digests = 0;
  digestCount = 0;
  // Of a filtered frame: one of the three kinds of messages.
  previous = 0;
  sequences = 0;
  sequenceCount = 0;
  baseTimeHigh = 0;
  baseTimeLow = 0;
  book = 0;
  bookCount = 0;
  details = 0;
  trades = 0;
  tradeCount = 0;
  definitions: readonly Definition[] = [];

  readonly #verifier = new FlatVerifier(8, 1 << 20);
  #base = 0;

  /** One block, whole. Never throws. */
  read(bytes: Uint8Array): FrameStatus {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.byteLength < prefix_bytes) return 'too_short';
    if (view.getUint32(0, true) !== frame_magic) return 'wrong_magic';
    if (view.getUint16(4, true) !== gateway_version) return 'wrong_version';
    if (view.getUint32(8, true) !== bytes.byteLength - prefix_bytes) return 'wrong_length';
    this.view = view;
    this.#base = prefix_bytes;
    this.#verifier.begin(view, prefix_bytes, bytes.byteLength - prefix_bytes);
    const frame = this.#verifier.root();
    if (frame === 0 || !this.#verifier.table(frame)) return 'malformed';
    for (const [id, size] of frame_scalars) if (!this.#verifier.scalar(frame, id, size)) return 'malformed';
    const table = this.#verifier.reference(frame, 6);
    const type_at = this.#verifier.field(frame, 5);
    this.payload = type_at === 0 ? 0 : view.getUint8(this.#base + type_at);
    if (table <= 0) return 'malformed';
    if (this.payload < frame_payloads.depth || this.payload > frame_payloads.digests) return 'unknown_payload';
    if (!this.#verifier.table(table)) return 'malformed';
    this.channel = this.#word(frame, 0);
    this.subscription = this.#word(frame, 1);
    this.sessionHigh = this.#half(frame, 2, 4);
    this.sessionLow = this.#half(frame, 2, 0);
    this.sequence = this.#number(frame, 3);
    this.sendTimeMs = ((this.#half(frame, 4, 4) | 0) * 2 ** 32 + this.#half(frame, 4, 0)) / 1e6;
    if (this.subscription !== view.getUint16(6, true)) return 'inconsistent';
    const status = this.#readPayload(table);
    if (status !== 'ok') return status;
    return Number.isSafeInteger(this.sequence) ? 'ok' : 'inexact_number';
  }

  #readPayload(table: number): FrameStatus {
    if (this.payload === frame_payloads.depth) return this.#readDepth(table);
    if (this.payload === frame_payloads.prints) return this.#readPrints(table);
    if (this.payload === frame_payloads.snapshot) return this.#readMark(table);
    if (this.payload === frame_payloads.digests) return this.#readDigests(table);
    return this.#readFiltered(table);
  }

  #readDepth(table: number): FrameStatus {
    this.entryCount = this.#vector(table, 0, depth_entry_bytes);
    this.entries = this.#at;
    this.levelCount = this.#vector(table, 1, depth_level_bytes);
    this.levels = this.#at;
    if (this.entryCount < 0 || this.levelCount < 0 || this.entries === 0 || this.levels === 0) return 'malformed';
    for (let index = 0; index < this.entryCount; index++) {
      const at = this.entries + depth_entry_bytes * index;
      const first_level = this.view.getUint32(at + 52, true);
      if (first_level + this.view.getUint16(at + 56, true) > this.levelCount) return 'inconsistent';
      if (this.view.getUint8(at + 58) > 1 || this.view.getUint8(at + 60) > 2) return 'inconsistent';
      const [first, last] = [this.#wide(at), this.#wide(at + 8)];
      if (first > last) return 'inconsistent';
      if ((first === 0) !== (this.view.getUint32(at + 48, true) === 0)) return 'inconsistent';
      if (!Number.isSafeInteger(last)) return 'inexact_number';
    }
    for (let index = 0; index < this.levelCount; index++) {
      const side = this.view.getUint8(this.levels + depth_level_bytes * index + 20);
      if (side !== sides.bid && side !== sides.ask) return 'inconsistent';
    }
    return 'ok';
  }

  #readPrints(table: number): FrameStatus {
    this.printCount = this.#vector(table, 0, print_bytes);
    this.prints = this.#at;
    if (this.printCount < 0 || this.prints === 0 || !this.#verifier.scalar(table, 1, 4)) return 'malformed';
    if (!this.#verifier.scalar(table, 2, 8)) return 'malformed';
    this.others = this.#word(table, 1);
    this.refused = this.#number(table, 2);
    let before = 0;
    for (let index = 0; index < this.printCount; index++) {
      const sequence = this.#wide(this.prints + print_bytes * index);
      if (sequence <= before) return 'inconsistent';
      before = sequence;
    }
    return Number.isSafeInteger(before + this.refused) ? 'ok' : 'inexact_number';
  }

  #readMark(table: number): FrameStatus {
    for (const [id, size] of mark_scalars) if (!this.#verifier.scalar(table, id, size)) return 'malformed';
    this.markSequence = this.#number(table, 0);
    this.generation = bigintOf(this.#half(table, 1, 4), this.#half(table, 1, 0));
    this.covered = this.#number(table, 2);
    this.part = this.#word(table, 3);
    this.datagrams = this.#word(table, 4);
    this.isWhole = this.#byte(table, 5) !== 0;
    this.instrumentCount = this.#word(table, 6);
    const why = snapshot_whys[this.#byte(table, 7)];
    this.isLast = this.#byte(table, 8) !== 0;
    if (why === undefined || (this.isWhole && this.instrumentCount !== 0)) return 'inconsistent';
    if (this.generation === 0n && (this.datagrams !== 0 || !this.isLast)) return 'inconsistent';
    this.why = why;
    return Number.isSafeInteger(this.markSequence) && Number.isSafeInteger(this.covered) ? 'ok' : 'inexact_number';
  }

  #readDigests(table: number): FrameStatus {
    this.digestCount = this.#vector(table, 0, instrument_digest_bytes);
    this.digests = this.#at;
    return this.digestCount < 0 || this.digests === 0 ? 'malformed' : 'ok';
  }

  #readFiltered(table: number): FrameStatus {
    if (!this.#verifier.scalar(table, 0, 8) || !this.#verifier.scalar(table, 2, 8)) return 'malformed';
    this.previous = this.#number(table, 0);
    this.baseTimeHigh = this.#half(table, 2, 4) | 0;
    this.baseTimeLow = this.#half(table, 2, 0);
    this.sequenceCount = this.#vector(table, 1, 8);
    this.sequences = this.#at;
    this.bookCount = this.#vector(table, 3, 40);
    this.book = this.#at;
    const details = this.#vector(table, 4, 8);
    this.details = this.#at;
    this.tradeCount = this.#vector(table, 5, 88);
    this.trades = this.#at;
    const vector = this.#verifier.reference(table, 6);
    const definitions = vector === 0 ? 0 : vector < 0 ? -1 : verifyDefinitions(this.#verifier, vector);
    if (this.sequences === 0) return 'malformed';
    if (Math.min(this.sequenceCount, this.bookCount, details, this.tradeCount, definitions) < 0) return 'malformed';
    this.definitions = definitions === 0 ? [] : readDefinitions(this.#verifier, this.view, this.#base, vector);
    return this.#filteredAgrees(details, definitions);
  }

  #filteredAgrees(details: number, definitions: number): FrameStatus {
    const count = this.sequenceCount;
    // All of one kind: the others are absent or empty. Definitions without numbers are repeated ones.
    const total = this.bookCount + this.tradeCount + definitions;
    if (total === 0 || total !== (count === 0 ? definitions : count)) return 'inconsistent';
    if (Math.max(this.bookCount, this.tradeCount, definitions) !== total) return 'inconsistent';
    if (!bookMessagesAgree(this.view, this.book, this.bookCount, details)) return 'inconsistent';
    if (!tradeKindsFit(this.view, this.trades, this.tradeCount)) return 'inconsistent';
    let before = this.previous;
    for (let index = 0; index < count; index++) {
      const sequence = this.#wide(this.sequences + 8 * index);
      if (sequence <= before) return 'inconsistent';
      before = sequence;
    }
    const time_high = this.baseTimeHigh;
    if (time_high >= 2 ** 30 || time_high < -(2 ** 30)) return 'inconsistent';
    return Number.isSafeInteger(before) ? 'ok' : 'inexact_number';
  }

  /** Where the entries of the last vector begin; 0: it is absent. */
  #at = 0;

  // Entries; -1: malformed.
  #vector(table: number, id: number, bytes: number): number {
    this.#at = 0;
    const vector = this.#verifier.reference(table, id);
    if (vector === 0) return 0;
    if (vector < 0) return -1;
    this.#at = this.#base + vector + 4;
    const count = this.#verifier.vector(vector, bytes);
    return count > 0 && !this.#verifier.aligned(vector) ? -1 : count;
  }

  #word(table: number, id: number): number {
    return this.#half(table, id, 0);
  }

  #half(table: number, id: number, offset: number): number {
    const at = this.#verifier.field(table, id);
    return at === 0 ? 0 : this.view.getUint32(this.#base + at + offset, true);
  }

  #byte(table: number, id: number): number {
    const at = this.#verifier.field(table, id);
    return at === 0 ? 0 : this.view.getUint8(this.#base + at);
  }

  #number(table: number, id: number): number {
    return numberOf(this.#half(table, id, 4), this.#half(table, id, 0));
  }

  #wide(at: number): number {
    return numberOf(this.view.getUint32(at + 4, true), this.view.getUint32(at, true));
  }
}

export type BlockFault = 'too_short' | 'wrong_magic' | 'wrong_length';

/**
 * Calls `packet` or `frame` with each block of a binary message, prefix included. Returns what is wrong with the first
 * one that is no block; the rest is not looked at then.
 */
export function eachBlock(
  bytes: Uint8Array,
  packet: (block: Uint8Array) => void,
  frame: (block: Uint8Array) => void,
): BlockFault | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; ) {
    if (bytes.byteLength - at < prefix_bytes) return 'too_short';
    const magic = view.getUint32(at, true);
    if (magic !== packet_magic && magic !== frame_magic) return 'wrong_magic';
    const end = at + prefix_bytes + view.getUint32(at + 8, true);
    if (end > bytes.byteLength || (end - at) % 8 !== 0) return 'wrong_length';
    (magic === packet_magic ? packet : frame)(bytes.subarray(at, end));
    at = end;
  }
  return undefined;
}

/** As 64-bit numbers. */
export function sameSession(a: { sessionHigh: number; sessionLow: number }, high: number, low: number): boolean {
  return compare(a.sessionHigh, a.sessionLow, high, low) === 0;
}
