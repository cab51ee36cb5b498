/**
 * What flows over the gateway, checked against what it is made of: exact packets against the multicast line, books and
 * windows against the reference books (test/reference) at the last number of every frame, counts against counts. Readers
 * stop at random, modes change in flight, and each policy for slow consumers has its subscriptions.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { GatewayClient, type SocketLike, type SubscribeOptions, type Subscription } from '../../src/browser/index.js';
import { simulateOptions } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { addon } from '../../src/native.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { packetHead } from '../faults/packets.js';
import { Random } from '../faults/random.js';
import { type ReferenceBook, ReferenceBooks } from '../reference/book.js';
import { ItchReader } from '../reference/itch_reader.js';
import { LineRecorder } from './line_recorder.js';
import { RawGatewayClient } from './raw_client.js';

export interface StreamsOptions {
  /** For the source's file and the journal. */
  folder: string;
  /** Lines of their own. */
  number: number;
  messages: number;
  /** Source messages a second. */
  rate: number;
  seed: number;
  /** Longest time for which a reader stops. */
  stopMsMax: number;
}

export interface StreamsFigures {
  /** Messages of exact packets whose bytes were those of line A, were others, and were lost between the line and us. */
  compared: number;
  differing: number;
  neverReceived: number;
  exactMessages: number;
  /** Books and windows compared with the reference, by mode; at the end of an event. */
  checks: Record<string, number>;
  wrong: string[];
  /** What the gateway says of all sessions together. */
  gateway: Record<string, number>;
  /** Frames whose last message does not end its event: nothing of the reference corresponds to it. */
  withinEvents: number;
  prints: number;
  slow: Record<string, number>;
  counts: { what: string; published: number; sent: number; conflated: number; refused: number; pending: number }[];
  told: string[];
  disconnected: { last: number; said: number } | undefined;
}

/** A short number for a book that is remembered until the reference has come so far. */
function keyOf(text: string): number {
  let [one, two] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index++) {
    one = Math.imul(one ^ text.charCodeAt(index), 2_654_435_761);
    two = Math.imul(two ^ text.charCodeAt(index), 1_597_334_677);
  }
  return (two >>> 11) * 2 ** 32 + (one >>> 0);
}

interface Check {
  mode: string;
  symbol: string;
  /** 0: every order of every level, in queue order. */
  levels: number;
  key: number;
}

/** One client on a socket that can be stopped, and what it saw. */
class Watcher {
  readonly client: GatewayClient;
  readonly subscriptions: Subscription[] = [];
  readonly told: string[] = [];
  readonly slow: string[] = [];
  readonly checks = new Map<number, Check[]>();
  readonly prints = new Map<Subscription, { sequence: bigint; kind: string; price: bigint; quantity: bigint }[]>();
  #socket: WebSocket | undefined;
  readonly #seen = new Map<Subscription, Map<number, number>>();

  constructor(t: Test, port: number) {
    const opened = (socket: WebSocket) => {
      this.#socket = socket;
    };
    class SeenSocket extends WebSocket {
      constructor(url: string) {
        super(url, { perMessageDeflate: false });
        opened(this);
      }
    }
    this.client = new GatewayClient({
      url: `ws://127.0.0.1:${port}/feed`,
      webSocket: SeenSocket as unknown as new (url: string) => SocketLike,
      timeoutMs: 120_000,
    });
    t.teardown(() => this.client.close());
    const { client, told } = this;
    client.on('digestMismatch', (sequence, { options }) => told.push(`${options.mode}: mismatch at ${sequence}`));
    client.on('snapshotRefused', (reason) => told.push(reason));
    client.on('countMismatch', (fault, { options }) => told.push(`${options.mode}: ${fault}`));
    client.on('fault', (fault) => told.push(fault));
    client.on('error', (error) => told.push(String(error)));
    client.on('slow', (did) => this.slow.push(did));
    client.on('depth', (instruments, one) => this.#checkWindows(instruments, one));
    client.on('updates', (_, one) => this.#checkBooks(one));
    client.on('snapshot', (_, one) => this.#checkBooks(one));
    client.on('prints', (prints, one) => {
      const list = this.prints.get(one) ?? [];
      this.prints.set(one, list);
      for (const { sequence, kind, price, quantity } of prints) list.push({ sequence, kind, price, quantity });
    });
    client.start();
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const one = this.client.subscribe(options);
    this.subscriptions.push(one);
    await one.ready;
    return one;
  }

  async stop(ms: number): Promise<void> {
    this.#socket?.pause();
    await delay(ms);
    this.#socket?.resume();
  }

  #add(sequence: bigint, check: Check): void {
    const list = this.checks.get(Number(sequence));
    if (list === undefined) this.checks.set(Number(sequence), [check]);
    else list.push(check);
  }

  #checkWindows(instruments: readonly number[], one: Subscription): void {
    const { mode, levels: chosen = 10 } = one.options;
    const levels = mode === 'bbo' ? 1 : chosen;
    for (const instrument of instruments) {
      const depth = one.depth(instrument);
      const symbol = one.instrument(instrument)?.symbol;
      if (depth === undefined || symbol === undefined || depth.sequence === 0n) continue;
      const lines = (side: typeof depth.bids) =>
        side.map(({ price, quantity, orders }) => `${price} ${quantity} ${orders}`);
      const key = keyOf([...lines(depth.bids), '|', ...lines(depth.asks)].join());
      this.#add(depth.sequence, { mode, symbol, levels, key });
    }
  }

  // Of those instruments that had messages since the last look: the others are as they were then.
  #checkBooks(one: Subscription): void {
    const { mode } = one.options;
    if (mode !== 'filtered') return;
    const seen = this.#seen.get(one) ?? new Map<number, number>();
    this.#seen.set(one, seen);
    for (const { instrument, symbol } of one.instruments()) {
      const sequence = one.depth(instrument, 0)?.instrumentSequence ?? 0;
      if (seen.get(instrument) === sequence) continue;
      seen.set(instrument, sequence);
      const lines: string[] = [];
      for (const side of ['bid', 'ask'] as const)
        for (const { price, queue } of one.queues(instrument, side))
          for (const { id, quantity } of queue) lines.push(`${side} ${price} ${id} ${quantity}`);
      this.#add(one.sequence, { mode, symbol, levels: 0, key: keyOf(lines.join()) });
    }
  }
}

/** Which of the source's messages each number came from. */
function positionsOf(packets: readonly Buffer[]): number[] {
  const positions: number[] = [];
  for (const datagram of packets) {
    const { count, first, packet } = packetHead(datagram);
    let position = Number(packet.inputPosition());
    for (let index = 0; index < count; index++) {
      if (index > 0) position += packet.inputStepsLength() === 0 ? 1 : (packet.inputSteps(index - 1) as number);
      positions[first + index] = position;
    }
  }
  return positions;
}

/** The bytes of each packet are those that line A brought. */
function compareExact(figures: StreamsFigures, packets: readonly Buffer[], line: readonly Buffer[]): void {
  const published = new Map<number, Buffer>();
  for (const datagram of line) {
    const { count, first } = packetHead(datagram);
    if (count > 0) published.set(first, datagram);
  }
  for (const packet of packets) {
    const { count, first } = packetHead(packet);
    const datagram = published.get(first);
    figures.exactMessages += count;
    if (datagram === undefined) figures.neverReceived += count;
    else if (datagram.equals(packet)) figures.compared += count;
    else figures.differing += count;
  }
}

interface ExpectedPrint {
  symbol: string;
  kind: string;
  price: number;
  quantity: number;
}

/** Goes through the source's file with the reference, and looks at every check where it is due. */
function replay(
  figures: StreamsFigures,
  file: string,
  watchers: readonly Watcher[],
  positions: readonly number[],
): Map<number, ExpectedPrint> {
  const due = new Map<number, Check[]>();
  for (const { checks } of watchers)
    for (const [sequence, list] of checks) {
      const position = positions[sequence];
      if (position === undefined || position === positions[sequence + 1]) {
        figures.withinEvents += list.length;
        continue;
      }
      const others = due.get(position);
      if (others === undefined) due.set(position, [...list]);
      else others.push(...list);
    }
  const books = new ReferenceBooks();
  const reader = new ItchReader(readFileSync(file));
  const prints = new Map<number, ExpectedPrint>();
  const bySymbol = new Map<string, ReferenceBook>();
  for (const message of reader.messages()) {
    const print = printOf(message, books);
    if (print !== undefined) prints.set(reader.message_count, print);
    books.apply(message);
    const checks = due.get(reader.message_count);
    if (checks === undefined) continue;
    if (bySymbol.size < books.all().length) for (const book of books.all()) bySymbol.set(book.symbol.trim(), book);
    for (const check of checks) look(figures, check, bySymbol, reader.message_count);
  }
  return prints;
}

type Message = ReturnType<ItchReader['messages']> extends Generator<infer One> ? One : never;

function printOf(message: Message, books: ReferenceBooks): ExpectedPrint | undefined {
  const symbol = books.byLocate(message.locate)?.symbol.trim() ?? '';
  switch (message.type) {
    case 'E':
      return { symbol, kind: 'execute', price: books.order(message.reference)?.price ?? -1, quantity: message.shares };
    case 'C':
      return { symbol, kind: 'execute', price: message.price, quantity: message.shares };
    case 'P':
      return { symbol, kind: 'trade', price: message.price, quantity: message.shares };
    case 'Q':
      return { symbol, kind: 'cross', price: message.price, quantity: Number(message.shares) };
    case 'B':
      return { symbol, kind: 'trade_break', price: 0, quantity: 0 };
    default:
      return undefined;
  }
}

function look(
  figures: StreamsFigures,
  { key, levels, mode, symbol }: Check,
  bySymbol: ReadonlyMap<string, ReferenceBook>,
  position: number,
): void {
  const book = bySymbol.get(symbol);
  const lines: string[] = [];
  for (const side of ['B', 'S'] as const) {
    if (levels > 0 && side === 'S') lines.push('|');
    for (const [price, shares, orders] of book?.levels(side, levels > 0 ? levels : undefined) ?? []) {
      if (levels > 0) lines.push(`${price} ${shares} ${orders}`);
      else
        for (const order of book?.queue(side, price) ?? [])
          lines.push(`${side === 'B' ? 'bid' : 'ask'} ${price} ${order.reference} ${order.shares}`);
    }
  }
  figures.checks[mode] = (figures.checks[mode] ?? 0) + 1;
  if (keyOf(lines.join()) !== key) figures.wrong.push(`${mode} of ${symbol} after the source's message ${position}`);
}

/** Each print is what the source says; where nothing was refused, none is left out. */
function checkPrints(
  figures: StreamsFigures,
  watcher: Watcher,
  expected: Map<number, ExpectedPrint>,
  positions: readonly number[],
): void {
  const numbers = [...positions.keys()].filter((sequence) => expected.has(positions[sequence] ?? 0));
  for (const [one, prints] of watcher.prints) {
    const [first, last] = [Number(prints[0]?.sequence ?? 0n), Number(prints.at(-1)?.sequence ?? 0n)];
    for (const { kind, price, quantity, sequence } of prints) {
      const print = expected.get(positions[Number(sequence)] ?? 0);
      figures.prints++;
      if (print?.kind !== kind || BigInt(print.price) !== price || BigInt(print.quantity) !== quantity)
        figures.wrong.push(`print ${sequence}: ${kind} ${quantity} at ${price}, expected ${JSON.stringify(print)}`);
    }
    const symbols = new Set(one.instruments().map(({ symbol }) => symbol));
    const is_theirs = (sequence: number) => symbols.has(expected.get(positions[sequence] ?? 0)?.symbol ?? '');
    const whole = numbers.filter((number) => number >= first && number <= last && is_theirs(number)).length;
    const refused = figures.counts.find(({ what }) => what === `trades ${one.id}`)?.refused;
    if (refused === 0 && whole !== prints.length) figures.wrong.push(`${prints.length} prints of ${whole}`);
  }
}

async function settle(figures: StreamsFigures, watcher: Watcher): Promise<void> {
  for (const one of watcher.subscriptions) {
    let counts = await one.counts();
    for (let tries = 0; counts.pending > 0 && tries < 1_000; tries++) {
      await delay(5);
      counts = await one.counts();
    }
    const { published, sent, conflated, refused, pending } = counts;
    figures.counts.push({ what: `${one.options.mode} ${one.id}`, published, sent, conflated, refused, pending });
  }
}

/** What the gateway counts of all sessions is what all clients count, of the one that was disconnected too. */
async function compareTotals(
  figures: StreamsFigures,
  distributor: Distributor,
  leaver: RawGatewayClient,
): Promise<void> {
  const sum = (name: 'published' | 'sent' | 'conflated') =>
    figures.counts.reduce((total, counts) => total + counts[name], 0);
  const sent = sum('sent') + Number(leaver.sent);
  const conflated = sum('conflated') + Number(leaver.conflated);
  const told = () => distributor.stats().gateway;
  await until('the figures', () => told()?.messagesSent === sent && told()?.messagesPending === 0).catch(() => {});
  const { messagesPublished = 0, messagesSent, messagesConflated, messagesRefused = 0, lapped } = told() ?? {};
  Object.assign(figures.gateway, { messagesPublished, messagesSent, messagesConflated, messagesRefused, lapped });
  if (messagesSent !== sent || messagesConflated !== conflated)
    figures.wrong.push(`the gateway sent ${messagesSent} and ${messagesConflated}, but ${sent} and ${conflated} came`);
  if (messagesPublished !== sent + conflated + messagesRefused)
    figures.wrong.push(`${sent} + ${conflated} + ${messagesRefused} are not ${messagesPublished}`);
}

const changes: readonly Partial<SubscribeOptions>[] = [
  { mode: 'bbo', intervalMs: 5 },
  { mode: 'filtered' },
  { mode: 'depth', levels: 3, intervalMs: 0 },
  { mode: 'trades' },
  { mode: 'exact' },
  { mode: 'depth', levels: 10, intervalMs: 30 },
];

/** Another mode every so often; `exact` needs all instruments, so this one has them. */
async function changeAbout(one: Subscription, random: Random, ended: () => boolean): Promise<void> {
  while (!ended()) {
    await one.change(random.pick(changes));
    await delay(random.between(20, 400));
  }
}

async function stopAbout(watcher: Watcher, random: Random, ms_max: number, ended: () => boolean): Promise<void> {
  while (!ended()) {
    await delay(random.between(50, 500));
    await watcher.stop(random.between(1, ms_max));
  }
}

/** Reads what is left when the gateway has given it up: soon, as a socket that takes nothing is cut off after a while. */
async function readOnceClosed(leaver: RawGatewayClient, distributor: Distributor, ended: () => boolean): Promise<void> {
  while (!ended() && (distributor.stats().gateway?.slowDisconnected ?? 0) === 0) await delay(50);
  leaver.socket.resume();
}

const end_ms_max = 60_000;

/** Runs to the end of the source. The test has the figures to judge. */
export async function runStreams(t: Test, options: StreamsOptions): Promise<StreamsFigures> {
  const { folder, messages, number, rate, seed, stopMsMax } = options;
  const figures: StreamsFigures = {
    compared: 0,
    differing: 0,
    neverReceived: 0,
    exactMessages: 0,
    checks: {},
    wrong: [],
    gateway: {},
    withinEvents: 0,
    prints: 0,
    slow: {},
    counts: [],
    told: [],
    disconnected: undefined,
  };
  const random = new Random(seed);
  const file = join(folder, 'flow.itch50');
  const simulate = { messages: BigInt(messages), symbols: 8, liveOrders: 400, seed: BigInt(seed) };
  await addon.simulateToFile(file, simulateOptions.parse(simulate));
  const recorder = await LineRecorder.open(linePair(number).A);
  t.teardown(() => recorder.close());
  const { A: lineA, B: lineB } = linePair(number);
  // With a journal: a gateway that the machine stops for longer than the ring lasts finds its way back, and its clients.
  const distributor = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    source: `itch:${file}`,
    rate,
    ring: { bytes: '4MiB' },
    state: join(folder, 'state'),
    gateway: { port: 0, bufferedBytes: 65_536 },
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  const port = Number(new URL(distributor.gateway ?? '').port);
  await until('the first messages', () => distributor.stats().sequence > 1_000n);

  const exact = await RawGatewayClient.open(port);
  const leaver = await RawGatewayClient.open(port);
  for (const one of [exact, leaver]) t.teardown(() => one.close());
  await exact.ask({ type: 'subscribe', id: 65_535, channel: 1, mode: 'exact' }, 'subscribed');
  await leaver.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact', onSlow: 'disconnect' }, 'subscribed');
  const [steady, stopped, conflated, changed] = Array.from({ length: 4 }, () => new Watcher(t, port)) as [
    Watcher,
    Watcher,
    Watcher,
    Watcher,
  ];
  const all: [Watcher, Omit<SubscribeOptions, 'channel'>][] = [
    [steady, { mode: 'exact' }],
    [changed, { mode: 'bbo' }],
    [steady, { mode: 'depth', levels: 5, intervalMs: 0 }],
    [steady, { mode: 'depth', levels: 10, intervalMs: 50 }],
    [steady, { mode: 'bbo', intervalMs: 10 }],
    [steady, { mode: 'trades' }],
    [steady, { mode: 'filtered', instruments: [1, 2] }],
    [stopped, { mode: 'filtered', instruments: [3, 4, 5] }],
    [stopped, { mode: 'depth', levels: 3, intervalMs: 100 }],
    [stopped, { mode: 'trades', instruments: [1, 2, 3] }],
    [stopped, { mode: 'exact' }],
    [conflated, { mode: 'filtered', instruments: [2, 6, 7], onSlow: 'conflate' }],
    [conflated, { mode: 'exact', onSlow: 'conflate' }],
  ];
  const [book, about] = (await Promise.all(
    all.map(([watcher, options]) => watcher.subscribe({ channel: 1, ...options })),
  )) as [Subscription, Subscription];
  leaver.socket.pause();

  let ended = false;
  const running = [
    stopAbout(stopped, random, stopMsMax, () => ended),
    stopAbout(conflated, random, stopMsMax, () => ended),
    changeAbout(about, random, () => ended),
    readOnceClosed(leaver, distributor, () => ended),
  ];
  const source_end = await distributor.ended;
  if (source_end.reason !== 'end') figures.wrong.push(source_end.message ?? source_end.reason);
  ended = true;
  await Promise.all(running);
  const { sequence, counters } = distributor.stats();
  const lastOf = ({ packets }: RawGatewayClient) => {
    const head = packets.length === 0 ? undefined : packetHead(packets.at(-1) as Buffer);
    return head === undefined ? 0 : head.first + head.count - 1;
  };
  await until('the last packet', () => lastOf(exact) === Number(sequence), end_ms_max);
  await until('the last message', () => book.sequence === sequence, end_ms_max);
  const watchers = [steady, stopped, conflated, changed];
  for (const watcher of watchers) await settle(figures, watcher);
  if (book.digest() !== counters.digest) figures.wrong.push("the exact subscription's digest");

  compareExact(figures, exact.packets, await recorder.stop());
  const positions = positionsOf(exact.packets);
  const counted = await exact.ask({ type: 'count', id: 65_535 }, 'counts');
  for (const name of ['sent', 'conflated'] as const)
    if (counted[name] !== String(exact[name])) figures.wrong.push(`${counted[name]} ${name}, but ${exact[name]} came`);
  figures.counts.push({
    what: 'exact of the document',
    published: Number(counted.published),
    sent: Number(counted.sent),
    conflated: Number(counted.conflated),
    refused: Number(counted.refused),
    pending: Number(counted.pending),
  });
  if (leaver.closed !== undefined)
    figures.disconnected = { last: lastOf(leaver), said: Number(/\d+/.exec(leaver.closed.reason)?.[0] ?? -1) };
  await compareTotals(figures, distributor, leaver);
  const expected = replay(figures, file, watchers, positions);
  for (const watcher of watchers) {
    checkPrints(figures, watcher, expected, positions);
    figures.told.push(...watcher.told);
    for (const did of watcher.slow) figures.slow[did] = (figures.slow[did] ?? 0) + 1;
  }
  figures.wrong.push(...exact.faults, ...leaver.faults);
  return figures;
}
