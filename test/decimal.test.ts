/** Exact decimal text, against hand-made cases and the reference's own functions. */
import t from 'tap';
import { formatDecimal, parseDecimal } from '../src/decimal.js';
import { decimal as referenceDecimal } from './reference/dump.js';

t.test('writesExactlyTheFractionDigitsOfTheExponent', async (t) => {
  const cases: [value: bigint | number, exponent: number, text: string][] = [
    [205400n, -4, '20.5400'],
    [0n, -4, '0.0000'],
    [1n, -4, '0.0001'],
    [-1n, -4, '-0.0001'],
    [-205400n, -4, '-20.5400'],
    [100n, 0, '100'],
    [100, 0, '100'],
    [-7n, 0, '-7'],
    [5n, 3, '5000'],
    [0n, 3, '0'],
    [2n ** 64n - 1n, 0, '18446744073709551615'],
    [-(2n ** 63n), -9, '-9223372036.854775808'],
  ];
  for (const [value, exponent, text] of cases) {
    t.equal(formatDecimal(value, exponent), text);
    t.equal(parseDecimal(text, exponent), BigInt(value));
  }
});

t.test('agreesWithTheReference', async (t) => {
  let differences = 0;
  for (let exponent = -12; exponent <= 0; exponent++)
    for (let shift = 0n; shift < 64n; shift++)
      for (const value of [1n << shift, -(1n << shift) + 1n])
        if (formatDecimal(value, exponent) !== referenceDecimal(value, exponent)) differences++;
  t.equal(differences, 0);
});

t.test('readsFewerDigitsAndTrailingZeros', async (t) => {
  t.equal(parseDecimal('20.54', -4), 205400n);
  t.equal(parseDecimal('20', -4), 200000n);
  t.equal(parseDecimal('20.540000', -4), 205400n);
  t.equal(parseDecimal('5000', 3), 5n);
  t.equal(parseDecimal('-0', 0), 0n);
});

t.test('refusesWhatTheExponentCannotExpress', async (t) => {
  t.throws(() => parseDecimal('0.00001', -4), { name: 'RangeError', message: '"0.00001" has digits below 10^-4' });
  t.throws(() => parseDecimal('5001', 3), RangeError);
  for (const text of ['', '.5', '5.', '1e3', '+1', ' 1', '0x10', '1,000', '--1', 'NaN'])
    t.throws(() => parseDecimal(text, -4), { name: 'RangeError', message: `"${text}" is not a decimal number` });
  t.throws(() => formatDecimal(0.5, 0), RangeError);
  t.throws(() => formatDecimal(2 ** 53, 0), RangeError);
  t.throws(() => formatDecimal(1n, 0.5), RangeError);
  t.throws(() => formatDecimal(1n, -1000), RangeError);
});
