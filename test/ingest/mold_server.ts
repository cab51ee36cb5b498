/** A MoldUDP64 sender with a re-request server, written from Nasdaq's specification alone. Loopback, TTL 0. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export const mold_end_of_session = 0xffff;

/** A downstream packet; `count` may lie. */
export function moldPacket(session: string, sequence: number, messages: readonly Buffer[], count?: number): Buffer {
  const head = Buffer.alloc(20);
  head.write(session.padEnd(10), 0, 'latin1');
  head.writeBigUInt64BE(BigInt(sequence), 10);
  head.writeUInt16BE(count ?? messages.length, 18);
  const parts: Buffer[] = [head];
  for (const message of messages) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    parts.push(length, message);
  }
  return Buffer.concat(parts);
}

/** Packets of all messages, each of up to `count`. */
export function moldPackets(session: string, messages: readonly Buffer[], count: number): Buffer[] {
  const packets: Buffer[] = [];
  for (let first = 0; first < messages.length; first += count)
    packets.push(moldPacket(session, first + 1, messages.slice(first, first + count)));
  return packets;
}

export interface Destination {
  group: string;
  port: number;
}

export class MoldServer {
  readonly requests: { sequence: number; count: number }[] = [];
  /** Requests that get no answer. */
  ignore = 0;
  readonly #socket: Socket;

  private constructor(
    socket: Socket,
    readonly session: string,
    readonly messages: readonly Buffer[],
  ) {
    this.#socket = socket;
    socket.on('message', (request, from) => {
      if (request.length !== 20) return;
      const sequence = Number(request.readBigUInt64BE(10));
      const count = request.readUInt16BE(18);
      this.requests.push({ sequence, count });
      if (this.ignore > 0) this.ignore--;
      else socket.send(this.#answer(sequence, count), from.port, from.address);
    });
  }

  static async open(session: string, messages: readonly Buffer[]): Promise<MoldServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastTTL(0);
    return new MoldServer(socket, session, messages);
  }

  /** Of the re-request service. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  send({ group, port }: Destination, packet: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(packet, port, group, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async end(to: Destination): Promise<void> {
    await this.send(to, moldPacket(this.session, this.messages.length + 1, [], mold_end_of_session));
  }

  close(): void {
    this.#socket.close();
  }

  /** As many messages as fit a packet. */
  #answer(sequence: number, count: number): Buffer {
    const chosen: Buffer[] = [];
    let bytes = 20;
    for (const message of this.messages.slice(sequence - 1, sequence - 1 + count)) {
      bytes += 2 + message.length;
      if (bytes > 1_400) break;
      chosen.push(message);
    }
    return moldPacket(this.session, sequence, chosen);
  }
}
