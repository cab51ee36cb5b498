/** What one datagram of a live feed took, batch by batch of its publisher. Pure, but for the file. */
import { readFileSync } from 'node:fs';

/** One file of perf/native/live_listener.h: phase, batch, messages, latency in ns; in the order of arrival. */
export class Samples {
  readonly #words: Uint32Array;

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  static read(file: string): Samples {
    const bytes = readFileSync(file);
    return new Samples(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2));
  }

  /** Of the datagrams of these phases. */
  of(phases: readonly number[]): PhaseSamples {
    const words = this.#words;
    const latency_ns: number[] = [];
    const first_ns: number[] = [];
    const messages: number[] = [];
    const batch_messages: number[] = [];
    const batch_datagrams: number[] = [];
    let last = -1;
    for (let at = 0; at + 3 < words.length; at += 4) {
      if (!phases.includes(words[at] ?? -1)) continue;
      const batch = words[at + 1] ?? 0;
      const time_ns = words[at + 3] ?? 0;
      if (batch !== last) {
        first_ns.push(time_ns);
        batch_messages.push(0);
        batch_datagrams.push(0);
      }
      last = batch;
      const index = batch_messages.length - 1;
      batch_messages[index] = (batch_messages[index] ?? 0) + (words[at + 2] ?? 0);
      batch_datagrams[index] = (batch_datagrams[index] ?? 0) + 1;
      latency_ns.push(time_ns);
      messages.push(index);
    }
    return {
      latency_ns,
      first_ns,
      batch_messages,
      batch_datagrams,
      messages: messages.map((batch) => batch_messages[batch] ?? 0),
    };
  }
}

export interface PhaseSamples {
  latency_ns: number[];
  /** By datagram: messages of its batch. */
  messages: number[];
  /** By batch: of its first datagram. */
  first_ns: number[];
  batch_messages: number[];
  batch_datagrams: number[];
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Batches of about the same size: one by one up to 16 messages, then four classes to each doubling. */
const sizeClass = (messages: number) => (messages <= 16 ? messages : Math.floor(4 * Math.log2(messages)));

function countClasses(messages: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const one of messages) {
    const size = sizeClass(one);
    counts.set(size, (counts.get(size) ?? 0) + 1);
  }
  return counts;
}

/**
 * What the percentile of `phase` would be if its batches had the sizes of `reference`: each datagram counts as often as
 * batches of its size came there (direct standardization). What then remains is not the source's doing.
 */
export function percentileAtSizesOf(reference: PhaseSamples, phase: PhaseSamples, share: number): number {
  const wanted = countClasses(reference.messages);
  const found = countClasses(phase.messages);
  const weighted = phase.latency_ns.map((latency_ns, index) => {
    const size = sizeClass(phase.messages[index] ?? 0);
    return { latency_ns, weight: (wanted.get(size) ?? 0) / (found.get(size) ?? 1) };
  });
  weighted.sort((a, b) => a.latency_ns - b.latency_ns);
  const limit = share * weighted.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  for (const { latency_ns, weight } of weighted) {
    sum += weight;
    if (sum > limit) return latency_ns;
  }
  return weighted.at(-1)?.latency_ns ?? Number.NaN;
}
