import t from 'tap';
import { choose, faultOf, nameOf, patterns_max } from '../../src/gateway/selection.js';

t.test('selectorsThatAreNoneAreRefusedBeforeAnythingIsMatched', (t) => {
  for (const fine of [['AAPL', 5, 'M*', '?', '\\*', 'A**B***C*D*']]) t.equal(faultOf(fine), undefined);
  for (const bad of ['*a*b*c*d*', 'a\\', 'a\\b', 'a\u0000', ''])
    t.match(faultOf(['AAPL', bad]), /^instruments\.1: expected 1 to 64 characters/, JSON.stringify(bad));
  const patterns = (count: number) => Array.from({ length: count }, (_, index) => `*${index}*`);
  t.equal(faultOf([...patterns(patterns_max), ...Array(1_000).fill('AAPL')]), undefined);
  t.match(faultOf(patterns(patterns_max + 1)), /at most 64 patterns/);
  t.end();
});

t.test('aSymbolWithAStarIsNamedWithABackslash', (t) => {
  const all = ['BRK*A', 'BRKXA', 'A\\B'].map((symbol, index) => ({
    instrument: index + 1,
    symbol,
    priceExponent: -4,
    quantityExponent: 0,
  }));
  const numbers = (selector: string) => choose([selector], all).chosen.map(({ instrument }) => instrument);
  t.same(numbers('BRK*A'), [1, 2]);
  t.same(numbers('BRK\\*A'), [1]);
  t.same(numbers('A\\\\B'), [3]);
  t.same(
    ['BRK\\*A', 'A\\\\B', 'BRKXA', 2, 9].map((selector) => nameOf(selector, all)),
    ['BRK*A', 'A\\B', 'BRKXA', 'BRKXA', '9'],
    'entitlement is judged by the name that is meant',
  );
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
