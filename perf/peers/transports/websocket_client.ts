/** The subscriber of both WebSocket peers: `ws`, which sets TCP_NODELAY. No compression is offered. */
import { WebSocket } from 'ws';
import type { PeerSubscriber } from './transport.js';

export async function openWebSocket(
  address: string,
  onPayload: (payload: Uint8Array | string) => void,
): Promise<PeerSubscriber> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('message', (data: Buffer, binary) => onPayload(binary ? data : data.toString()));
  return { close: () => socket.terminate() };
}
