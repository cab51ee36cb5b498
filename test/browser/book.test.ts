/** Digest vectors of the document, 64-bit arithmetic, and the book against the native one under random operations. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Book } from '../../src/browser/book.js';
import { orderIdentity, orderTerm, statusTerm } from '../../src/browser/digest.js';
import * as int64 from '../../src/browser/int64.js';
import { BookMessage } from '../../src/browser/messages.js';
import { addon, type NativeBooks } from '../../src/native.js';
import { Random, seedsOf } from '../faults/random.js';

const text = readFileSync(join(import.meta.dirname ?? 'test/browser', '..', '..', 'docs', 'protocol.md'), 'utf8');

function rows(columns: number): bigint[][] {
  return text
    .slice(text.indexOf('<!-- test: digest vectors -->'))
    .split('\n')
    .filter((line) => /^\| -?\d/.test(line))
    .map((line) => line.split('|').slice(1, -1))
    .filter((cells) => cells.length === columns)
    .map((cells) => cells.map((cell) => BigInt(/^ *[0-9a-f]{16} *$/.test(cell) ? `0x${cell.trim()}` : cell.trim())));
}

function halves(value: bigint): [high: number, low: number] {
  const word = BigInt.asUintN(64, value);
  return [Number(word >> 32n), Number(word & 0xffff_ffffn)];
}

const result = () => int64.bigintOf(int64.high, int64.low);

t.test('digestVectorsOfTheDocument', async (t) => {
  const orders = rows(8);
  t.equal(orders.length, 6);
  for (const [instrument, side, price, id, quantity, priority, identity, term] of orders as bigint[][]) {
    orderIdentity(Number(instrument), Number(side), ...halves(price as bigint), ...halves(id as bigint));
    t.equal(result(), identity);
    orderTerm(int64.high, int64.low, ...halves(quantity as bigint), ...halves(priority as bigint));
    t.equal(result(), term);
  }
  const statuses = rows(3);
  t.equal(statuses.length, 4);
  for (const [instrument, status, term] of statuses as bigint[][]) {
    statusTerm(Number(instrument), Number(status));
    t.equal(result(), term);
  }
});

t.test('arithmeticIsThatOf64Bits', async (t) => {
  const random = new Random(7);
  const word = () =>
    random.pick([0, 1, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, random.below(2 ** 32)]);
  for (let left = 20_000; left > 0; left--) {
    const [a_high, a_low, b_high, b_low] = [word(), word(), word(), word()];
    const [a, b] = [int64.bigintOf(a_high, a_low), int64.bigintOf(b_high, b_low)];
    for (const [operation, expected] of [
      [int64.add, a + b],
      [int64.subtract, a - b],
      [int64.multiply, a * b],
    ] as const) {
      operation(a_high, a_low, b_high, b_low);
      if (result() !== BigInt.asUintN(64, expected)) t.fail(`${operation.name} ${a} ${b}`);
    }
    const sign = (value: bigint | number) => (value > 0 ? 1 : value < 0 ? -1 : 0);
    if (sign(int64.compare(a_high, a_low, b_high, b_low)) !== sign(a - b)) t.fail(`compare ${a} ${b}`);
    const [signed_a, signed_b] = [BigInt.asIntN(64, a), BigInt.asIntN(64, b)];
    if (sign(int64.compareSigned(a_high, a_low, b_high, b_low)) !== sign(signed_a - signed_b))
      t.fail(`signed ${a} ${b}`);
  }
  t.pass('20,000 pairs');
});

interface Operation {
  kind: number;
  instrument: number;
  side: number;
  flags: number;
  id: bigint;
  price: bigint;
  quantity: bigint;
}

function drawn(random: Random): Operation {
  const kind = random.pick([1, 1, 1, 1, 1, 2, 2, 3, 4, 4, 6]);
  const id = BigInt(random.below(60)) + (random.below(8) === 0 ? 2n ** 63n : 0n);
  const prices = [-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n, BigInt(random.between(-12, 12)) * 2n ** 32n];
  return {
    kind: random.below(400) === 0 ? 5 : random.below(50) === 0 ? random.below(40) : kind,
    instrument: random.below(20) === 0 ? random.below(7) : random.between(1, 3),
    side: random.below(30) === 0 ? random.below(4) : random.between(1, 2),
    flags: random.below(2) * 4,
    id,
    price: random.below(4) === 0 ? random.pick(prices) : BigInt(random.between(95, 105)),
    quantity: random.below(30) === 0 ? random.pick([0n, 2n ** 64n - 1n, 2n ** 63n]) : BigInt(random.between(1, 20)),
  };
}

t.test('appliesAndRefusesAsTheNativeBook', async (t) => {
  const limits = { orders: 40, instruments: 5 };
  for (const seed of seedsOf(1, 2, 3, 4)) {
    const native = new addon.Books({
      ordersMax: limits.orders,
      levelsMax: 0,
      instrumentsMax: limits.instruments,
      depthLevels: 0,
      prefault: false,
    });
    const book = new Book(limits);
    const random = new Random(seed);
    const message = new BookMessage();
    const seen = new Set<string>();
    for (let sequence = 1; sequence <= 8_000; sequence++) {
      const { kind, instrument, side, flags, id, price, quantity } = drawn(random);
      const words = new BigInt64Array([id, price, quantity, BigInt(sequence)].map((word) => BigInt.asIntN(64, word)));
      const expected = addon.applyResultNames[native.apply(kind, instrument, side, flags, words)];
      [message.idHigh, message.idLow] = halves(id);
      [message.priceHigh, message.priceLow] = halves(price);
      message.priceHigh |= 0;
      [message.quantityHigh, message.quantityLow] = halves(quantity);
      Object.assign(message, { kind, instrument, side, flags });
      const found = book.apply(message, sequence);
      seen.add(found);
      if (found !== expected) t.fail(`DEPTHCAST_SEED=${seed}: message ${sequence} is ${found}, expected ${expected}`);
      for (let one = 1; one <= limits.instruments; one++)
        if (book.instrumentDigest(one) !== native.digest(one)) t.fail(`DEPTHCAST_SEED=${seed}: digest at ${sequence}`);
      if (sequence % 1_000 === 0) t.equal(bookText(book), nativeText(native), `DEPTHCAST_SEED=${seed}: ${sequence}`);
    }
    t.ok(seen.size >= 10, `${[...seen].join(' ')}`);
    book.clearAll();
    t.equal(book.digest(), 0n, 'nothing is left');
    t.equal(book.liveLevels, 0);
  }
});

/** Every level and queue as text. */
function bookText(book: Book): string {
  const lines: string[] = [];
  for (let instrument = 1; instrument <= 5; instrument++)
    for (const side of ['bid', 'ask'] as const)
      for (const { price, quantity, orders, queue } of book.queues(instrument, side))
        lines.push([instrument, side, price, quantity, orders, ...queue.map((o) => `${o.id}:${o.quantity}`)].join(' '));
  return lines.join('\n');
}

function nativeText(books: NativeBooks): string {
  const lines: string[] = [];
  for (let instrument = 1; instrument <= 5; instrument++)
    for (const [number, side] of ['', 'bid', 'ask'].entries()) {
      const levels = number === 0 ? [] : books.levels(instrument, number, 0xffff);
      for (let at = 0; at < levels.length; at += 3) {
        const price = levels[at] as bigint;
        const queue = books.orders(instrument, number, price);
        const orders = Array.from(
          { length: queue.length / 3 },
          (_, index) => `${queue[3 * index]}:${queue[3 * index + 1]}`,
        );
        const quantity = BigInt.asUintN(64, levels[at + 1] as bigint);
        lines.push([instrument, side, price, quantity, levels[at + 2], ...orders].join(' '));
      }
    }
  return lines.join('\n');
}
