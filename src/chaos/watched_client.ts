/** A client under watch: every update it delivers is compared, and what it says of jumps and sessions is held against that. */
import type { SubscribeOptionsInput } from '../config.js';
import { FeedClient } from '../feed_client.js';
import type { DeliveryCheck } from './delivery_check.js';
import { hashUpdates } from './message_hash.js';

/** Threads: one. */
export class WatchedClient {
  readonly client: FeedClient;
  /** What should not happen, the first few. */
  readonly problems: string[] = [];
  snapshots = 0;
  resumed = 0;
  readonly resumesFailed: string[] = [];
  sessions = 0;

  constructor(options: SubscribeOptionsInput, check: DeliveryCheck) {
    this.client = new FeedClient(options);
    this.client.on('session', (session) => {
      this.sessions++;
      check.startSession(session);
    });
    this.client.on('updates', (batch) => {
      hashUpdates(batch, (sequence, high, low) => check.take(sequence, high, low));
    });
    this.client.on('givenUp', ({ first, last }) => this.#problem(`${first} to ${last} were given up`));
    this.client.on('snapshot', ({ sequence, reason }) => {
      // A resume token begins with the checkpoint before it, silently: that is its own way back.
      if (reason !== 'resume') this.snapshots++;
      check.announceSnapshot(check.session, Number(sequence));
    });
    this.client.on('resumed', () => this.resumed++);
    this.client.on('resumeFailed', (reason) => this.resumesFailed.push(reason));
    this.client.on('digestMismatch', (sequence) => this.#problem(`the digest of ${sequence} was another one`));
    this.client.on('overrun', (lost) => this.#problem(`${lost} updates were lost between the threads`));
  }

  /** By name, 0 where there is no such figure. */
  counter(name: string): bigint {
    return this.client.stats().counters[name] ?? 0n;
  }

  #problem(text: string): void {
    if (this.problems.length < 10) this.problems.push(text);
  }
}
