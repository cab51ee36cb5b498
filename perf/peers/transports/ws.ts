/** A `ws` server that sends to each of its clients; no compression, TCP_NODELAY. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Transport } from './transport.js';
import { openWebSocket } from './websocket_client.js';

export const ws: Transport = {
  async openPublisher() {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await new Promise((resolve) => server.once('listening', resolve));
    return {
      address: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      publish: (payload) => {
        for (const client of server.clients) client.send(payload);
      },
      close: () => {
        for (const client of server.clients) client.terminate();
        server.close();
      },
    };
  },
  openSubscriber: openWebSocket,
};
