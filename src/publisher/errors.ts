/** What an EventPublisher's calls reject with. docs/ingest.md lists the codes with their cures. */
import type { RefusalName } from './refusals.js';

export type PublisherErrorCode =
  /** The distributor closed the connection for that reason. */
  | RefusalName
  | 'unknown'
  /** No connection could be had, or it broke. */
  | 'connection'
  /** The distributor said something that is no frame of this version. */
  | 'protocol'
  /** It expects events that are not retained any more, in a session that goes on. */
  | 'events_lost'
  /** It has events that this publisher has not pushed: another one did. */
  | 'numbers_ahead'
  /** A new session wants the books restated, and there is no `restate`. */
  | 'restate_needed'
  /** close() was called. */
  | 'closed';

export class PublisherError extends Error {
  override readonly name = 'PublisherError';
  constructor(
    readonly code: PublisherErrorCode,
    message: string,
    /** The event that the distributor expects next; 0n: not told. */
    readonly expected = 0n,
  ) {
    super(message);
  }
}
