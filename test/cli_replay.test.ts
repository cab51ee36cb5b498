import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureBuilt, run } from './cli_process.js';

const small = ['--limits-orders=65536', '--limits-instruments=1024'];

t.before(ensureBuilt);

t.test('replaysAFileAsJsonAndCsvAndAJournalAsTheSame', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'flow.itch50');
  const made = await run(t, ['simulate', '--messages=3000', '--symbols=3', '--live-orders=100', `--out=${file}`]);
  t.equal(made.end, 0, made.stderr);
  const json = await run(t, ['replay', file, ...small]);
  t.equal(json.end, 0, json.stderr);
  const lines = json.stdout.trimEnd().split('\n');
  t.match(
    json.stderr,
    new RegExp(`delivered 1 to ${lines.length} \\(${lines.length} messages\\), and the end of the session`),
  );
  const journal = join(folder, 'journal');
  t.equal((await run(t, ['replay', file, ...small, `--out-journal=${journal}`])).end, 0);
  const out = join(folder, 'out.json');
  t.equal((await run(t, ['replay', journal, ...small, `--out=${out}`])).end, 0);
  t.equal(readFileSync(out, 'utf8'), json.stdout, 'a journal gives the same');

  const symbol = JSON.parse(lines[500] as string).symbol as string;
  const csv = await run(t, [
    'replay',
    journal,
    ...small,
    '--output=csv',
    '--from=100',
    '--to=1000',
    `--instrument=${symbol}`,
  ]);
  t.equal(csv.end, 0, csv.stderr);
  const [head, ...rows] = csv.stdout.trimEnd().split('\r\n');
  t.match(head, /^sequence,position,time,symbol,/);
  const wanted = lines
    .slice(99, 1_000)
    .map((line) => JSON.parse(line))
    .filter((one) => one.symbol === symbol);
  t.same(
    rows.map((row) => Number(row.split(',')[0])),
    wanted.map(({ sequence }) => sequence),
  );
  t.ok(rows.every((row) => row.split(',').length === head?.split(',').length));

  const beyond = await run(t, ['replay', journal, ...small, '--from=2900', '--to=999999', `--out=${out}`]);
  t.equal(beyond.end, 1);
  t.match(beyond.stderr, /missing \d+ to 999999: beyond the end/);
  const refused = await run(t, ['replay', journal, '--output=multicast', '--instrument=X']);
  t.equal(refused.end, 2);
  t.match(refused.stderr, /its numbers would have holes/);
  t.equal((await run(t, ['replay', journal, '--session=5'])).end, 2);
  t.equal((await run(t, ['replay', join(folder, 'none')])).end, 1);
});
