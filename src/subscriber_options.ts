/** The options of a subscriber as its native part takes them. */
import type { SubscribeOptions } from './config.js';
import type { NativeSubscriberOptions } from './native.js';
import { nativeLimits } from './native_limits.js';

/** Base URL of the recovery service, null for none; undefined where there is no way back at all. */
export function recoveryUrl({ recovery, control }: SubscribeOptions): string | null | undefined {
  if (!recovery.enabled) return undefined;
  const url = recovery.url ?? control;
  return url === null && recovery.udp === '' && recovery.snapshotLine === null ? undefined : url;
}

export function nativeSubscriberOptions(options: SubscribeOptions): NativeSubscriberOptions {
  const { sources, sourceSpecific, delivery, recovery, resume } = options;
  const joined = { interface: options.interface, sources, sourceSpecific };
  const recovers = recoveryUrl(options) !== undefined;
  return {
    channel: options.channel,
    session: options.session,
    fed: false,
    lines: [options.lineA, options.lineB].map((line) => line && { ...line, ...joined }),
    receiveBufferBytes: options.receiveBufferBytes,
    coalescing: options.coalescing,
    busyPollUs: options.busyPollUs,
    gapWaitMs: options.gapWaitMs,
    parkedMax: options.parkedMax,
    parkedBytesMax: recovery.parkedBytesMax,
    recovery: recovers,
    giveUpMs: recovery.giveUpMs,
    snapshotLine: recovery.snapshotLine === null ? [] : [{ ...recovery.snapshotLine, ...joined }],
    resumeSession: resume?.session ?? 0n,
    resumeSequence: recovers ? (resume?.sequence ?? 0n) : 0n,
    resumeDigest: resume?.digest ?? 0n,
    silenceMs: options.silenceMs,
    wait: options.wait,
    core: options.core,
    lockMemory: options.lockMemory,
    deliveryCapacity: delivery.updates ? delivery.capacity : 0,
    deliveryPolicy: delivery.policy,
    exportPositions: options.exportPositions,
    exportOrders: options.exportOrders,
    ...nativeLimits(options.limits),
  };
}

/** What a gateway feeds: no lines, and no way back but the gateway. */
export function fedSubscriberOptions(options: SubscribeOptions): NativeSubscriberOptions {
  return {
    ...nativeSubscriberOptions(options),
    lines: [],
    fed: true,
    recovery: true,
    giveUpMs: 0,
    snapshotLine: [],
    resumeSequence: 0n,
  };
}
