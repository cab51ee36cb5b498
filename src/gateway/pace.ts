/** How much one session is sent in a second, where its entitlements say so. Pure: time is passed in, in ms. */
import { TokenBucket } from '../recovery/token_bucket.js';

export interface PaceLimits {
  framesPerSecondMax?: number | null;
  messagesPerSecondMax?: number | null;
}

/** Ms until what a session has used up is there again. Who logs in anew begins with it, on whatever thread. */
export interface PaceDebt {
  framesMs: number;
  messagesMs: number;
}

/** Of what is limited: a second's worth may be saved. */
const savedOf = (perSecond: number) => Math.max(1, perSecond);

/**
 * What is beyond the limits is held back, not dropped: conflated subscriptions cover more with their next entry, the others
 * fall behind and are slow consumers in the end.
 */
export class SessionPace {
  readonly #frames: TokenBucket | undefined;
  readonly #messages: TokenBucket | undefined;
  readonly #limits: PaceLimits;
  #sent: bigint;

  /** `sent`: messages that the session was sent before; `debt`: what it begins with. */
  constructor(limits: PaceLimits, sent: bigint, now_ms: number, debt: PaceDebt | undefined) {
    const bucket = (perSecond: number | null | undefined, used_ms = 0) => {
      if (perSecond == null) return undefined;
      const made = new TokenBucket(perSecond, savedOf(perSecond), now_ms);
      made.take((perSecond * used_ms) / 1_000, now_ms);
      return made;
    };
    this.#limits = limits;
    this.#frames = bucket(limits.framesPerSecondMax, debt?.framesMs);
    this.#messages = bucket(limits.messagesPerSecondMax, debt?.messagesMs);
    this.#sent = sent;
  }

  /** Undefined where nothing is limited. */
  static of(limits: PaceLimits, sent: bigint, now_ms: number, debt?: PaceDebt): SessionPace | undefined {
    const none = limits.framesPerSecondMax == null && limits.messagesPerSecondMax == null;
    return none ? undefined : new SessionPace(limits, sent, now_ms, debt);
  }

  mayGo(now_ms: number): boolean {
    if ((this.#frames?.available(now_ms) ?? 1) < 1) return false;
    return (this.#messages?.available(now_ms) ?? 1) > 0;
  }

  debt(now_ms: number): PaceDebt {
    const { framesPerSecondMax, messagesPerSecondMax } = this.#limits;
    return {
      framesMs: this.#frames?.wait_ms(savedOf(framesPerSecondMax ?? 0), now_ms) ?? 0,
      messagesMs: this.#messages?.wait_ms(savedOf(messagesPerSecondMax ?? 0), now_ms) ?? 0,
    };
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

  /** A subscription with so many messages has ended: they are not among those of went() any more. */
  ended(sent: bigint): void {
    this.#sent -= sent;
  }
}
