/** The WebSocket of `ws` as GatewayClient takes one: it says why a connection could not be made, and never lingers. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { SocketLike } from '../browser/gateway_client.js';
import { GatewayError } from '../browser/gateway_error.js';
import { connectFailure, upgradeFailure } from './connect_failure.js';

/** Frames of a gateway are at most about 64 KiB, texts with definitions at most this. */
const payload_bytes_max = 16 << 20;
const answer_bytes_max = 4_096;
/** A gateway that is gone does not answer a close frame. */
const close_ms_max = 1_000;

export interface NodeSocketOptions {
  timeoutMs: number;
  tls: { caFile: string };
  /** Each socket that is opened. */
  onOpen?: (socket: WebSocket) => void;
  /** It could not be made. `isLasting`: another attempt would most likely find the same. */
  onFailure?: (error: GatewayError, isLasting: boolean) => void;
}

/** Throws where the authority's file cannot be read. */
export function nodeSocket({ timeoutMs, tls, onOpen, onFailure }: NodeSocketOptions): new (url: string) => SocketLike {
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
      this.on('unexpected-response', (_, response) => {
        void bodyOf(response).then((body) => this.#fail(upgradeFailure(response.statusCode ?? 0, body)));
      });
    }

    override close(code?: number): void {
      super.close(code);
      setTimeout(() => this.terminate(), close_ms_max).unref();
    }

    // The listeners of the socket hear the words, not what Node said.
    override emit(event: string | symbol, ...values: unknown[]): boolean {
      const [error] = values;
      if (event !== 'error' || !(error instanceof Error) || error instanceof GatewayError)
        return super.emit(event, ...values);
      const { text, isLasting } = connectFailure(error);
      onFailure?.(new GatewayError(isLasting ? 'certificate' : 'unreachable', text), isLasting);
      return super.emit('error', new Error(text));
    }

    #fail(error: GatewayError): void {
      const isFinal = error.code === 'unauthorised' || error.code === 'forbidden';
      onFailure?.(error, !error.askedAgain);
      super.emit('error', isFinal ? error : new Error(error.message));
      this.terminate();
    }
  }
  return NodeSocket as unknown as new (
    url: string,
  ) => SocketLike;
}

/** Its beginning; what there is of it where it breaks off. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  try {
    for await (const part of response) {
      body += part;
      if (body.length > answer_bytes_max) break;
    }
  } catch {
    // Told without it.
  }
  response.destroy();
  return body;
}
