/**
 * A snapshot's datagrams back into one state, in whatever order and however often they come. Trusts nothing: a generation
 * is whole only if every digest in it was recomputed and is equal. As native/encode/snapshot_assembler.cc.
 */
import { orderIdentity, orderTerm, statusTerm } from './digest.js';
import { add, compare, high, low } from './int64.js';
import { BookMessage, type Definition, snapshot_order_bytes } from './messages.js';
import { type PacketReader, payloads } from './packet_reader.js';
import type { Replica, SnapshotRefusal } from './replica.js';

export type SnapshotOffer =
  | 'taken'
  | 'complete'
  | 'duplicate'
  | 'not_snapshot'
  | 'older'
  | 'not_chosen'
  | 'inconsistent'
  | 'too_large';

export interface SnapshotLimits {
  /** Memory for orders and definitions together. */
  bytesMax: number;
  instruments: number;
}

interface Part {
  chunks: Map<number, Uint8Array>;
  chunksTotal: number;
  instrumentSequence: number;
  status: number;
  digestHigh: number;
  digestLow: number;
}

const chunk_bytes = 128;
const definition_bytes = 256;
const part_bytes = 256;

/** Threads: one. Packets of one session and channel; the caller looks to that. */
export class SnapshotAssembler {
  /** Of the generation being collected; 0: nothing has come yet. */
  generation = 0n;
  /** The last number that it includes. */
  sequence = 0;
  complete = false;
  #generation_min = 0n;
  #instruments = 0;
  #instruments_complete = 0;
  #digest = { high: 0, low: 0 };
  #time = { timeHigh: 0, timeLow: 0 };
  #bytes = 0;
  readonly #parts = new Map<number, Part>();
  readonly #definitions = new Map<number, Definition>();

  /** `chosen`: the instruments that were asked for; undefined: a whole channel. */
  constructor(
    private readonly limits: SnapshotLimits,
    readonly chosen?: ReadonlySet<number>,
  ) {}

  offer(packet: PacketReader): SnapshotOffer {
    if (packet.count !== 0) return 'not_snapshot';
    if (packet.payload !== payloads.definitions && packet.payload !== payloads.snapshot) return 'not_snapshot';
    if (this.complete) return 'duplicate';
    return packet.payload === payloads.definitions ? this.#takeDefinitions(packet) : this.#takeChunk(packet);
  }

  /** Complete, and every instrument's digest, the order of its orders and the channel's digest are as told. */
  verify(): boolean {
    if (!this.complete) return false;
    let sum_high = 0;
    let sum_low = 0;
    for (const [instrument, part] of this.#parts) {
      if (!verifyPart(instrument, part)) return false;
      add(sum_high, sum_low, part.digestHigh, part.digestLow);
      sum_high = high;
      sum_low = low;
    }
    return this.chosen !== undefined || compare(sum_high, sum_low, this.#digest.high, this.#digest.low) === 0;
  }

  /** Only after verify() said yes. */
  loadInto(replica: Replica): SnapshotRefusal {
    for (const definition of this.#definitions.values()) replica.learnDefinition(definition);
    const channelDigest = this.chosen === undefined ? this.#digest : undefined;
    replica.beginSnapshot({ sequence: this.sequence, ...this.#time, channelDigest });
    const message = new BookMessage();
    for (const instrument of [...this.#parts.keys()].sort((a, b) => a - b)) {
      const part = this.#parts.get(instrument) as Part;
      const has_orders = part.chunksTotal > 1 || (part.chunks.get(1)?.length ?? 0) > 0;
      if (!replica.loadInstrument(instrument, part.instrumentSequence, part.status, has_orders)) break;
      eachOrder(part, (view, at) => {
        readOrder(message, view, at, instrument);
        return replica.loadOrder(message, view.getUint32(at + 28, true), view.getUint32(at + 24, true));
      });
    }
    return replica.finishSnapshot();
  }

  /** Instrument sequences that the snapshot says. */
  instrumentSequences(): Map<number, number> {
    return new Map([...this.#parts].map(([instrument, part]) => [instrument, part.instrumentSequence]));
  }

  #takeDefinitions(packet: PacketReader): SnapshotOffer {
    for (const definition of packet.definitions) {
      const { instrument } = definition;
      if (instrument === 0 || instrument > this.limits.instruments) return 'inconsistent';
      if (!this.#isChosen(instrument)) continue;
      if (!this.#definitions.has(instrument)) {
        if (!this.#hasRoom(definition_bytes)) return this.#giveUp();
        this.#bytes += definition_bytes;
      }
      this.#definitions.set(instrument, definition);
    }
    return 'taken';
  }

  #takeChunk(packet: PacketReader): SnapshotOffer {
    const { generation, instrument, chunk, chunks } = packet;
    if (generation < this.#generation_min || generation < this.generation) return 'older';
    if (generation === 0n || chunk === 0 || chunk > chunks) return 'inconsistent';
    if (this.chosen === undefined && packet.instruments === 0) return 'inconsistent';
    if (chunks > 1 && packet.itemCount === 0) return 'inconsistent';
    if (instrument > this.limits.instruments || packet.instruments > this.limits.instruments + 1) return 'inconsistent';
    if (!this.#isChosen(instrument)) return 'not_chosen';
    if (generation !== this.generation) this.#begin(packet);
    else if (!this.#fits(packet)) return 'inconsistent';

    const found = this.#parts.get(instrument);
    if (found?.chunks.has(chunk)) return 'duplicate';
    if (found !== undefined && !agrees(found, packet)) return 'inconsistent';
    const length = snapshot_order_bytes * packet.itemCount;
    const bytes = chunk_bytes + length + (found === undefined ? part_bytes : 0);
    if (!this.#hasRoom(bytes)) return this.#giveUp();
    this.#bytes += bytes;
    const part = found ?? partOf(packet);
    this.#parts.set(instrument, part);
    const { view } = packet;
    part.chunks.set(chunk, new Uint8Array(view.buffer, view.byteOffset + packet.items, length).slice());
    if (part.chunks.size === part.chunksTotal) this.#instruments_complete++;
    this.complete = this.#instruments_complete === this.#instruments;
    return this.complete ? 'complete' : 'taken';
  }

  #begin(packet: PacketReader): void {
    this.#clear();
    this.generation = packet.generation;
    this.sequence = packet.firstSequence - 1;
    this.#digest = { high: packet.channelDigestHigh, low: packet.channelDigestLow };
    this.#time = { timeHigh: packet.baseTimeHigh, timeLow: packet.baseTimeLow };
    this.#instruments = this.chosen?.size ?? packet.instruments;
  }

  #fits(packet: PacketReader): boolean {
    const { high: digest_high, low: digest_low } = this.#digest;
    return (
      this.sequence === packet.firstSequence - 1 &&
      compare(digest_high, digest_low, packet.channelDigestHigh, packet.channelDigestLow) === 0 &&
      (this.chosen !== undefined || this.#instruments === packet.instruments)
    );
  }

  #clear(): void {
    this.#parts.clear();
    this.#instruments_complete = 0;
    this.#bytes = definition_bytes * this.#definitions.size;
  }

  #giveUp(): SnapshotOffer {
    if (this.#generation_min <= this.generation) this.#generation_min = this.generation + 1n;
    this.#definitions.clear();
    this.#clear();
    this.generation = 0n;
    return 'too_large';
  }

  #isChosen(instrument: number): boolean {
    return this.chosen === undefined || this.chosen.has(instrument);
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.limits.bytesMax;
  }
}

function partOf(packet: PacketReader): Part {
  return {
    chunks: new Map(),
    chunksTotal: packet.chunks,
    instrumentSequence: packet.instrumentSequence,
    status: packet.status,
    digestHigh: packet.digestHigh,
    digestLow: packet.digestLow,
  };
}

function agrees(part: Part, packet: PacketReader): boolean {
  return (
    part.chunksTotal === packet.chunks &&
    part.instrumentSequence === packet.instrumentSequence &&
    part.status === packet.status &&
    compare(part.digestHigh, part.digestLow, packet.digestHigh, packet.digestLow) === 0
  );
}

/** In order, chunk after chunk, until `use` says no. False then. */
function eachOrder(part: Part, use: (view: DataView, at: number) => boolean): boolean {
  for (let chunk = 1; chunk <= part.chunksTotal; chunk++) {
    const bytes = part.chunks.get(chunk) as Uint8Array;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += snapshot_order_bytes) if (!use(view, at)) return false;
  }
  return true;
}

function readOrder(message: BookMessage, view: DataView, at: number, instrument: number): void {
  message.idLow = view.getUint32(at, true);
  message.idHigh = view.getUint32(at + 4, true);
  message.priceLow = view.getUint32(at + 8, true);
  message.priceHigh = view.getInt32(at + 12, true);
  message.quantityLow = view.getUint32(at + 16, true);
  message.quantityHigh = view.getUint32(at + 20, true);
  message.side = view.getUint8(at + 32);
  message.instrument = instrument;
}

// Digest, and bids best price first, then asks best price first, each level in queue order.
function verifyPart(instrument: number, part: Part): boolean {
  statusTerm(instrument, part.status);
  let sum_high = high;
  let sum_low = low;
  const message = new BookMessage();
  let before: OrderRank | undefined;
  const ordered = eachOrder(part, (view, at) => {
    readOrder(message, view, at, instrument);
    const { side, priceHigh, priceLow, idHigh, idLow, quantityHigh, quantityLow } = message;
    const priority_low = view.getUint32(at + 24, true);
    const priority_high = view.getUint32(at + 28, true);
    orderIdentity(instrument, side, priceHigh, priceLow, idHigh, idLow);
    orderTerm(high, low, quantityHigh, quantityLow, priority_high, priority_low);
    add(sum_high, sum_low, high, low);
    sum_high = high;
    sum_low = low;
    const rank = { side, priceHigh, priceLow, priorityHigh: priority_high, priorityLow: priority_low };
    const stands_well = before === undefined || inOrder(before, rank);
    before = rank;
    return stands_well;
  });
  return ordered && compare(sum_high, sum_low, part.digestHigh, part.digestLow) === 0;
}

interface OrderRank {
  side: number;
  priceHigh: number;
  priceLow: number;
  priorityHigh: number;
  priorityLow: number;
}

function inOrder(before: OrderRank, after: OrderRank): boolean {
  if (before.side !== after.side) return before.side < after.side;
  const price = before.priceHigh - after.priceHigh || before.priceLow - after.priceLow;
  if (price !== 0) return before.side === 1 ? price > 0 : price < 0;
  return compare(before.priorityHigh, before.priorityLow, after.priorityHigh, after.priorityLow) < 0;
}
