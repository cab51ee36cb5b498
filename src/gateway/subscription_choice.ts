/** What the selectors of a subscription mean, and whether its session may have that. Pure. */
import type { InstrumentEntry } from './protocol.js';
import { choose, faultOf, isPattern, nameOf } from './selection.js';
import { type ChannelState, cut, type GatewaySession, type SessionError, type SubscriptionState } from './session.js';

/** It may come to mean other instruments. */
export function hasPattern({ selectors }: SubscriptionState): boolean {
  return selectors?.some(isPattern) === true;
}

/** Why the session may not have it. `known`: the channel's instruments. */
export function refusalOf(
  { grant }: GatewaySession,
  { channel, conflatedFrom, intervalMs, levels, mode, selectors }: SubscriptionState,
  known: readonly InstrumentEntry[],
): SessionError | undefined {
  const names = selectors?.filter((one) => !isPattern(one)).map((one) => nameOf(one, known));
  const instruments = names ?? 'all';
  return grant?.refuse({ channel, mode: conflatedFrom ?? mode, instruments, levels, intervalMs });
}

/** Without those that a pattern means and the session may not have; names were asked for one by one. */
export function permitted(
  { grant }: GatewaySession,
  subscription: SubscriptionState,
  entries: readonly InstrumentEntry[],
): InstrumentEntry[] {
  const { channel, conflatedFrom, levels, mode } = subscription;
  if (grant?.permits === undefined || !hasPattern(subscription)) return [...entries];
  return entries.filter(({ symbol }) => grant.permits?.(channel, conflatedFrom ?? mode, levels, symbol));
}

/** Says what the selectors mean now, or why not. */
export function chooseFor(
  session: GatewaySession,
  channel: ChannelState,
  subscription: SubscriptionState,
  levels_max: number,
): SessionError | undefined {
  const { selectors = [], mode } = subscription;
  if (mode === 'exact' && selectors.length > 0)
    return { code: 'bad_message', message: 'exact has the whole channel; choose instruments with filtered' };
  if (mode === 'exact' && session.json)
    return { code: 'not_in_json', message: 'exact is bytes: take filtered, or format binary' };
  const fault = faultOf(selectors);
  if (fault !== undefined) return { code: 'bad_message', message: cut(fault) };
  // Asked before it is looked up: nobody learns the names of what is not theirs.
  const forbidden = refusalOf(session, subscription, channel.instruments);
  if (forbidden !== undefined) return forbidden;
  if (channel.session === 0n) return { code: 'unavailable', message: 'the channel has not begun' };
  if (subscription.levels > levels_max) return { code: 'bad_message', message: `at most ${levels_max} levels` };
  if (subscription.selectors === undefined) {
    subscription.chosen = [];
    return undefined;
  }
  const { chosen, unknown } = choose(selectors, channel.instruments);
  // A gateway that has just begun learns the names while it catches up.
  if (unknown.length > 0 && !channel.native.state().ready)
    return { code: 'unavailable', message: 'the channel is not ready' };
  if (unknown.length > 0)
    return { code: 'unknown_instrument', message: cut(`unknown: ${unknown.slice(0, 10).join(', ')}`) };
  subscription.chosen = permitted(session, subscription, chosen);
  return undefined;
}
