/** Now, by both clocks: what people and issuers agree on, and what never goes back. */
export interface Moment {
  /** As of Date.now(). */
  wall_ms: number;
  /** As of performance.now(). */
  monotonic_ms: number;
}

export function systemMoment(): Moment {
  return { wall_ms: Date.now(), monotonic_ms: performance.now() };
}
