/**
 * Redis pub/sub: redis-server between, ioredis (which carries twice as many messages a second as the package redis). It sets
 * TCP_NODELAY, and what is published in one turn goes as one pipeline. No answer is waited for. The server's limit on what
 * a slow subscriber may leave unread is off.
 */
import { loadPeer } from '../install.js';
import { type Transport, topic } from './transport.js';

interface Client {
  publish(channel: string, payload: Buffer | string): Promise<number>;
  subscribe(channel: string): Promise<unknown>;
  once(event: 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'messageBuffer', listener: (channel: Buffer, payload: Buffer) => void): unknown;
  disconnect(): void;
}
interface Ioredis {
  Redis: new (url: string, options: { enableAutoPipelining: boolean }) => Client;
}

async function connect(address: string): Promise<Client> {
  const { Redis } = loadPeer<Ioredis>('redis', 'ioredis');
  const client = new Redis(address, { enableAutoPipelining: true });
  client.on('error', () => {}); // the commands that fail tell it
  await new Promise<void>((resolve) => client.once('ready', resolve));
  return client;
}

export const redis: Transport = {
  async openPublisher(address) {
    const client = await connect(address);
    return {
      address,
      publish: (payload) => void client.publish(topic, payload).catch(() => {}),
      close: () => client.disconnect(),
    };
  },

  async openSubscriber(address, onPayload) {
    const client = await connect(address);
    client.on('messageBuffer', (_, payload) => onPayload(payload));
    await client.subscribe(topic);
    return { close: () => client.disconnect() };
  },
};
