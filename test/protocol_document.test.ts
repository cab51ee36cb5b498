import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mix64 } from './mix64.js';

const text = readFileSync(join(import.meta.dirname ?? 'test', '..', 'docs', 'protocol.md'), 'utf8');

/** Rows of numbers of the tables with `columns` columns behind the marker. */
function rows(columns: number): string[][] {
  const behind = text.slice(text.indexOf('<!-- test: digest vectors -->'));
  return behind
    .split('\n')
    .filter((line) => /^\| -?\d/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => cells.length === columns);
}

const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

t.test('digestVectorsOfTheDocumentFollowFromItsFormulas', (t) => {
  const orders = rows(8);
  t.equal(orders.length, 6);
  for (const [instrument, side, price, order, quantity, priority, identity, term] of orders) {
    const place = (BigInt(String(instrument)) << 2n) | BigInt(String(side));
    const sum = place * 0x6a09e667f3bcc909n + BigInt(String(price)) * 0xbb67ae8584caa73bn;
    const identity_found = mix64(sum + BigInt(String(order)) * 0x3c6ef372fe94f82bn);
    t.equal(hex(identity_found), identity);
    const changing = BigInt(String(quantity)) * 0xa54ff53a5f1d36f1n + BigInt(String(priority)) * 0x510e527fade682d1n;
    t.equal(hex(mix64(identity_found + changing)), term);
  }
  t.end();
});

t.test('statusTermsOfTheDocumentFollowFromItsFormula', (t) => {
  const terms = rows(3);
  t.equal(terms.length, 4);
  for (const [instrument, status, term] of terms) {
    const sum = BigInt(String(instrument)) * 0x9b05688c2b3e6c1fn + BigInt(String(status)) * 0x1f83d9abfb41bd6bn;
    t.equal(hex(mix64(sum)), term);
  }
  t.end();
});
