/** docs/gateway.md names every code that a user can meet, with its cure. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { access_refusals } from '../../src/gateway/access/codes.js';
import { http_errors } from '../../src/gateway/http/codes.js';
import { close_codes, error_codes } from '../../src/gateway/protocol.js';

const text = readFileSync(new URL('../../docs/gateway.md', import.meta.url), 'utf8');

/** The cells of the table under a heading, its own head left out. */
function tableUnder(heading: string): string[][] {
  const section = text.split(`\n### ${heading}\n`)[1]?.split('\n#')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) =>
    row
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.trim()),
  );
}

const entries = (codes: typeof access_refusals | typeof http_errors) =>
  Object.entries(codes).map(([code, { cure, status, text }]) => [`\`${code}\``, String(status), text, cure]);

t.test('everyErrorOfTheSocketStandsThereOnceWithACure', (t) => {
  const rows = tableUnder('On the socket');
  t.same(
    rows.map(([code]) => code),
    error_codes.map((code) => `\`${code}\``),
  );
  for (const row of rows) t.ok(row.length === 4 && row.every((cell) => cell !== ''), row.join(' '));
  const ends = tableUnder('Ends of the socket').map(([code]) => code);
  for (const code of Object.values(close_codes)) t.ok(ends.includes(String(code)), String(code));
  for (const { status } of Object.values(access_refusals)) t.ok(4_000 + status >= 4_400 && 4_000 + status <= 4_503);
  t.end();
});

t.test('soDoesEveryErrorOfHttpAndEveryRefusal', (t) => {
  t.same(tableUnder('Over HTTP'), entries(http_errors));
  t.same(tableUnder('Refusals of access'), entries(access_refusals));
  t.end();
});
