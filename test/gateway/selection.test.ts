import t from 'tap';
import { choose, faultOf, matches } from '../../src/gateway/selection.js';

t.test('patternsMatchWholeSymbols', (t) => {
  for (const [pattern, text, expected] of [
    ['A*', 'AAPL', true],
    ['A*', 'BA', false],
    ['*', '', true],
    ['?', '', false],
    ['A?C', 'ABC', true],
    ['A?C', 'ABBC', false],
    ['*A*B*', 'xxAyyBzz', true],
    ['*A*B', 'AB1', false],
    ['A*A', 'A', false],
    ['MSFT', 'MSFT', true],
    ['MSFT', 'MSF', false],
  ] as const)
    t.equal(matches(pattern, text), expected, `${pattern} ${text}`);
  t.end();
});

t.test('aPatternThatMatchesNearlyIsSoonDone', (t) => {
  const begin = performance.now();
  t.notOk(matches('*a*a*a*ab', 'a'.repeat(64)));
  t.ok(performance.now() - begin < 1_000);
  t.match(faultOf('*****'), /asterisks/);
  t.equal(faultOf(5), undefined);
  t.end();
});

t.test('selectorsMeanSymbolsPatternsAndNumbers', (t) => {
  const all = ['AAPL', 'AMZN', 'MSFT'].map((symbol, index) => ({
    instrument: index + 1,
    symbol,
    priceExponent: -4,
    quantityExponent: 0,
  }));
  const numbers = (...selectors: (string | number)[]) =>
    choose(selectors, all).chosen.map(({ instrument }) => instrument);
  t.same(numbers('A*'), [1, 2]);
  t.same(numbers('MSFT', 'A*', 1), [1, 2, 3]);
  t.same(numbers('X*'), [], 'it may come later');
  t.same(choose(['NOSUCH', 9], all).unknown, ['NOSUCH', 9]);
  t.end();
});
