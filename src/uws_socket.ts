/** What every WebSocket route of ours does alike. Loads no binary: types alone. */
import type { HttpRequest, HttpResponse, us_socket_context_t, WebSocket } from './uws.js';

/** How a state machine sees a socket. It uses it no more once it was told that it is closed. */
export interface ServerSocket {
  sendText(text: string): void;
  /** The bytes are not ours after the call. */
  sendFrame(frame: Uint8Array): void;
  /** Bytes that wait for the network. */
  buffered(): number;
  end(code: number, reason: string): void;
}

export function serverSocket<Data>(socket: WebSocket<Data>): ServerSocket {
  return {
    sendText: (text) => void socket.send(text),
    sendFrame: (frame) => void socket.send(frame as Uint8Array<ArrayBuffer>, true),
    buffered: () => socket.getBufferedAmount(),
    end: (code, reason) => void socket.end(code, reason),
  };
}

export function refuseUpgrade(response: HttpResponse, status: string, error: string): void {
  response.cork(() => {
    response.writeStatus(status).writeHeader('content-type', 'application/json').end(JSON.stringify({ error }));
  });
}

/** RFC 6455, 4.2.1; uWebSockets.js looks at the key alone. */
export function asksForWebSocket(request: HttpRequest): boolean {
  return (
    request.getHeader('upgrade').toLowerCase() === 'websocket' &&
    /(^|,)\s*upgrade\s*(,|$)/i.test(request.getHeader('connection')) &&
    request.getHeader('sec-websocket-version') === '13'
  );
}

/** What an upgrade needs of its request. */
export interface Handshake {
  key: string;
  protocol: string;
  extensions: string;
}

/** Before anything is awaited: the request does not outlive its handler. */
export function handshakeOf(request: HttpRequest): Handshake {
  return {
    key: request.getHeader('sec-websocket-key'),
    protocol: request.getHeader('sec-websocket-protocol'),
    extensions: request.getHeader('sec-websocket-extensions'),
  };
}

/** Later than in the handler: corked, and only where the response was not aborted. */
export function upgradeWith<Data>(
  response: HttpResponse,
  { key, protocol, extensions }: Handshake,
  context: us_socket_context_t,
  data: Data,
): void {
  response.upgrade(data, key, protocol, extensions, context);
}

export function upgrade<Data>(
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  data: Data,
): void {
  upgradeWith(response, handshakeOf(request), context, data);
}
