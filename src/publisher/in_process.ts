/** Pushes straight into the input of a distributor of this process: no socket, no copy but the one into its ring. */
import { EventEmitter } from 'node:events';
import type { Distributor } from '../distributor.js';
import type { NativePushInput } from '../native.js';
import { PublisherError } from './errors.js';
import type { EventBatch } from './event_batch.js';
import type { EventPublisher, EventPublisherEvents } from './event_publisher.js';

const poll_ms = 1;

export class InProcessPublisher extends EventEmitter<EventPublisherEvents> implements EventPublisher {
  readonly #distributor: Distributor;
  readonly #input: NativePushInput;
  readonly #out = new BigUint64Array(2);
  #frame = new Uint8Array(4_096);
  #next: bigint;
  #closed = false;

  constructor(distributor: Distributor) {
    super();
    const input = distributor.input;
    if (input === undefined)
      throw new PublisherError('connection', 'expected a distributor that was started with the source push');
    this.#distributor = distributor;
    this.#input = input;
    this.#next = distributor.begin.position;
  }

  get next(): bigint {
    return this.#next;
  }
  get acknowledged(): bigint {
    return this.#input.acknowledged();
  }
  get session(): bigint {
    return this.#distributor.session;
  }

  push(batch: EventBatch): number {
    this.#check();
    if (batch.count === 0) return 0;
    const bytes = batch.frameBytes();
    if (bytes > this.#frame.length) this.#frame = new Uint8Array(2 * bytes);
    batch.seal(this.#frame, 0, this.#next);
    const fault = this.#input.push(this.#frame.subarray(0, bytes), this.#out);
    const [expected = 0n, at = 0n] = this.#out;
    if (fault !== '')
      throw new PublisherError(
        fault === 'hole' ? 'numbers_ahead' : 'bad_event',
        fault === 'hole' ? `event ${expected} is expected: another one has pushed` : `event ${at}: ${fault}`,
        expected,
      );
    // The source has not begun to run, or has ended.
    if (expected === 0n) return 0;
    const taken = Number(expected - this.#next);
    this.#next = expected;
    batch.skip(taken);
    return taken;
  }

  drain(): Promise<void> {
    return this.#until(() => true);
  }

  flushed(): Promise<void> {
    return this.#until(() => this.acknowledged + 1n >= this.#next);
  }

  async endOfDay(): Promise<void> {
    this.#check();
    this.#input.end();
    this.#closed = true;
    await this.#distributor.ended;
  }

  close(): void {
    this.#closed = true;
  }

  #check(): void {
    if (this.#closed) throw new PublisherError('closed', 'close() or endOfDay() was called');
  }

  // The publisher thread takes what there is within far less than this.
  async #until(condition: () => boolean): Promise<void> {
    do {
      this.#check();
      await new Promise((resolve) => setTimeout(resolve, poll_ms));
    } while (!condition());
  }
}
