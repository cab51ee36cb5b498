/** What the feed panel tells of the feed. Time is passed in, in ms of performance.now(). */
import type { GatewayClient, GatewayCounts, Subscription } from '../browser/index.js';
import { SlidingPercentiles, SlidingRate } from './sliding.js';
import { Transit } from './transit.js';

const count_every_ms = 5_000;

export interface Accounts {
  published: number;
  sent: number;
  conflated: number;
  refused: number;
  pending: number;
}

/** Threads: the page's. */
export class FeedFigures {
  readonly transit = new Transit();
  /** From the arrival of a book to the moment it was drawn, ms. */
  readonly drawing = new SlidingPercentiles();
  readonly drawMs = new SlidingPercentiles();
  /** Windows whose hash was compared, and those that differed. */
  windowsChecked = 0;
  mismatches = 0;
  mismatchSequence: bigint | undefined;
  /** Times that the gateway's policy for slow consumers acted. */
  slow = 0;
  /** Times that the gateway counted something else than what came. */
  countMismatches = 0;
  /** The gateway's own account of the book and the tape; undefined: none yet. */
  accounts: Accounts | undefined;
  accountsAt = 0;
  messageRate = 0;
  frameRate = 0;
  byteRate = 0;
  drawRate = 0;
  #draws = 0;
  #pongs = 0;
  #welcomes = 0;
  #book_ms: number | undefined;
  #counted_ms = 0;
  readonly #rates = { messages: new SlidingRate(), frames: new SlidingRate(), bytes: new SlidingRate() };
  readonly #draw_rate = new SlidingRate();
  #sequence_of: { session: bigint; channel: number } | undefined;

  constructor(private readonly client: GatewayClient) {
    client
      .on('welcome', () => this.#welcomes++)
      .on('digestMismatch', (sequence) => {
        this.mismatches++;
        this.mismatchSequence = sequence;
      })
      .on('slow', () => this.slow++)
      .on('countMismatch', () => this.countMismatches++);
  }

  /** Another instrument is followed. */
  restart(): void {
    this.accounts = undefined;
    this.#book_ms = undefined;
    this.#counted_ms = 0;
  }

  onFrame(subscription: Subscription, now: number): void {
    const sent_ms = subscription.sendTimeMs;
    if (sent_ms > 0) this.transit.onFrame(sent_ms, performance.timeOrigin + now, now);
  }

  /** A book that is not drawn yet. */
  onBook(now: number): void {
    this.#book_ms ??= now;
  }

  /** One frame was drawn, from `begin` to `end`. */
  onDrawn(begin: number, end: number): void {
    this.#draws++;
    this.drawMs.add(end - begin, end);
    if (this.#book_ms === undefined) return;
    this.drawing.add(end - this.#book_ms, end);
    this.#book_ms = undefined;
  }

  tick(now: number, counted: readonly (Subscription | undefined)[], watch: Subscription | undefined): void {
    const { frames, bytes, pongs, roundTripMs } = this.client.figures();
    if (pongs !== this.#pongs) this.transit.onPong(roundTripMs, now);
    this.#pongs = pongs;
    this.frameRate = this.#rates.frames.update(frames, now);
    this.byteRate = this.#rates.bytes.update(bytes, now);
    this.drawRate = this.#draw_rate.update(this.#draws, now);
    this.#measureMessages(now, [...counted, watch]);
    this.#count(now, counted);
  }

  /** Connections that came after the first. */
  get reconnects(): number {
    return Math.max(0, this.#welcomes - 1);
  }

  /** Books that were asked for anew. */
  get restarts(): number {
    return this.client.figures().snapshotsAsked;
  }

  get faults(): number {
    return this.client.figures().faults;
  }

  // Numbers of another session or channel have nothing to do with those before.
  #measureMessages(now: number, all: readonly (Subscription | undefined)[]): void {
    const first = all.find((one) => one !== undefined && one.session !== 0n);
    if (first === undefined) return;
    const { session, options } = first;
    if (session !== this.#sequence_of?.session || options.channel !== this.#sequence_of.channel) {
      this.#sequence_of = { session, channel: options.channel };
      this.#rates.messages = new SlidingRate();
    }
    const sequence = Math.max(...all.map((one) => (one?.session === session ? Number(one.sequence) : 0)));
    this.messageRate = this.#rates.messages.update(sequence, now);
  }

  #count(now: number, counted: readonly (Subscription | undefined)[]): void {
    const asked = counted.filter((one) => one !== undefined && one.state === 'synchronized') as Subscription[];
    if (asked.length === 0 || !this.client.connected || now - this.#counted_ms < count_every_ms) return;
    this.#counted_ms = now;
    Promise.all(asked.map((one) => one.counts())).then(
      (all) => {
        // Of another instrument meanwhile.
        if (this.#counted_ms !== now) return;
        this.accounts = sumOf(all);
        this.accountsAt = now;
      },
      () => {},
    );
  }
}

function sumOf(all: readonly GatewayCounts[]): Accounts {
  const sum = { published: 0, sent: 0, conflated: 0, refused: 0, pending: 0 };
  for (const counts of all) for (const name of Object.keys(sum) as (keyof Accounts)[]) sum[name] += counts[name];
  return sum;
}
