/** What an engine pushes into: over a socket, or straight into a distributor of the same process. docs/ingest.md. */
import type { EventEmitter } from 'node:events';
import type { Distributor } from '../distributor.js';
import type { PublisherError } from './errors.js';
import type { EventBatch } from './event_batch.js';
import { InProcessPublisher } from './in_process.js';
import { type ConnectOptions, SocketPublisher } from './socket_publisher.js';

export interface EventPublisherEvents {
  /** Events are wanted from `next` on; what is retained goes by itself. */
  connected: [session: bigint, next: bigint];
  /** The connection ended; it is tried again. */
  disconnected: [error: PublisherError];
  /** It has ended for good: every call rejects or throws the same from now on. */
  failed: [error: PublisherError];
}

/**
 * Threads: the one that made it. Events are numbered from `next` on in the order of their pushes; each of them reaches the
 * channel exactly once, also over reconnections and restarts of the distributor, as long as this object lives.
 */
export interface EventPublisher extends EventEmitter<EventPublisherEvents> {
  /** Number of the event that is pushed next. After a start this is where the engine has to go on. */
  readonly next: bigint;
  /** Every event up to this one is safe (option `ingest.acknowledge` of the distributor). */
  readonly acknowledged: bigint;
  readonly session: bigint;
  /**
   * Takes events of the batch, which is left with those that were not taken; returns how many were. Never waits: less
   * than all means that memory is full, and drain() tells when it is not. Throws PublisherError after the end, RangeError
   * for a batch that could never be taken.
   */
  push(batch: EventBatch): number;
  /** Resolves when push() has room again. Rejects with PublisherError. */
  drain(): Promise<void>;
  /** Resolves when all that was pushed is safe. Rejects with PublisherError. */
  flushed(): Promise<void>;
  /** No event follows: resolves when all is safe and the session ends. Rejects with PublisherError. */
  endOfDay(): Promise<void>;
  /** Ends at once; what is not acknowledged may or may not have been taken. Any number of times. */
  close(): void;
}

/**
 * Connects to a distributor whose `source` is `tcp:` or `unix:`. Resolves when it has told which event it expects. Rejects
 * with PublisherError where it refuses, or cannot be reached within `connectMs`.
 */
export function connectPublisher(options: ConnectOptions): Promise<EventPublisher> {
  return SocketPublisher.connect(options);
}

/** Into a distributor of this process whose `source` is `push`; after its start. Throws PublisherError. */
export function publisherInto(distributor: Distributor): EventPublisher {
  return new InProcessPublisher(distributor);
}
