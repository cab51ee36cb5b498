/** Mode exact over the lines: books of a native thread, the control service that knows us, and the ways back. */
import type { SubscribeOptions } from '../config.js';
import { ControlLink } from '../control/client.js';
import { hostWarnings, lockWarnings, receiverWarnings, thisHost } from '../profile.js';
import { RecoveryClient } from '../recovery/client.js';
import { recoveryUrl } from '../subscriber_options.js';
import type { NativeFeed } from './native_feed.js';

/** Threads: one. */
export class LineFeed {
  readonly feed: NativeFeed;
  readonly recovery: RecoveryClient | undefined;
  readonly #link: ControlLink | undefined;

  /** `onResumeFailed`: never before the constructor has returned. */
  constructor(feed: NativeFeed, options: SubscribeOptions, onResumeFailed: (reason: string) => void) {
    this.feed = feed;
    this.#link = openLink(feed, options);
    this.recovery = openRecovery(feed, options, onResumeFailed);
    feed.recovery = this.recovery;
  }

  get joined(): boolean {
    return this.#link?.joined ?? false;
  }

  /** What the options ask for and this machine does not give. `options`: as they were given. */
  warnings(options: SubscribeOptions): string[] {
    const { receiveBufferBytes, profile } = options;
    const host = thisHost();
    const counters = this.feed.counters();
    const warnings = hostWarnings(options, host);
    warnings.push(...lockWarnings(Number(counters.lockError ?? 0n), host));
    const granted = [Number(counters.receiveBufferA ?? 0n), Number(counters.receiveBufferB ?? 0n)];
    const pollRefused = counters.busyPollRefused === 1n;
    if (profile !== undefined || pollRefused)
      warnings.push(...receiverWarnings(receiveBufferBytes, granted, pollRefused));
    return warnings;
  }

  async close(): Promise<void> {
    this.recovery?.close();
    this.feed.close();
    await this.#link?.close();
  }
}

function openLink(feed: NativeFeed, { control, lineA, lineB }: SubscribeOptions): ControlLink | undefined {
  if (control === null) return undefined;
  const lines: ('A' | 'B')[] = [];
  if (lineA !== null) lines.push('A');
  if (lineB !== null) lines.push('B');
  const receiving = () => (feed.counters().session ?? 0n) !== 0n;
  const link = new ControlLink({ url: control, lines, receiving });
  link.start();
  return link;
}

function openRecovery(
  feed: NativeFeed,
  options: SubscribeOptions,
  onResumeFailed: (reason: string) => void,
): RecoveryClient | undefined {
  const { recovery, resume, channel } = options;
  const url = recoveryUrl(options);
  if (url === undefined) {
    if (resume !== null) setImmediate(() => onResumeFailed('recovery is not used'));
    return undefined;
  }
  const client = new RecoveryClient(feed.native, {
    ...recovery,
    channel,
    url,
    hasSnapshotLine: recovery.snapshotLine !== null,
    resume,
    random: Math.random,
    onResumeFailed,
  });
  client.start();
  return client;
}
