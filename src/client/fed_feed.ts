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
    // Packets that follow each other are offered at once; what the gateway says between them is not for the books.
    let [first, end] = [0, 0];
    const offer = () => {
      if (end > first) this.#pace.offered(this.#native.offer(bytes.subarray(first, end)), this.#socket);
    };
    const fault = eachBlock(
      bytes,
      ({ byteOffset, byteLength }) => {
        const at = byteOffset - bytes.byteOffset;
        if (at !== end) {
          offer();
          first = at;
        }
        end = at + byteLength;
        this.#packets++;
      },
      () => {},
    );
    offer();
    if (fault !== undefined) return fault;
    if (end > 0) this.#stream?.arrived();
    if (performance.now() - this.#looked_ms > look_every_ms) this.look();
    return undefined;
  }
}
