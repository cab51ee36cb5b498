/** Opens any kind of source. */
import type { ServeOptions } from '../config.js';
import { openEngineSource } from './engine.js';
import { openCaptureSource, openMoldSource, openSoupSource } from './feeds.js';
import { openItchSource } from './itch.js';
import { type SourceKindName, sourceKind } from './kinds.js';
import { openPushSource } from './push.js';
import { openSharedMemorySource } from './shm.js';
import { openSimulateSource } from './simulate.js';
import type { Source, SourceOpener } from './source.js';

const openers: Record<SourceKindName, SourceOpener> = {
  simulate: openSimulateSource,
  itch: openItchSource,
  shm: openSharedMemorySource,
  tcp: openEngineSource,
  unix: openEngineSource,
  push: openPushSource,
  soupbintcp: openSoupSource,
  moldudp64: openMoldSource,
  pcap: openCaptureSource,
};

/** The source that `options.source` names; see SourceOpener. */
export async function openSource(options: ServeOptions, signal: AbortSignal): Promise<Source> {
  const kind = sourceKind(options.source);
  if (kind === undefined) throw new Error(`no source is written ${options.source}`);
  return openers[kind](options, signal);
}
