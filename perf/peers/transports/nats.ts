/** Core NATS (no JetStream): nats-server between, the project's own client, which sets TCP_NODELAY and gathers what is published in one turn. */
import { loadPeer } from '../install.js';
import { type Transport, topic } from './transport.js';

interface Connection {
  publish(subject: string, payload: Uint8Array | string): void;
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: { data: Uint8Array }) => void },
  ): unknown;
  flush(): Promise<void>;
  close(): Promise<void>;
}
interface Nats {
  connect(options: { servers: string; noEcho?: boolean }): Promise<Connection>;
}

const connect = (address: string) => loadPeer<Nats>('nats', '@nats-io/transport-node').connect({ servers: address });

export const nats: Transport = {
  async openPublisher(address) {
    const connection = await connect(address);
    return {
      address,
      publish: (payload) => connection.publish(topic, payload),
      close: () => connection.close(),
    };
  },

  async openSubscriber(address, onPayload) {
    const connection = await connect(address);
    connection.subscribe(topic, { callback: (_, { data }) => onPayload(data) });
    await connection.flush();
    return { close: () => connection.close() };
  },
};
