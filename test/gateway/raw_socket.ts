/** A WebSocket client by hand, which may break every rule of RFC 6455. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { until } from '../channel.js';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

interface FrameOptions {
  opcode?: number;
  fin?: boolean;
  masked?: boolean;
  /** RSV1 to RSV3 as the bits 0x70. */
  reserved?: number;
  /** Said instead of the true length. */
  length?: bigint;
}

export function frame(
  payload: string | Buffer,
  { fin = true, length, masked = true, opcode = opcodes.text, reserved = 0 }: FrameOptions = {},
): Buffer {
  const body = Buffer.from(payload);
  const said = length ?? BigInt(body.length);
  const mask_bit = masked ? 0x80 : 0;
  const first = (fin ? 0x80 : 0) | reserved | opcode;
  const head =
    said < 126n
      ? Buffer.from([first, mask_bit | Number(said)])
      : said < 65_536n
        ? Buffer.from([first, mask_bit | 126, Number(said >> 8n), Number(said & 255n)])
        : Buffer.concat([Buffer.from([first, mask_bit | 127]), Buffer.alloc(8)]);
  if (said >= 65_536n) head.writeBigUInt64BE(said, 2);
  if (!masked) return Buffer.concat([head, body]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, body.map((byte, index) => byte ^ (mask[index % 4] as number))]);
}

export const upgrade_headers = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

export class RawSocket {
  /** Texts of the server, and its close frame. */
  readonly texts: (Record<string, unknown> & { type: string })[] = [];
  pongs = 0;
  binaries = 0;
  closeCode: number | undefined;
  gone = false;
  /** What came before the first frame. */
  head = '';
  #got = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => this.#take(data));
    socket.on('error', () => {});
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.gone = true;
      });
  }

  /** Sends the head of an upgrade; resolves when the server has answered it, or ended. */
  static async open(port: number, headers: Record<string, string> = upgrade_headers, path = '/feed', method = 'GET') {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const raw = new RawSocket(socket);
    const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`);
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    await until('an answer to the upgrade', () => raw.head !== '' || raw.gone);
    return raw;
  }

  /** One that has said hello. */
  static async welcomed(port: number): Promise<RawSocket> {
    const raw = await RawSocket.open(port);
    raw.send(frame('{"type":"hello","versions":[1]}'));
    await until('the welcome', () => raw.texts.length > 0);
    return raw;
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Ends in whatever way; then the code of the close frame, or undefined where there was none. */
  async end(): Promise<number | undefined> {
    await until('the end of the socket', () => this.gone || this.closeCode !== undefined);
    this.socket.destroy();
    return this.closeCode;
  }

  get status(): number {
    return Number(this.head.split(' ')[1]);
  }

  #take(data: Buffer): void {
    this.#got = Buffer.concat([this.#got, data]);
    if (this.head === '') {
      const end = this.#got.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#got.toString('latin1', 0, end);
      this.#got = this.#got.subarray(end + 4);
    }
    if (this.status !== 101) return;
    for (;;) {
      if (this.#got.length < 2) return;
      const short = (this.#got[1] as number) & 127;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#got.length < start) return;
      const length =
        short < 126 ? short : short === 126 ? this.#got.readUInt16BE(2) : Number(this.#got.readBigUInt64BE(2));
      if (this.#got.length < start + length) return;
      this.#takeFrame((this.#got[0] as number) & 15, this.#got.subarray(start, start + length));
      this.#got = this.#got.subarray(start + length);
    }
  }

  #takeFrame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.text) this.texts.push(JSON.parse(payload.toString('utf8')));
    else if (opcode === opcodes.binary) this.binaries++;
    else if (opcode === opcodes.pong) this.pongs++;
    else if (opcode === opcodes.close) this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1_005;
  }
}
