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

/** In the request's handler; see the gateway's server for why not later. */
export function upgrade<Data>(
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  data: Data,
): void {
  response.upgrade(
    data,
    request.getHeader('sec-websocket-key'),
    request.getHeader('sec-websocket-protocol'),
    request.getHeader('sec-websocket-extensions'),
    context,
  );
}
