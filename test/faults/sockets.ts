/** Multicast sockets on loopback, of node:dgram alone. Nothing that they send leaves this machine. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { LineAddress } from './lines.js';

const receive_buffer_bytes = 4 << 20;
const interface_address = '127.0.0.1';

/** A socket that receives one group, whoever else does, too. */
export async function openReceiver({ group, port }: LineAddress): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(port, group);
  await once(socket, 'listening');
  socket.setRecvBufferSize(receive_buffer_bytes);
  socket.addMembership(group, interface_address);
  return socket;
}

/** A socket that sends to one group, from `address`. */
export async function openSender({ group, port }: LineAddress, address = interface_address): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  socket.setMulticastInterface(interface_address);
  socket.setMulticastTTL(0);
  socket.setMulticastLoopback(true);
  socket.connect(port, group);
  await once(socket, 'connect');
  return socket;
}
