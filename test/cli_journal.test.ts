/** `depthcast journal` on folders of its own, as processes; and the same through the library. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError } from '../src/config.js';
import { listJournal, NotInJournalError, pruneJournal, readJournal, verifyJournal } from '../src/journal/journal.js';
import type { JournalRecord } from '../src/journal/native_tools.js';
import { ensureBuilt, run } from './cli_process.js';
import type { Test } from './data.js';

const messages = 60_000;

let template = '';

t.before(async () => {
  await ensureBuilt();
  template = t.testdir({});
  const file = join(template, 'day.itch50');
  const made = await run(t, ['simulate', `--out=${file}`, `--messages=${messages}`, '--symbols=10']);
  if (made.end !== 0) throw new Error(made.stderr);
  const replayed = await run(t, ['replay', file, '--date=2024-01-02', `--out-journal=${join(template, 'journal')}`]);
  if (replayed.end !== 0) throw new Error(replayed.stderr);
});

/** A state folder with a journal in it, and the paths of its one segment and index. */
function makeState(t: Test): { state: string; segment: string; index: string } {
  const state = t.testdir({});
  const journal = join(state, 'journal');
  cpSync(join(template, 'journal'), journal, { recursive: true });
  const names = readdirSync(journal);
  const segment = join(journal, names.find((name) => name.endsWith('.dcj')) ?? '');
  return { state, segment, index: segment.replace(/dcj$/, 'dci') };
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

t.test('listsAndPrintsAJournal', async (t) => {
  const { state, segment } = makeState(t);
  const [listed, json, printed] = await Promise.all([
    run(t, ['journal', 'ls', state]),
    run(t, ['journal', 'ls', '--json', state]),
    run(t, ['journal', 'cat', '--first=1000', '--limit=5', state]),
  ]);
  t.match(listed, {
    end: 0,
    stderr: '',
    stdout: /^SESSION +CHANNEL[^\n]*\n\d+ +1 +1 +\d+ +1 .* closed .*2024-01-02T09:30/,
  });
  const [session] = JSON.parse(json.stdout).sessions;
  t.match(session, { channel: 1, first: '1', segments: '1', closed: true });
  t.equal(printed.end, 0);
  const lines = printed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(lines.length, 5);
  t.ok(Number(lines[0].first) <= 1000 && Number(lines[0].last) >= 1000);
  for (const [index, line] of lines.slice(1).entries()) t.equal(Number(line.first), Number(lines[index].last) + 1);

  // The library gives the same, over many pages.
  const listing = await listJournal(state);
  t.equal(String(listing.sessions[0]?.session), session.session);
  const records: JournalRecord[] = [];
  for await (const record of readJournal(state)) records.push(record);
  t.ok(records.length > 1_000);
  let next = 1n;
  for (const { type, first, last } of records) {
    if (type !== 'packet' || first !== next) t.fail(`${type} ${first}, expected ${next}`);
    next = last + 1n;
  }
  t.equal(String(next), session.next);
  t.equal(records[0]?.offset, 128n);
  await t.rejects(readJournal(state, { first: next + 5n }).next(), NotInJournalError);
  await t.rejects(readJournal(state, { session: 5n }).next(), NotInJournalError);
  await t.rejects(readJournal(state, { limit: -1 }).next(), ConfigError);
  t.ok(existsSync(segment));
});

t.test('verifyNamesSegmentAndOffset_repairMends', async (t) => {
  const { state, segment, index } = makeState(t);
  t.match(await run(t, ['journal', 'verify', state]), { end: 0, stderr: '', stdout: /\nsound {3}yes\n$/ });
  const sound = readFileSync(segment);
  const offset = Math.floor(sound.length / 2);
  flip(segment, offset);
  const broken = await run(t, ['journal', 'verify', '--json', state]);
  t.equal(broken.end, 1);
  t.match(
    broken.stderr,
    /^depthcast: .*1 fault\(s\), the first: \d{20}-00000001\.dcj: wrong_crc at byte \d+; missing: /,
  );
  const [fault] = JSON.parse(broken.stdout).faults;
  t.ok(Number(fault.offset) <= offset && offset < Number(fault.offset) + 1_500);
  t.ok(segment.endsWith(fault.file));
  t.match(await run(t, ['journal', 'cat', state]), { end: 1, stdout: /"type":"damaged"/, stderr: /damaged, see/ });

  const mended = await run(t, ['journal', 'repair', state]);
  t.match(mended, { end: 0, stdout: /dcj: rewritten, [\d,]+ packets kept, \d+ messages? missing\n$/ });
  t.ok(existsSync(`${segment}.damaged`));
  t.match(await run(t, ['journal', 'verify', state]), { end: 0, stdout: /\nhole {4}session .* \(damage\)\nsound/ });
  t.match(await run(t, ['journal', 'repair', state]), { end: 0, stdout: /nothing to repair/ });

  flip(index, 100);
  t.match(await run(t, ['journal', 'verify', state]), { end: 1, stdout: /dci: index_wrong_crc at byte 100\n/ });
  rmSync(index);
  t.match(await run(t, ['journal', 'verify', state]), { end: 1, stdout: /dci: index_incomplete at byte 0\n/ });
  t.match(await run(t, ['journal', 'repair', state]), { end: 0, stdout: /dci: index made anew\n/ });
  t.match(await run(t, ['journal', 'verify', state]), { end: 0 });

  // A tail that was cut off.
  truncateSync(segment, statSync(segment).size - 500);
  t.match(await run(t, ['journal', 'verify', state]), { end: 1, stdout: /dcj: incomplete at byte \d+\n/ });
  t.match(await run(t, ['journal', 'repair', '--no-keep-damaged', state]), { end: 0, stdout: /rewritten/ });
  t.match(await run(t, ['journal', 'verify', state]), { end: 0 });
  t.strictSame(
    readdirSync(join(state, 'journal')).filter((name) => !/\.(dcj|dci|dcj\.damaged)$/.test(name)),
    [],
  );
});

const hasFlock = spawnSync('flock', ['--version']).status === 0;

t.test('refusesToChangeAFolderThatIsInUse', { skip: !hasFlock && 'no flock program here' }, async (t) => {
  const { state, segment } = makeState(t);
  const lock = join(state, 'lock');
  writeFileSync(lock, '');
  const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => holder.kill('SIGKILL'));
  await new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()));
  truncateSync(segment, readFileSync(segment).length - 100);
  for (const command of [['repair'], ['prune', '--retain-bytes=1']])
    t.match(await run(t, ['journal', ...command, state]), {
      end: 1,
      stderr: /a distributor is running on this folder/,
    });
  // A record may be in the middle of being written.
  t.match(await run(t, ['journal', 'verify', state]), { end: 0, stdout: /in use\n/ });
  t.match(await run(t, ['journal', 'ls', state]), { end: 0 });
  holder.stdin.end();
  await new Promise<void>((resolve) => holder.once('close', () => resolve()));
  t.match(await run(t, ['journal', 'verify', state]), { end: 1 });
  t.match(await run(t, ['journal', 'repair', state]), { end: 0 });
});

t.test('prunesOldSessions', async (t) => {
  const { state, segment } = makeState(t);
  // A session of the future: its segment is not sound, but names count.
  const later = join(state, 'journal', `${'9'.repeat(19).padStart(20, '0')}-00000001.dcj`);
  writeFileSync(later, readFileSync(segment).subarray(0, 128));
  const shown = await run(t, ['journal', 'prune', '--retain-bytes=1MiB', '--dry-run', state]);
  t.match(shown, { end: 0, stdout: /-00000001\.dcj: would be removed, [\d.]+ MiB\n$/ });
  t.ok(existsSync(segment));
  t.strictSame(await pruneJournal(state, { retainMs: 3_600_000 }), []);
  t.match(await run(t, ['journal', 'prune', '--retain-bytes=1MiB', '--json', state]), {
    end: 0,
    stdout: /"removed":\[\{/,
  });
  t.notOk(existsSync(segment));
  t.ok(existsSync(later));
});

t.test('emptyAndMissingFolders', async (t) => {
  const state = t.testdir({ file: 'x' });
  t.match(await verifyJournal(state), { segments: 0n, faultsTotal: 0n });
  mkdirSync(join(state, 'journal'));
  t.match(await run(t, ['journal', 'verify', state]), { end: 0, stdout: /0 segments/ });
  t.match(await run(t, ['journal', 'cat', state]), { end: 0, stdout: '' });
  const missing = await Promise.all(
    ['ls', 'verify', 'repair', 'cat'].map((command) => run(t, ['journal', command, join(state, 'no')])),
  );
  for (const end of missing) t.match(end, { end: 1, stderr: /No such file or directory\n$/ });
  t.match(await run(t, ['journal', 'verify', join(state, 'file')]), { end: 1, stderr: /Not a directory\n$/ });
  const wrong: [string[], RegExp][] = [
    [['verify'], /missing required argument 'folder'/],
    [['prune', state], /one of --retain-bytes, --retain-ms and --before must be given/],
    [['cat', '--limit=x', state], /--limit is "x", expected a whole number/],
    [['nonsense', state], /unknown command/],
  ];
  const refused = await Promise.all(wrong.map(([parameters]) => run(t, ['journal', ...parameters])));
  for (const [index, end] of refused.entries()) t.match(end, { end: 2, stderr: wrong[index]?.[1] });
});
