/** One server of the fan-out benchmark, or the publisher behind the gateway; forked by perf/fanout.ts. */

import { App, type WebSocket as UwsSocket, us_socket_local_port } from 'uWebSockets.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Distributor } from 'depthcast';
import { WebSocketServer } from 'ws';
import { serveTask } from '../processes.js';
import { openGateway } from './gateway_server.js';

export type ServerTask =
  | { kind: 'publisher'; ringPath: string; rate: number; port: number }
  | { kind: 'gateway'; ringPath: string; clients: number }
  | { kind: 'uws' | 'ws'; each: boolean; clients: number; messages: number; messageBytes: number };

/** Past so much for one socket, a turn is left out. */
const buffered_max = 262_144;
const prefix_bytes = 16;

/** So many messages one behind the other, each a block. */
function blocks(messages: number, message_bytes: number): Buffer {
  const bytes = Buffer.alloc(messages * message_bytes);
  for (let at = 0; at < bytes.length; at += message_bytes) bytes.writeUInt32LE(message_bytes - prefix_bytes, at + 8);
  return bytes;
}

function parts(all: Buffer, message_bytes: number): Buffer[] {
  return Array.from({ length: all.length / message_bytes }, (_, index) =>
    all.subarray(index * message_bytes, (index + 1) * message_bytes),
  );
}

interface Peer {
  port: number;
  close(): void;
}

async function openUws(task: Extract<ServerTask, { kind: 'uws' | 'ws' }>): Promise<Peer> {
  const sockets: UwsSocket<unknown>[] = [];
  const app = App();
  let open = true;
  const all = blocks(task.messages, task.messageBytes);
  const each = task.each ? parts(all, task.messageBytes) : [all];
  let looked = 0;
  const turn = () => {
    if (!open) return;
    // One of them in each turn: all get the same.
    const socket = sockets[looked++ % sockets.length];
    if ((socket?.getBufferedAmount() ?? 0) < buffered_max)
      for (const part of each) app.publish('all', part as Uint8Array<ArrayBuffer>, true);
    setImmediate(turn);
  };
  app.ws('/feed', {
    maxBackpressure: 64 * buffered_max,
    open: (socket) => {
      socket.subscribe('all');
      sockets.push(socket);
      if (sockets.length === task.clients) turn();
    },
    close: (socket) => {
      sockets.splice(sockets.indexOf(socket), 1);
    },
  });
  const port = await new Promise<number>((resolve) =>
    app.listen('127.0.0.1', 0, (socket) => resolve(socket === false ? 0 : us_socket_local_port(socket))),
  );
  return {
    port,
    close: () => {
      open = false;
      app.close();
    },
  };
}

async function openWs(task: Extract<ServerTask, { kind: 'uws' | 'ws' }>): Promise<Peer> {
  const http = createServer();
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  let open = true;
  const all = blocks(task.messages, task.messageBytes);
  const each = task.each ? parts(all, task.messageBytes) : [all];
  const turn = () => {
    if (!open) return;
    for (const socket of server.clients) {
      if (socket.bufferedAmount >= buffered_max) continue;
      for (const part of each) socket.send(part);
    }
    setImmediate(turn);
  };
  server.on('connection', () => {
    if (server.clients.size === task.clients) turn();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', 1_024, resolve));
  return {
    port: (http.address() as AddressInfo).port,
    close: () => {
      open = false;
      for (const socket of server.clients) socket.terminate();
      http.close();
    },
  };
}

async function openPublisher({ ringPath, rate, port }: Extract<ServerTask, { kind: 'publisher' }>): Promise<Peer> {
  const distributor = new Distributor({
    lineA: { group: '239.192.60.253', port },
    lineB: null,
    control: null,
    ring: { path: ringPath },
    snapshot: { enabled: false },
    // Small books: it is the fan-out that counts, not the snapshot at its beginning.
    simulate: { symbols: 10, liveOrders: 200, seed: 1 },
    rate,
  });
  await distributor.start();
  return { port: 0, close: () => void distributor.close() };
}

function openServer(task: ServerTask): Promise<Peer> {
  switch (task.kind) {
    case 'publisher':
      return openPublisher(task);
    case 'gateway':
      return openGateway(task.ringPath, task.clients);
    case 'uws':
      return openUws(task);
    case 'ws':
      return openWs(task);
  }
}

serveTask<ServerTask>(async (task, tell, stopped) => {
  const server = await openServer(task);
  tell({ port: server.port });
  await stopped;
  server.close();
  return {};
});
