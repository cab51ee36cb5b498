/** A client under watch: every update it delivers is compared, and what it says of jumps and sessions is held against that. */
import type { ResumeToken, SubscribeOptionsInput } from '../config.js';
import { FeedClient } from '../feed_client.js';
import type { DeliveryCheck } from './delivery_check.js';
import { hashUpdates } from './message_hash.js';

/** Threads: one. */
export class WatchedClient {
  readonly client: FeedClient;
  /** What should not happen, the first few. */
  readonly problems: string[] = [];
  snapshots = 0;
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
    this.client.on('missing', ({ first, last }) => this.#problem(`${first} to ${last} were given up`));
    this.client.on('overrun', (lost) => this.#problem(`${lost} updates were lost between the threads`));
  }

  /** Where a later client can go on; undefined where there is nothing yet. */
  resumeToken(): ResumeToken | undefined {
    return (this.client as { resumeToken?: () => ResumeToken | undefined }).resumeToken?.();
  }

  /** By name, 0 where there is no such figure. */
  counter(name: string): bigint {
    return this.client.stats().counters[name] ?? 0n;
  }

  #problem(text: string): void {
    if (this.problems.length < 10) this.problems.push(text);
  }
}
