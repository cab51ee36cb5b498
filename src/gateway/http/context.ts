/** What a worker's HTTP routes can ask: plain functions and plain data. */
import type { DirectoryChannel } from '../../control/protocol.js';
import type { ConnectRequest } from '../access/access_control.js';
import type { Refusal } from '../access/codes.js';
import type { Entitlements } from '../access/entitlements.js';
import type { InstrumentEntry } from '../protocol.js';
import type { MetricPart } from './metric_help.js';
import type { Figures } from './metrics.js';

/** Everything that can be counted, as the main thread has it. Plain data. */
export interface Metrics {
  /** Of all workers together, as of now. */
  gateway: Figures;
  /** What else there is: publisher, journal, recovery, access, … */
  parts: Partial<Record<MetricPart, Figures>>;
}

/** A request that wants to come in. `login`: it gets data, so that its token counts. */
export interface HttpAsk extends ConnectRequest {
  login: boolean;
}

/**
 * `entitlements`: undefined where `login` is false. `crossOrigin`: what to name in `access-control-allow-origin`;
 * undefined: no such header.
 */
export type Admission =
  | { entitlements: Entitlements | undefined; crossOrigin: string | undefined }
  | { refusal: Refusal; crossOrigin?: string | undefined };

export interface ChannelHealth {
  channel: number;
  /** Its books are whole and follow the publisher. */
  ready: boolean;
}

/** Threads: the worker's. What rejects becomes status 500. */
export interface RouteContext {
  /** Folder of the built page; empty, or one that does not exist: no page is served. */
  readonly pageFolder: string;
  /** Asked of the main thread. */
  metrics(): Promise<Metrics>;
  /** As the main thread told last. */
  channels(): readonly DirectoryChannel[];
  /** As this worker sees them; another array whenever one of them has changed. */
  instruments(channel: number): readonly InstrumentEntry[];
  health(): { status: 'ok' | 'ending'; channels: readonly ChannelHealth[] };
  /**
   * Host, Origin, URL, pace of the address and, with `login`, the token: asked once for each request, of the main
   * thread; admitHttp() answers there.
   */
  admit(ask: HttpAsk): Promise<Admission>;
}
