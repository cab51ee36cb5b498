/** A client of /recovery written against docs/recovery.md alone: a bare WebSocket, frames taken apart by hand. */
import { createHash } from 'node:crypto';
import WebSocket from 'ws';

export interface Answer {
  /** Datagrams as they came, in order. */
  datagrams: Buffer[];
  frames: number;
  bytes: number;
  done: Record<string, unknown>;
}

type Text = Record<string, unknown> & { type: string };

export class RawClient {
  readonly texts: Text[] = [];
  readonly socket: WebSocket;
  closed: { code: number; reason: string } | undefined;
  readonly #frames = new Map<number, Buffer[]>();
  #changed: (() => void)[] = [];
  #id = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#take(data);
      else this.texts.push(JSON.parse(data.toString('utf8')) as Text);
      this.#tell();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
      this.#tell();
    });
    socket.on('error', () => {});
  }

  /** `base` is the control service's URL. Rejects where the socket is refused. */
  static async connect(base: string, options: WebSocket.ClientOptions = {}): Promise<RawClient> {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/recovery`, { perMessageDeflate: false, ...options });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
      socket.once('error', reject);
    });
    return client;
  }

  /** Connected and greeted. */
  static async open(base: string, channel = 1, token?: string): Promise<{ client: RawClient; welcome: Text }> {
    const client = await RawClient.connect(base);
    client.send({ type: 'hello', version: 1, channel, ...(token === undefined ? {} : { token }) });
    const welcome = await client.text(({ type }) => type === 'welcome' || type === 'refused');
    return { client, welcome };
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first text that fits, of those that came or will come. */
  async text(fits: (text: Text) => boolean, ms = 60_000): Promise<Text> {
    await this.until(() => this.texts.some(fits), 'a text frame', ms);
    return this.texts.find(fits) as Text;
  }

  async until(condition: () => boolean, what: string, ms = 60_000): Promise<void> {
    const end = Date.now() + ms;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Sends a request under a new id and waits for its end. */
  async ask(request: { type: string } & Record<string, unknown>): Promise<Answer> {
    const id = ++this.#id;
    this.send({ ...request, id });
    return this.answer(id);
  }

  async answer(id: number): Promise<Answer> {
    const done = await this.text((text) => text.id === id && (text.type === 'done' || text.type === 'refused'));
    const frames = this.#frames.get(id) ?? [];
    const datagrams = frames.flatMap(splitFrame);
    return { datagrams, frames: frames.length, bytes: frames.reduce((sum, { length }) => sum + length, 0), done };
  }

  retransmit(session: string, ranges: [bigint | number, bigint | number][]): Promise<Answer> {
    return this.ask({ type: 'retransmit', session, ranges: ranges.map(([a, b]) => [String(a), String(b)]) });
  }

  close(): void {
    this.socket.terminate();
  }

  #take(frame: Buffer): void {
    if (frame.length > 262_144) throw new Error('a frame is too long');
    const id = frame.readUInt32LE(0);
    const known = this.#frames.get(id);
    if (known === undefined) this.#frames.set(id, [frame]);
    else known.push(frame);
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const wake of changed) wake();
  }
}

function splitFrame(frame: Buffer): Buffer[] {
  const all: Buffer[] = [];
  for (let offset = 8; offset < frame.length; ) {
    if (frame.readUInt32LE(offset) !== 0x5443_4344) throw new Error(`no datagram at ${offset}`);
    const length = 16 + frame.readUInt32LE(offset + 8);
    if (offset + length > frame.length) throw new Error('a datagram is cut off');
    all.push(frame.subarray(offset, offset + length));
    offset += length;
  }
  return all;
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
