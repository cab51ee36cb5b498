/** What tests of FeedClient over a gateway share. */
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { SubscribeOptionsInput } from '../../src/config.js';
import { FeedClient } from '../../src/feed_client.js';
import { limits } from '../channel.js';
import type { Test } from '../data.js';

export function followOn(t: Test, port: number, more: SubscribeOptionsInput = {}): FeedClient {
  const client = new FeedClient({
    gateway: `ws://127.0.0.1:${port}/feed`,
    control: null,
    limits,
    backoffMs: 20,
    ...more,
  });
  t.teardown(() => client.close());
  return client;
}

/** Passes bytes on to a port, or to another one from now on; cut() breaks every connection. */
export async function cuttable(t: Test, first: number) {
  let onto = first;
  const open = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    count++;
    const onward = connect(onto, '127.0.0.1');
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      open.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  const to = (port: number) => {
    onto = port;
  };
  return { port: (server.address() as AddressInfo).port, connections: () => count, cut, to };
}

/** Answers every request with that; returns the directory's URL. */
export async function directoryOf(t: Test, answer: unknown, status = 200): Promise<string> {
  const server = createHttp((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/channels`;
}
