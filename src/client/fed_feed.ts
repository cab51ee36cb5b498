/** Mode exact over a gateway: its packets, the very datagrams of the lines, go to the native thread. */
import type { WebSocket } from 'ws';
import { eachBlock } from '../browser/frame_reader.js';
import type { NativeSubscriber } from '../native.js';
import { FedStream } from './fed_stream.js';
import { GatewayLink, type GatewayLinkOptions } from './gateway_link.js';
import { ThreadPace } from './thread_pace.js';

/** How often the books are looked at while packets come. */
const look_every_ms = 250;

/** Threads: one. */
export class FedFeed {
  readonly link: GatewayLink;
  readonly #native: NativeSubscriber;
  readonly #pace: ThreadPace;
  #stream: FedStream | undefined;
  #socket: WebSocket | undefined;
  #packets = 0;
  #looked_ms = 0;

  /** `onLink`: packets come, or come no more. */
  constructor(native: NativeSubscriber, options: GatewayLinkOptions, onLink: (up: boolean) => void) {
    this.#native = native;
    this.#pace = new ThreadPace(native);
    const onOpen = (socket: WebSocket) => {
      this.#socket = socket;
    };
    this.link = new GatewayLink(
      { ...options, onOpen },
      {
        makeStream: (id, asked, host) => {
          const books = { held: () => this.#held(), forgetSnapshot: () => native.wantSnapshot() };
          this.#stream = new FedStream(id, asked, host, books);
          return this.#stream;
        },
        takeBinary: (bytes) => this.#take(bytes),
      },
    );
    this.link.client.on('subscriptionState', (state) => onLink(state === 'synchronized' || state === 'stale'));
  }

  /** Packets that came, of all connections. */
  get packets(): number {
    return this.#packets;
  }

  /** Something has happened to the books. */
  look(): void {
    this.#looked_ms = performance.now();
    const view = this.#native.recovery();
    if (view === undefined || view.session === 0n) return;
    if (!view.whole || view.overdue.length > 0) this.#stream?.wantSnapshot();
  }

  close(): void {
    this.#pace.close();
    this.link.close();
  }

  #held(): { session: bigint; sequence: bigint } | undefined {
    const view = this.#native.recovery();
    if (view === undefined || view.session === 0n || !view.whole || view.next <= 1n) return undefined;
    return { session: view.session, sequence: view.next - 1n };
  }

  #take(bytes: Uint8Array): string | undefined {
    let packets = 0;
    let frames = 0;
    const fault = eachBlock(
      bytes,
      () => packets++,
      () => frames++,
    );
    if (fault !== undefined) return fault;
    if (frames > 0) return 'frame_of_another_mode';
    this.#packets += packets;
    this.#pace.offered(this.#native.offer(bytes), this.#socket);
    this.#stream?.arrived();
    if (performance.now() - this.#looked_ms > look_every_ms) this.look();
    return undefined;
  }
}
