/** The WebSocket of `ws` as GatewayClient takes one. */
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import type { SocketLike } from '../browser/gateway_client.js';

/** Frames of a gateway are at most about 64 KiB, texts with definitions at most this. */
const payload_bytes_max = 16 << 20;

export interface NodeSocketOptions {
  timeoutMs: number;
  tls: { caFile: string };
  /** Each socket that is opened. */
  onOpen?: (socket: WebSocket) => void;
}

/** Throws where the authority's file cannot be read. */
export function nodeSocket({ timeoutMs, tls, onOpen }: NodeSocketOptions): new (url: string) => SocketLike {
  const ca = tls.caFile === '' ? {} : { ca: readFileSync(tls.caFile) };
  class NodeSocket extends WebSocket {
    constructor(url: string) {
      super(url, {
        perMessageDeflate: false,
        maxPayload: payload_bytes_max,
        handshakeTimeout: timeoutMs,
        followRedirects: false,
        ...ca,
      });
      onOpen?.(this);
    }
  }
  return NodeSocket as unknown as new (
    url: string,
  ) => SocketLike;
}
