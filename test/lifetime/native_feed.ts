/** A publisher and a subscriber of the addon itself, as small as they can be, for tests of opening and closing. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  addon,
  type NativePublisher,
  type NativePublisherOptions,
  type NativeSourceEnd,
  type NativeSubscriber,
  type NativeSubscriberOptions,
} from '../../src/native.js';
import { makeColumns } from '../../src/updates.js';
import { linePair } from '../faults/lines.js';

const limits = { ordersMax: 8_192, levelsMax: 0, instrumentsMax: 64, depthLevels: 5, prefault: false };
const interface_address = '127.0.0.1';
const delivery_rows = 4_096;

export function publisherOptions(number: number, more: Partial<NativePublisherOptions> = {}): NativePublisherOptions {
  const { A, B } = linePair(number);
  const line = { interface: interface_address, datagramBytes: 1_400 };
  return {
    ...limits,
    channel: 1,
    session: 1n,
    lines: [
      { ...A, ...line },
      { ...B, ...line },
    ],
    ttl: 0,
    loop: true,
    segmentation: true,
    ringBytes: 1 << 20,
    ringPath: '',
    wait: 'park',
    core: -1,
    lockMemory: false,
    heartbeatMs: 5,
    digestMessages: 1_000,
    definitionsMs: 50,
    sourceIdentity: 1n,
    sourceRepeats: true,
    passOn: [],
    state: null,
    ...more,
  };
}

export function subscriberOptions(
  number: number,
  more: Partial<NativeSubscriberOptions> = {},
): NativeSubscriberOptions {
  const { A, B } = linePair(number);
  const line = { interface: interface_address, sources: [], sourceSpecific: false };
  return {
    ...limits,
    channel: 1,
    session: 0n,
    lines: [
      { ...A, ...line },
      { ...B, ...line },
    ],
    fed: false,
    receiveBufferBytes: 1 << 20,
    coalescing: true,
    busyPollUs: 0,
    gapWaitMs: 10,
    parkedMax: 64,
    parkedBytesMax: 1 << 22,
    recovery: false,
    giveUpMs: 0,
    snapshotLine: [],
    resumeSession: 0n,
    resumeSequence: 0n,
    resumeDigest: 0n,
    silenceMs: 100,
    wait: 'park',
    core: -1,
    lockMemory: false,
    deliveryCapacity: delivery_rows,
    deliveryPolicy: 'skip',
    exportPositions: [],
    exportOrders: false,
    ...more,
  };
}

/** A simulated exchange without end, at full speed unless a rate is given. */
export function simulateEndlessly(publisher: NativePublisher, rate = 0): void {
  publisher.source({
    kind: 'simulate',
    seed: 1n,
    symbols: 20,
    messages: 0n,
    liveOrders: 1_000,
    messageIntervalNs: 1_000,
    midnightNs: 0n,
    speed: 0,
    rate,
  });
}

export interface NativeFeed {
  publisher: NativePublisher;
  subscriber: NativeSubscriber;
  /** Updates that JavaScript has had. */
  updates(): number;
  end(): NativeSourceEnd | undefined;
}

/** Opens both; starts nothing. */
export function openFeed(
  number: number,
  {
    publisherMore = {},
    subscriberMore = {},
  }: { publisherMore?: Partial<NativePublisherOptions>; subscriberMore?: Partial<NativeSubscriberOptions> } = {},
): NativeFeed {
  let updates = 0;
  let end: NativeSourceEnd | undefined;
  const options = subscriberOptions(number, subscriberMore);
  const subscriber: NativeSubscriber = new addon.Subscriber(options, makeColumns(delivery_rows), () => {
    subscriber.drainEvents();
    for (let count = subscriber.drainUpdates(); count > 0; count = subscriber.drainUpdates()) updates += count;
  });
  const publisher = new addon.Publisher(publisherOptions(number, publisherMore), (given) => {
    end = given;
  });
  return { publisher, subscriber, updates: () => updates, end: () => end };
}

/** One figure of a publisher or a subscriber, by name. */
export function counterOf(native: NativePublisher | NativeSubscriber, names: readonly string[], name: string): bigint {
  const index = names.indexOf(name);
  if (index < 0) throw new Error(`there is no counter ${name}`);
  const values = new BigUint64Array(names.length);
  native.counters(values);
  return values[index] as bigint;
}

/** Number of the last message that was published. */
export function published(publisher: NativePublisher): bigint {
  return counterOf(publisher, addon.publisherCounterNames, 'sequence');
}

/** Number of the last message that was applied. */
export function applied(subscriber: NativeSubscriber): bigint {
  return counterOf(subscriber, addon.subscriberCounterNames, 'sequence');
}

/** Threads of this process that the addon started. */
export function nativeThreads(): string[] {
  return readdirSync('/proc/self/task')
    .map((task) => {
      try {
        return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
      } catch {
        return ''; // it has just ended
      }
    })
    .filter((name) => name.startsWith('dc-'));
}

/** Open descriptors of this process. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when `condition` holds; rejects after `ms`. */
export async function until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
  for (const begin = Date.now(); !condition(); await pause(2))
    if (Date.now() - begin > ms) throw new Error(`waited ${ms} ms for ${what}`);
}
