/** A port that several threads are going to share. */
import { createServer } from 'node:net';

/**
 * The port (0: a free one) if nobody has it; rejects where somebody does. Listeners that share a port would also share it
 * with those of another process, each of them getting some of the clients, so this looks before they listen.
 */
export function portToShare(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () =>
      reject(new Error(`the gateway cannot listen on ${host}:${port}: the address is taken or not ours`)),
    );
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(address === null || typeof address === 'string' ? port : address.port));
    });
  });
}
