/** Who is to blame for an outlier. Pure. */
import { eachPacket, type TracedPacket } from './packets.js';
import { type Interval, overlap_ns, type Stall, type StallCause, stalled_ns } from './stalls.js';

export const causes = [
  'machine',
  'scheduling',
  'stopped',
  'disk',
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
  scheduling: 'another thread, or an interrupt, had the core',
  stopped: 'the thread was put to sleep: its process was stopped, or it waited for a lock',
  disk: 'the thread waited for the disk',
  page_fault: 'a page fault',
  publisher: 'the publisher was sequencing, booking or encoding',
  send_call: 'the send call, up to the kernel having the packet',
  line: 'line A was late, and line B brought it first',
  kernel_queue: 'the packet lay in the socket while the receiving thread was free',
  receiver: 'the receiving thread was busy with this packet or those before it',
  javascript: 'JavaScript was late or collected garbage, in a process that is measured',
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
  /** Latency and messages of each packet, one after the other. */
  members: number[];
  /** What ran for half of the worst packet's way or longer, by name, each once. */
  beside: string[];
}

/** Something that ran in the measured processes, or was done to them. */
export interface Activity extends Interval {
  name: string;
}
/** Activities that make a thread lose its core to JavaScript. */
export const gc_activities: readonly string[] = ['gc of the publisher', 'gc of the subscriber'];

/** The collector's helper threads are at work before and after the pause that it tells of. */
const gc_before_ns = 200_000;
const gc_after_ns_max = 1_000_000;

/** ns of [begin, end] in which a measured process collected garbage. */
export function collected_ns(activities: readonly Activity[], begin_ns: number, end_ns: number): number {
  const wide = activities
    .filter(({ name }) => gc_activities.includes(name))
    .map((one) => ({
      begin_ns: one.begin_ns - gc_before_ns,
      end_ns: one.end_ns + Math.min(gc_after_ns_max, one.end_ns - one.begin_ns),
    }));
  return overlap_ns(wide, begin_ns, end_ns);
}

export interface SliceEvidence {
  batches: Float64Array;
  packets: Float64Array;
  senderStalls: readonly Stall[];
  receiverStalls: readonly Stall[];
  /** Ascending by begin. */
  activities: readonly Activity[];
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
      episode = {
        cause: 'publisher',
        due_ns: 0,
        latency_ns: 0,
        messages: 0,
        packets: 0,
        worst: packet,
        members: [],
        beside: [],
      };
      episodes.push(episode);
    }
    episode.messages += packet.messages;
    episode.packets++;
    episode.members.push(latency_ns, packet.messages);
    if (latency_ns > episode.latency_ns) {
      episode.latency_ns = latency_ns;
      episode.due_ns = packet.due_ns;
      episode.worst = { ...packet };
    }
    last_ns = Math.max(last_ns, packet.applied_ns);
  });
  for (const episode of episodes) {
    const { due_ns, applied_ns } = episode.worst;
    episode.cause = causeOf(episode.worst, slice);
    episode.beside = activitiesBeside(slice.activities, due_ns, applied_ns);
  }
  return episodes;
}

/** Names of what ran for at least half of [begin, end]. */
export function activitiesBeside(activities: readonly Activity[], begin_ns: number, end_ns: number): string[] {
  const met = activities.filter((one) => one.begin_ns < end_ns && one.end_ns > begin_ns);
  return [...new Set(met.map(({ name }) => name))].filter((name) => {
    const own = met.filter((one) => one.name === name);
    return overlap_ns(own, begin_ns, end_ns) >= (end_ns - begin_ns) / 2;
  });
}

/** The cause of one packet's latency. */
export function causeOf(packet: TracedPacket, slice: SliceEvidence): Cause {
  const { due_ns, kernel_ns, applied_ns } = packet;
  const parts = stalled_ns(slice.senderStalls, due_ns, Math.max(due_ns, kernel_ns));
  const received = stalled_ns(slice.receiverStalls, kernel_ns, applied_ns);
  for (const cause of Object.keys(parts) as StallCause[]) parts[cause] += received[cause];
  const half_ns = (applied_ns - due_ns) / 2;
  if (parts.machine >= half_ns) return 'machine';
  const explained = (['scheduling', 'stopped', 'disk', 'page_fault'] as const).toSorted((a, b) => parts[b] - parts[a]);
  const [cause] = explained;
  if (cause === undefined || explained.reduce((sum, one) => sum + parts[one], 0) < half_ns)
    return stageCause(packet, slice);
  if (cause === 'scheduling' && collected_ns(slice.activities, due_ns, applied_ns) >= half_ns) return 'javascript';
  return cause;
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
