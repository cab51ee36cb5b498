/** A connection to a gateway with one subscription, as long as the client lives: what both kinds of feed share. */
import { GatewayClient } from '../browser/gateway_client.js';
import type { GatewayError } from '../browser/gateway_error.js';
import type { GatewayMode } from '../browser/protocol.js';
import type { SessionFigures, SessionParts } from '../browser/session_state.js';
import type { StreamLimits } from '../browser/stream.js';
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

/** Threads: one. */
export class GatewayLink {
  readonly client: GatewayClient;
  readonly subscription: Subscription;
  readonly #timeout_ms: number;
  /** Why it will hardly be had at all, before anything was granted. */
  readonly #hopeless: Promise<never>;

  /** Throws where the authority's file cannot be read. */
  constructor(options: GatewayLinkOptions, parts?: SessionParts) {
    const { url, token, channel, mode, instruments, levels, intervalMs, onSlow, timeoutMs } = options;
    const { backoffMs, backoffMsMax, limits } = options;
    this.#timeout_ms = timeoutMs;
    let despair!: (error: GatewayError) => void;
    this.#hopeless = new Promise((_, reject) => {
      despair = reject;
    });
    this.#hopeless.catch(() => {});
    const onFailure = (error: GatewayError, isLasting: boolean) => {
      if (isLasting) despair(error);
    };
    this.client = new GatewayClient(
      { url, token, timeoutMs, backoffMs, backoffMsMax, limits, webSocket: nodeSocket({ ...options, onFailure }) },
      parts,
    );
    this.client.on('refused', (error) => despair(error));
    this.subscription = this.client.subscribe({
      channel,
      mode,
      onSlow,
      ...(instruments.length > 0 && { instruments }),
      ...(mode === 'depth' && { levels }),
      ...((mode === 'depth' || mode === 'bbo') && { intervalMs }),
    });
  }

  /**
   * Resolves when it is granted, or when it has not been for so long: it goes on trying. Rejects with GatewayError where it
   * is refused, or where what is there is no gateway that can be trusted.
   */
  async start(): Promise<void> {
    this.client.start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timeout_ms);
    });
    const granted = this.subscription.ready.catch(() => late);
    try {
      await Promise.race([granted, late, this.#hopeless]);
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
