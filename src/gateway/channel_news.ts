/** What changes in a channel by itself, and who is told: its session, and the definitions of its instruments. Pure. */
import type { InstrumentEntry } from './protocol.js';
import { choose } from './selection.js';
import { type ChannelState, entryOf, type GatewaySession } from './session.js';
import type { SessionTable } from './session_table.js';
import { permitted, refusalOf } from './subscription_choice.js';
import type { Subscriptions } from './subscriptions.js';

export class ChannelNews {
  readonly #table: SessionTable;
  readonly #subscriptions: Subscriptions;

  constructor(table: SessionTable, subscriptions: Subscriptions) {
    this.#table = table;
    this.#subscriptions = subscriptions;
  }

  /** A new session, or definitions that have changed. */
  look(channel: ChannelState): void {
    const { session, definitionsVersion } = channel.native.state();
    if (session !== channel.session) {
      channel.session = session;
      for (const one of this.#table.subscribers(channel))
        this.#table.send(one, { type: 'session', channel: channel.channel, session });
    }
    if (definitionsVersion === channel.definitionsVersion) return;
    channel.definitionsVersion = definitionsVersion;
    const before = new Map(channel.instruments.map((entry) => [entry.instrument, JSON.stringify(entry)]));
    channel.instruments = channel.native.definitions().map(entryOf);
    channel.exponents = new Map(channel.instruments.map((entry) => [entry.instrument, entry]));
    const news = channel.instruments.filter((entry) => before.get(entry.instrument) !== JSON.stringify(entry));
    // A new session that has defined nothing yet: what the selectors mean in it comes with its definitions.
    if (channel.instruments.length === 0) return;
    for (const session of this.#table.subscribers(channel)) {
      this.#tellDefinitions(session, channel, news);
      this.#subscriptions.redefined(session, channel);
    }
  }

  /** Tells what concerns the session, as far as it may know. */
  #tellDefinitions(session: GatewaySession, channel: ChannelState, news: readonly InstrumentEntry[]): void {
    if (news.length === 0) return;
    const told = new Map<number, InstrumentEntry>();
    for (const subscription of session.subscriptions.values()) {
      if (subscription.channel !== channel.channel) continue;
      const { selectors } = subscription;
      if (refusalOf(session, subscription, channel.instruments) !== undefined) continue;
      const chosen = selectors === undefined ? news : permitted(session, subscription, choose(selectors, news).chosen);
      for (const entry of chosen) told.set(entry.instrument, entry);
    }
    // Who waits for a name is to ask again, whatever it may know of.
    if (told.size > 0 || session.awaited.has(channel.channel))
      this.#table.send(session, { type: 'definitions', channel: channel.channel, instruments: [...told.values()] });
  }
}
