/** Who follows a channel, as they said themselves. Pure: time is passed in. */

export type LineName = 'A' | 'B';

interface Lease {
  lines: readonly LineName[];
  until_ms: number;
}

/** Bounded: past `subscribers_max` nobody new is taken in. */
export class SubscriberRegistry {
  readonly #leases = new Map<string, Lease>();
  readonly #lease_ms: number;
  readonly #subscribers_max: number;

  constructor(lease_ms: number, subscribers_max: number) {
    this.#lease_ms = lease_ms;
    this.#subscribers_max = subscribers_max;
  }

  get count(): number {
    return this.#leases.size;
  }

  /** Joins or renews. False where there is no room. */
  join(id: string, lines: readonly LineName[], now_ms: number): boolean {
    if (!this.#leases.has(id) && this.#leases.size >= this.#subscribers_max) return false;
    this.#leases.set(id, { lines, until_ms: now_ms + this.#lease_ms });
    return true;
  }

  /** False where it was not known. */
  leave(id: string): boolean {
    return this.#leases.delete(id);
  }

  /** Forgets those whose lease is over. */
  expire(now_ms: number): void {
    for (const [id, lease] of this.#leases) if (lease.until_ms <= now_ms) this.#leases.delete(id);
  }

  /** Followers of each line. */
  lines(): Record<LineName, number> {
    const counts = { A: 0, B: 0 };
    for (const { lines } of this.#leases.values()) for (const line of lines) counts[line]++;
    return counts;
  }
}
