/** So many bytes a second, and so many at once. Pure: time is passed in, in ms. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #balance: number;
  #at_ms: number;

  /** Begins full. */
  constructor(bytesPerSecond: number, burst: number, now_ms: number) {
    this.#perMs = bytesPerSecond / 1_000;
    this.#burst = burst;
    this.#balance = burst;
    this.#at_ms = now_ms;
  }

  /** What may be taken now; negative while a debt is being paid. */
  available(now_ms: number): number {
    if (now_ms > this.#at_ms) {
      this.#balance = Math.min(this.#burst, this.#balance + (now_ms - this.#at_ms) * this.#perMs);
      this.#at_ms = now_ms;
    }
    return this.#balance;
  }

  /** Takes it, into debt where there is not so much: who checks available() first decides whether that may be. */
  take(bytes: number, now_ms: number): void {
    this.#balance = this.available(now_ms) - bytes;
  }

  /** Ms until so many bytes (at most the burst) are there. */
  wait_ms(bytes: number, now_ms: number): number {
    const missing = Math.min(bytes, this.#burst) - this.available(now_ms);
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs);
  }
}

/**
 * When to come back, told to many in turn: each is sent behind those who were told before, at the pace of the bucket
 * that they all want from, so that they do not come back together. Pure.
 */
export class ComeBackQueue {
  readonly #perMs: number;
  readonly #wait_ms_max: number;
  #bytes = 0;
  #at_ms: number;

  constructor(bytesPerSecond: number, wait_ms_max: number, now_ms: number) {
    this.#perMs = bytesPerSecond / 1_000;
    this.#wait_ms_max = wait_ms_max;
    this.#at_ms = now_ms;
  }

  wait_ms(bytes: number, now_ms: number): number {
    this.#bytes = Math.max(0, this.#bytes - (now_ms - this.#at_ms) * this.#perMs);
    this.#at_ms = now_ms;
    // A queue beyond the longest wait starts again from the front: whoever is told that wait comes with others.
    if (this.#bytes / this.#perMs > this.#wait_ms_max) this.#bytes = 0;
    this.#bytes += bytes;
    return Math.max(1, Math.ceil(this.#bytes / this.#perMs));
  }
}
