/** A client's session of which everything is seen, with a clock, chance and a gateway of our own. */
import type { GatewayWelcome } from '../../src/browser/protocol.js';
import { type Action, type SessionHost, SessionState } from '../../src/browser/session_state.js';
import type { Stream } from '../../src/browser/stream.js';
import type { BookMessageFields } from '../faults/packets.js';
import { type EntryFields, windowHash } from './frames.js';

type Sent = Record<string, unknown> & { type: string };

/** A client of which everything is seen, and the hand that plays the gateway. */
export class Play {
  now = 1_000;
  readonly sent: Sent[] = [];
  readonly did: string[] = [];
  readonly news: string[] = [];
  readonly welcomes: GatewayWelcome[] = [];
  /** What is done on hearing of a welcome. */
  heard: (() => void) | undefined;
  readonly state: SessionState;

  constructor() {
    const tell =
      (name: string) =>
      (...values: unknown[]) => {
        const shown = values.map((value) => (isStream(value) ? `#${value.id}` : String(value)));
        this.news.push([name, ...shown].join(' '));
      };
    const host: SessionHost = {
      onState: tell('state'),
      onSession: tell('session'),
      onSnapshot: tell('snapshot'),
      onSnapshotRefused: tell('snapshotRefused'),
      onMismatch: tell('mismatch'),
      onDepth: tell('depth'),
      onPrints: (stream, prints) => this.news.push(`prints #${stream.id} ${prints.map((one) => one.sequence)}`),
      onUpdates: tell('updates'),
      onCountMismatch: tell('countMismatch'),
      onLink: tell('link'),
      onWelcome: (welcome) => {
        this.welcomes.push(welcome);
        this.heard?.();
      },
      onError: tell('error'),
      onRefused: tell('refused'),
      onDisconnected: () => {},
      onDefinitions: () => {},
      onSlow: tell('slow'),
      onGoodbye: tell('goodbye'),
      onFault: tell('fault'),
    };
    this.state = new SessionState(
      {
        url: 'wss://a/feed',
        token: 'secret',
        client: 'test',
        timeoutMs: 5_000,
        pingMs: 15_000,
        backoffMs: 100,
        backoffMsMax: 1_000,
        limits: { orders: 1_000, instruments: 100, snapshotBytes: 1 << 20 },
        random: () => 1,
        wallMs: () => this.now,
      },
      host,
    );
  }

  take(actions: readonly Action[]): void {
    for (const action of actions)
      if (action.do === 'send') this.sent.push(JSON.parse(action.text));
      else this.did.push(action.do === 'connect' ? `connect ${action.url}` : `disconnect ${action.code}`);
  }

  /** What was sent since the last call, pings left out. */
  flush(): Sent[] {
    return this.sent.splice(0).filter(({ type }) => type !== 'ping');
  }

  fresh(): string[] {
    return this.news.splice(0);
  }

  say(...messages: object[]): void {
    for (const message of messages) this.take(this.state.text(JSON.stringify(message), this.now));
  }

  bytes(...blocks: Uint8Array[]): void {
    this.take(this.state.binary(Buffer.concat(blocks), this.now));
  }

  wait(ms: number): void {
    this.now += ms;
    this.take(this.state.tick(this.now));
  }

  connect(): void {
    this.take(this.state.tick(this.now));
    this.take(this.state.opened(this.now));
    this.say({ type: 'welcome', version: 1, session: '1', channels: [], limits: {} });
  }

  subscribe(options: Parameters<SessionState['subscribe']>[0]): Stream {
    const { stream, actions } = this.state.subscribe(options, this.now);
    this.take(actions);
    return stream;
  }

  ask<Answer>(ask: () => Answer): Answer {
    const { answer, actions } = this.state.request(ask, this.now);
    this.take(actions);
    return answer;
  }
}

function isStream(value: unknown): value is Stream {
  return typeof value === 'object' && value !== null && 'windows' in value;
}

export const instruments = [{ instrument: 1, symbol: 'AAA', priceExponent: -2, quantityExponent: 0 }];
export const level = { price: 5n, quantity: 1n, orders: 1, side: 1 };
export const full: EntryFields = {
  first: 0n,
  last: 0n,
  base: 0n,
  hash: windowHash([level], 1),
  instrument: 1,
  instrumentSequence: 0,
  messages: 0,
  full: true,
  status: 1,
  levels: [level],
};

export function ready(): Play {
  const play = new Play();
  play.take(play.state.start(play.now));
  play.connect();
  play.flush();
  play.fresh();
  return play;
}

export function order(id: bigint, sequence: number, kind = 1): BookMessageFields {
  return { orderId: id, price: 5n, quantity: 1n, instrument: 1, instrumentSequence: sequence, kind, side: 1, flags: 1 };
}
