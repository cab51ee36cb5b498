/** The open loop of a peer's publisher: the times at which messages are due never wait for it. */
import { SliceClock } from './clock.js';
import {
  type BookMessage,
  field,
  message_bytes,
  packet_header_bytes,
  packet_messages,
  writeMessage,
} from './messages.js';
import type { PublishedSlice, PublisherSide, SliceTask } from './side.js';
import type { PeerPublisher } from './transports/transport.js';

/** How messages become payloads: each alone, or what is due together in one, as in depthcast's datagrams. */
export type Encoding = 'message' | 'packet' | 'json' | 'json_packet';

/** What is due at one turn of the event loop, at most. */
const turn_messages = 512;
/** Payloads in flight, at most: a peer may keep the bytes until they are written. */
const slots = 65_536;
const packet_slots = 16_384;
/** Of the slice's length: what is not sent then never is. */
const patience = 1.5;
/** Of a sleep between turns; the timer makes some 70 µs of it. */
const sleep_ms = 0.02;

const nothing = new Int32Array(new SharedArrayBuffer(4));

/** Writes payloads of due messages; `messages` in turn, again and again. */
class Encoder {
  readonly #messages: BookMessage[];
  readonly #single = new DataView(new ArrayBuffer(slots * message_bytes));
  readonly #payloads: Buffer[] = [];
  readonly #packets: DataView;
  readonly #packetBytes: Buffer;
  #packet = 0;

  constructor(
    readonly encoding: Encoding,
    messages: BookMessage[],
  ) {
    this.#messages = messages;
    for (let slot = 0; slot < slots; slot++) {
      const offset = slot * message_bytes;
      writeMessage(this.#single, offset, this.#message(slot));
      this.#payloads.push(Buffer.from(this.#single.buffer, offset, message_bytes));
    }
    this.#packetBytes = Buffer.alloc(encoding === 'packet' ? packet_slots * 1_400 : 0);
    this.#packets = new DataView(this.#packetBytes.buffer, this.#packetBytes.byteOffset, this.#packetBytes.length);
  }

  /** One payload for messages `first` … `first + count - 1` of the slice. */
  encode(task: SliceTask, first: number, count: number): Buffer | string {
    switch (this.encoding) {
      case 'message':
        return this.#stamped(task, first);
      case 'json':
        return JSON.stringify(this.#object(task, first));
      case 'json_packet':
        return JSON.stringify(Array.from({ length: count }, (_, index) => this.#object(task, first + index)));
      case 'packet':
        return this.#pack(task, first, count);
    }
  }

  #message(index: number): BookMessage {
    return this.#messages[index % this.#messages.length] as BookMessage;
  }

  #stamped({ rate, slice }: SliceTask, index: number): Buffer {
    const slot = index % slots;
    const offset = slot * message_bytes;
    this.#single.setUint32(offset + field.time, (index * 1e9) / rate, true);
    this.#single.setUint32(offset + field.sequence, index, true);
    this.#single.setUint16(offset + field.flags, slice, true);
    return this.#payloads[slot] as Buffer;
  }

  #pack(task: SliceTask, first: number, count: number): Buffer {
    const begin = (this.#packet++ % packet_slots) * 1_400;
    this.#packets.setUint32(begin, count, true);
    for (let index = 0; index < count; index++)
      this.#packetBytes.set(this.#stamped(task, first + index), begin + packet_header_bytes + index * message_bytes);
    return this.#packetBytes.subarray(begin, begin + packet_header_bytes + count * message_bytes);
  }

  #object({ rate, slice }: SliceTask, index: number) {
    const time = Math.floor((index * 1e9) / rate);
    return { ...this.#message(index), time, sequence: index, flags: slice };
  }
}

export class OpenLoopPublisher implements PublisherSide {
  readonly #encoder: Encoder;
  readonly #clock = new SliceClock();

  /** `sleeps`: gives the core away between turns, instead of looking at the clock all the time. */
  constructor(
    readonly peer: PeerPublisher,
    encoding: Encoding,
    readonly sleeps: boolean,
    messages: BookMessage[],
  ) {
    this.#encoder = new Encoder(encoding, messages);
  }

  get address(): string {
    return this.peer.address;
  }

  async publish(task: SliceTask): Promise<PublishedSlice> {
    const { rate, count } = task;
    this.#clock.set(task.startMs);
    const end_ns = (count * 1e9 * patience) / rate;
    let sent = 0;
    const cpu = process.cpuUsage();
    while (sent < count) {
      const now = this.#clock.ns();
      if (now > end_ns) break;
      const due = Math.min(count, Math.floor((now * rate) / 1e9) + 1);
      const end = Math.min(due, sent + turn_messages);
      if (end > sent) {
        this.#publishRange(task, sent, end);
        sent = end;
      }
      // The event loop's turn, in which the peer writes to its sockets.
      await new Promise(setImmediate);
      if (this.sleeps && sent === due) Atomics.wait(nothing, 0, 0, sleep_ms);
    }
    const { user, system } = process.cpuUsage(cpu);
    return { sent, cpu_ms: (user + system) / 1_000 };
  }

  close(): Promise<void> | void {
    return this.peer.close();
  }

  #publishRange(task: SliceTask, first: number, end: number): void {
    const most = this.#encoder.encoding.endsWith('packet') ? packet_messages : 1;
    for (let index = first; index < end; index += most)
      this.peer.publish(this.#encoder.encode(task, index, Math.min(most, end - index)));
  }
}
