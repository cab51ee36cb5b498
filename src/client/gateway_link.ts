/** A connection to a gateway with one subscription, as long as the client lives: what both kinds of feed share. */
import { GatewayClient } from '../browser/gateway_client.js';
import type { GatewayMode } from '../browser/protocol.js';
import type { SessionFigures, SessionParts } from '../browser/session_state.js';
import { GatewayError, type StreamLimits } from '../browser/stream.js';
import type { Subscription } from '../browser/subscription.js';
import { type NodeSocketOptions, nodeSocket } from './node_socket.js';

export interface GatewayLinkOptions extends NodeSocketOptions {
  url: string;
  token: string;
  channel: number;
  mode: GatewayMode;
  /** None: all. */
  instruments: readonly (string | number)[];
  levels: number;
  intervalMs: number;
  onSlow: 'snapshot' | 'disconnect';
  backoffMs: number;
  backoffMsMax: number;
  limits: Partial<StreamLimits>;
}

/** Codes after which the gateway will not say anything else. */
const final_codes = new Set(['unauthorised', 'bad_version']);

/** Threads: one. */
export class GatewayLink {
  readonly client: GatewayClient;
  readonly subscription: Subscription;
  /** Rejects when the gateway has refused for good. Never resolves. */
  readonly refused: Promise<never>;
  readonly #timeout_ms: number;

  /** Throws where the authority's file cannot be read. */
  constructor(options: GatewayLinkOptions, parts?: SessionParts) {
    const { url, token, channel, mode, instruments, levels, intervalMs, onSlow, timeoutMs } = options;
    const { backoffMs, backoffMsMax, limits } = options;
    this.#timeout_ms = timeoutMs;
    this.client = new GatewayClient(
      { url, token, timeoutMs, backoffMs, backoffMsMax, limits, webSocket: nodeSocket(options) },
      parts,
    );
    this.subscription = this.client.subscribe({
      channel,
      mode,
      onSlow,
      ...(instruments.length > 0 && { instruments }),
      ...(mode === 'depth' && { levels }),
      ...((mode === 'depth' || mode === 'bbo') && { intervalMs }),
    });
    this.refused = new Promise((_, reject) => {
      this.client.on('error', (error) => {
        if (final_codes.has(error.code)) reject(error);
      });
      // That the client was closed is no refusal.
      this.subscription.ready.catch((error: unknown) => {
        if (error instanceof GatewayError) reject(error);
      });
    });
    this.refused.catch(() => {});
  }

  /** Resolves when it is granted, or when it has not been for so long: it goes on trying. Rejects when it is refused. */
  async start(): Promise<void> {
    this.client.start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timeout_ms);
    });
    const granted = this.subscription.ready.catch(() => late);
    try {
      await Promise.race([granted, late, this.refused]);
    } finally {
      clearTimeout(timer);
    }
  }

  figures(): SessionFigures & { connected: boolean } {
    return { ...this.client.figures(), connected: this.client.connected };
  }

  close(): void {
    this.client.close();
  }
}
