/** A channel of the gateway that does what a seed says, and notes whatever is asked of it that must not be. */
import type { SeededRandom } from '../../../src/faults/random.js';
import type {
  NativeDefinition,
  NativeGateway,
  NativeGatewayCounts,
  NativeGatewayRequest,
  NativeGatewaySlow,
} from '../../../src/native.js';

interface FakeSubscription {
  request: NativeGatewayRequest;
  counts: NativeGatewayCounts;
}

export class FakeChannel implements NativeGateway {
  readonly faults: string[] = [];
  readonly open = new Map<number, Map<number, FakeSubscription>>();
  /** Groups that were made, and who is in them. */
  groups = 0;
  readonly #groupOf = new Map<number, number>();
  #joined = 0;
  /** Counts that were handed out last, by subscription's number: what an answer has to say. */
  lastCounts: NativeGatewayCounts | undefined;
  frames = 0;
  #clientLast = 0;
  #session = 0n;
  #sequence = 0n;
  #version = 0;
  #definitions: NativeDefinition[] = [];
  #slow: NativeGatewaySlow[] = [];

  constructor(
    readonly channel: number,
    private readonly random: SeededRandom,
  ) {}

  /** What only the publisher does. */
  begins(): void {
    this.#groupOf.clear();
    this.#session += 1n;
    this.#sequence = 0n;
  }

  defines(): void {
    if (this.#definitions.length >= 32) return;
    const instrument = this.#definitions.length + 1;
    const symbol = `${this.random.pick(['AA', 'AB', 'B', 'ES'])}${instrument}`;
    this.#definitions.push({ instrument, symbol, priceExponent: -4, quantityExponent: 0, sourceCode: 0, lotSize: 1 });
    this.#version++;
  }

  step(): boolean {
    const events = this.random.between(0, 3);
    this.#sequence += BigInt(events);
    for (const subscriptions of this.open.values())
      for (const { counts } of subscriptions.values()) {
        counts.published += BigInt(events);
        counts.pending += BigInt(events);
      }
    return events > 0;
  }

  state() {
    const begun = this.#session > 0n;
    const ready = begun && this.random.between(0, 9) > 0;
    const [session, sequence, definitionsVersion] = [this.#session, this.#sequence, this.#version];
    return { session, sequence, ready, ended: false, definitionsVersion };
  }

  definitions(): NativeDefinition[] {
    return this.#definitions.map((definition) => ({ ...definition }));
  }

  openClient(): number {
    this.open.set(++this.#clientLast, new Map());
    return this.#clientLast;
  }

  closeClient(client: number): void {
    this.#groupOf.delete(client);
    if (!this.open.delete(client)) this.faults.push(`client ${client} is closed, and was not open`);
  }

  subscribe(client: number, subscription: number, request: NativeGatewayRequest): boolean {
    const subscriptions = this.#single(client, 'subscribe');
    if (subscriptions.has(subscription)) return false;
    this.#check(request);
    const counts = { published: 0n, sent: 0n, conflated: 0n, refused: 0n, pending: 0n, sequence: this.#sequence };
    subscriptions.set(subscription, { request, counts });
    return true;
  }

  change(client: number, subscription: number, request: NativeGatewayRequest): boolean {
    const found = this.#single(client, 'change').get(subscription);
    if (found === undefined) this.faults.push(`change of subscription ${subscription} that is not there`);
    else found.request = request;
    this.#check(request);
    return found !== undefined;
  }

  unsubscribe(client: number, subscription: number): NativeGatewayCounts | undefined {
    const counts = this.counts(client, subscription);
    this.#single(client, 'unsubscribe').delete(subscription);
    if (counts === undefined) return undefined;
    this.lastCounts = { ...counts, refused: counts.refused + counts.pending, pending: 0n };
    return this.lastCounts;
  }

  counts(client: number, subscription: number): NativeGatewayCounts | undefined {
    const found = this.#of(client, 'counts').get(subscription);
    if (found === undefined) this.faults.push(`counts of subscription ${subscription} that is not there`);
    this.lastCounts = found && { ...found.counts };
    return this.lastCounts;
  }

  compose(client: number, out: Uint8Array, flush: boolean, share: boolean): number {
    const subscriptions = this.#single(client, 'compose');
    this.#slow = [];
    this.#joined = 0;
    if (subscriptions.size === 0 || (!flush && this.random.between(0, 2) === 0)) return 0;
    for (const { counts } of subscriptions.values()) {
      counts.sent += counts.pending;
      counts.pending = 0n;
    }
    const slow = this.#maybeSlow(subscriptions, 30);
    this.frames++;
    const more = this.random.between(0, 3) === 0;
    if (share && !more && !slow && this.random.between(0, 1) === 0) {
      const known = [...this.#groupOf.values()];
      this.#joined = known.length > 0 && this.random.between(0, 3) > 0 ? this.random.pick(known) : ++this.groups;
      this.#groupOf.set(client, this.#joined);
    }
    return (
      this.random.between(1, out.length) +
      (more ? 2 ** 32 : 0) +
      (slow ? 2 ** 33 : 0) +
      (this.#joined > 0 ? 2 ** 34 : 0)
    );
  }

  joinedGroup(): number {
    return this.#joined;
  }

  composeGroup(group: number, out: Uint8Array): number {
    const members = [...this.#groupOf].filter(([, other]) => other === group).map(([client]) => client);
    if (members.length === 0) return 2 ** 34;
    if (this.random.between(0, 3) === 0) return 0;
    for (const client of members)
      for (const { counts } of this.#of(client, 'composeGroup').values()) {
        counts.sent += counts.pending;
        counts.pending = 0n;
      }
    const ends = this.random.between(0, 9) === 0;
    if (ends) for (const client of members) this.#groupOf.delete(client);
    const more = !ends && this.random.between(0, 1) === 0;
    return this.random.between(0, out.length) + (more ? 2 ** 32 : 0) + (ends ? 2 ** 34 : 0);
  }

  leaveGroup(client: number): void {
    this.#of(client, 'leaveGroup');
    this.#groupOf.delete(client);
  }

  check(client: number): boolean {
    this.#slow = [];
    return this.#maybeSlow(this.#single(client, 'check'), 5);
  }

  takeSlow(): NativeGatewaySlow[] {
    return this.#slow.splice(0);
  }

  counters(): Record<string, bigint> {
    return {};
  }

  close(): void {}

  #maybeSlow(subscriptions: Map<number, FakeSubscription>, oneIn: number): boolean {
    if (subscriptions.size === 0 || this.random.between(1, oneIn) > 1) return false;
    const subscription = this.random.pick([...subscriptions.keys()]);
    const did = subscriptions.get(subscription)?.request.onSlow ?? 'snapshot';
    this.#slow.push({ subscription, did, sequence: this.#sequence });
    return true;
  }

  /** Of one who is in a group these would be sent twice, or in another order. */
  #single(client: number, what: string): Map<number, FakeSubscription> {
    if (this.#groupOf.has(client)) this.faults.push(`${what} with client ${client}, which is in a group`);
    return this.#of(client, what);
  }

  #of(client: number, what: string): Map<number, FakeSubscription> {
    const found = this.open.get(client);
    if (found === undefined) this.faults.push(`${what} with client ${client}, which is not open`);
    return found ?? new Map();
  }

  #check({ instruments, intervalMs, levels }: NativeGatewayRequest): void {
    const known = new Set(this.#definitions.map(({ instrument }) => instrument));
    for (const instrument of instruments ?? [])
      if (!known.has(instrument)) this.faults.push(`instrument ${instrument} was never defined`);
    if (levels < 1 || levels > 10 || intervalMs < 0) this.faults.push(`levels ${levels}, interval ${intervalMs}`);
  }
}
