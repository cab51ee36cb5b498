/** What sessions ask of their subscriptions: begun, changed, counted, ended, and changed by another grant. Pure. */
import type { ChangeMessage, ClientMessage, SubscribeMessage } from './protocol.js';
import { choose } from './selection.js';
import { type ChannelState, type GatewaySession, requestOf, type SubscriptionState } from './session.js';
import { nativeOf, settle } from './session_counts.js';
import type { SessionServing } from './session_serving.js';
import type { SessionTable } from './session_table.js';
import { chooseFor, permitted, refusalOf } from './subscription_choice.js';

const default_levels = 10;
const default_interval_ms = 100;
/** Behind it nothing can be had: who resumes there is told that it is gone, and begins anew. */
const no_number = 2n ** 64n - 1n;

/** Of a subscription that must be there already. */
export type KnownMessage = Extract<ClientMessage, { type: 'change' | 'count' | 'unsubscribe' }>;

export class Subscriptions {
  readonly #table: SessionTable;
  readonly #serving: SessionServing;

  constructor(table: SessionTable, serving: SessionServing) {
    this.#table = table;
    this.#serving = serving;
  }

  subscribe(session: GatewaySession, message: SubscribeMessage): void {
    const { id } = message;
    const { channels, counters, options } = this.#table;
    const channel = channels.get(message.channel);
    const subscription = subscriptionOf(message);
    if (session.subscriptions.has(id)) {
      this.#table.error(session, { id, code: 'id_in_use', message: 'that number is in use' });
      return;
    }
    if (session.subscriptions.size >= options.subscriptionsMax) {
      this.#table.error(session, {
        id,
        code: 'too_many',
        message: `at most ${options.subscriptionsMax} subscriptions`,
      });
      return;
    }
    if (channel === undefined) {
      // Not before it is known whether they may have it: nobody learns which channels there are.
      const forbidden = refusalOf(session, subscription, []);
      this.#table.error(session, {
        id,
        ...(forbidden ?? { code: 'unknown_channel', message: 'there is no such channel' }),
      });
      return;
    }
    const refused = chooseFor(session, channel, subscription, options.levels);
    if (refused !== undefined) {
      if (refused.code === 'unknown_instrument') session.awaited.add(message.channel);
      this.#table.error(session, { id, ...refused });
      return;
    }
    this.#serving.single(session);
    const { resume } = message;
    const from = resume === undefined ? 0n : resume.session === channel.session ? resume.sequence : no_number;
    if (!channel.native.subscribe(clientOf(session, channel), id, requestOf(subscription, from))) {
      this.#table.error(session, { id, code: 'id_in_use', message: 'that number is in use' });
      return;
    }
    session.subscriptions.set(id, subscription);
    counters.subscriptions++;
    this.tellHeld(session, id);
    this.#acknowledge(session, channel, 'subscribed', subscription);
  }

  handle(session: GatewaySession, message: KnownMessage): void {
    const subscription = session.subscriptions.get(message.id);
    if (subscription === undefined) {
      this.#table.error(session, { id: message.id, code: 'unknown_id', message: 'there is no such subscription' });
      return;
    }
    if (message.type === 'change') this.#change(session, subscription, message);
    else if (message.type === 'count') this.#count(session, subscription);
    else this.#unsubscribe(session, subscription);
  }

  /** Its grant is another: what it has and may no longer have ends. */
  regranted(session: GatewaySession): void {
    this.#serving.single(session);
    for (const subscription of [...session.subscriptions.values()]) this.#judgeAgain(session, subscription, true);
  }

  /** Numbers and names may mean other instruments, in a new session above all: what is served follows the names. */
  redefined(session: GatewaySession, { channel }: ChannelState): void {
    for (const subscription of [...session.subscriptions.values()])
      if (subscription.channel === channel) this.#judgeAgain(session, subscription, false);
  }

  /** Gives the native side what the subscription is now, and tells the client. */
  #apply(session: GatewaySession, channel: ChannelState, subscription: SubscriptionState): void {
    this.#serving.single(session);
    channel.native.change(clientOf(session, channel), subscription.id, requestOf(subscription, 0n));
    this.#acknowledge(session, channel, 'changed', subscription);
  }

  /** What the subscription holds now, whatever was asked for. */
  tellHeld(session: GatewaySession, id: number): void {
    const subscription = session.subscriptions.get(id);
    const count = subscription === undefined ? 0 : (subscription.selectors?.length ?? 1);
    const asked = session.reserved === id;
    if (asked) session.reserved = undefined;
    if (session.phase === 'open') this.#table.access.held?.(session, { id, count, asked });
  }

  #change(session: GatewaySession, subscription: SubscriptionState, message: ChangeMessage): void {
    const channel = this.#table.channels.get(subscription.channel);
    if (channel === undefined) return;
    const changed: SubscriptionState = {
      ...subscription,
      mode: message.mode ?? subscription.mode,
      selectors: message.instruments ?? subscription.selectors,
      levels: message.levels ?? subscription.levels,
      intervalMs: message.intervalMs ?? subscription.intervalMs,
      onSlow: message.onSlow ?? subscription.onSlow,
      conflatedFrom: undefined,
    };
    const refused = chooseFor(session, channel, changed, this.#table.options.levels);
    if (refused !== undefined) {
      this.#table.error(session, { id: subscription.id, ...refused });
      return;
    }
    Object.assign(subscription, changed);
    this.tellHeld(session, subscription.id);
    this.#apply(session, channel, subscription);
  }

  /** Whether the session may have it still, and what its selectors mean now. `flush`: what is left may still go out. */
  #judgeAgain(session: GatewaySession, subscription: SubscriptionState, flush: boolean): void {
    const channel = this.#table.channels.get(subscription.channel);
    const refused = refusalOf(session, subscription, channel?.instruments ?? []);
    if (refused !== undefined) {
      // Other definitions may bring it back.
      if (!flush) session.awaited.add(subscription.channel);
      this.#table.error(session, { id: subscription.id, ...refused });
      this.#unsubscribe(session, subscription, flush);
      return;
    }
    const { chosen: before, selectors } = subscription;
    if (channel === undefined || selectors === undefined) return;
    subscription.chosen = permitted(session, subscription, choose(selectors, channel.instruments).chosen);
    const same =
      before.length === subscription.chosen.length &&
      before.every(({ instrument, symbol }, at) => {
        const now = subscription.chosen[at];
        return now?.instrument === instrument && now.symbol === symbol;
      });
    if (!same) this.#apply(session, channel, subscription);
  }

  #count(session: GatewaySession, subscription: SubscriptionState): void {
    const found = nativeOf(this.#table.channels, session, subscription);
    if (found === undefined) return;
    this.#serving.single(session);
    // As far as the socket takes it, nothing is left open.
    this.#serving.serve(session, true);
    // A policy may have closed it meanwhile.
    if (session.phase !== 'open') return;
    const counts = found.native.counts(found.client, subscription.id);
    if (counts !== undefined) this.#table.send(session, { type: 'counts', id: subscription.id, ...counts });
  }

  #unsubscribe(session: GatewaySession, subscription: SubscriptionState, flush = true): void {
    const found = nativeOf(this.#table.channels, session, subscription);
    if (found === undefined) return;
    this.#serving.single(session);
    if (flush) this.#serving.serve(session, true);
    if (session.phase !== 'open') return;
    const counts = found.native.unsubscribe(found.client, subscription.id);
    settle(this.#table.counters, counts);
    session.pace?.ended(counts?.sent ?? 0n);
    session.subscriptions.delete(subscription.id);
    this.#table.counters.subscriptions--;
    this.tellHeld(session, subscription.id);
    if (counts !== undefined) this.#table.send(session, { type: 'unsubscribed', id: subscription.id, ...counts });
  }

  #acknowledge(
    session: GatewaySession,
    channel: ChannelState,
    type: 'subscribed' | 'changed',
    subscription: SubscriptionState,
  ): void {
    const { chosen, id, intervalMs, levels, mode, onSlow, selectors } = subscription;
    // A client counts on from there: only we know what the old beginning had not sent.
    const counts = type === 'changed' ? channel.native.counts(clientOf(session, channel), id) : undefined;
    this.#table.send(session, {
      type,
      id,
      ...(counts === undefined ? {} : { counts }),
      channel: channel.channel,
      session: channel.session,
      sequence: channel.native.state().sequence,
      mode,
      levels: mode === 'bbo' ? 1 : levels,
      intervalMs,
      onSlow,
      instruments: selectors === undefined ? channel.instruments : chosen,
    });
  }
}

function subscriptionOf(message: SubscribeMessage): SubscriptionState {
  return {
    id: message.id,
    channel: message.channel,
    mode: message.mode,
    selectors: message.instruments,
    levels: message.levels ?? default_levels,
    intervalMs: message.intervalMs ?? default_interval_ms,
    onSlow: message.onSlow ?? 'snapshot',
    chosen: [],
  };
}

function clientOf(session: GatewaySession, channel: ChannelState): number {
  let client = session.clients.get(channel.channel);
  if (client === undefined) {
    client = channel.native.openClient();
    session.clients.set(channel.channel, client);
  }
  return client;
}
