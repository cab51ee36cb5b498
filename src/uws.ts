/**
 * The one file that imports uWebSockets.js. Import it only where a server is started: it loads a binary that exists
 * for certain versions of Node, and clients do without.
 */
import { type TemplatedApp, us_socket_local_port } from 'uWebSockets.js';

export {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  type us_socket_context_t,
  type WebSocket,
  type WebSocketBehavior,
} from 'uWebSockets.js';

/** Option of App.listen: another process that listens on the same port is an error. */
const listen_exclusive = 1;

/** Listens, and tells the port. Rejects where the address cannot be had; then the app is closed. */
export function listenOn(
  app: TemplatedApp,
  what: string,
  host: string,
  port: number,
  shared: boolean,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // The declared types lack the form with a host and options; the binary has it.
    const listen = app.listen.bind(app) as unknown as (
      host: string,
      port: number,
      options: number,
      done: (socket: Parameters<typeof us_socket_local_port>[0] | false) => void,
    ) => void;
    listen(host, port, shared ? 0 : listen_exclusive, (socket) => {
      if (socket !== false) {
        resolve(us_socket_local_port(socket));
        return;
      }
      app.close();
      reject(new Error(`${what} cannot listen on ${host}:${port}: the address is taken or not ours`));
    });
  });
}
