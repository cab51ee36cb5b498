/** Who the clients of perf/gateway_clients.ts are, and what they ask for. Pure. */
import type { LoadGroup } from '../fanout/load.js';

export type Mode = 'exact' | 'bbo' | 'depth';

export interface NamedGroup extends LoadGroup {
  name: string;
}

export interface ClientNumbers {
  clients: Record<Mode, number>;
  /** Of `exact`, `bbo` and `depth`, those that stop reading. */
  silent: readonly number[];
  /** That a bbo or depth client has chosen. */
  instruments: number;
}

/** What a silent `exact` client has asked for, one after the other. A conflated one needs no policy: its next frame covers more. */
const policies = ['disconnect', 'conflate', 'snapshot'] as const;

/** Silent `exact` clients beyond the first are groups of their own, one for each policy. */
export function groupsOf({ clients, silent, instruments }: ClientNumbers): NamedGroup[] {
  const chosen = Array.from({ length: instruments }, (_, index) => index + 1);
  const request = (mode: Mode, more: object) => JSON.stringify({ type: 'subscribe', id: 1, channel: 1, mode, ...more });
  const [exactSilent = 0, bboSilent = 0, depthSilent = 0] = silent;
  const silentOf = (policy: number) => Math.floor((exactSilent + policies.length - 1 - policy) / policies.length);
  const others = policies.slice(1).map((onSlow, index) => ({
    name: `exact_${onSlow}`,
    clients: silentOf(index + 1),
    silent: silentOf(index + 1),
    request: request('exact', { onSlow }),
  }));
  const exact = clients.exact - others.reduce((sum, one) => sum + one.clients, 0);
  return [
    { name: 'exact', clients: exact, silent: silentOf(0), request: request('exact', { onSlow: 'disconnect' }) },
    { name: 'bbo', clients: clients.bbo, silent: bboSilent, request: request('bbo', { instruments: chosen }) },
    {
      name: 'depth',
      clients: clients.depth,
      silent: depthSilent,
      request: request('depth', { intervalMs: 100, levels: 10, instruments: chosen }),
    },
    ...others.filter((one) => one.clients > 0),
  ];
}
