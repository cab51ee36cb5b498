/** The shipped fault injector's sockets, on loopback. Nothing that they send leaves this machine. */
import type { Socket } from 'node:dgram';
import * as sockets from '../../src/faults/sockets.js';

const interface_address = '127.0.0.1';

/** A socket that receives one group, whoever else does, too. */
export function openReceiver(line: sockets.LineAddress): Promise<Socket> {
  return sockets.openReceiver(line, interface_address);
}

/** A socket that sends to one group, from `address`. */
export function openSender(line: sockets.LineAddress, address = interface_address): Promise<Socket> {
  return sockets.openSender(line, { interfaceAddress: interface_address, address, ttl: 0 });
}
