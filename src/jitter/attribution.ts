/** Who is to blame for an outlier. Pure. */
import { eachPacket, type TracedPacket } from './packets.js';
import { overlap_ns, type Stall } from './stalls.js';

export const causes = [
  'machine',
  'scheduling',
  'page_fault',
  'publisher',
  'send_call',
  'line',
  'kernel_queue',
  'receiver',
  'javascript',
] as const;
export type Cause = (typeof causes)[number];

export const cause_texts: Record<Cause, string> = {
  machine: 'the machine stood still under a thread that was running (proved)',
  scheduling: 'another thread had the core',
  page_fault: 'a page fault',
  publisher: 'the publisher was sequencing, booking or encoding',
  send_call: 'the send call, up to the kernel having the packet',
  line: 'line A was late, and line B brought it first',
  kernel_queue: 'the packet lay in the socket while the receiving thread was free',
  receiver: 'the receiving thread was busy with this packet or those before it',
  javascript: 'JavaScript was late',
};

/** Outliers that follow each other, and so have one cause: that of the worst of them. */
export interface Episode {
  cause: Cause;
  /** ns from the slice's start: when the worst packet's oldest message was due, and how long it took. */
  due_ns: number;
  latency_ns: number;
  messages: number;
  packets: number;
  worst: TracedPacket;
}

export interface SliceEvidence {
  batches: Float64Array;
  packets: Float64Array;
  senderStalls: readonly Stall[];
  receiverStalls: readonly Stall[];
}

/** Outliers closer to each other than this belong together. */
const episode_gap_ns = 200_000;
const batch_words = 6;
const packet_words = 7;

/** What is beyond this is an outlier, given the median of the packets' worst latencies. */
export function outlierThreshold_ns(median_ns: number): number {
  return 5 * median_ns + 20_000;
}

/** Median over packets of due (of the oldest message) to applied. */
export function medianLatency_ns(packets: Float64Array): number {
  const latencies = new Float64Array(packets.length / packet_words);
  for (let index = 0; index < latencies.length; index++) {
    const at = index * packet_words;
    latencies[index] = (packets[at + 2] ?? 0) - (packets[at + 3] ?? 0);
  }
  latencies.sort();
  return latencies[latencies.length >> 1] ?? 0;
}

export function findEpisodes(slice: SliceEvidence, threshold_ns: number): Episode[] {
  const episodes: Episode[] = [];
  let last_ns = Number.NEGATIVE_INFINITY;
  eachPacket(slice.batches, slice.packets, (packet) => {
    const latency_ns = packet.applied_ns - packet.due_ns;
    if (latency_ns <= threshold_ns) return;
    let episode = episodes.at(-1);
    if (episode === undefined || packet.due_ns > last_ns + episode_gap_ns) {
      episode = { cause: 'publisher', due_ns: 0, latency_ns: 0, messages: 0, packets: 0, worst: packet };
      episodes.push(episode);
    }
    episode.messages += packet.messages;
    episode.packets++;
    if (latency_ns > episode.latency_ns) {
      episode.latency_ns = latency_ns;
      episode.due_ns = packet.due_ns;
      episode.worst = { ...packet };
    }
    last_ns = Math.max(last_ns, packet.applied_ns);
  });
  for (const episode of episodes) episode.cause = causeOf(episode.worst, slice);
  return episodes;
}

/** The cause of one packet's latency. */
export function causeOf(packet: TracedPacket, slice: SliceEvidence): Cause {
  const { due_ns, kernel_ns, applied_ns } = packet;
  const within = (which: (stall: Stall) => boolean) =>
    overlap_ns(slice.senderStalls.filter(which), due_ns, Math.max(due_ns, kernel_ns)) +
    overlap_ns(slice.receiverStalls.filter(which), kernel_ns, applied_ns);
  const half_ns = (applied_ns - due_ns) / 2;
  if (within((stall) => stall.machine) >= half_ns) return 'machine';
  if (within((stall) => stall.switches > 0 || stall.run_delay_ns > 0) >= half_ns) return 'scheduling';
  if (within((stall) => !stall.machine) >= half_ns) return 'page_fault';
  return stageCause(packet, slice);
}

function stageCause(packet: TracedPacket, slice: SliceEvidence): Cause {
  const { due_ns, ingest_ns, before_send_ns, kernel_ns, received_ns, applied_ns } = packet;
  const stages: [number, () => Cause][] = [
    [ingest_ns - due_ns, () => publisherCause(slice.batches, due_ns, ingest_ns)],
    [before_send_ns - ingest_ns, () => 'publisher'],
    [kernel_ns - before_send_ns, () => (packet.line === 0 ? 'send_call' : 'line')],
    [received_ns - kernel_ns, () => queueCause(slice.packets, kernel_ns, received_ns)],
    [applied_ns - received_ns, () => 'receiver'],
  ];
  let worst = stages[0];
  for (const stage of stages) if (worst === undefined || stage[0] > worst[0]) worst = stage;
  return worst?.[1]() ?? 'publisher';
}

// A message waited while the publisher's thread was at earlier batches: at what?
function publisherCause(batches: Float64Array, begin_ns: number, end_ns: number): Cause {
  let work_ns = 0;
  let send_ns = 0;
  for (let at = lowerBound(batches, batch_words, 3, begin_ns); at < batches.length; at += batch_words) {
    const ingest_ns = batches[at] ?? 0;
    if (ingest_ns >= end_ns) break;
    const before_ns = batches[at + 2] ?? 0;
    work_ns += Math.max(0, Math.min(end_ns, before_ns) - Math.max(begin_ns, ingest_ns));
    send_ns += Math.max(0, Math.min(end_ns, batches[at + 3] ?? 0) - Math.max(begin_ns, before_ns));
  }
  return send_ns > work_ns ? 'send_call' : 'publisher';
}

// A packet lay in the socket: was the receiving thread busy with others?
function queueCause(packets: Float64Array, begin_ns: number, end_ns: number): Cause {
  let busy_ns = 0;
  let busy_end_ns = begin_ns;
  for (let at = lowerBound(packets, packet_words, 2, begin_ns); at < packets.length; at += packet_words) {
    const received_ns = packets[at + 1] ?? 0;
    if (received_ns >= end_ns) break;
    const applied_ns = Math.min(end_ns, packets[at + 2] ?? 0);
    busy_ns += Math.max(0, applied_ns - Math.max(busy_end_ns, received_ns));
    busy_end_ns = Math.max(busy_end_ns, applied_ns);
  }
  return busy_ns * 2 >= end_ns - begin_ns ? 'receiver' : 'kernel_queue';
}

/** Offset of the first row whose word `column`, which ascends, is at least `value`. */
function lowerBound(flat: Float64Array, words: number, column: number, value: number): number {
  let low = 0;
  let high = Math.floor(flat.length / words);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((flat[middle * words + column] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low * words;
}
