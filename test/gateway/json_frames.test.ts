/** Data in JSON: the same story as in binary, field by field, and the same counts. */
import t from 'tap';
import WebSocket from 'ws';
import { instrument_state_names, status_names, statusName } from '../../src/book_types.js';
import { eachBlock, FrameReader, frame_payloads } from '../../src/browser/frame_reader.js';
import { bigintOf, signedBigintOf } from '../../src/browser/int64.js';
import { BookMessage } from '../../src/browser/messages.js';
import { formatDecimal, parseDecimal } from '../../src/decimal.js';
import { type ExponentsOf, jsonTexts } from '../../src/gateway/json_frames.js';
import type { InstrumentEntry } from '../../src/gateway/protocol.js';
import {
  type GatewayAccess,
  type GatewaySession,
  type GatewaySocket,
  GatewayState,
} from '../../src/gateway/session_state.js';
import { type LevelFields, windowHash } from '../browser/frames.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { endAfter, everything, gatewayOn } from './gateway_on.js';

// biome-ignore lint/suspicious/noExplicitAny: what came from outside, looked at by the checks below
type Text = any;

/** A client that keeps what comes, as it comes. */
class Listener {
  readonly texts: Text[] = [];
  readonly frames: Buffer[] = [];
  instruments: InstrumentEntry[] = [];

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.frames.push(Buffer.from(Uint8Array.prototype.slice.call(data)));
      else this.texts.push(JSON.parse(data.toString('utf8')));
    });
    socket.on('error', () => {});
  }

  static async open(t: Test, port: number, format: 'binary' | 'json'): Promise<Listener> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/feed`, { perMessageDeflate: false });
    const listener = new Listener(socket);
    t.teardown(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    await listener.ask({ type: 'hello', versions: [1], format }, 'welcome');
    return listener;
  }

  async ask(message: object, type: string): Promise<Text> {
    const before = this.texts.length;
    this.socket.send(JSON.stringify(message));
    const answer = () => this.texts.slice(before).find((text) => text.type === type || text.type === 'error');
    await until(`an answer to ${JSON.stringify(message)}`, () => answer() !== undefined);
    return answer();
  }

  async subscribe(options: object): Promise<void> {
    const answer = await this.ask({ type: 'subscribe', id: 3, channel: 1, ...options }, 'subscribed');
    this.instruments = answer.instruments;
  }

  /** The counts once everything has come. */
  async settled(): Promise<Text> {
    for (;;) {
      const counts = await this.ask({ type: 'count', id: 3 }, 'counts');
      if (counts.pending === '0') return counts;
    }
  }

  get exponents(): ExponentsOf {
    return new Map(this.instruments.map((one) => [one.instrument, one]));
  }

  data(part: string): Text[] {
    return this.texts.filter((text) => text.type === 'data' && text[part] !== undefined);
  }
}

async function open(t: Test, number: number, options: object) {
  const { distributor, server } = await gatewayOn(t, number, { rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const json = await Listener.open(t, server.port, 'json');
  const binary = await Listener.open(t, server.port, 'binary');
  for (const one of [json, binary]) await one.subscribe(options);
  await endAfter(distributor, 18_000);
  const counts = await Promise.all([json, binary].map((one) => one.settled()));
  return { distributor, server, json, binary, counts };
}

/** The frames of the binary client as texts, beside what the browser's reader, which shares no code, says of them. */
function eachFrame(listener: Listener, use: (text: Text, frame: FrameReader) => void): void {
  const reader = new FrameReader();
  for (const bytes of listener.frames) {
    const texts = jsonTexts(bytes, listener.exponents).map((text) => JSON.parse(text));
    let index = 0;
    eachBlock(
      bytes,
      () => index++,
      (block) => {
        if (reader.read(block) !== 'ok') throw new Error('a frame is not sound');
        use(texts[index++], reader);
      },
    );
    if (index !== texts.length) throw new Error(`${texts.length} texts of ${index} blocks`);
  }
}

function differences(): {
  check: (what: string, found: unknown, wanted: unknown) => void;
  list: string[];
  checks: number;
} {
  const list: string[] = [];
  const seen = {
    list,
    checks: 0,
    check: (what: string, found: unknown, wanted: unknown) => {
      seen.checks++;
      if (found !== wanted && list.length < 10) list.push(`${what}: ${String(found)}, expected ${String(wanted)}`);
    },
  };
  return seen;
}

/** The longer one ends with the other. */
function sameTail(t: Test, one: readonly unknown[], other: readonly unknown[]): void {
  const length = Math.min(one.length, other.length);
  const [left, right] = [one, other].map((list) =>
    list.slice(list.length - length).map((item) => JSON.stringify(item)),
  );
  const differing = left?.findIndex((text, index) => text !== right?.[index]) ?? 0;
  t.equal(differing < 0 ? '' : `${left?.[differing]} is not ${right?.[differing]}`, '', `the last ${length}`);
  t.ok(length > 100);
}

const kind_names = new Map([
  [1, 'add'],
  [2, 'modify'],
  [3, 'delete_order'],
  [4, 'execute'],
  [6, 'status'],
  [7, 'reference'],
]);
const wide = (view: DataView, at: number) => view.getBigUint64(at, true);

function headFits(seen: ReturnType<typeof differences>, text: Text, frame: FrameReader): void {
  seen.check('type', text.type, 'data');
  seen.check('id', text.id, frame.subscription);
  seen.check('channel', text.channel, frame.channel);
  seen.check('session', text.session, String(bigintOf(frame.sessionHigh, frame.sessionLow)));
  seen.check('sequence', text.sequence, String(frame.sequence));
}

t.test('filteredTellsTheSameStory', async (t) => {
  const { distributor, json, binary, counts } = await open(t, 230, { mode: 'filtered', instruments: [1, 2, 3] });
  const seen = differences();
  const message = new BookMessage();
  let previous = 0n;
  eachFrame(binary, (text, frame) => {
    headFits(seen, text, frame);
    if (frame.payload === frame_payloads.snapshot) {
      seen.check('mark', text.snapshot.why, frame.why);
      seen.check('mark', text.snapshot.sequence, String(frame.markSequence));
      seen.check('mark', text.snapshot.datagrams, frame.datagrams);
      previous = BigInt(frame.markSequence);
    }
    if (frame.payload !== frame_payloads.filtered || frame.sequenceCount === 0) return;
    seen.check('previous', text.previous, String(previous));
    for (let index = 0; index < frame.bookCount; index++) {
      const found = text.book[index];
      message.read(frame.view, frame.book + 40 * index);
      const exponents = binary.exponents.get(message.instrument) as InstrumentEntry;
      const is_order = message.kind <= 4;
      previous = wide(frame.view, frame.sequences + 8 * index);
      seen.check('sequence', found.sequence, String(previous));
      seen.check('kind', found.kind, kind_names.get(message.kind));
      seen.check('instrument', found.instrument, message.instrument);
      seen.check('instrumentSequence', found.instrumentSequence, message.instrumentSequence);
      seen.check('orderId', found.orderId, String(bigintOf(message.idHigh, message.idLow)));
      const price = signedBigintOf(message.priceHigh, message.priceLow);
      const quantity = bigintOf(message.quantityHigh, message.quantityLow);
      seen.check('price', found.price, is_order ? formatDecimal(price, exponents.priceExponent) : String(price));
      seen.check('quantity', found.quantity, formatDecimal(quantity, is_order ? exponents.quantityExponent : 0));
      const time = signedBigintOf(frame.baseTimeHigh, frame.baseTimeLow) + BigInt(message.timeOffset);
      seen.check('time', found.time, String(time));
      seen.check('flags', found.flags, message.flags);
    }
    if (frame.bookCount === 0) previous = wide(frame.view, frame.sequences + 8 * (frame.sequenceCount - 1));
  });
  t.same(seen.list, []);
  t.ok(seen.checks > 10_000, `${seen.checks} fields were compared`);

  // What the two sockets were sent is the same where both were there.
  const messagesOf = (texts: Text[]) =>
    texts.flatMap((text) => text.book ?? text.trades ?? []).filter((one) => one.sequence);
  const in_json = messagesOf(json.data('previous'));
  const in_binary = messagesOf(
    binary.frames.flatMap((frame) => jsonTexts(frame, binary.exponents).map((text) => JSON.parse(text))),
  );
  sameTail(t, in_json, in_binary);
  t.ok(in_json.length > 1_000 && json.data('digests').length > 0);

  // The snapshot and what follows make the distributor's books.
  const orders = new Map<string, { instrument: number; side: string; price: string; quantity: bigint }>();
  for (const { snapshotOrders: chunk } of json.data('snapshotOrders'))
    for (const { orderId, side, price, quantity } of chunk.orders)
      orders.set(orderId, { instrument: chunk.instrument, side, price, quantity: BigInt(quantity) });
  t.ok(orders.size > 20, `${orders.size} orders in the snapshot`);
  for (const { kind, orderId, instrument, side, price, quantity } of in_json) {
    const order = orders.get(orderId);
    if (kind === 'add') orders.set(orderId, { instrument, side, price, quantity: BigInt(quantity) });
    else if (kind === 'delete_order') orders.delete(orderId);
    else if (kind === 'modify') orders.set(orderId, { instrument, side, price, quantity: BigInt(quantity) });
    else if (kind === 'execute' && order !== undefined) {
      order.quantity -= BigInt(quantity);
      if (order.quantity === 0n) orders.delete(orderId);
    }
  }
  for (const { instrument, symbol, priceExponent } of json.instruments) {
    const own = [...orders.values()].filter((order) => order.instrument === instrument);
    const depth = distributor.depth(symbol, 1);
    const prices = (side: string) =>
      own.filter((order) => order.side === side).map(({ price }) => parseDecimal(price, priceExponent));
    const best = (side: string) => prices(side).reduce((a, b) => ((side === 'bid') === a > b ? a : b));
    const [bid, ask] = [depth?.bids[0], depth?.asks[0]];
    t.same([best('bid'), best('ask')], [bid?.price, ask?.price], symbol);
    const at_bid = own.filter(({ side, price }) => side === 'bid' && parseDecimal(price, priceExponent) === bid?.price);
    t.equal(
      at_bid.reduce((sum, { quantity }) => sum + quantity, 0n),
      bid?.quantity,
      symbol,
    );
  }
  for (const [of, count] of counts.entries()) {
    t.equal(count.pending, '0');
    t.equal(count.published, count.sent, 'nothing was left out');
    if (of === 0)
      t.equal(
        count.sent,
        String(
          in_json.length +
            json
              .data('definitions')
              .filter(({ previous }) => previous)
              .flatMap(({ definitions }) => definitions)
              .filter(({ sequence }: Text) => sequence).length,
        ),
      );
  }
});

t.test('depthTellsTheSameStory', async (t) => {
  const options = { mode: 'depth', levels: 5, intervalMs: 20 };
  const { distributor, json, binary, counts } = await open(t, 231, options);
  const seen = differences();
  eachFrame(binary, (text, frame) => {
    headFits(seen, text, frame);
    const { view } = frame;
    for (let index = 0; index < frame.entryCount; index++) {
      const at = frame.entries + 64 * index;
      const found = text.depth[index];
      for (const [place, name] of ['first', 'last', 'base', 'hash', 'eventTime'].entries())
        seen.check(name, found[name], String(wide(view, at + 8 * place)));
      seen.check('instrument', found.instrument, view.getUint32(at + 40, true));
      seen.check('instrumentSequence', found.instrumentSequence, view.getUint32(at + 44, true));
      seen.check('messages', found.messages, view.getUint32(at + 48, true));
      seen.check('full', found.full, view.getUint8(at + 58) === 1);
      seen.check('status', found.status, statusName(view.getUint8(at + 59)));
      seen.check('state', found.state, instrument_state_names[view.getUint8(at + 60)]);
      const { priceExponent } = binary.exponents.get(found.instrument) as InstrumentEntry;
      const taken = { bids: 0, asks: 0 };
      for (let level = 0; level < view.getUint16(at + 56, true); level++) {
        const place = frame.levels + 24 * (view.getUint32(at + 52, true) + level);
        const side = view.getUint8(place + 20) === 1 ? 'bids' : 'asks';
        const [price, quantity, orders] = found[side][taken[side]++];
        seen.check('price', parseDecimal(price, priceExponent), view.getBigInt64(place, true));
        seen.check('quantity', quantity, String(wide(view, place + 8)));
        seen.check('orders', orders, view.getUint32(place + 16, true));
      }
      seen.check('levels', taken.bids + taken.asks, found.bids.length + found.asks.length);
    }
  });
  t.same(seen.list, []);
  t.ok(seen.checks > 5_000, `${seen.checks} fields were compared`);

  // Laid over each other as the document says, every entry's hash is that of the window.
  const windows = new Map<number, { bids: Map<bigint, LevelFields>; asks: Map<bigint, LevelFields>; last: string }>();
  const sum = { sent: 0, conflated: 0, faults: 0 };
  for (const entry of json.data('depth').flatMap(({ depth }) => depth)) {
    const held = windows.get(entry.instrument);
    if (!entry.full && held?.last !== entry.base) sum.faults++;
    const window = entry.full || held === undefined ? { bids: new Map(), asks: new Map(), last: '' } : held;
    const { priceExponent, quantityExponent } = json.exponents.get(entry.instrument) as InstrumentEntry;
    for (const [name, side] of [
      ['bids', 1],
      ['asks', 2],
    ] as const)
      for (const [price_text, quantity_text, orders] of entry[name]) {
        const [price, quantity] = [
          parseDecimal(price_text, priceExponent),
          parseDecimal(quantity_text, quantityExponent),
        ];
        if (quantity === 0n) window[name].delete(price);
        else window[name].set(price, { price, quantity, orders, side });
      }
    window.last = entry.last;
    windows.set(entry.instrument, window);
    const sorted = (levels: Map<bigint, LevelFields>, sign: bigint) =>
      [...levels.values()].sort((a, b) => Number(sign * (a.price - b.price)));
    const levels = [...sorted(window.bids, -1n), ...sorted(window.asks, 1n)];
    if (String(windowHash(levels, status_names.indexOf(entry.status))) !== entry.hash) sum.faults++;
    if (entry.messages > 0) sum.sent++;
    sum.conflated += Math.max(0, entry.messages - 1);
  }
  t.equal(sum.faults, 0);
  for (const { instrument, symbol } of distributor.instruments())
    t.same(
      [...(windows.get(instrument)?.bids.keys() ?? [])].sort(),
      distributor
        .depth(symbol, 5)
        ?.bids.map(({ price }) => price)
        .sort(),
      symbol,
    );
  const [in_json] = counts;
  t.same([in_json.sent, in_json.conflated, in_json.pending], [String(sum.sent), String(sum.conflated), '0']);
  for (const count of counts) t.equal(BigInt(count.published), BigInt(count.sent) + BigInt(count.conflated));
});

t.test('tradesTellTheSameStory', async (t) => {
  const { json, binary, counts } = await open(t, 232, { mode: 'trades' });
  const seen = differences();
  eachFrame(binary, (text, frame) => {
    headFits(seen, text, frame);
    seen.check('others', text.others, frame.others);
    seen.check('refused', text.refused, String(frame.refused));
    for (let index = 0; index < frame.printCount; index++) {
      const at = frame.prints + 56 * index;
      const found = text.prints[index];
      const { view } = frame;
      const { priceExponent } = binary.exponents.get(found.instrument) as InstrumentEntry;
      seen.check('sequence', found.sequence, String(wide(view, at)));
      seen.check('tradeId', found.tradeId, String(wide(view, at + 8)));
      seen.check('price', found.price, formatDecimal(view.getBigInt64(at + 16, true), priceExponent));
      seen.check('quantity', found.quantity, String(wide(view, at + 24)));
      seen.check('eventTime', found.eventTime, String(wide(view, at + 32)));
      seen.check('instrument', found.instrument, view.getUint32(at + 40, true));
      seen.check('instrumentSequence', found.instrumentSequence, view.getUint32(at + 44, true));
      seen.check('flags', found.flags, view.getUint16(at + 50, true));
    }
  });
  t.same(seen.list, []);
  const prints = json.data('prints').flatMap((text) => text.prints);
  const in_binary = binary.frames
    .flatMap((frame) => jsonTexts(frame, binary.exponents).map((text) => JSON.parse(text)))
    .flatMap((text) => text.prints ?? []);
  sameTail(t, prints, in_binary);
  t.ok(prints.length > 100);
  t.equal(counts[0].sent, String(prints.length));
  t.equal(BigInt(counts[0].published), BigInt(counts[0].sent) + BigInt(counts[0].conflated));
});

t.test('exactIsRefusedAndASlowReaderIsServedAsItAsked', async (t) => {
  const { distributor, server } = await gatewayOn(
    t,
    233,
    { simulate: { symbols: 8, liveOrders: 500 }, rate: 100_000, ring: { bytes: '2MiB' } },
    { bufferedBytes: 65_536 },
  );
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const json = await Listener.open(t, server.port, 'json');
  const refused = await json.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact' }, 'subscribed');
  t.equal(refused.code, 'not_in_json');
  await json.subscribe({ mode: 'filtered' });
  t.equal((await json.ask({ type: 'change', id: 3, mode: 'exact' }, 'changed')).code, 'not_in_json');
  json.socket.pause();
  // Some 50 MB of text: more than the sockets take, and many times the ring.
  await endAfter(distributor, 200_000);
  json.socket.resume();
  await until('the news', () => json.texts.some(({ type }) => type === 'slow'));
  t.equal(server.figures.slowResnapshot > 0, true);
  await until('another snapshot', () => json.data('snapshot').some(({ snapshot }) => snapshot.why === 'slow'));
  const { sent, conflated, refused: lost, published, pending } = await json.ask({ type: 'count', id: 3 }, 'counts');
  t.equal(BigInt(published), BigInt(sent) + BigInt(conflated) + BigInt(lost) + BigInt(pending));
  t.ok(BigInt(conflated) > 0n);
});

t.test('whatWaitsIsBoundedByTheTextsAsSent', async (t) => {
  const { distributor, native } = await gatewayOn(t, 234, {
    simulate: { symbols: 8, liveOrders: 5_000 },
    rate: 50_000,
  });
  await until('the first messages', () => distributor.stats().sequence > 10_000n);
  const buffered_max = 100_000;
  const sent = { bytes: 0, texts: 0, longest: 0, mostAtOnce: 0 };
  const socket: GatewaySocket = {
    sendText: (text) => {
      sent.bytes += text.length;
      sent.longest = Math.max(sent.longest, text.length);
      if (text.includes('"data"')) sent.texts++;
    },
    sendFrame: () => t.fail('a binary frame'),
    buffered: () => sent.bytes,
    end: () => {},
    join: () => t.fail('in a group'),
    leave: () => t.fail('in a group'),
  };
  const access: GatewayAccess = { login: (session) => state.loggedIn(session, { grant: everything }) };
  const state = new GatewayState(
    { sessionsMax: 1, subscriptionsMax: 1, levels: 10, bufferedBytes: buffered_max, requestsPerSecond: 10 },
    access,
    new Map([[1, native]]),
  );
  const session = state.opened(socket, '127.0.0.1', 0) as GatewaySession;
  state.message(session, JSON.stringify({ type: 'hello', versions: [1], format: 'json' }), 0);
  state.turn();
  state.message(session, JSON.stringify({ type: 'subscribe', id: 1, channel: 1, mode: 'filtered' }), 0);
  for (let turn = 0; turn < 200; turn++) {
    state.turn();
    // Once in a while all has gone out.
    if (turn % 20 === 19) {
      sent.mostAtOnce = Math.max(sent.mostAtOnce, sent.bytes);
      sent.bytes = 0;
      state.drained(session);
    }
  }
  t.ok(sent.texts > 50, `${sent.texts} texts, the longest ${sent.longest}, at most ${sent.mostAtOnce} waited`);
  t.ok(sent.mostAtOnce > buffered_max / 2);
  t.ok(sent.mostAtOnce < buffered_max + 250_000, 'the bound, and the texts of one frame');
});
