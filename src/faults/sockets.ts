/** Sockets of a relay, of node:dgram alone. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface LineAddress {
  group: string;
  port: number;
}

const receive_buffer_bytes = 4 << 20;

function isMulticast(group: string): boolean {
  const first = Number(group.split('.')[0]);
  return first >= 224 && first <= 239;
}

/** A socket that receives one group (or what comes to one address), whoever else does, too. */
export async function openReceiver({ group, port }: LineAddress, interfaceAddress: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    socket.bind(port, group);
    await once(socket, 'listening');
    socket.setRecvBufferSize(receive_buffer_bytes);
    if (isMulticast(group)) socket.addMembership(group, interfaceAddress);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A socket that sends to one group or address, from `address`. */
export async function openSender(
  { group, port }: LineAddress,
  { interfaceAddress, address = interfaceAddress, ttl }: { interfaceAddress: string; address?: string; ttl: number },
): Promise<Socket> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, address);
    await once(socket, 'listening');
    if (isMulticast(group)) {
      socket.setMulticastInterface(interfaceAddress);
      socket.setMulticastTTL(ttl);
      socket.setMulticastLoopback(true);
    }
    socket.setSendBufferSize(receive_buffer_bytes);
    socket.connect(port, group);
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
