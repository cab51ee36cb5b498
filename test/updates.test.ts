import t from 'tap';
import { NumberColumn } from '../src/updates.js';

t.test('numberColumnsReadWordsAsNumbers', async (t) => {
  const signed = [0n, 1n, -1n, 2n ** 32n, -(2n ** 32n) - 5n, 2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
  const column = new NumberColumn(BigInt64Array.from(signed));
  t.same(
    signed.map((_, row) => column.at(row)),
    signed.map(Number),
  );
  const unsigned = [0n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 64n - 1n];
  const whole = new BigUint64Array([7n, ...unsigned]);
  const part = new NumberColumn(whole.subarray(1));
  t.same(
    unsigned.map((_, row) => part.at(row)),
    unsigned.map(Number),
  );
  t.ok(Number.isNaN(part.at(4)));
});
