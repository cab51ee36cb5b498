/** The seam between a distributor and what feeds it: one small module for each kind of source. */
import type { ServeOptions } from '../config.js';
import type { SourceEnd } from '../distributor_end.js';
import type { NativePublisher, NativePushInput, NativeSourceEnd } from '../native.js';

/** How fast, and from which midnight, where the source's times are times of day. */
export interface SourceTiming {
  /** See NativePacing. */
  speed: number;
  rate: number;
  midnightNs: bigint;
}

/** An engine that pushes has come or gone. */
export interface EngineNews {
  kind: 'connected' | 'closed';
  /** The name that it gave; empty where there was no login. */
  engine: string;
  /** Why we closed the connection, a name of docs/ingest.md; empty where the engine did. */
  refusal: string;
  /** That for people. */
  detail: string;
}

export interface SourceEvents {
  engine: [news: EngineNews];
}

/**
 * A source that was opened, for one run. Its positions number its own messages from 1; the journal stores them, and an
 * interrupted session goes on from native.begin().position.
 */
export interface Source {
  /** What must be equal for an interrupted session to go on with it. */
  readonly identity: string;
  /**
   * Any message can be read again, as from a file: a restart begins with the last one that was published, and compares.
   * False: each is kept only until it is committed, and a restart begins behind the last one committed.
   */
  readonly repeats: boolean;
  /** Where it is connected to, with the port it listens on; undefined or empty where it is not. */
  readonly address?: string;
  /** What an EventPublisher of this process pushes into. */
  readonly input?: NativePushInput;
  on?(event: 'engine', listener: (news: EngineNews) => void): unknown;
  /** Gives the publisher its native source, before the start. Once. */
  attach(native: NativePublisher, timing: SourceTiming): void;
  describeEnd(native: NativeSourceEnd): SourceEnd;
  /** Frees what attach() has not given away. After the publisher's end; any number of times. */
  close(): void;
}

/** Opens what `options.source` names. Rejects where it cannot be had, and when `signal` ends the wait for it. */
export type SourceOpener = (options: ServeOptions, signal: AbortSignal) => Promise<Source>;
