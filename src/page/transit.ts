/**
 * How long frames are on their way from the gateway to this page. Two clocks that nobody has compared do not tell that, so
 * it is estimated: the fastest frame of the last minute is taken to have needed half the round trip of the fastest ping,
 * and every other frame so much more as it was slower. Pure: time is passed in.
 */
import { type Percentiles, SlidingLeast, SlidingPercentiles } from './sliding.js';

export interface TransitFigures extends Percentiles {
  /** Of the fastest ping of the last minute, ms; NaN: none was answered. */
  roundTripMs: number;
  /** Page's clock less the gateway's, ms; wrong by half of the round trip at most. NaN: not known. */
  clockMs: number;
}

export class Transit {
  readonly #difference = new SlidingLeast();
  readonly #round_trip = new SlidingLeast();
  readonly #delays = new SlidingPercentiles();

  onPong(round_trip_ms: number, now: number): void {
    this.#round_trip.add(round_trip_ms, now);
  }

  /** `sent_ms` by the gateway's clock, `arrived_ms` by the page's; `now`: of a clock that never jumps. */
  onFrame(sent_ms: number, arrived_ms: number, now: number): void {
    const difference = arrived_ms - sent_ms;
    this.#difference.add(difference, now);
    const half = this.#halfRoundTrip(now);
    if (half !== undefined) this.#delays.add(difference - this.#difference.read(now) + half, now);
  }

  read(now: number): TransitFigures {
    const half = this.#halfRoundTrip(now);
    const least = this.#difference.read(now);
    return {
      ...this.#delays.read(now),
      roundTripMs: half === undefined ? Number.NaN : 2 * half,
      clockMs: half === undefined || !Number.isFinite(least) ? Number.NaN : least - half,
    };
  }

  #halfRoundTrip(now: number): number | undefined {
    const round_trip = this.#round_trip.read(now);
    return Number.isFinite(round_trip) ? round_trip / 2 : undefined;
  }
}
