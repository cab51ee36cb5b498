/** One server of the fan-out benchmark, forked by perf/fanout.ts. */

import { App, type WebSocket as UwsSocket, us_socket_local_port } from 'uWebSockets.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { serveTask } from '../processes.js';
import { openGateway } from './gateway_server.js';

export type ServerTask =
  | { kind: 'gateway'; ringPath: string; clients: number }
  | { kind: 'uws' | 'ws'; joined: boolean; clients: number; messages: number; messageBytes: number };

const backpressure_max = 16 * 2 ** 20;
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
  const each = task.joined ? [all] : parts(all, task.messageBytes);
  let looked = 0;
  const turn = () => {
    if (!open) return;
    // One of them in each turn: all get the same. What waits would be written together: more at once than the others do.
    if (sockets[looked++ % sockets.length]?.getBufferedAmount() === 0)
      for (const part of each) app.publish('all', part as Uint8Array<ArrayBuffer>, true);
    setImmediate(turn);
  };
  app.ws('/feed', {
    maxBackpressure: backpressure_max,
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
  const each = task.joined ? [all] : parts(all, task.messageBytes);
  const turn = () => {
    if (!open) return;
    for (const socket of server.clients) {
      if (socket.bufferedAmount > 0) continue;
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

function openServer(task: ServerTask): Promise<Peer> {
  switch (task.kind) {
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
