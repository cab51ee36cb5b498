/** The directory: one URL that tells a client every channel, where it is to be had, and its instruments. Pure. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DirectoryChannel } from '../../control/protocol.js';
import { type ChannelView, entitledOf } from '../access/entitled.js';
import type { Entitlements } from '../access/entitlements.js';
import { gateway_path, type InstrumentEntry } from '../protocol.js';

export const directory_version = 1;
/** Directories of different entitlements that are kept. */
const kept_max = 16;

export interface DirectoryEntry {
  channel: DirectoryChannel;
  /** Another array whenever one of them has changed. */
  instruments: readonly InstrumentEntry[];
}

export interface DirectoryBody {
  tag: string;
  bytes: Buffer;
}

/**
 * One channel as far as somebody may know of it. Whoever knows a group can join it, so that groups, like the recovery
 * service, are told to those who may have every packet.
 */
function shown({ channel: one, instruments }: DirectoryEntry, { modes, packets, sees }: ChannelView): object {
  return {
    channel: one.channel,
    session: one.session,
    modes,
    // Relative to the directory's own URL: right behind any proxy.
    gateway: gateway_path,
    lineA: packets ? one.lineA : null,
    lineB: packets ? one.lineB : null,
    recovery: packets ? (one.recoveryUrl ?? null) : null,
    recoveryUdpPort: packets ? (one.recoveryUdpPort ?? null) : null,
    snapshotLine: packets ? (one.snapshotLine ?? null) : null,
    instruments: instruments
      .filter(({ symbol }) => sees(symbol))
      .map(({ instrument, symbol, priceExponent, quantityExponent }) => ({
        instrument,
        symbol,
        priceExponent,
        quantityExponent,
      })),
  };
}

function sameEntries(left: readonly DirectoryEntry[], right: readonly DirectoryEntry[]): boolean {
  return (
    left.length === right.length &&
    left.every(
      ({ channel, instruments }, index) =>
        instruments === right[index]?.instruments && isDeepStrictEqual(channel, right[index]?.channel),
    )
  );
}

/** Threads: one. Makes each directory once, until something in it changes. */
export class Directory {
  #entries: readonly DirectoryEntry[] = [];
  readonly #bodies = new Map<string, DirectoryBody>();

  body(entries: readonly DirectoryEntry[], entitlements: Entitlements): DirectoryBody {
    if (!sameEntries(entries, this.#entries)) this.#bodies.clear();
    this.#entries = entries;
    // What limits its use does not change what is shown.
    const key = createHash('sha256').update(JSON.stringify(entitlements.grants)).digest('base64');
    let body = this.#bodies.get(key);
    this.#bodies.delete(key);
    body ??= this.#make(entitlements);
    if (this.#bodies.size >= kept_max) this.#bodies.delete(this.#bodies.keys().next().value ?? '');
    this.#bodies.set(key, body);
    return body;
  }

  #make(entitlements: Entitlements): DirectoryBody {
    const entitled = entitledOf(entitlements);
    const channels = this.#entries.flatMap((entry) => {
      const view = entitled.view(entry.channel.channel);
      return view === undefined ? [] : [shown(entry, view)];
    });
    const bytes = Buffer.from(JSON.stringify({ version: directory_version, channels }));
    return { bytes, tag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22) };
  }
}
