/** Frames of the distributor, read and verified; control frames of the engine, written. Pure. docs/ingest.md, "Socket". */
import { Builder } from 'flatbuffers';
import { FlatVerifier } from '../browser/flat_verifier.js';
import { EndOfDay, Frame, FramePayload, Heartbeat, Login } from '../generated/ingest/frames.js';
import { frame_magic, prefix_bytes } from './batch_layout.js';
import { type RefusalName, refusalName } from './refusals.js';

export const frames_version = 2;
/** A distributor's frames are short. */
const frame_bytes_max = 65_536;

export type DistributorFrame =
  | {
      kind: 'accepted';
      session: bigint;
      channel: number;
      next: bigint;
      frameBytesMax: number;
      batchEventsMax: number;
      heartbeatMs: number;
      idleMs: number;
    }
  | { kind: 'ack'; event: bigint }
  | { kind: 'refused'; name: RefusalName | 'unknown'; expected: bigint; message: string }
  | { kind: 'heartbeat' }
  | { kind: 'endOfDay' };

/** Bytes of a stream in, frames out. Threads: one. */
export class FrameReader {
  #bytes = new Uint8Array(0);
  readonly #verifier = new FlatVerifier(4, 4);

  /** Frames that these bytes complete; undefined where they are none, and the stream cannot be read on. */
  read(chunk: Uint8Array): DistributorFrame[] | undefined {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: DistributorFrame[] = [];
    let at = 0;
    while (bytes.length - at >= prefix_bytes) {
      const length = view.getUint32(at + 4, true);
      if (view.getUint32(at, true) !== frame_magic || length % 8 !== 0 || length === 0 || length > frame_bytes_max)
        return undefined;
      if (bytes.length - at - prefix_bytes < length) break;
      const frame = this.#payload(view, at + prefix_bytes, length);
      if (frame === undefined) return undefined;
      frames.push(frame);
      at += prefix_bytes + length;
    }
    // A copy: the chunk's memory belongs to the socket.
    this.#bytes = Uint8Array.from(bytes.subarray(at));
    return frames;
  }

  #payload(view: DataView, base: number, length: number): DistributorFrame | undefined {
    const verifier = this.#verifier;
    verifier.begin(view, base, length);
    const frame = verifier.root();
    if (frame === 0 || !verifier.table(frame) || !verifier.scalar(frame, 0, 1)) return undefined;
    const table = verifier.reference(frame, 1);
    if (table <= 0 || !verifier.table(table)) return undefined;
    const type = verifier.field(frame, 0);
    const fields = new Fields(verifier, view, base, table);
    const read = readers[type === 0 ? 0 : view.getUint8(base + type)]?.(fields);
    return fields.broken ? undefined : read;
  }
}

/** Scalars and texts of one verified table. */
class Fields {
  broken = false;
  constructor(
    private readonly verifier: FlatVerifier,
    private readonly view: DataView,
    private readonly base: number,
    private readonly table: number,
  ) {}

  #at(id: number, bytes: number): number {
    if (this.verifier.scalar(this.table, id, bytes)) return this.verifier.field(this.table, id);
    this.broken = true;
    return 0;
  }
  u16(id: number): number {
    const at = this.#at(id, 2);
    return at === 0 ? 0 : this.view.getUint16(this.base + at, true);
  }
  u32(id: number): number {
    const at = this.#at(id, 4);
    return at === 0 ? 0 : this.view.getUint32(this.base + at, true);
  }
  u64(id: number): bigint {
    const at = this.#at(id, 8);
    return at === 0 ? 0n : this.view.getBigUint64(this.base + at, true);
  }
  text(id: number): string {
    const at = this.verifier.reference(this.table, id);
    if (at === 0) return '';
    const bytes = at < 0 ? -1 : this.verifier.string(at);
    if (bytes < 0) {
      this.broken = true;
      return '';
    }
    return new TextDecoder().decode(new Uint8Array(this.view.buffer, this.view.byteOffset + this.base + at + 4, bytes));
  }
}

const readers: Partial<Record<number, (fields: Fields) => DistributorFrame>> = {
  [FramePayload.LoginAccepted]: (fields) => ({
    kind: 'accepted',
    channel: fields.u32(2),
    session: fields.u64(3),
    next: fields.u64(4),
    frameBytesMax: fields.u32(5),
    batchEventsMax: fields.u32(6),
    heartbeatMs: fields.u32(7),
    idleMs: fields.u32(8),
  }),
  [FramePayload.Ack]: (fields) => ({ kind: 'ack', event: fields.u64(0) }),
  [FramePayload.Refused]: (fields) => ({
    kind: 'refused',
    name: refusalName(fields.u16(0)),
    expected: fields.u64(1),
    message: fields.text(2),
  }),
  [FramePayload.Heartbeat]: () => ({ kind: 'heartbeat' }),
  [FramePayload.EndOfDay]: () => ({ kind: 'endOfDay' }),
};

function framed(builder: Builder, type: FramePayload, payload: number): Uint8Array {
  builder.finish(Frame.createFrame(builder, type, payload));
  const root = builder.asUint8Array();
  const length = Math.ceil(root.length / 8) * 8;
  const bytes = new Uint8Array(prefix_bytes + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, frame_magic, true);
  view.setUint32(4, length, true);
  bytes.set(root, prefix_bytes);
  return bytes;
}

export interface LoginFields {
  token: string;
  engine: string;
  /** Of the oldest event that can still be given; 0n: all. */
  oldest: bigint;
}

export function loginFrame({ token, engine, oldest }: LoginFields, version = frames_version): Uint8Array {
  const builder = new Builder(256);
  const tokenAt = builder.createString(token);
  const engineAt = builder.createString(engine);
  return framed(builder, FramePayload.Login, Login.createLogin(builder, version, version, tokenAt, engineAt, oldest));
}

export function heartbeatFrame(next: bigint): Uint8Array {
  const builder = new Builder(64);
  return framed(builder, FramePayload.Heartbeat, Heartbeat.createHeartbeat(builder, next));
}

export function endOfDayFrame(next: bigint): Uint8Array {
  const builder = new Builder(64);
  return framed(builder, FramePayload.EndOfDay, EndOfDay.createEndOfDay(builder, next));
}
