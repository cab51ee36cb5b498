/**
 * One socket and its client as a model: what was asked, in which order, what must be answered. Everything that the
 * gateway says goes through said(), which notes what it should not have said.
 */

import type { GatewaySession, GatewaySocket, GroupOutlet } from '../../../src/gateway/session_state.js';
import type { NativeGatewayCounts } from '../../../src/native.js';

type Text = Record<string, unknown> & { type: string; id?: number; code?: string };

interface Expected {
  what: string;
  /** Judged when the answer comes: what was asked before has taken effect by then. */
  fits: (text: Text) => boolean;
}

export const buffered_max = 100_000;
/** native/gateway: a frame fills the buffer that compose() is given. */
const frame_bytes_max = 65_536;
const unasked = ['session', 'definitions', 'entitlements', 'slow', 'goodbye'];

/** As uWebSockets.js has them: whoever is gone is in no topic. */
export class FakeTopics implements GroupOutlet {
  readonly members = new Map<string, Set<FakeClient>>();
  published = 0;

  publish(topic: string, frame: Uint8Array): void {
    this.published++;
    for (const client of this.members.get(topic) ?? []) client.take(frame);
  }

  of(topic: string): Set<FakeClient> {
    const members = this.members.get(topic) ?? new Set();
    this.members.set(topic, members);
    return members;
  }

  gone(client: FakeClient): void {
    for (const members of this.members.values()) members.delete(client);
  }
}

export class FakeClient implements GatewaySocket {
  readonly faults: string[] = [];
  readonly expected: Expected[] = [];
  /** As the answers said. */
  readonly subscriptions = new Set<number>();
  session: GatewaySession | undefined;
  ended: { code: number; reason: string } | undefined;
  loggedIn = false;
  /** It takes what it is sent. */
  reads = true;
  texts = 0;
  #buffered = 0;

  constructor(
    readonly number: number,
    /** The counts that the channel has just given. */
    private readonly counts: () => (NativeGatewayCounts | undefined)[],
    /** What the gateway is doing now: some things come unasked then. */
    private readonly doing: () => string,
    private readonly topics: FakeTopics,
  ) {}

  join(topic: string): void {
    if (this.ended !== undefined) this.#fault(`joins ${topic} after the end`);
    if (this.topics.of(topic).has(this)) this.#fault(`joins ${topic} twice`);
    this.topics.of(topic).add(this);
  }

  leave(topic: string): void {
    if (this.ended !== undefined) this.#fault(`leaves ${topic} after the end`);
    if (!this.topics.of(topic).delete(this)) this.#fault(`leaves ${topic}, where it is not`);
  }

  sendText(text: string): void {
    if (this.ended !== undefined) this.#fault(`a text after the end: ${text}`);
    this.texts++;
    this.#said(JSON.parse(text) as Text);
  }

  sendFrame(frame: Uint8Array): void {
    if (this.#buffered > buffered_max) this.#fault(`a frame on top of ${this.#buffered} bytes`);
    this.take(frame);
  }

  /** For it alone, or for a topic. */
  take(frame: Uint8Array): void {
    if (this.ended !== undefined) this.#fault('a frame after the end');
    if (!this.loggedIn) this.#fault('a frame before the welcome');
    if (this.subscriptions.size === 0 && this.expected.length === 0) this.#fault('a frame without a subscription');
    if (!this.reads) this.#buffered += frame.length;
    if (this.#buffered > buffered_max + 2 * frame_bytes_max) this.#fault(`${this.#buffered} bytes wait`);
  }

  buffered(): number {
    return this.#buffered;
  }

  end(code: number, reason: string): void {
    if (this.ended !== undefined) this.#fault('ended twice');
    if (Buffer.byteLength(reason) > 123) this.#fault('a reason that no close frame can hold');
    this.ended = { code, reason };
    this.topics.gone(this);
    this.expected.length = 0;
    this.subscriptions.clear();
  }

  drain(): void {
    this.#buffered = 0;
  }

  expect(what: string, fits: Expected['fits']): void {
    this.expected.push({ what, fits });
  }

  #said(text: Text): void {
    if (unasked.includes(text.type)) return;
    // While it does these, it answers nobody.
    const [head] = ['turn', 'tick', 'regrant'].includes(this.doing()) ? [] : this.expected;
    if (head?.fits(text) === true) {
      this.expected.shift();
      this.#take(text);
      return;
    }
    if (this.#mayComeUnasked(text)) return;
    this.#fault(`${JSON.stringify(text)} instead of ${head?.what ?? 'nothing'}`);
  }

  /** The end of a subscription, or of the session, by somebody else's doing. */
  #mayComeUnasked({ code, id, message, type }: Text): boolean {
    const doing = this.doing();
    if (type === 'changed')
      return (doing === 'turn' || doing === 'regrant') && id !== undefined && this.subscriptions.has(id);
    if (type === 'unsubscribed') return doing === 'regrant' && id !== undefined && this.subscriptions.delete(id);
    if (type !== 'error') return false;
    if (code === 'too_slow') return id !== undefined && this.subscriptions.has(id);
    if (code === 'hello_first') return doing === 'tick' && !this.loggedIn;
    // Its end follows.
    if (code === 'bad_message') return /^too many (messages|requests) /.test(String(message));
    if (code === 'unauthorised') return doing === 'login' && !this.loggedIn;
    return code === 'forbidden' && doing === 'regrant';
  }

  #take(text: Text): void {
    const { id, type } = text;
    if (type === 'welcome') this.loggedIn = true;
    if (type === 'subscribed' && id !== undefined) this.subscriptions.add(id);
    if (type === 'counts' || type === 'unsubscribed') this.#takeCounts(text);
    if (type === 'unsubscribed' && id !== undefined) this.subscriptions.delete(id);
  }

  #takeCounts(text: Text): void {
    const names = ['published', 'sent', 'conflated', 'refused', 'pending', 'sequence'] as const;
    const [published, sent, conflated, refused, pending] = names.map((name) => BigInt(text[name] as string));
    if (published !== (sent ?? 0n) + (conflated ?? 0n) + (refused ?? 0n) + (pending ?? 0n))
      this.#fault(`counts that do not add up: ${JSON.stringify(text)}`);
    const given = this.counts().some((counts) => names.every((name) => text[name] === String(counts?.[name])));
    if (!given) this.#fault(`counts of something else: ${JSON.stringify(text)}`);
  }

  #fault(what: string): void {
    this.faults.push(`client ${this.number}: ${what}`);
  }
}
