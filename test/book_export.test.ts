/** Exports as callers read them, from native arrays made by hand. */
import t from 'tap';
import { makeExport } from './exports.js';

const two_books = [
  {
    symbol: 'AAA',
    bids: [
      [
        100n,
        [
          [1n, 10n],
          [2n, 5n],
        ],
      ],
      [-3n, [[2n ** 64n - 1n, 2n ** 63n]]],
    ],
    asks: [[101n, [[4n, 7n]]]],
  },
  {
    symbol: 'BBB',
    state: 2,
    status: 2,
    asks: [
      [
        50n,
        [
          [5n, 1n],
          [6n, 2n],
          [7n, 3n],
        ],
      ],
    ],
  },
] satisfies Parameters<typeof makeExport>[0];

t.test('listsLevelsBestFirstByNumberAndByName', async (t) => {
  const books = makeExport(two_books);
  const bids = [
    { price: 100n, quantity: 15n, orders: 2 },
    { price: -3n, quantity: 2n ** 63n, orders: 1 },
  ];
  t.same(books.levels(1, 'bid'), bids);
  t.same(books.levels('AAA', 'bid'), bids);
  t.same(books.levels('AAA', 'bid', 1), bids.slice(0, 1));
  t.same(books.levels('AAA', 'bid', 0), []);
  t.same(books.levels('AAA', 'ask'), [{ price: 101n, quantity: 7n, orders: 1 }]);
  t.same(books.levels('BBB', 'bid'), []);
  t.same(books.levels('BBB', 'ask'), [{ price: 50n, quantity: 6n, orders: 3 }]);
  t.same(books.levels('none', 'ask'), []);
});

t.test('listsOrdersInQueueOrder', async (t) => {
  const books = makeExport(two_books);
  t.same(books.orders('AAA', 'bid', 100n), [
    { id: 1n, quantity: 10n },
    { id: 2n, quantity: 5n },
  ]);
  t.same(books.orders('AAA', 'bid', -3n), [{ id: 2n ** 64n - 1n, quantity: 2n ** 63n }]);
  t.same(books.orders('AAA', 'bid', 99n), []);
  t.same(
    [...books.queues('BBB', 'ask')].map(({ price, queue }) => [price, queue.map(({ id }) => id)]),
    [[50n, [5n, 6n, 7n]]],
  );
});

t.test('findsAnOrderAndItsPlaceInTheQueue', async (t) => {
  const books = makeExport(two_books);
  t.same(books.order('BBB', 7n), { id: 7n, side: 'ask', price: 50n, quantity: 3n, ordersAhead: 2, quantityAhead: 3n });
  t.same(books.order('AAA', 1n), {
    id: 1n,
    side: 'bid',
    price: 100n,
    quantity: 10n,
    ordersAhead: 0,
    quantityAhead: 0n,
  });
  t.equal(books.order('AAA', 7n), undefined, 'it is in the other book');
});

t.test('refusesOrdersOfAnExportWithoutThem', async (t) => {
  const books = makeExport(two_books, {}, false);
  t.equal(books.levels('AAA', 'bid').length, 2);
  t.throws(() => books.orders('AAA', 'bid', 100n), { message: 'this export was made without orders' });
  t.throws(() => books.order('AAA', 1n), { message: 'this export was made without orders' });
});

t.test('namesStateAndStatus', async (t) => {
  const books = makeExport(two_books);
  t.match(books.instrument('AAA'), { state: 'live', status: 'trading' });
  t.match(books.instrument('BBB'), { state: 'stale', status: 'halted' });
  t.match(makeExport([{ status: 200, state: 9 }]).instrument(1), { state: 'stale', status: 'unknown' });
});

t.test('givesEachInstrumentANameOfItsOwn', async (t) => {
  const names = (symbols: string[]) =>
    makeExport(symbols.map((symbol) => ({ symbol }))).instruments.map((one) => one.name);
  t.same(names(['X', 'Y']), ['X', 'Y']);
  t.same(names(['X', 'X', 'X']), ['X#1', 'X#2', 'X'], 'the last keeps the symbol');
  t.same(names(['', 'X', '']), ['#1', 'X', '#3']);
  t.same(names(['X', 'X#1', 'X']), ['X#1#', 'X#1', 'X'], 'also where a symbol looks like such a name');
});

t.test('leavesOutTheChannelItself', async (t) => {
  const books = makeExport([{ instrument: 0, symbol: '', bids: [[1n, [[1n, 1n]]]] }, two_books[0] ?? {}]);
  t.same(
    books.instruments.map(({ instrument }) => instrument),
    [2],
  );
  t.equal(books.levels('AAA', 'ask')[0]?.price, 101n, 'its levels are passed over');
});
