/** Messages of subscriptions as the native side counts them, and what of them goes into the figures. Pure. */
import type { NativeGateway, NativeGatewayCounts } from '../native.js';
import type { GatewayFigures } from './figures.js';
import type { ChannelState, GatewaySession, SubscriptionState } from './session.js';

export type Channels = ReadonlyMap<number, ChannelState>;

/** Undefined where the session has nothing in that channel. */
export function nativeOf(
  channels: Channels,
  session: GatewaySession,
  { channel }: SubscriptionState,
): { native: NativeGateway; client: number } | undefined {
  const native = channels.get(channel)?.native;
  const client = session.clients.get(channel);
  return native === undefined || client === undefined ? undefined : { native, client };
}

export function countsOf(
  channels: Channels,
  session: GatewaySession,
  subscription: SubscriptionState,
): NativeGatewayCounts | undefined {
  const found = nativeOf(channels, session, subscription);
  return found?.native.counts(found.client, subscription.id);
}

/** Messages in all open subscriptions. */
export function sentTo(channels: Channels, session: GatewaySession): bigint {
  let sent = 0n;
  for (const subscription of session.subscriptions.values())
    sent += countsOf(channels, session, subscription)?.sent ?? 0n;
  return sent;
}

/** A subscription has ended: what was left to send it is refused. */
export function settle(counters: GatewayFigures, counts: NativeGatewayCounts | undefined): void {
  if (counts === undefined) return;
  counters.messagesPublished += Number(counts.published);
  counters.messagesSent += Number(counts.sent);
  counters.messagesConflated += Number(counts.conflated);
  counters.messagesRefused += Number(counts.refused + counts.pending);
}

/** The counters, with what open subscriptions and the channels have counted; looks at every subscription. */
export function figuresOf(
  counters: GatewayFigures,
  channels: Channels,
  sessions: Iterable<GatewaySession>,
  turnMsMax: number,
): GatewayFigures {
  const figures = { ...counters, errors: { ...counters.errors }, turnMsMax };
  for (const session of sessions) {
    figures.bufferedBytes += session.socket.buffered();
    for (const subscription of session.subscriptions.values()) {
      const counts = countsOf(channels, session, subscription);
      figures.messagesPublished += Number(counts?.published ?? 0n);
      figures.messagesSent += Number(counts?.sent ?? 0n);
      figures.messagesConflated += Number(counts?.conflated ?? 0n);
      figures.messagesRefused += Number(counts?.refused ?? 0n);
      figures.messagesPending += Number(counts?.pending ?? 0n);
    }
  }
  for (const { native } of channels.values()) {
    const counted = native.counters();
    for (const name of ['snapshots', 'windowBytes', 'lapped', 'unavailable', 'digestsMismatched'] as const)
      figures[name] += Number(counted[name] ?? 0n);
  }
  return figures;
}
