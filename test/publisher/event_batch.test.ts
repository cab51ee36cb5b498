/** Batches as the SDK writes them, read by the generated code; numbers at their limits. */
import { ByteBuffer } from 'flatbuffers';
import t from 'tap';
import { Batch, Frame, FramePayload } from '../../src/generated/ingest/frames.js';
import {
  EventBatch,
  engineReference,
  engineSide,
  engineStatus,
  engineTradeKind,
} from '../../src/publisher/event_batch.js';
import { RetainedFrames } from '../../src/publisher/retained_frames.js';

function sealed(batch: EventBatch, first = 1n): Batch {
  const bytes = new Uint8Array(batch.frameBytes());
  t.equal(batch.seal(bytes, 0, first), bytes.length);
  t.equal(new DataView(bytes.buffer).getUint32(4, true), bytes.length - 8);
  const frame = Frame.getRootAsFrame(new ByteBuffer(bytes.subarray(8)));
  t.equal(frame.payloadType(), FramePayload.Batch);
  return frame.payload(new Batch());
}

t.test('writesWhatTheSchemaSays', async (t) => {
  const batch = new EventBatch(16);
  batch.setTime(2n ** 62n - 1n);
  const grid = { priceIncrement: 2 ** 32 - 1, priceLow: -(2n ** 63n), priceHigh: 2n ** 63n - 1n };
  batch.define(3, { symbol: 'SIXTEENLETTERS16', priceExponent: -4, quantityExponent: 2, lotSize: 100, ...grid });
  batch.add(3, 2n ** 64n - 1n, engineSide.ask, -5, Number.MAX_SAFE_INTEGER, 7);
  batch.trade(3, engineTradeKind.cross, 9, -(2n ** 63n), 11, 12);
  batch.execute(3, 1, 2, 3, 4, false);
  batch.cancel(3, 5, 6);
  batch.delete(3, 7);
  batch.replace(3, 8, 9, 10, 11);
  batch.goesOn();
  batch.status(3, engineStatus.halted, 77);
  batch.define(4, { symbol: 'B' });
  const read = sealed(batch, 2n ** 40n);
  t.equal(read.first(), 2n ** 40n);
  const events = Array.from({ length: read.eventsLength() }, (_, index) => {
    const event = read.events(index);
    return [
      event?.kind(),
      event?.orderId(),
      event?.detail(),
      event?.price(),
      event?.quantity(),
      event?.instrument(),
      event?.side(),
      event?.tradeKind(),
      event?.bits(),
    ];
  });
  t.same(events, [
    [9, 0n, 0n, 0n, 0n, 3, 0, 0, 0],
    [1, 2n ** 64n - 1n, 7n, -5n, BigInt(Number.MAX_SAFE_INTEGER), 3, 2, 0, 1],
    [8, 9n, 0n, -(2n ** 63n), 11n, 3, 0, 17, 0],
    [2, 1n, 3n, 4n, 2n, 3, 0, 0, 7],
    [3, 5n, 0n, 0n, 6n, 3, 0, 0, 0],
    [4, 7n, 0n, 0n, 0n, 3, 0, 0, 0],
    [5, 8n, 9n, 10n, 11n, 3, 0, 0, 8],
    [6, 0n, 77n, 0n, 2n, 3, 0, 0, 1],
    [9, 0n, 0n, 0n, 0n, 4, 0, 0, 0],
  ]);
  t.equal(read.events(0)?.time(), 2n ** 62n - 1n);
  t.equal(read.trades(0)?.code(), 12);
  t.equal(read.definitionsLength(), 2);
  const definition = read.definitions(0);
  t.equal(definition?.symbol1(), Buffer.from('SIXTEENL').readBigUInt64LE());
  t.equal(definition?.symbol2(), Buffer.from('ETTERS16').readBigUInt64LE());
  t.same([definition?.lotSize(), definition?.priceExponent(), definition?.quantityExponent()], [100, -4, 2]);
  t.same(
    [definition?.priceIncrement(), definition?.priceLow(), definition?.priceHigh()],
    [grid.priceIncrement, grid.priceLow, grid.priceHigh],
  );
});

t.test('hasEveryKindOfEvent', async (t) => {
  const batch = new EventBatch(16);
  batch.limits(3, -7, 9);
  batch.clearBook(3);
  batch.delist(3);
  batch.reference(3, engineReference.priceBand, 1, -2, 3);
  batch.auction(3, { reference: 10, near: 11, far: -12, paired: 13, imbalance: 14, side: engineSide.ask, type: 'O' });
  batch.trade(3, engineTradeKind.priceDiscovery, 0, 20, 0, 5, {
    quantity2: 21,
    price2: 22,
    price3: 23,
    price4: -(2n ** 63n),
    price5: 25,
  });
  batch.trade(3, engineTradeKind.retailInterest, 0, 0, 0, 66, { side: engineSide.bid });
  const read = sealed(batch);
  const seen = Array.from({ length: read.eventsLength() }, (_, index) => {
    const event = read.events(index);
    return [event?.kind(), event?.orderId(), event?.detail(), event?.price(), event?.quantity(), event?.side()];
  });
  t.same(seen, [
    [12, 0n, 9n, -7n, 0n, 0],
    [10, 0n, 0n, 0n, 0n, 0],
    [11, 0n, 0n, 0n, 0n, 0],
    [7, 1n, 0n, -2n, 3n, 7],
    [8, 0n, 0n, 10n, 13n, 0],
    [8, 0n, 0n, 20n, 0n, 0],
    [8, 0n, 0n, 0n, 0n, 1],
  ]);
  const trades = Array.from({ length: read.tradesLength() }, (_, index) => {
    const trade = read.trades(index);
    return [trade?.quantity2(), trade?.price2(), trade?.price3(), trade?.price4(), trade?.price5(), trade?.code()];
  });
  t.same(trades, [
    [14n, 11n, -12n, 0n, 0n, 0x20_4f_53],
    [21n, 22n, 23n, -(2n ** 63n), 25n, 5],
    [0n, 0n, 0n, 0n, 0n, 66],
  ]);
  batch.clear();
  batch.limits(1, 2n ** 63n - 1n, 2n ** 63n - 1n);
  t.equal(sealed(batch).events(0)?.detail(), 2n ** 63n - 1n);
  t.throws(() => batch.goesOn(), RangeError);
  t.throws(() => batch.limits(1, 2, 1), RangeError);
  t.throws(() => batch.define(1, { symbol: 'A', priceLow: 2, priceHigh: 1 }), RangeError);
  t.throws(() => batch.define(1, { symbol: 'A', priceIncrement: 2 ** 32 }), RangeError);
  t.throws(() => batch.define(1, { symbol: 'A', priceExponent: 200 }), RangeError);
  t.throws(() => batch.trade(1, engineTradeKind.trade, 1, 1, 1, -1), RangeError);
  t.throws(() => batch.trade(1, engineTradeKind.trade, 1, 1, 1, 0, { price5: 2n ** 63n }), RangeError);
  t.throws(() => batch.auction(1, { reference: 1, paired: 1, type: 'long' }), RangeError);
});

t.test('timesInPartsAreThoseInNanoseconds', async (t) => {
  for (const [seconds, nanoseconds] of [
    [0, 0],
    [1, 999_999_999],
    [1_700_000_000, 123_456_789],
    [4_294_967_295, 999_999_999],
  ] as const) {
    const batch = new EventBatch(1);
    batch.setTimeParts(seconds, nanoseconds);
    batch.delete(1, 1);
    t.equal(sealed(batch).events(0)?.time(), BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
  }
});

t.test('whatIsTakenInPartLeavesTheRestWithItsFields', async (t) => {
  const batch = new EventBatch(8);
  batch.define(1, { symbol: 'A' });
  batch.trade(1, engineTradeKind.trade, 1, 1, 1, 101);
  batch.add(1, 5, engineSide.bid, 1, 1);
  batch.define(2, { symbol: 'B' });
  batch.trade(2, engineTradeKind.trade, 2, 1, 1, 102);
  batch.skip(3);
  t.equal(batch.count, 2);
  const read = sealed(batch, 4n);
  t.equal(read.eventsLength(), 2);
  t.equal(read.definitions(0)?.symbol1(), BigInt('B'.charCodeAt(0)));
  t.equal(read.trades(0)?.code(), 102);
  batch.skip(2);
  t.equal(batch.count, 0);
  t.equal(batch.full, false);
});

t.test('refusesWhatNoEventCanHold', async (t) => {
  const batch = new EventBatch(4);
  t.throws(() => batch.add(1, -1, engineSide.bid, 1, 1), RangeError);
  t.throws(() => batch.add(1, 2n ** 64n, engineSide.bid, 1, 1), RangeError);
  t.throws(() => batch.add(1, 1.5, engineSide.bid, 1, 1), RangeError);
  t.throws(() => batch.add(1, 1, engineSide.bid, 2n ** 63n, 1), RangeError);
  t.throws(() => batch.add(1, 2 ** 53, engineSide.bid, 1, 1), RangeError);
  t.throws(() => batch.add(-1, 1, engineSide.bid, 1, 1), RangeError);
  t.throws(() => batch.define(1, { symbol: 'two words' }), RangeError);
  t.throws(() => batch.define(0, { symbol: 'A' }), RangeError);
  t.throws(() => batch.setTime(-1n), RangeError);
  t.throws(() => new EventBatch(0), RangeError);
  t.throws(() => batch.goesOn(), RangeError);
  t.equal(batch.count, 0, 'nothing was written');
  for (let id = 0; id < 4; id++) t.ok(batch.delete(1, id));
  t.notOk(batch.delete(1, 5), 'full');
  t.notOk(batch.define(1, { symbol: 'A' }));
  t.equal(batch.count, 4);
});

t.test('retainsFramesInOrderUntilTheyAreReleased', async (t) => {
  const retained = new RetainedFrames(4_096);
  const lasts: bigint[] = [];
  let next = 1n;
  for (let round = 0; round < 500; round++) {
    const batch = new EventBatch(16);
    for (let left = 1 + (round % 13); left > 0; left--) batch.delete(1, round);
    const frame = retained.add(batch, next);
    if (frame === undefined) {
      const oldest = retained.oldest as bigint;
      t.equal(retained.indexOf(oldest), 0);
      t.ok(retained.release(lasts[lasts.findIndex((last) => last >= oldest)] as bigint) > 0);
      continue;
    }
    next += BigInt(batch.count);
    lasts.push(frame.last);
    // No frame was written over: each still says its own number.
    for (let index = 0; index < retained.size; index++) {
      const { first, bytes } = retained.at(index) as { first: bigint; bytes: Uint8Array };
      const payload = Frame.getRootAsFrame(new ByteBuffer(bytes.subarray(8))).payload(new Batch());
      if (payload.first() !== first) t.fail(`frame ${first} says ${payload.first()}`);
    }
  }
  const kept = retained.size;
  t.equal(retained.release(next), kept);
  t.equal(retained.oldest, undefined);
});
