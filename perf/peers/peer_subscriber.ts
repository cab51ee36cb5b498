/** A peer's subscriber: reads every message that it gets, and notes when. */
import { SliceClock } from './clock.js';
import { field, message_bytes, packet_header_bytes, read32 } from './messages.js';
import type { Encoding } from './peer_publisher.js';
import type { ReceivedSlice, SliceTask, SubscriberSide } from './side.js';
import { SliceRecord } from './slice_record.js';
import type { PeerSubscriber, Transport } from './transports/transport.js';

interface JsonMessage {
  order: number;
  price: number;
  time: number;
  sequence: number;
  flags: number;
}

export class CountingSubscriber implements SubscriberSide {
  readonly #clock = new SliceClock();
  readonly #record = new SliceRecord();
  #slice = -1;
  #peer: PeerSubscriber | undefined;

  static async open(transport: Transport, address: string, encoding: Encoding): Promise<CountingSubscriber> {
    const subscriber = new CountingSubscriber();
    const reader = {
      message: (payload: Uint8Array | string) => subscriber.#binary(payload as Uint8Array, 0),
      packet: (payload: Uint8Array | string) => subscriber.#binary(payload as Uint8Array, packet_header_bytes),
      json: (payload: Uint8Array | string) => subscriber.#json([JSON.parse(payload as string)]),
      json_packet: (payload: Uint8Array | string) => subscriber.#json(JSON.parse(payload as string)),
    }[encoding];
    subscriber.#peer = await transport.openSubscriber(address, reader);
    return subscriber;
  }

  begin(task: SliceTask): void {
    this.#slice = task.slice;
    this.#clock.set(task.startMs);
    this.#record.begin();
  }

  received(): number {
    return this.#record.received;
  }

  end(): ReceivedSlice {
    return this.#record.end();
  }

  close(): Promise<void> | void {
    return this.#peer?.close();
  }

  #binary(bytes: Uint8Array, begin: number): void {
    const now = this.#clock.ns();
    for (let offset = begin; offset + message_bytes <= bytes.length; offset += message_bytes) {
      if (((bytes[offset + field.flags] ?? 0) | ((bytes[offset + field.flags + 1] ?? 0) << 8)) !== this.#slice)
        continue;
      this.#record.sum ^= read32(bytes, offset + field.order) ^ read32(bytes, offset + field.price);
      this.#record.message(read32(bytes, offset + field.sequence), now - read32(bytes, offset + field.time));
    }
  }

  #json(messages: JsonMessage[]): void {
    const now = this.#clock.ns();
    for (const { order, price, time, sequence, flags } of messages) {
      if (flags !== this.#slice) continue;
      this.#record.sum ^= order ^ price;
      this.#record.message(sequence, now - time);
    }
  }
}
