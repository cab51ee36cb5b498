/** The rules of the reference books one by one, and random messages against a book that is only a list of orders. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { type Order, ReferenceBooks } from './reference/book.js';
import { makeDump } from './reference/dump.js';
import type { ItchMessage, Side } from './reference/itch_reader.js';

/** A feed of one stock in short notation, applied to new books. */
function feed() {
  const books = new ReferenceBooks();
  const head = { locate: 1, tracking: 0, timestamp_ns: 0 };
  const stock = 'ABCD';
  const apply = (message: ItchMessage) => books.apply(message) !== undefined;
  return {
    books,
    add: (reference: number, side: Side, shares: number, price: number, locate = 1) =>
      apply({ type: 'A', ...head, locate, reference, side, shares, stock: locate === 1 ? stock : 'EFGH', price }),
    addF: (reference: number, side: Side, shares: number, price: number) =>
      apply({ type: 'F', ...head, reference, side, shares, stock, price, participant: 'GSCO' }),
    execute: (reference: number, shares: number, locate = 1) =>
      apply({ type: 'E', ...head, locate, reference, shares, match_number: 1 }),
    executeAt: (reference: number, shares: number, price: number) =>
      apply({ type: 'C', ...head, reference, shares, match_number: 1, printable: 'Y', price }),
    cancel: (reference: number, shares: number) => apply({ type: 'X', ...head, reference, shares }),
    delete: (reference: number, locate = 1) => apply({ type: 'D', ...head, locate, reference }),
    replace: (reference: number, new_reference: number, shares: number, price: number) =>
      apply({ type: 'U', ...head, reference, new_reference, shares, price }),
    levels: (side: Side) => books.byLocate(1)?.levels(side),
    queue: (side: Side, price: number) =>
      books
        .byLocate(1)
        ?.queue(side, price)
        .map((order: Order) => [order.reference, order.shares]),
  };
}

t.test('levelsAreSortedBestFirstAndSumTheirOrders', async (t) => {
  const f = feed();
  for (const [reference, price] of [100, 102, 101, 99, 102].entries()) f.add(reference, 'B', 10 + reference, price);
  for (const [reference, price] of [105, 103, 104, 106, 103].entries())
    f.addF(100 + reference, 'S', 10 + reference, price);
  t.strictSame(f.levels('B'), [
    [102, 25, 2],
    [101, 12, 1],
    [100, 10, 1],
    [99, 13, 1],
  ]);
  t.strictSame(f.levels('S'), [
    [103, 25, 2],
    [104, 12, 1],
    [105, 10, 1],
    [106, 13, 1],
  ]);
  t.strictSame(f.books.byLocate(1)?.levels('B', 2), [
    [102, 25, 2],
    [101, 12, 1],
  ]);
  t.strictSame(
    [f.books.byLocate(1)?.best('B'), f.books.byLocate(1)?.best('S')],
    [
      [102, 25],
      [103, 25],
    ],
  );
  t.strictSame([f.books.live_orders, f.books.byLocate(1)?.live_orders], [10, 10]);
});

t.test('executionsAndCancelsKeepTheQueueAndReplaceGoesToItsEnd', async (t) => {
  const f = feed();
  for (const reference of [0, 1, 2, 3]) f.add(reference, 'B', 100, 50);
  f.execute(1, 10);
  f.executeAt(0, 20, 49);
  f.cancel(2, 30);
  t.strictSame(
    f.queue('B', 50),
    [
      [0, 80],
      [1, 90],
      [2, 70],
      [3, 100],
    ],
    'reference 0 is an order like any other',
  );
  f.replace(0, 9, 80, 50);
  t.strictSame(
    f.queue('B', 50),
    [
      [1, 90],
      [2, 70],
      [3, 100],
      [9, 80],
    ],
    'even at the same price and quantity',
  );
  f.replace(2, 8, 5, 51);
  t.strictSame(f.levels('B'), [
    [51, 5, 1],
    [50, 270, 3],
  ]);
});

t.test('orderAndLevelGoWhenNoSharesRemain', async (t) => {
  const f = feed();
  for (const reference of [1, 2, 3, 4]) f.add(reference, 'S', 100, 50 + (reference % 2));
  f.execute(1, 60);
  f.execute(1, 40);
  f.executeAt(2, 100, 50);
  f.cancel(3, 100);
  t.strictSame(f.levels('S'), [[50, 100, 1]]);
  f.delete(4);
  t.strictSame(
    [f.levels('S'), f.books.byLocate(1)?.best('S'), f.books.live_orders, f.books.byLocate(1)?.live_orders],
    [[], null, 0, 0],
  );
  t.strictSame(f.books.applied, { A: 4, E: 2, C: 1, X: 1, D: 1 });
  t.ok(f.add(1, 'S', 7, 50), 'a reference that is gone may return');
});

t.test('messagesThatMakeNoSenseAreCountedAndChangeNothing', async (t) => {
  const f = feed();
  f.add(1, 'B', 100, 50);
  f.add(2, 'S', 100, 60);
  f.add(3, 'B', 100, 50, 2);
  const before = makeDump(f.books, { l3: true });
  const skipped = [
    [
      f.execute(99, 1),
      f.executeAt(99, 1, 1),
      f.cancel(99, 1),
      f.delete(99),
      f.replace(99, 100, 1, 1),
      f.replace(98, 1, 1, 1),
    ],
    [f.add(1, 'B', 5, 50), f.addF(2, 'B', 5, 50), f.replace(1, 2, 5, 50), f.replace(1, 1, 5, 50)],
    [f.execute(1, 101), f.executeAt(1, 101, 50), f.cancel(1, 101)],
    [
      f.add(4, 'B', 0, 50),
      f.addF(4, 'B', 0, 50),
      f.execute(1, 0),
      f.executeAt(1, 0, 50),
      f.cancel(1, 0),
      f.replace(1, 5, 0, 50),
    ],
    [f.execute(3, 1), f.delete(3), f.delete(1, 2)],
  ];
  t.strictSame(new Set(skipped.flat()), new Set([false]));
  t.strictSame(f.books.skipped, {
    unknown_reference: { E: 1, C: 1, X: 1, D: 1, U: 2 },
    repeated_reference: { A: 1, F: 1, U: 2 },
    beyond_quantity: { E: 1, C: 1, X: 1 },
    zero_quantity: { A: 1, F: 1, E: 1, C: 1, X: 1, U: 1 },
    locate_mismatch: { E: 1, D: 2 },
  });
  t.strictSame(makeDump(f.books, { l3: true }), before);
  t.strictSame([f.books.applied, f.books.live_orders], [{ A: 3 }, 3]);
});

t.test('eventsThatLeaveTheBookLockedOrCrossedAreCounted', async (t) => {
  const f = feed();
  f.add(1, 'B', 100, 50);
  f.add(2, 'S', 100, 51);
  f.add(3, 'S', 100, 50);
  f.replace(3, 4, 100, 49);
  f.delete(4);
  t.equal(f.books.locked_or_crossed_events, 2);
});

/** A seeded source of integers below `limit` (mulberry32). */
function randomIntegers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

interface PlainOrder {
  reference: number;
  side: Side;
  price: number;
  shares: number;
}

/** The lines of a book that is nothing but a list of orders in order of arrival. */
function plainLines(orders: PlainOrder[]): string {
  const sorted = (side: Side, sign: number) =>
    orders.filter((order) => order.side === side).sort((a, b) => sign * (a.price - b.price));
  return [...sorted('B', -1), ...sorted('S', 1)]
    .map((o) => `${o.side},${o.price},${o.reference},${o.shares}\n`)
    .join('');
}

t.test('randomMessagesGiveTheBookOfAPlainListOfOrders', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomIntegers(seed);
    const f = feed();
    let orders: PlainOrder[] = [];
    let differing = 0;
    for (let step = 0; step < 500; step++) {
      const [reference, fresh, price, shares] = [random(40), random(40), 100 + random(9), 1 + random(9)];
      const side: Side = random(2) === 0 ? 'B' : 'S';
      const known = orders.find((order) => order.reference === reference);
      const taken = orders.some((order) => order.reference === fresh);
      const choice = random(4);
      if (choice === 0) {
        f.add(fresh, side, shares, price);
        if (!taken) orders.push({ reference: fresh, side, price, shares });
      } else if (choice === 1) {
        f.delete(reference);
        orders = orders.filter((order) => order !== known);
      } else if (choice === 2) {
        f.replace(reference, fresh, shares, price);
        if (known !== undefined && !taken)
          orders = [
            ...orders.filter((order) => order !== known),
            { reference: fresh, side: known.side, price, shares },
          ];
      } else {
        f.cancel(reference, shares);
        if (known !== undefined && known.shares >= shares) known.shares -= shares;
        orders = orders.filter((order) => order.shares > 0);
      }
      const book = f.books.byLocate(1);
      const digest = createHash('sha256').update(plainLines(orders)).digest('hex');
      if (book !== undefined && (book.l3Sha256() !== digest || book.live_orders !== orders.length)) differing++;
    }
    t.equal(differing, 0, `seed ${seed}`);
  }
});
