/**
 * A subscriber that has other books than its publisher knows it: after a forged packet that nothing gives away but its
 * content, and after a lost one. The publisher is fed message by message through a pipe, so that nothing here depends on
 * speed.
 */
import { closeSync, writeSync } from 'node:fs';
import t from 'tap';
import { type BookExport, FeedClient, type SequenceRange } from '../../src/index.js';
import { addon, type NativePublisher } from '../../src/native.js';
import type { Test } from '../data.js';
import { published, publisherOptions, until } from '../lifetime/native_feed.js';
import { encodeItch } from '../reference/itch_reader.js';
import { forged_order } from './hostile.js';
import { type LinePair, linePair } from './lines.js';
import { bookPacket } from './packets.js';
import { Relay } from './relay.js';
import { openSender } from './sockets.js';

const header = { tracking: 0, timestamp_ns: 1 };
const stocks = ['ONE', 'TWO'] as const;

/** A publisher whose source says what it is told to, one message at a time. */
class ScriptedFeed {
  readonly publisher: NativePublisher;
  readonly client: FeedClient;
  readonly mismatches: bigint[] = [];
  readonly missing: SequenceRange[] = [];
  readonly #to: number;
  #published = 0n;
  #reference = 0;

  constructor(t: Test, number: number, client_lines: LinePair) {
    const [from, to] = addon.pipe();
    this.#to = to;
    this.publisher = new addon.Publisher(publisherOptions(number), () => {});
    this.publisher.source({ kind: 'itch', descriptor: from, midnightNs: 0n, speed: 0, rate: 0 });
    const limits = { orders: 1_024, instruments: 16 };
    const { A: lineA, B: lineB } = client_lines;
    this.client = new FeedClient({ lineA, lineB, control: null, limits, gapWaitMs: 50, silenceMs: 30_000 });
    this.client.on('digestMismatch', (sequence) => this.mismatches.push(sequence));
    this.client.on('missing', (range) => this.missing.push(range));
    t.teardown(async () => {
      await this.client.close();
      this.publisher.close();
      closeSync(this.#to);
    });
  }

  async start(): Promise<void> {
    await this.client.start();
    this.publisher.start();
    this.publisher.release();
    await until('a session', () => this.client.session === 1n);
  }

  /** An order of 100 at a price of its own; resolves when it is published. The first of a stock defines it, too. */
  async add(stock: (typeof stocks)[number]): Promise<number> {
    const reference = ++this.#reference;
    const locate = stocks.indexOf(stock) + 1;
    const price = 10_000 + reference;
    await this.#write(encodeItch({ type: 'A', ...header, locate, reference, side: 'B', shares: 100, stock, price }));
    return reference;
  }

  async delete(stock: (typeof stocks)[number], reference: number): Promise<void> {
    await this.#write(encodeItch({ type: 'D', ...header, locate: stocks.indexOf(stock) + 1, reference }));
  }

  async #write(message: Buffer): Promise<void> {
    writeSync(this.#to, message);
    await until('the message', () => published(this.publisher) > this.#published);
    this.#published = published(this.publisher);
  }

  /** The last number published. */
  get sequence(): bigint {
    return this.#published;
  }

  /** When the subscriber has as much as the publisher. */
  async applied(): Promise<void> {
    await until('the subscriber', () => this.client.sequence >= this.#published);
  }

  async states(): Promise<Record<string, string>> {
    const books: BookExport = await this.client.snapshot();
    return Object.fromEntries(books.instruments.map(({ name, state }) => [name, state]));
  }

  /** Resolves when the states are these; the test fails with what they are, where they do not become so. */
  async reach(t: Test, wanted: Record<string, string>, message: string): Promise<void> {
    let states = await this.states();
    const equal = () => JSON.stringify(states) === JSON.stringify(wanted);
    for (const begin = Date.now(); !equal() && Date.now() - begin < 10_000; states = await this.states())
      await new Promise((resolve) => setTimeout(resolve, 5));
    t.strictSame(states, wanted, message);
  }
}

t.test('forgedMessageIsNoticedAtTheNextHeartbeat', async (t) => {
  const number = 54;
  const lines = linePair(number);
  const feed = new ScriptedFeed(t, number, lines);
  await feed.start();
  for (let round = 0; round < 3; round++) for (const stock of stocks) await feed.add(stock);
  await feed.applied();
  await feed.reach(t, { ONE: 'live', TWO: 'live' }, 'both books are live');
  t.equal(feed.client.state, 'synchronized');

  // Right channel, session, number, instrument sequence and CRC: only the order is one that the publisher never had.
  const one = (await feed.client.snapshot()).instrument('ONE');
  const socket = await openSender(lines.A);
  t.teardown(() => socket.close());
  const forged = bookPacket({ channel: 1, session: 1n, first: feed.sequence + 1n, position: 7n }, [
    { ...forged_order, instrument: one?.instrument ?? 0, instrumentSequence: (one?.instrumentSequence ?? 0) + 1 },
  ]);
  socket.send(forged);
  await until('the forged order', () => feed.client.sequence === feed.sequence + 1n);
  t.ok((await feed.client.snapshot({ orders: true })).order('ONE', forged_order.orderId), 'it is in the book');
  t.strictSame(feed.mismatches, [], 'nothing can tell it yet: the publisher has no such number');

  await feed.add('ONE');
  const number_forged = feed.sequence;
  await until('the mismatch', () => feed.mismatches.length > 0, 10_000);
  t.equal(feed.mismatches[0], number_forged, 'the digest of that very number differs');
  await feed.reach(t, { ONE: 'stale', TWO: 'live' }, 'and the instrument with it');
  t.equal(feed.client.state, 'stale');
  t.ok(feed.client.stats().digestMismatches > 0);

  await feed.add('TWO');
  await feed.applied();
  await feed.reach(t, { ONE: 'stale', TWO: 'live' }, 'what is wrong stays wrong, what is right stays right');
  t.equal(feed.client.state, 'stale');
});

t.test('instrumentWithAGapIsStaleUntilItsDigestIsRightAgain', async (t) => {
  const number = 55;
  const client_lines = linePair(56);
  // Each order is one message, after the definition of its instrument: 2, 4, 5, 6, …; 6 is the second one of TWO.
  const lost = 6;
  const none = { drop: 0 };
  const relay = await Relay.open({
    from: linePair(number),
    to: client_lines,
    seed: 1,
    faults: { A: none, B: none },
    lose: [lost],
  });
  t.teardown(() => relay.close());
  const feed = new ScriptedFeed(t, number, client_lines);
  await feed.start();
  for (const stock of stocks) await feed.add(stock);
  await feed.add('ONE');
  t.equal(feed.sequence, BigInt(lost - 1));
  await feed.applied();
  await feed.reach(t, { ONE: 'live', TWO: 'live' }, 'both books are live');

  const reference = await feed.add('TWO');
  t.equal(feed.sequence, BigInt(lost));
  await until('the gap', () => feed.missing.length > 0, 10_000);
  t.strictSame(feed.missing, [{ first: BigInt(lost), last: BigInt(lost) }], 'the lost message is named');
  t.strictSame(relay.missing(), [[lost, lost]], 'it is the one that the relay dropped');
  t.equal(feed.client.state, 'stale');

  for (const stock of stocks) await feed.add(stock);
  await feed.applied();
  await feed.reach(t, { ONE: 'live', TWO: 'stale' }, 'the instrument that was hit is stale, the other one live');
  t.equal(feed.client.state, 'stale');
  t.ok(Number(feed.client.stats().counters.instrumentGaps) > 0, 'its own numbers have a gap');
  t.strictSame(feed.mismatches, [], 'which explains the difference');

  // The order that was lost goes: the books are equal again.
  await feed.delete('TWO', reference);
  await feed.applied();
  await feed.reach(t, { ONE: 'live', TWO: 'live' }, 'an equal digest makes it live again');
  await until('synchronized', () => feed.client.state === 'synchronized');
  t.strictSame(feed.client.missing(), feed.missing, 'what was missing stays on record');
});
