/** A gateway's client written against docs/gateway.md: a bare WebSocket, blocks taken apart by hand. */
import * as flatbuffers from 'flatbuffers';
import WebSocket from 'ws';
import {
  DepthFrame,
  FilteredFrame,
  Frame,
  FramePayload,
  PrintFrame,
  SnapshotFrame,
  SnapshotWhy,
} from '../../src/generated/gateway.js';
import { until } from '../channel.js';
import { packetHead } from '../faults/packets.js';
import { mask, mix64 } from '../mix64.js';

type Text = Record<string, unknown> & { type: string };

/** [price, quantity, orders] by side, best first. */
export interface Window {
  bids: Map<bigint, [bigint, number]>;
  asks: Map<bigint, [bigint, number]>;
  status: number;
  last: bigint;
}

/** What a client is told of its counts, with what it had received by then: more may come in one piece with it. */
export interface Told {
  says: Record<string, unknown>;
  sent: bigint;
  conflated: bigint;
}

function sorted(levels: Map<bigint, [bigint, number]>, side: 1 | 2): [bigint, bigint, number][] {
  const all = [...levels].map(([price, [quantity, orders]]): [bigint, bigint, number] => [price, quantity, orders]);
  return all.sort(([a], [b]) => (side === 1 ? Number(b - a) : Number(a - b)));
}

export function levelsOf({ asks, bids }: Window): {
  bids: [bigint, bigint, number][];
  asks: [bigint, bigint, number][];
} {
  return { bids: sorted(bids, 1), asks: sorted(asks, 2) };
}

function hashOf(window: Window): bigint {
  const { asks, bids } = levelsOf(window);
  let hash = 0x9e3779b97f4a7c15n;
  for (const [side, levels] of [
    [1n, bids],
    [2n, asks],
  ] as const)
    for (const [price, quantity, orders] of levels) {
      hash = mix64(hash ^ (price & mask));
      hash = mix64(hash ^ quantity);
      hash = mix64(hash ^ (BigInt(orders) + (side << 32n)));
    }
  return mix64(hash ^ BigInt(window.status));
}

/** How many packets a receiver of the line had too (the kernel may have dropped some), and how many of them were others. */
export function compareWithLine(packets: readonly Buffer[], line: readonly Buffer[]) {
  const published = new Map(
    line
      .map((datagram) => [packetHead(datagram), datagram] as const)
      .filter(([{ count }]) => count > 0)
      .map(([{ first }, datagram]) => [first, datagram]),
  );
  const both = packets.filter((packet) => published.has(packetHead(packet).first));
  const differing = both.filter((packet) => published.get(packetHead(packet).first)?.equals(packet) !== true);
  return { compared: both.length, differing: differing.length };
}

export class RawGatewayClient {
  readonly texts: Text[] = [];
  readonly windows = new Map<number, Window>();
  /** Numbered datagrams, those of snapshots apart. */
  readonly packets: Buffer[] = [];
  readonly snapshots: Buffer[] = [];
  readonly numbers: bigint[] = [];
  readonly prints: bigint[] = [];
  /** As counted from what came. */
  sent = 0n;
  conflated = 0n;
  frames = 0;
  digestFrames = 0;
  readonly told: Told[] = [];
  /** Why each snapshot came, by subscription. */
  readonly marks: [subscription: number, why: string][] = [];
  /** Datagrams of a snapshot that follow its mark. */
  #marked = 0;
  readonly faults: string[] = [];
  closed: { code: number; reason: string } | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#take(data);
      else this.#takeText(JSON.parse(data.toString('utf8')) as Text);
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
    });
    socket.on('error', () => {});
  }

  /** Rejects where the socket is refused. With `ca` by TLS. */
  static async connect(port: number, options: WebSocket.ClientOptions = {}): Promise<RawGatewayClient> {
    const scheme = options.ca === undefined ? 'ws' : 'wss';
    const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/feed`, { perMessageDeflate: false, ...options });
    const client = new RawGatewayClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
      socket.once('error', reject);
    });
    return client;
  }

  static async open(port: number, options: WebSocket.ClientOptions = {}): Promise<RawGatewayClient> {
    const client = await RawGatewayClient.connect(port, options);
    await client.ask({ type: 'hello', versions: [1] }, 'welcome');
    return client;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends, and waits for the next text of that type, or an error. */
  async ask(message: object | string, type: string): Promise<Text> {
    const before = this.texts.length;
    this.send(message);
    const answer = () => this.texts.slice(before).find((text) => text.type === type || text.type === 'error');
    await until(`an answer to ${JSON.stringify(message)}`, () => answer() !== undefined || this.closed !== undefined);
    return answer() ?? { type: 'closed', ...this.closed };
  }

  /** What it is told of its counts by the next answer of that type, with what had come by then. */
  async askCounts(message: object, type: 'counts' | 'unsubscribed'): Promise<Told> {
    const before = this.told.length;
    const answer = await this.ask(message, type);
    const found = this.told.slice(before).find(({ says }) => says === answer);
    if (found === undefined) throw new Error(`no counts but ${JSON.stringify(answer)}`);
    return found;
  }

  close(): void {
    this.socket.terminate();
  }

  #takeText(text: Text): void {
    this.texts.push(text);
    const { conflated, sent } = this;
    if (text.type === 'counts' || text.type === 'unsubscribed') this.told.push({ says: text, sent, conflated });
  }

  #take(data: Buffer): void {
    this.frames++;
    for (let at = 0; at < data.length; ) {
      const length = 16 + data.readUInt32LE(at + 8);
      // Aligned, as a reader in place needs it.
      const block = Buffer.from(Uint8Array.prototype.slice.call(data, at, at + length));
      if (block.length !== length || length % 8 !== 0) this.faults.push(`a block of ${length} bytes`);
      if (block.toString('latin1', 0, 4) === 'DCGF') this.#takeFrame(block.subarray(16));
      else this.#takePacket(block);
      at += length;
    }
  }

  #takePacket(datagram: Buffer): void {
    const { count, packet } = packetHead(datagram);
    if (this.#marked > 0) {
      this.#marked--;
      this.snapshots.push(datagram);
    } else if (packet.payloadType() === 4) this.faults.push('a snapshot without its mark');
    else if (count > 0) {
      this.packets.push(datagram);
      this.sent += BigInt(count);
    }
  }

  #takeFrame(root: Buffer): void {
    const frame = Frame.getRootAsFrame(new flatbuffers.ByteBuffer(root));
    const type = frame.payloadType();
    if (type === FramePayload.DepthFrame) this.#takeDepth(frame.payload(new DepthFrame()) as DepthFrame);
    else if (type === FramePayload.PrintFrame) {
      const list = frame.payload(new PrintFrame()) as PrintFrame;
      for (let index = 0; index < list.printsLength(); index++) this.prints.push(list.prints(index)?.sequence() ?? 0n);
      this.sent += BigInt(list.printsLength());
      this.conflated += BigInt(list.others());
    } else if (type === FramePayload.DigestFrame) this.digestFrames++;
    else if (type === FramePayload.SnapshotFrame) {
      const mark = frame.payload(new SnapshotFrame()) as SnapshotFrame;
      if (this.#marked > 0) this.faults.push('a mark within a snapshot');
      this.#marked = mark.datagrams();
      if (mark.part() > 0) return;
      this.marks.push([frame.subscription(), SnapshotWhy[mark.why()] ?? '']);
      this.conflated += mark.covered();
    } else {
      const list = frame.payload(new FilteredFrame()) as FilteredFrame;
      for (let index = 0; index < list.sequencesLength(); index++) this.numbers.push(list.sequences(index) ?? 0n);
      this.sent += BigInt(list.sequencesLength());
    }
  }

  #takeDepth(frame: DepthFrame): void {
    for (let index = 0; index < frame.entriesLength(); index++) {
      const entry = frame.entries(index);
      if (entry === null) continue;
      let window = this.windows.get(entry.instrument());
      if (entry.full() === 1 || window === undefined) {
        window = { bids: new Map(), asks: new Map(), status: 0, last: 0n };
        this.windows.set(entry.instrument(), window);
        if (entry.full() !== 1) this.faults.push('a delta before a full window');
      } else if (entry.base() !== window.last) this.faults.push('a delta to another window');
      for (let place = 0; place < entry.levels(); place++) {
        const level = frame.levels(entry.levelsFirst() + place);
        if (level === null) continue;
        const side = level.side() === 1 ? window.bids : window.asks;
        if (level.quantity() === 0n) side.delete(level.price());
        else side.set(level.price(), [level.quantity(), level.orders()]);
      }
      window.status = entry.status();
      window.last = entry.last();
      if (hashOf(window) !== entry.hash()) this.faults.push(`hash of instrument ${entry.instrument()} differs`);
      if (entry.messages() > 0) {
        this.sent++;
        this.conflated += BigInt(entry.messages() - 1);
      }
    }
  }
}
