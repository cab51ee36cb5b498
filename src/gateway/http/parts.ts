/** What the parts of a server count, as /metrics tells it. Where they are: the main thread. */
import type { DistributorStats } from '../../distributor.js';
import type { AccessService } from '../access/access_service.js';
import type { Metrics } from './context.js';

type Parts = Metrics['parts'];

/** Publisher, journal and recovery of a channel. */
export function distributorParts(stats: DistributorStats): Parts {
  const { counters, journal, recovery, subscribers, thread } = stats;
  const parts: Parts = {
    channel: {
      subscribers,
      threadSwitchesVoluntary: thread?.switchesVoluntary,
      threadSwitchesForced: thread?.switchesForced,
      threadPageFaults: thread?.pageFaults,
      threadCpuNs: thread?.cpuNs,
      threadRunDelayNs: thread?.runDelayNs,
    },
    publisher: counters,
    journal,
    recovery: recovery.native,
  };
  if (recovery.service !== undefined) parts.recovery_service = { ...recovery.service };
  if (recovery.udp !== undefined) parts.rerequests = { ...recovery.udp };
  return parts;
}

export function accessParts({ audit, jwks, ...access }: AccessService['counters']): Parts {
  return { access, audit, ...(jwks === undefined ? {} : { jwks }) };
}
