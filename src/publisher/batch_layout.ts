/**
 * Where things stand in a Batch frame, as schemas/ingest.fbs lays it out: one fixed head, then the structs. A test reads
 * what is written here with the generated code.
 */
export const frame_magic = 0x31494344; // "DCI1"
export const prefix_bytes = 8;
export const event_bytes = 48;
export const trade_bytes = 48;
export const definition_bytes = 48;

/** From the frame's beginning to its first event. */
export const head_bytes = 80;
/** A vector after the events: its length, padded so that its structs are aligned. */
const vector_head_bytes = 8;

export interface BatchParts {
  /** Number of the first event. */
  first: bigint;
  events: Uint8Array;
  trades: Uint8Array;
  definitions: Uint8Array;
}

type Sizes = Record<'events' | 'trades' | 'definitions', { byteLength: number }>;

/** Bytes of the whole frame. */
export function batchFrameBytes({ events, trades, definitions }: Sizes): number {
  const vector = ({ byteLength }: { byteLength: number }) => (byteLength === 0 ? 0 : vector_head_bytes + byteLength);
  return head_bytes + events.byteLength + vector(trades) + vector(definitions);
}

// Offsets from the root, which follows the prefix.
const frame_vtable = 4;
const frame_table = 16;
const batch_vtable = 28;
const batch_table = 40;
const empty_vector = 64;
const events_vector = 68;
const batch_events = batch_table + 4;
const batch_first = batch_table + 8;
const batch_trades = batch_table + 16;
const batch_definitions = batch_table + 20;

const head = makeHead();

function makeHead(): Uint8Array {
  const bytes = new Uint8Array(head_bytes);
  const view = new DataView(bytes.buffer, prefix_bytes);
  const u16 = (at: number, ...values: number[]) => {
    values.forEach((value, index) => {
      view.setUint16(at + 2 * index, value, true);
    });
  };
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  new DataView(bytes.buffer).setUint32(0, frame_magic, true);
  u32(0, frame_table);
  u16(frame_vtable, 8, 12, 8, 4); // its size, the table's, then payload_type and payload
  u32(frame_table, frame_table - frame_vtable);
  u32(frame_table + 4, batch_table - (frame_table + 4));
  view.setUint8(frame_table + 8, 3); // FramePayload.Batch
  u16(batch_vtable, 12, 24, 8, 4, 16, 20); // its size, the table's, then first, events, trades, definitions
  u32(batch_table, batch_table - batch_vtable);
  u32(batch_events, events_vector - batch_events);
  return bytes;
}

/** Writes the frame to `to` from byte `at` on, which is a multiple of 8 of its memory. Returns its bytes. */
export function writeBatchFrame(to: Uint8Array, at: number, parts: BatchParts): number {
  const bytes = batchFrameBytes(parts);
  const view = new DataView(to.buffer, to.byteOffset + at, bytes);
  to.set(head, at);
  view.setUint32(4, bytes - prefix_bytes, true);
  view.setBigUint64(prefix_bytes + batch_first, parts.first, true);
  view.setUint32(prefix_bytes + events_vector, parts.events.byteLength / event_bytes, true);
  to.set(parts.events, at + head_bytes);
  let end = head_bytes + parts.events.byteLength;
  const vector = (field: number, structs: Uint8Array, struct_bytes: number) => {
    const empty = structs.byteLength === 0;
    const length_at = empty ? prefix_bytes + empty_vector : end + vector_head_bytes - 4;
    view.setUint32(prefix_bytes + field, length_at - (prefix_bytes + field), true);
    if (empty) return;
    view.setUint32(end, 0, true);
    view.setUint32(length_at, structs.byteLength / struct_bytes, true);
    to.set(structs, at + end + vector_head_bytes);
    end += vector_head_bytes + structs.byteLength;
  };
  vector(batch_trades, parts.trades, trade_bytes);
  vector(batch_definitions, parts.definitions, definition_bytes);
  return bytes;
}
