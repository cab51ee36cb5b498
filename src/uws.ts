/**
 * The one file that imports uWebSockets.js. Import it only where a server is started: it loads a binary that exists
 * for certain versions of Node, and clients do without.
 */
export {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  type us_socket_context_t,
  us_socket_local_port,
  type WebSocket,
  type WebSocketBehavior,
} from 'uWebSockets.js';

/** Option of App.listen: another process that listens on the same port is an error. */
export const listen_exclusive = 1;
