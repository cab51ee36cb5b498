/** Groups and ports that are free now, for a run of its own. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { LinePair } from '../faults/relay.js';

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '0.0.0.0');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** On 127.0.0.1; see freeAddresses(). */
export async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

export interface ChaosAddresses {
  /** What the publisher sends to. */
  from: LinePair;
  /** What the client listens to. */
  to: LinePair;
  controlUrl: string;
  recoveryUrl: string;
}

/** Rejects where there are none. Another program may take them before they are used: then opening them fails. */
export async function freeAddresses(): Promise<ChaosAddresses> {
  const line = async (group: string) => ({ group, port: await freeUdpPort() });
  return {
    from: { A: await line('239.192.27.1'), B: await line('239.192.27.2') },
    to: { A: await line('239.192.27.3'), B: await line('239.192.27.4') },
    controlUrl: `http://127.0.0.1:${await freeTcpPort()}`,
    recoveryUrl: `http://127.0.0.1:${await freeTcpPort()}`,
  };
}
