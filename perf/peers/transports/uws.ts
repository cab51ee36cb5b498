/**
 * uWebSockets.js, publish() to one topic. No limit on what a slow subscriber may leave unread (the default drops its
 * messages beyond 64 KiB), no compression; it sets TCP_NODELAY and gathers what is published in one turn.
 */
import { type Transport, topic } from './transport.js';
import { openWebSocket } from './websocket_client.js';

export const uws: Transport = {
  async openPublisher() {
    const { App, us_listen_socket_close, us_socket_local_port } = await import('uWebSockets.js');
    const app = App().ws('/*', {
      maxBackpressure: 1 << 30,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      open: (socket) => {
        socket.subscribe(topic);
      },
    });
    const listening = await new Promise<Parameters<typeof us_listen_socket_close>[0] | false>((resolve) =>
      app.listen('127.0.0.1', 0, resolve),
    );
    if (listening === false) throw new Error('uWebSockets.js cannot listen');
    return {
      address: `ws://127.0.0.1:${us_socket_local_port(listening)}`,
      publish: (payload) => {
        app.publish(topic, payload, typeof payload !== 'string');
      },
      close: () => us_listen_socket_close(listening),
    };
  },
  openSubscriber: openWebSocket,
};
