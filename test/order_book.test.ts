/** OrderBooks: what it answers, against hand-made cases and a naive model under random operations. */
import t from 'tap';
import type { SideName } from '../src/book_types.js';
import { DepthColumns } from '../src/depth_columns.js';
import { type ApplyResult, OrderBooks } from '../src/order_book.js';

const small = { orders: 1_024, instruments: 8, depthLevels: 5 };

function order(id: bigint, side: SideName, price: bigint, quantity: bigint, instrument = 1) {
  return { instrument, side, id, price, quantity };
}

t.test('answersLevelsQueuesAndPlaces', async (t) => {
  const books = new OrderBooks(small);
  for (const one of [
    order(1n, 'bid', 100n, 10n),
    order(2n, 'bid', 100n, 20n),
    order(3n, 'bid', 100n, 30n),
    order(4n, 'bid', -5n, 1n),
    order(5n, 'ask', 101n, 7n),
    order(6n, 'ask', 101n, 8n, 2),
  ])
    t.equal(books.add(one), 'applied');
  t.same(books.levels(1, 'bid'), [
    { price: 100n, quantity: 60n, orders: 3 },
    { price: -5n, quantity: 1n, orders: 1 },
  ]);
  t.same(books.levels(1, 'bid', 1).length, 1);
  t.same(books.best(1, 'ask'), { price: 101n, quantity: 7n, orders: 1 });
  t.equal(books.best(3, 'ask'), undefined);
  t.same(
    books.orders(1, 'bid', 100n).map(({ id }) => id),
    [1n, 2n, 3n],
  );
  t.same(books.order(3n), {
    instrument: 1,
    id: 3n,
    side: 'bid',
    price: 100n,
    quantity: 30n,
    ordersAhead: 2,
    quantityAhead: 30n,
  });
  t.equal(books.order(9n), undefined);
  t.same([books.liveOrders, books.sequence], [6, 6n]);
});

t.test('modifyKeepsOrLosesThePlace', async (t) => {
  const books = new OrderBooks(small);
  for (const id of [1n, 2n, 3n]) books.add(order(id, 'bid', 100n, 10n));
  const queue = () => books.orders(1, 'bid', 100n).map(({ id, quantity }) => [id, quantity]);
  t.equal(books.modify({ ...order(1n, 'bid', 100n, 4n), keepPriority: true }), 'applied');
  t.same(queue(), [
    [1n, 4n],
    [2n, 10n],
    [3n, 10n],
  ]);
  t.equal(books.modify(order(1n, 'bid', 100n, 5n)), 'applied');
  t.same(queue(), [
    [2n, 10n],
    [3n, 10n],
    [1n, 5n],
  ]);
  t.equal(books.modify({ ...order(2n, 'bid', 99n, 5n), keepPriority: true }), 'wrong_price');
  t.equal(books.modify(order(2n, 'bid', 99n, 5n)), 'applied');
  t.same(
    books.levels(1, 'bid').map(({ price }) => price),
    [100n, 99n],
  );
});

t.test('executeAndDeleteTakeAway', async (t) => {
  const books = new OrderBooks(small);
  books.add(order(1n, 'ask', 100n, 10n));
  const key = { instrument: 1, side: 'ask', id: 1n } as const;
  t.equal(books.execute({ ...key, quantity: 4n }), 'applied');
  t.equal(books.order(1n)?.quantity, 6n);
  t.equal(books.execute({ ...key, quantity: 7n }), 'over_execution');
  t.equal(books.execute({ ...key, quantity: 6n }), 'applied');
  t.equal(books.order(1n), undefined);
  books.add(order(2n, 'ask', 100n, 10n));
  t.equal(books.delete({ ...key, id: 2n }), 'applied');
  t.equal(books.delete({ ...key, id: 2n }), 'unknown_order');
  t.equal(books.liveOrders, 0);
});

t.test('clearEmptiesOneOrAll', async (t) => {
  const books = new OrderBooks(small);
  for (const instrument of [1, 2, 3]) books.add(order(BigInt(instrument), 'bid', 1n, 1n, instrument));
  books.clear(2);
  t.same(
    [1, 2, 3].map((instrument) => books.levels(instrument, 'bid').length),
    [1, 0, 1],
  );
  books.clear(0);
  t.equal(books.liveOrders, 0);
});

t.test('refusesByNameAndStaysAsItWas', async (t) => {
  const books = new OrderBooks({ orders: 2, instruments: 2 });
  books.add(order(1n, 'bid', 1n, 2n ** 64n - 1n));
  const digest = books.digest(0);
  const results: [ApplyResult, ApplyResult][] = [
    [books.add(order(1n, 'bid', 1n, 1n)), 'duplicate_order'],
    [books.add(order(2n, 'bid', 1n, 1n)), 'quantity_overflow'],
    [books.add(order(2n, 'bid', 1n, 0n)), 'invalid_quantity'],
    [books.add(order(2n, 'bid', 1n, 1n, 3)), 'unknown_instrument'],
    [books.delete({ instrument: 1, side: 'ask', id: 1n }), 'wrong_instrument'],
    [books.add(order(2n, 'ask', 1n, 1n)), 'applied'],
    [books.add(order(3n, 'ask', 1n, 1n)), 'order_limit'],
  ];
  for (const [got, wanted] of results) t.equal(got, wanted);
  books.delete({ instrument: 1, side: 'ask', id: 2n });
  t.equal(books.digest(0), digest);
  t.equal(books.audit(), undefined);
});

t.test('throwsForValuesThatDoNotFit', async (t) => {
  const books = new OrderBooks(small);
  const wrong = [
    order(2n ** 64n, 'bid', 1n, 1n),
    order(-1n, 'bid', 1n, 1n),
    order(1n, 'bid', 2n ** 63n, 1n),
    order(1n, 'bid', 1n, -1n),
    order(1n, 'bid', 1n, 1n, -1),
    order(1n, 'bid', 1n, 1n, 1.5),
  ];
  for (const one of wrong) t.throws(() => books.add(one), RangeError);
  t.throws(() => books.levels(9, 'bid'), RangeError);
  t.throws(() => books.levels(1, 'bid', -1), RangeError);
  t.throws(() => books.orders(1, 'bid', 2n ** 63n), RangeError);
  t.throws(() => books.digest(9), RangeError);
  t.throws(() => new OrderBooks({ orders: 0 }), { message: /^limits: orders is 0, expected a whole number from 1/ });
  t.same([books.liveOrders, books.audit()], [0, undefined]);
});

t.test('depthShowsTheLastEndOfAnEvent', async (t) => {
  const books = new OrderBooks(small);
  books.add(order(1n, 'bid', 100n, 10n));
  t.same(books.depth(1)?.bids, []);
  books.status(1, 'halted');
  books.endEvent(77n);
  t.same(books.depth(1), {
    sequence: 2n,
    timeNs: 77n,
    instrumentSequence: 0,
    status: 'halted',
    bids: [{ price: 100n, quantity: 10n, orders: 1 }],
    asks: [],
  });
  for (let price = 0n; price < 9n; price++) books.add(order(10n + price, 'ask', price, 2n ** 63n));
  books.endEvent(78n);
  t.same(
    books.depth(1)?.asks.map(({ price }) => price),
    [0n, 1n, 2n, 3n, 4n],
    'as many as there are in the view',
  );
  t.same(
    books.depth(1, 2)?.asks.map(({ quantity }) => quantity),
    [2n ** 63n, 2n ** 63n],
  );
  t.equal(books.depth(99), undefined);
});

t.test('digestDependsOnTheBookAndNotOnTheWayThere', async (t) => {
  const [left, right] = [new OrderBooks(small), new OrderBooks(small)];
  t.equal(left.digest(0), 0n);
  left.add(order(1n, 'bid', 1n, 5n));
  left.add(order(2n, 'ask', 2n, 5n, 2));
  right.add(order(1n, 'bid', 1n, 9n));
  right.add(order(2n, 'ask', 2n, 5n, 2));
  t.not(left.digest(0), right.digest(0));
  right.execute({ instrument: 1, side: 'bid', id: 1n, quantity: 4n });
  t.equal(left.digest(0), right.digest(0));
  t.equal(
    left.digest(1) + left.digest(2),
    left.digest(0) + (left.digest(1) + left.digest(2) >= 2n ** 64n ? 2n ** 64n : 0n),
  );
});

interface ModelOrder {
  instrument: number;
  side: SideName;
  id: bigint;
  price: bigint;
  quantity: bigint;
}

/** A list of orders, oldest place first: obviously right, and slow. */
class Model {
  orders: ModelOrder[] = [];

  levels(instrument: number, side: SideName) {
    const totals = new Map<bigint, { price: bigint; quantity: bigint; orders: number }>();
    for (const one of this.orders)
      if (one.instrument === instrument && one.side === side) {
        const level = totals.get(one.price) ?? { price: one.price, quantity: 0n, orders: 0 };
        totals.set(one.price, { ...level, quantity: level.quantity + one.quantity, orders: level.orders + 1 });
      }
    const sign = side === 'bid' ? -1 : 1;
    return [...totals.values()].sort((a, b) => sign * Number(a.price - b.price));
  }

  queue(instrument: number, side: SideName, price: bigint) {
    return this.orders
      .filter((one) => one.instrument === instrument && one.side === side && one.price === price)
      .map(({ id, quantity }) => ({ id, quantity }));
  }
}

t.test('agreesWithANaiveModelUnderRandomOperations', async (t) => {
  let state = 0x9e3779b9;
  const random = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const books = new OrderBooks({ ...small, orders: 4_096 });
  const model = new Model();
  let different = 0;
  for (let step = 0; step < 3_000; step++) {
    const known = model.orders[random(model.orders.length || 1)];
    const choice = known === undefined ? 0 : random(8);
    if (choice < 4 || known === undefined) {
      const fresh = order(
        BigInt(step),
        random(2) === 0 ? 'bid' : 'ask',
        BigInt(random(12)),
        BigInt(1 + random(50)),
        1 + random(3),
      );
      if (books.add(fresh) === 'applied') model.orders.push(fresh);
      else different++;
    } else if (choice === 4) {
      books.delete(known);
      model.orders.splice(model.orders.indexOf(known), 1);
    } else if (choice === 5) {
      const quantity = 1n + BigInt(random(Number(known.quantity)));
      books.execute({ ...known, quantity });
      known.quantity -= quantity;
      if (known.quantity === 0n) model.orders.splice(model.orders.indexOf(known), 1);
    } else if (choice === 6) {
      known.quantity = BigInt(1 + random(50));
      books.modify({ ...known, keepPriority: true });
    } else {
      model.orders.splice(model.orders.indexOf(known), 1);
      const moved = { ...known, price: BigInt(random(12)), quantity: BigInt(1 + random(50)) };
      books.modify(moved);
      model.orders.push(moved);
    }
    const [instrument, side] = [1 + random(3), random(2) === 0 ? 'bid' : 'ask'] as const;
    const levels = model.levels(instrument, side);
    const equal = (left: unknown, right: unknown) => {
      const text = (value: unknown) =>
        JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));
      if (text(left) !== text(right)) different++;
    };
    equal(books.levels(instrument, side), levels);
    const level = levels[random(levels.length || 1)];
    if (level === undefined) continue;
    const queue = model.queue(instrument, side, level.price);
    equal(books.orders(instrument, side, level.price), queue);
    const rank = random(queue.length);
    const place = books.order(queue[rank]?.id ?? 0n);
    const ahead = queue.slice(0, rank).reduce((sum, { quantity }) => sum + quantity, 0n);
    equal([place?.ordersAhead, place?.quantityAhead, place?.price], [rank, ahead, level.price]);
  }
  t.equal(different, 0);
  t.equal(books.liveOrders, model.orders.length);
  t.ok(model.orders.length > 100, 'the books have filled');
  t.equal(books.audit(), undefined);
});

t.test('readDepthFillsColumnsThatAreUsedAgain', async (t) => {
  const books = new OrderBooks({ orders: 100, instruments: 4, depthLevels: 3 });
  books.add({ instrument: 1, side: 'bid', id: 1n, price: 100n, quantity: 5n });
  books.add({ instrument: 1, side: 'bid', id: 2n, price: 100n, quantity: 6n });
  books.add({ instrument: 1, side: 'bid', id: 3n, price: 99n, quantity: 7n });
  books.add({ instrument: 1, side: 'ask', id: 4n, price: -101n, quantity: 8n });
  books.endEvent(1_000n);
  const columns = new DepthColumns(2);
  t.equal(books.readDepth(1, columns), true);
  t.same([columns.bidCount, columns.askCount, columns.sequence, columns.timeNs, columns.exact], [2, 1, 4, 1_000, true]);
  t.same([...columns.bidPrice], [100, 99]);
  t.same([...columns.bidQuantity], [11, 7]);
  t.same([...columns.bidOrders], [2, 1]);
  t.same([columns.askPrice[0], columns.askQuantity[0], columns.askOrders[0]], [-101, 8, 1]);
  books.add({ instrument: 1, side: 'ask', id: 5n, price: 2n ** 60n + 1n, quantity: 2n ** 64n - 1n });
  books.endEvent(1_001n);
  t.equal(books.readDepth(1, columns), true);
  t.equal(columns.exact, false, 'doubles cannot hold these');
  t.equal(columns.askPrice[1], 2 ** 60);
  t.equal(books.readDepth(5, columns), false);
  for (const levels of [0, 65, 1.5]) t.throws(() => new DepthColumns(levels), /expected a whole number from 1 to 64/);
});
