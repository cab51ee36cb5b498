/** GatewayClient over real sockets, against a gateway that plays a recorded feed. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { GatewayClient, type SocketLike, type Subscription } from '../../src/browser/index.js';
import { PacketReader } from '../../src/browser/packet_reader.js';
import { SnapshotWhy } from '../../src/generated/gateway.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import type { ExpectedBooks, Recording } from './conformance.js';
import { markBlock } from './frames.js';
import { recorded } from './recorded.js';

interface Asked {
  type: string;
  id: number;
  resume?: { session: string; sequence: string };
}

/** Serves `exact` alone; drops every socket after so many packets. */
class PlayedGateway {
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  readonly asked: Asked[] = [];
  readonly #ends: number[];

  constructor(
    private readonly recording: Recording,
    private readonly packetsPerSocket: number,
  ) {
    const reader = new PacketReader();
    this.#ends = recording.packets.map((bytes) => {
      reader.read(bytes);
      return reader.count === 0 ? 0 : reader.firstSequence + reader.count - 1;
    });
    this.#server.on('connection', (socket) => {
      socket.on('message', (text) => this.#answer(socket, JSON.parse(String(text))));
    });
  }

  async url(): Promise<string> {
    if (this.#server.address() === null) await once(this.#server, 'listening');
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/feed`;
  }

  close(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  #answer(socket: WebSocket, message: Asked): void {
    this.asked.push(message);
    const say = (answer: object) => socket.send(JSON.stringify(answer));
    if (message.type === 'hello') say({ type: 'welcome', version: 1, session: '1', channels: [], limits: {} });
    if (message.type === 'ping') say({ type: 'pong' });
    if (message.type === 'subscribe') {
      const from = Number(message.resume?.sequence ?? 0) || this.#snapshotSequence();
      say({ type: 'subscribed', id: message.id, channel: 1, mode: 'exact', sequence: String(from), instruments: [] });
      const before = message.resume === undefined ? (this.recording.snapshots[0] ?? []) : [];
      this.#play(socket, this.#mark(message, from, before), from);
    }
  }

  #snapshotSequence(): number {
    return this.#lastOfSnapshot().firstSequence - 1;
  }

  #generation(): bigint {
    return this.#lastOfSnapshot().generation;
  }

  #session(): bigint {
    const { sessionHigh, sessionLow } = this.#lastOfSnapshot();
    return (BigInt(sessionHigh) << 32n) + BigInt(sessionLow);
  }

  #lastOfSnapshot(): PacketReader {
    const reader = new PacketReader();
    reader.read(this.recording.snapshots[0]?.at(-1) as Uint8Array);
    return reader;
  }

  // The snapshot behind its mark, or the mark of one who resumes.
  #mark({ id, resume }: Asked, from: number, snapshot: readonly Uint8Array[]): Buffer {
    const why = resume === undefined ? SnapshotWhy.begin : SnapshotWhy.resume;
    const generation = snapshot.length === 0 ? 0n : this.#generation();
    const fields = { subscription: id, session: this.#session(), sequence: BigInt(from) };
    return Buffer.concat([markBlock(fields, { generation, datagrams: snapshot.length, why }), ...snapshot]);
  }

  // Several blocks in each frame, as the gateway has it.
  #play(socket: WebSocket, begin: Buffer, from: number): void {
    const first = this.#ends.findIndex((end) => end > from);
    const all = [begin, ...(first < 0 ? [] : this.recording.packets.slice(first))];
    const whole = all.length <= this.packetsPerSocket;
    const blocks = all.slice(0, this.packetsPerSocket);
    for (let at = 0; at < blocks.length; at += 16) socket.send(Buffer.concat(blocks.slice(at, at + 16)));
    if (!whole) socket.close(1001);
  }
}

function started(t: Test, url: string): { client: GatewayClient; told: string[] } {
  const client = new GatewayClient({
    url,
    webSocket: WebSocket as unknown as new (url: string) => SocketLike,
    backoffMs: 10,
  });
  t.teardown(() => client.close());
  const told: string[] = [];
  client.on('snapshot', () => told.push('snapshot'));
  client.on('digestMismatch', (sequence) => told.push(`mismatch ${sequence}`));
  client.on('fault', (fault) => told.push(fault));
  client.on('error', (error) => told.push(String(error)));
  client.start();
  return { client, told };
}

function compare(t: Test, subscription: Subscription, expected: ExpectedBooks): void {
  t.equal(String(subscription.digest()), expected.digest);
  for (const { instrument, bids, asks, state } of expected.instruments) {
    t.equal(subscription.instrumentState(instrument), state);
    for (const [side, levels] of Object.entries({ bid: bids, ask: asks }) as ['bid' | 'ask', string[]][]) {
      const found = Array.from(subscription.queues(instrument, side), ({ price, quantity, orders, queue }) =>
        [price, quantity, orders, ...queue.flatMap((order) => [order.id, order.quantity])].join(' '),
      );
      t.same(found, levels, `${side}s of ${instrument}`);
    }
    t.equal(subscription.depth(instrument, 3)?.bids.length, Math.min(3, bids.length));
  }
}

t.test('followsExactOverManySocketsToTheSameBooks', async (t) => {
  const recording = await recorded(t, 95, { messages: 10_000, points: 1 });
  // How many packets there are depends on the machine's load.
  const gateway = new PlayedGateway(recording, Math.ceil(recording.packets.length / 6));
  t.teardown(() => gateway.close());
  const { client, told } = started(t, await gateway.url());
  const subscription = client.subscribe({ channel: 1, mode: 'exact' });
  const ranges: [bigint, bigint][] = [];
  client.on('updates', ({ first, last }) => ranges.push([first, last]));
  await subscription.ready;
  const expected = recording.expected.at(-1) as ExpectedBooks;
  await until('the last message', () => subscription.sequence === BigInt(expected.sequence), 30_000);
  compare(t, subscription, expected);
  t.same(told, ['snapshot'], 'one snapshot; after that it went on where it had stopped');
  t.ok(client.figures().connects > 3, `${client.figures().connects} connections`);
  const hole = ranges.findIndex(([first], index) => index > 0 && first !== (ranges[index - 1]?.[1] ?? 0n) + 1n);
  t.equal(hole, -1, 'every message was delivered once, in order');
  t.equal(client.state, 'synchronized');
  client.close();
  t.equal(client.state, 'closed');
  t.throws(() => client.subscribe({ channel: 1, mode: 'bbo' }), /closed/);
});

t.test('requestsNeedAConnection', async (t) => {
  const client = new GatewayClient({
    url: 'ws://127.0.0.1:9',
    webSocket: WebSocket as unknown as new (url: string) => SocketLike,
  });
  t.teardown(() => client.close());
  const subscription = client.subscribe({ channel: 1, mode: 'depth' });
  await t.rejects(subscription.counts(), /no connection/);
  await t.rejects(subscription.change({ levels: 5 }), /no connection/);
  t.equal(subscription.depth(1), undefined);
  t.equal(client.state, 'new');
  if (!('WebSocket' in globalThis)) t.throws(() => new GatewayClient({ url: 'ws://x' }), /there is no WebSocket/);
});
