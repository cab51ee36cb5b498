/** The audit log: bounded, whole, without secrets or tricks. */
import {
  appendFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import { type AuditEvent, AuditLog, auditText } from '../../../src/gateway/access/audit.js';
import { AuditFile } from '../../../src/gateway/access/audit_file.js';
import { Clock } from './parts.js';

interface Line {
  event: string;
  count: number;
  lost?: number;
}

function log(writer?: (line: string) => boolean) {
  const clock = new Clock();
  const lines: Line[] = [];
  const keep = (line: string) => lines.push(JSON.parse(line)) > 0;
  return { clock, lines, audit: new AuditLog(writer ?? keep, clock.now()) };
}

const refused: AuditEvent = { event: 'refused', code: 'token_unknown', address: '10.0.0.1' };

t.test('theFirstIsALineAtOnceAndRepeatsAreSummed', async (t) => {
  const { clock, lines, audit } = log();
  audit.record(refused, clock.now());
  for (let index = 0; index < 5; index++) {
    clock.pass(1_000);
    audit.record(refused, clock.now());
  }
  audit.record({ ...refused, address: '10.0.0.2' }, clock.now());
  t.same(lines, [
    { time: '2026-01-01T00:00:00.000Z', ...refused, count: 1 },
    { time: '2026-01-01T00:00:05.000Z', ...refused, address: '10.0.0.2', count: 1 },
  ]);
  clock.pass(5_000);
  audit.tick(clock.now());
  t.same(lines.slice(2), [
    {
      time: '2026-01-01T00:00:10.000Z',
      ...refused,
      count: 5,
      since: '2026-01-01T00:00:01.000Z',
      until: '2026-01-01T00:00:05.000Z',
    },
  ]);
  audit.record(refused, clock.now());
  t.equal(lines.length, 4, 'a new window begins with a line');
});

t.test('aFloodIsBoundedAndTheCountsAddUp', async (t) => {
  const seed = Number(process.env.SEED ?? 3);
  const random = new SeededRandom(seed);
  const { clock, lines, audit } = log();
  for (let index = 0; index < 200_000; index++) {
    const address = `10.${random.between(0, 255)}.${random.between(0, 255)}.1`;
    audit.record({ ...refused, address }, clock.now());
    if (index % 10_000 === 0) clock.pass(1_000);
    if (index % 10_000 === 0) audit.tick(clock.now());
  }
  audit.flush(clock.now());
  t.equal(
    lines.reduce((sum, { count }) => sum + count, 0),
    200_000,
    `SEED=${seed}`,
  );
  t.ok(lines.length < 5_000, `${lines.length} lines`);
  t.equal(audit.counters.lines, lines.length);
});

t.test('aWriterThatFailsOrThrowsIsCountedAndToldLater', async (t) => {
  let mode = 'throw';
  const lines: Line[] = [];
  const { clock, audit } = log((line) => {
    if (mode === 'throw') throw new Error('disk full');
    if (mode === 'refuse') return false;
    return lines.push(JSON.parse(line)) > 0;
  });
  audit.record({ ...refused, address: 'a' }, clock.now());
  mode = 'refuse';
  audit.record({ ...refused, address: 'b' }, clock.now());
  mode = 'write';
  audit.record({ ...refused, address: 'c' }, clock.now());
  audit.record({ ...refused, address: 'd' }, clock.now());
  t.same(
    lines.map(({ count, lost }) => [count, lost]),
    [
      [1, 2],
      [1, undefined],
    ],
  );
  t.match(audit.counters, { events: 4, lines: 2, lost: 2 });
});

t.test('linesAreAsciiWithoutControlsAndBounded', async (t) => {
  const nasty = { id: 'a\u001b[2J\n{"event":"login"}\u0085\u202e\u2028é\ud800\u007f', long: 'x'.repeat(1_000) };
  const text = auditText(nasty);
  t.match(text, /^[\x20-\x7e]+$/);
  t.same(JSON.parse(text).id, nasty.id);
  t.equal(JSON.parse(text).long.length, 257);
});

t.test('theFileIsPrivateAppendedToAndMadeAnewWhenMovedAway', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-audit-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'audit.log');
  const file = new AuditFile(path);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(file.write('one\n'), true);
  renameSync(path, `${path}.1`);
  file.reopenIfMoved();
  file.write('two\n');
  await file.close();
  t.equal(readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8'), 'one\ntwo\n');
  appendFileSync(path, 'three\n');
  const again = new AuditFile(path);
  again.write('four\n');
  await again.close();
  t.equal(readFileSync(path, 'utf8'), 'two\nthree\nfour\n');
  symlinkSync('/dev/null', join(folder, 'link'));
  t.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
  t.throws(() => new AuditFile(join(folder, 'link')));
  t.throws(() => new AuditFile('/dev/null'), /no regular file/);
});
