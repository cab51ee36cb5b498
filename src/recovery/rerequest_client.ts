/** Re-requests by UDP: one datagram asks for a number, one answers. docs/recovery.md, "Re-request by UDP". */
import { createSocket, type Socket } from 'node:dgram';
import type { Range } from './client_state.js';

export interface RerequestClientOptions {
  /** "address:port". */
  address: string;
  channel: number;
  onDatagram: (datagram: Uint8Array) => void;
  /** Too low, or unavailable: only a snapshot helps. */
  onRefused: () => void;
}

const request_magic = 0x5152_4344;
const cookie_magic = 0x4352_4344;
const refusal_magic = 0x4152_4344;
const version = 1;
const header_bytes = 48;
const cookie_bytes = 16;
/** A third of the largest datagram, so that it can be answered before there is a cookie. */
const request_bytes = 2_984;
const code_too_low = 1;
const code_unavailable = 3;

/** Threads: one. What cannot be sent is lost, as is what comes from elsewhere. */
export class RerequestClient {
  readonly #options: RerequestClientOptions;
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #cookie: Buffer | undefined;

  constructor(options: RerequestClientOptions) {
    this.#options = options;
    const colon = options.address.lastIndexOf(':');
    this.#host = options.address.slice(0, colon);
    this.#port = Number(options.address.slice(colon + 1));
  }

  /** Asks for the datagram that holds the first number of each range. */
  ask(session: bigint, ranges: readonly Range[]): void {
    const socket = this.#open();
    for (const { first, last } of ranges) {
      const count = last - first + 1n;
      const request = Buffer.alloc(this.#cookie === undefined ? request_bytes : header_bytes);
      request.writeUInt32LE(request_magic, 0);
      request.writeUInt16LE(version, 4);
      request.writeUInt16LE(Number(count > 0xffffn ? 0xffffn : count), 6);
      request.writeBigUInt64LE(session, 8);
      request.writeBigUInt64LE(first, 16);
      request.writeUInt32LE(this.#options.channel, 24);
      this.#cookie?.copy(request, 32);
      socket.send(request, this.#port, this.#host, () => {});
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 2 ** 20 });
    socket.unref();
    socket.on('error', () => {});
    socket.on('message', (bytes, from) => {
      if (from.address === this.#host && from.port === this.#port) this.#receive(bytes);
    });
    this.#socket = socket;
    return socket;
  }

  #receive(bytes: Buffer): void {
    if (bytes.byteLength < 32) return;
    const magic = bytes.readUInt32LE(0);
    if (magic === cookie_magic) {
      this.#cookie = Buffer.from(bytes.subarray(16, 16 + cookie_bytes));
    } else if (magic === refusal_magic) {
      const code = bytes.readUInt16LE(6);
      if (code === code_too_low || code === code_unavailable) this.#options.onRefused();
    } else {
      this.#options.onDatagram(bytes);
    }
  }
}
