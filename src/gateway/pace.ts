/** How much one session is sent in a second, where its entitlements say so. Pure: time is passed in, in ms. */
import { TokenBucket } from '../recovery/token_bucket.js';

export interface PaceLimits {
  framesPerSecondMax?: number | null;
  messagesPerSecondMax?: number | null;
}

/**
 * What is beyond the limits is held back, not dropped: conflated subscriptions cover more with their next entry, the others
 * fall behind and are slow consumers in the end.
 */
export class SessionPace {
  readonly #frames: TokenBucket | undefined;
  readonly #messages: TokenBucket | undefined;
  #sent: bigint;

  /** `sent`: messages that the session was sent before. */
  constructor({ framesPerSecondMax, messagesPerSecondMax }: PaceLimits, sent: bigint, now_ms: number) {
    const bucket = (perSecond: number | null | undefined) =>
      perSecond == null ? undefined : new TokenBucket(perSecond, Math.max(1, perSecond), now_ms);
    this.#frames = bucket(framesPerSecondMax);
    this.#messages = bucket(messagesPerSecondMax);
    this.#sent = sent;
  }

  /** Undefined where nothing is limited. */
  static of(limits: PaceLimits, sent: bigint, now_ms: number): SessionPace | undefined {
    const none = limits.framesPerSecondMax == null && limits.messagesPerSecondMax == null;
    return none ? undefined : new SessionPace(limits, sent, now_ms);
  }

  mayGo(now_ms: number): boolean {
    if ((this.#frames?.available(now_ms) ?? 1) < 1) return false;
    return (this.#messages?.available(now_ms) ?? 1) > 0;
  }

  get countsMessages(): boolean {
    return this.#messages !== undefined;
  }

  /** A frame went out; `sent`: messages in all, so far. A frame holds many: the bucket goes into debt. */
  went(sent: bigint, now_ms: number): void {
    this.#frames?.take(1, now_ms);
    this.#messages?.take(Math.max(0, Number(sent - this.#sent)), now_ms);
    this.#sent = sent;
  }
}
