/** The figures of a client, whatever it follows. */
import type { FeedStats, GatewayFigures } from '../feed_types.js';
import { threadUse } from '../host.js';
import type { RateMeter } from '../rates.js';
import type { RecoveryFigures } from '../recovery/client.js';

export interface FiguresOf {
  /** Of the native thread; empty where there is none. */
  counters: Record<string, bigint>;
  session: bigint;
  sequence: bigint;
  gateway: GatewayFigures | undefined;
  /** Messages and packets besides those that the native thread counts. */
  messagesOver: bigint;
  packetsOver: bigint;
  recovery: RecoveryFigures | undefined;
  joined: boolean;
  isRunning: boolean;
}

export function feedStats(of: FiguresOf, rates: RateMeter): FeedStats {
  const { counters, session, sequence } = of;
  const figure = (name: string) => counters[name] ?? 0n;
  const messages = figure('messages') + of.messagesOver;
  const packets = figure('datagramsA') + figure('datagramsB') + of.packetsOver;
  const [messagesPerSecond = 0, packetsPerSecond = 0] = rates.update(performance.now(), [messages, packets]);
  return {
    session,
    sequence,
    position: figure('position'),
    // What is counted of a subscription begins anew when it is granted anew.
    messagesPerSecond: Math.max(0, messagesPerSecond),
    packetsPerSecond,
    updatesDelivered: figure('updatesDelivered'),
    updatesLost: figure('updatesLost'),
    missingRanges: Number(figure('missingRanges')),
    missingMessages: figure('missingMessages'),
    recoveredMessages: {
      line: figure('recoveredByLine'),
      retransmission: figure('recoveredByRetransmission'),
      snapshot: figure('recoveredBySnapshot'),
    },
    givenUpMessages: figure('givenUpMessages'),
    holes: Number(figure('holes')),
    snapshots: Number(figure('snapshots')),
    sessions: Number(figure('sessions')),
    gateway: of.gateway,
    recovery: of.recovery,
    digestMismatches: Number(figure('digestsMismatched')),
    joined: of.joined,
    counters,
    thread: of.isRunning ? threadUse(Number(figure('threadId'))) : undefined,
  };
}
