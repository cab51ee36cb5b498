/**
 * ZeroMQ PUB/SUB over TCP. No high-water mark on either side (the default drops beyond 1,000 messages); TCP_NODELAY is
 * what libzmq sets by itself, and it gathers small messages on its I/O thread.
 */
import { loadPeer } from '../install.js';
import type { Transport } from './transport.js';

interface Options {
  sendHighWaterMark?: number;
  receiveHighWaterMark?: number;
  sendTimeout?: number;
  linger?: number;
}
interface ZeroMQ {
  Publisher: new (
    options: Options,
  ) => {
    readonly lastEndpoint: string;
    bind(address: string): Promise<void>;
    send(payload: Buffer | string): Promise<void>;
    close(): void;
  };
  Subscriber: new (
    options: Options,
  ) => AsyncIterable<Buffer[]> & {
    connect(address: string): void;
    subscribe(): void;
    close(): void;
  };
}

export const zeromq: Transport = {
  async openPublisher() {
    const { Publisher } = loadPeer<ZeroMQ>('zeromq', 'zeromq');
    // With a timeout of 0 each send is done at once, without a turn of the event loop; a PUB socket never waits anyway.
    const socket = new Publisher({ sendHighWaterMark: 0, sendTimeout: 0, linger: 0 });
    await socket.bind('tcp://127.0.0.1:*');
    return {
      address: socket.lastEndpoint,
      publish: (payload) => void socket.send(payload),
      close: () => socket.close(),
    };
  },

  async openSubscriber(address, onPayload) {
    const { Subscriber } = loadPeer<ZeroMQ>('zeromq', 'zeromq');
    const socket = new Subscriber({ receiveHighWaterMark: 0, linger: 0 });
    socket.connect(address);
    socket.subscribe();
    void (async () => {
      for await (const [payload] of socket) if (payload !== undefined) onPayload(payload);
    })();
    return { close: () => socket.close() };
  },
};
