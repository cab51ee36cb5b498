/** From the client's book to its JavaScript: outliers of that stage, and who is to blame for them. Pure. */
import { type Activity, activitiesBeside, collected_ns, type Episode } from './attribution.js';
import type { TracedPacket } from './packets.js';

const packet_words = 7;
const delivery_words = 3;
/** Outliers closer to each other than this belong together. */
const episode_gap_ns = 200_000;

export interface DeliveryEvidence {
  packets: Float64Array;
  deliveries: Float64Array;
  /** Ascending by begin. */
  activities: readonly Activity[];
}

interface Delivered {
  applied_ns: number;
  delivered_ns: number;
  run_delay_ns: number;
  messages: number;
}

/** Each packet with the call of JavaScript that brought the last of its messages; those that none brought are left out. */
function eachDelivered({ packets, deliveries }: DeliveryEvidence, each: (one: Delivered) => void): void {
  let delivery = 0;
  for (let at = 0; at + packet_words <= packets.length; at += packet_words) {
    const sequence = packets[at + 4] ?? 0;
    while (delivery < deliveries.length && (deliveries[delivery] ?? 0) < sequence) delivery += delivery_words;
    if (delivery >= deliveries.length) return;
    each({
      applied_ns: packets[at + 2] ?? 0,
      delivered_ns: deliveries[delivery + 1] ?? 0,
      run_delay_ns: deliveries[delivery + 2] ?? 0,
      messages: packets[at + 5] ?? 0,
    });
  }
}

/** Median over packets of applied to delivered. */
export function medianDelivery_ns(evidence: DeliveryEvidence): number {
  const times: number[] = [];
  eachDelivered(evidence, ({ applied_ns, delivered_ns }) => times.push(delivered_ns - applied_ns));
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}

/** Episodes of packets that waited longer than that for JavaScript; `due_ns` is when the worst of them was applied. */
export function findDeliveryEpisodes(evidence: DeliveryEvidence, threshold_ns: number): Episode[] {
  const episodes: (Episode & { worst_delivery: Delivered })[] = [];
  let last_ns = Number.NEGATIVE_INFINITY;
  eachDelivered(evidence, (one) => {
    const latency_ns = one.delivered_ns - one.applied_ns;
    if (latency_ns <= threshold_ns) return;
    let episode = episodes.at(-1);
    if (episode === undefined || one.applied_ns > last_ns + episode_gap_ns) {
      const none = {
        cause: 'javascript' as const,
        due_ns: 0,
        latency_ns: 0,
        messages: 0,
        packets: 0,
        members: [],
        beside: [],
      };
      episode = { ...none, worst: {} as TracedPacket, worst_delivery: one };
      episodes.push(episode);
    }
    episode.messages += one.messages;
    episode.packets++;
    episode.members.push(latency_ns, one.messages);
    if (latency_ns > episode.latency_ns) {
      episode.latency_ns = latency_ns;
      episode.due_ns = one.applied_ns;
      episode.worst_delivery = one;
    }
    last_ns = Math.max(last_ns, one.delivered_ns);
  });
  return episodes.map(({ worst_delivery, ...episode }) => judged(episode, worst_delivery, evidence.activities));
}

// Garbage collection, the thread's own wait for a core, and else whatever kept the event loop.
function judged(episode: Episode, worst: Delivered, activities: readonly Activity[]): Episode {
  const { applied_ns, delivered_ns, run_delay_ns } = worst;
  const half_ns = (delivered_ns - applied_ns) / 2;
  const collected = collected_ns(activities, applied_ns, delivered_ns) >= half_ns;
  const cause = !collected && run_delay_ns >= half_ns ? 'scheduling' : 'javascript';
  return { ...episode, cause, beside: activitiesBeside(activities, applied_ns, delivered_ns) };
}
