/**
 * Binary frames of the gateway as texts, for those who asked for `format: "json"`: docs/gateway.md, "JSON". One text for
 * each block. 64-bit numbers are decimal strings, prices and quantities exact decimals by the instrument's exponents.
 */
import * as flatbuffers from 'flatbuffers';
import { instrument_state_names, statusName } from '../book_types.js';
import { formatDecimal } from '../decimal.js';
import {
  DepthFrame,
  DigestFrame,
  FilteredFrame,
  Frame,
  FramePayload,
  PrintFrame,
  SnapshotFrame,
  SnapshotWhy,
} from '../generated/gateway.js';
import {
  type BookMessage,
  type Definition,
  Definitions,
  Kind,
  Packet,
  Payload,
  Side,
  SnapshotOrders,
  type TradeMessage,
} from '../generated/wire.js';
import { message_flags } from '../updates.js';

export interface Exponents {
  readonly priceExponent: number;
  readonly quantityExponent: number;
}

/** By number; of one that was never defined, prices are whole numbers. */
export type ExponentsOf = ReadonlyMap<number, Exponents>;

const block_header_bytes = 16;
const frame_magic = 0x4647_4344;
const undefined_instrument: Exponents = { priceExponent: 0, quantityExponent: 0 };

type Fields = Record<string, unknown>;

function sideName(side: number): 'bid' | 'ask' | null {
  return side === Side.bid ? 'bid' : side === Side.ask ? 'ask' : null;
}

function kindName(kind: number): string {
  return Kind[kind] ?? `kind ${kind}`;
}

// Generated accessors return null only beyond a vector's end.
function* each<Item>(length: number, at: (index: number) => Item | null): Generator<Item> {
  for (let index = 0; index < length; index++) yield at(index) as Item;
}

/**
 * The texts of one binary frame of NativeGateway.compose(), which is trusted: it was made here. Threads: any. The work
 * grows with the frame: about a microsecond for each price.
 */
export function jsonTexts(bytes: Uint8Array, exponents: ExponentsOf): string[] {
  return Array.from(blocks(bytes, exponents), (fields) => JSON.stringify(fields));
}

function* blocks(bytes: Uint8Array, exponents: ExponentsOf): Generator<Fields> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The mark of the snapshot that the packets behind it are of.
  let head: Fields = {};
  for (let at = 0; at < bytes.byteLength; ) {
    const end = at + block_header_bytes + view.getUint32(at + 8, true);
    const root = new flatbuffers.ByteBuffer(bytes.subarray(at + block_header_bytes, end));
    if (view.getUint32(at, true) === frame_magic) {
      const frame = Frame.getRootAsFrame(root);
      head = headOf(frame);
      yield { ...head, ...payloadOf(frame, exponents) };
    } else yield { ...head, ...packetOf(Packet.getRootAsPacket(root), exponents) };
    at = end;
  }
}

function headOf(frame: Frame): Fields {
  return {
    type: 'data',
    id: frame.subscription(),
    channel: frame.channel(),
    session: String(frame.session()),
    sequence: String(frame.sequence()),
    sendTime: String(frame.sendTime()),
  };
}

function payloadOf(frame: Frame, exponents: ExponentsOf): Fields {
  switch (frame.payloadType()) {
    case FramePayload.DepthFrame:
      return depthOf(frame.payload(new DepthFrame()) as DepthFrame, exponents);
    case FramePayload.PrintFrame:
      return printsOf(frame.payload(new PrintFrame()) as PrintFrame, exponents);
    case FramePayload.SnapshotFrame:
      return { snapshot: markOf(frame.payload(new SnapshotFrame()) as SnapshotFrame) };
    case FramePayload.DigestFrame:
      return digestsOf(frame.payload(new DigestFrame()) as DigestFrame);
    default:
      return filteredOf(frame.payload(new FilteredFrame()) as FilteredFrame, exponents);
  }
}

function depthOf(frame: DepthFrame, exponents: ExponentsOf): Fields {
  const depth = Array.from(
    each(frame.entriesLength(), (index) => frame.entries(index)),
    (entry) => {
      const { priceExponent, quantityExponent } = exponents.get(entry.instrument()) ?? undefined_instrument;
      const sides: { bids: unknown[]; asks: unknown[] } = { bids: [], asks: [] };
      for (const level of each(entry.levels(), (place) => frame.levels(entry.levelsFirst() + place)))
        (level.side() === Side.bid ? sides.bids : sides.asks).push([
          formatDecimal(level.price(), priceExponent),
          formatDecimal(level.quantity(), quantityExponent),
          level.orders(),
        ]);
      return {
        instrument: entry.instrument(),
        first: String(entry.first()),
        last: String(entry.last()),
        base: String(entry.base()),
        hash: String(entry.hash()),
        eventTime: String(entry.eventTime()),
        instrumentSequence: entry.instrumentSequence(),
        messages: entry.messages(),
        full: entry.full() === 1,
        status: statusName(entry.status()),
        state: instrument_state_names[entry.state()] ?? 'stale',
        ...sides,
      };
    },
  );
  return { depth };
}

function printsOf(frame: PrintFrame, exponents: ExponentsOf): Fields {
  const prints = Array.from(
    each(frame.printsLength(), (index) => frame.prints(index)),
    (print) => {
      const { priceExponent, quantityExponent } = exponents.get(print.instrument()) ?? undefined_instrument;
      return {
        sequence: String(print.sequence()),
        tradeId: String(print.tradeId()),
        price: formatDecimal(print.price(), priceExponent),
        quantity: formatDecimal(print.quantity(), quantityExponent),
        eventTime: String(print.eventTime()),
        instrument: print.instrument(),
        instrumentSequence: print.instrumentSequence(),
        kind: kindName(print.kind()),
        side: sideName(print.side()),
        flags: print.flags(),
      };
    },
  );
  return { prints, others: frame.others(), refused: String(frame.refused()) };
}

function markOf(mark: SnapshotFrame): Fields {
  return {
    sequence: String(mark.sequence()),
    generation: String(mark.generation()),
    covered: String(mark.covered()),
    part: mark.part(),
    datagrams: mark.datagrams(),
    whole: mark.whole(),
    instruments: mark.instruments(),
    why: SnapshotWhy[mark.why()],
    last: mark.last(),
  };
}

function digestsOf(frame: DigestFrame): Fields {
  const digests = Array.from(
    each(frame.digestsLength(), (index) => frame.digests(index)),
    (told) => ({
      instrument: told.instrument(),
      instrumentSequence: told.instrumentSequence(),
      digest: String(told.digest()),
    }),
  );
  return { digests };
}

function filteredOf(frame: FilteredFrame, exponents: ExponentsOf): Fields {
  const base_time = frame.baseTime();
  let details = 0;
  const sequenced = (index: number) =>
    index < frame.sequencesLength() ? { sequence: String(frame.sequences(index)) } : {};
  const book = Array.from(
    each(frame.bookLength(), (index) => frame.book(index)),
    (message, index) => {
      const detail = (message.flags() & message_flags.detail) === 0 ? {} : { detail: String(frame.details(details++)) };
      return { ...sequenced(index), ...bookMessage(message, base_time, exponents), ...detail };
    },
  );
  const trades = Array.from(
    each(frame.tradesLength(), (index) => frame.trades(index)),
    (message, index) => ({ ...sequenced(index), ...tradeMessage(message, base_time, exponents) }),
  );
  const definitions = Array.from(
    each(frame.definitionsLength(), (index) => frame.definitions(index)),
    (definition, index) => ({ ...sequenced(index), ...definitionOf(definition, base_time) }),
  );
  return {
    previous: String(frame.previous()),
    ...(book.length > 0 && { book }),
    ...(trades.length > 0 && { trades }),
    ...(definitions.length > 0 && { definitions }),
  };
}

/** Kinds whose price and quantity are such: those of the others mean something else, and stay whole numbers. */
const order_kinds: ReadonlySet<number> = new Set([Kind.add, Kind.modify, Kind.delete_order, Kind.execute]);

function bookMessage(message: BookMessage, base_time: bigint, exponents: ExponentsOf): Fields {
  const kind = message.kind();
  const known = order_kinds.has(kind) ? exponents.get(message.instrument()) : undefined;
  const { priceExponent, quantityExponent } = known ?? undefined_instrument;
  return {
    kind: kindName(kind),
    instrument: message.instrument(),
    instrumentSequence: message.instrumentSequence(),
    time: String(base_time + BigInt(message.timeOffset())),
    orderId: String(message.orderId()),
    side: kind === Kind.reference ? message.side() : sideName(message.side()),
    price: formatDecimal(message.price(), priceExponent),
    quantity: formatDecimal(message.quantity(), quantityExponent),
    flags: message.flags(),
  };
}

function tradeMessage(message: TradeMessage, base_time: bigint, exponents: ExponentsOf): Fields {
  const { priceExponent, quantityExponent } = exponents.get(message.instrument()) ?? undefined_instrument;
  const kind = message.kind();
  const price = (value: bigint) => formatDecimal(value, priceExponent);
  return {
    kind: kindName(kind),
    instrument: message.instrument(),
    instrumentSequence: message.instrumentSequence(),
    time: String(base_time + BigInt(message.timeOffset())),
    tradeId: String(message.tradeId()),
    side: sideName(message.side()),
    price: price(message.price()),
    price2: price(message.price2()),
    price3: price(message.price3()),
    price4: price(message.price4()),
    price5: price(message.price5()),
    quantity: formatDecimal(message.quantity(), quantityExponent),
    // Of price discovery it is a time.
    quantity2: formatDecimal(message.quantity2(), kind === Kind.price_discovery ? 0 : quantityExponent),
    code: message.code(),
    flags: message.flags(),
  };
}

function definitionOf(definition: Definition, base_time: bigint): Fields {
  return {
    instrument: definition.instrument(),
    instrumentSequence: definition.instrumentSequence(),
    time: String(base_time + BigInt(definition.timeOffset())),
    symbol: definition.symbol(),
    priceExponent: definition.priceExponent(),
    quantityExponent: definition.quantityExponent(),
    sourceCode: definition.sourceCode(),
    lotSize: definition.lotSize(),
    flags: definition.flags(),
    attributes: Buffer.from(definition.attributesArray() ?? []).toString('hex'),
  };
}

/** A packet of a snapshot: orders of one instrument, or definitions. */
function packetOf(packet: Packet, exponents: ExponentsOf): Fields {
  if (packet.payloadType() === Payload.Definitions) {
    const list = packet.payload(new Definitions()) as Definitions;
    return {
      definitions: Array.from(
        each(list.definitionsLength(), (index) => list.definitions(index)),
        (definition) => definitionOf(definition, packet.baseTime()),
      ),
    };
  }
  const chunk = packet.payload(new SnapshotOrders()) as SnapshotOrders;
  const { priceExponent, quantityExponent } = exponents.get(chunk.instrument()) ?? undefined_instrument;
  return {
    snapshotOrders: {
      generation: String(chunk.generation()),
      instrument: chunk.instrument(),
      instrumentSequence: chunk.instrumentSequence(),
      lastSequence: String(chunk.lastSequence()),
      chunk: chunk.chunk(),
      chunks: chunk.chunks(),
      digest: String(chunk.digest()),
      status: statusName(chunk.status()),
      instruments: chunk.instruments(),
      channelDigest: String(chunk.channelDigest()),
      eventTime: String(packet.baseTime()),
      orders: Array.from(
        each(chunk.ordersLength(), (index) => chunk.orders(index)),
        (order) => ({
          orderId: String(order.orderId()),
          side: sideName(order.side()),
          price: formatDecimal(order.price(), priceExponent),
          quantity: formatDecimal(order.quantity(), quantityExponent),
          priority: String(order.priority()),
        }),
      ),
    },
  };
}
