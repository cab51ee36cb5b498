/** The distributor's own note of its source, and a session that goes on after kill -9 as a user sees it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { parseOptions, type ServeOptions, serveOptions } from '../src/config.js';
import { Distributor } from '../src/index.js';
import { openSource } from '../src/sources/open.js';
import { endSource, identifySource, rememberSource } from '../src/state_file.js';
import { linePair } from './faults/lines.js';

const nobody = new AbortController().signal;
const identify = async (options: ServeOptions, nowMs: number) =>
  identifySource(options, (await openSource(options, nobody)).identity, nowMs);

const noon = Date.UTC(2026, 10, 23, 12);
const day_ms = 86_400_000;

t.test('aRestartAfterMidnightKeepsTheDay', async (t) => {
  const state = join(t.testdir({}), 'state');
  const options = parseOptions(serveOptions, { state }, 'test');
  const first = await identify(options, noon);
  t.equal(first.midnightNs, BigInt(Date.UTC(2026, 10, 23)) * 1_000_000n);
  rememberSource(state, 7n, first);
  t.same(await identify(options, noon + day_ms), first);
  const other = parseOptions(serveOptions, { state, simulate: { seed: 2 } }, 'test');
  t.not((await identify(other, noon)).hash, first.hash, 'another seed is another source');
  t.equal((await identify(other, noon + day_ms)).midnightNs, first.midnightNs + BigInt(day_ms) * 1_000_000n);
  const dated = parseOptions(serveOptions, { state, date: '2020-01-01' }, 'test');
  t.equal(
    (await identify(dated, noon)).midnightNs,
    BigInt(Date.UTC(2020, 0, 1)) * 1_000_000n,
    'a date that is said wins',
  );
  endSource(state, false);
  t.not((await identify(options, noon + day_ms)).midnightNs, first.midnightNs);
  t.ok((await identify(options, noon + day_ms)).goesOn, 'its positions go on');
  endSource(state, true);
  const tomorrow = await identify(options, noon + day_ms);
  t.notOk(tomorrow.goesOn, 'all of it was published: under its name comes another');
  rememberSource(state, 8n, tomorrow);
  t.notOk((await identify(options, noon + day_ms)).goesOn, 'after a crash in the night, too');
});

t.test('aNoteThatCannotBeReadIsNone', async (t) => {
  const state = t.testdir({ 'session.json': '{"version": 1, "session": 5' });
  const options = parseOptions(serveOptions, { state }, 'test');
  t.equal((await identify(options, noon)).midnightNs, BigInt(Date.UTC(2026, 10, 23)) * 1_000_000n);
  writeFileSync(join(state, 'session.json'), 'x'.repeat(100_000));
  t.equal((await identify(options, noon)).midnightNs, BigInt(Date.UTC(2026, 10, 23)) * 1_000_000n);
});

function serveFlags(state: string, pair: ReturnType<typeof linePair>, messages: number): string[] {
  const { A, B } = pair;
  const lines = ['--line-a-group', A.group, '--line-a-port', `${A.port}`, '--line-b-group', B.group];
  return [
    ...[
      'dist/cli/main.js',
      'serve',
      '--state',
      state,
      '--rate',
      '50000',
      '--no-control',
      '--no-gateway-port',
      '--simulate-symbols',
      '5',
    ],
    ...['--simulate-messages', `${messages}`, '--status-ms', '20', '--exit-at-end', '--snapshot-enabled'],
    ...[...lines, '--line-b-port', `${B.port}`],
  ];
}

/** Runs until it says something that `pattern` finds, then dies. Everything it said. */
async function killedAfter(flags: string[], pattern: RegExp): Promise<string> {
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (pattern.test(said)) child.kill('SIGKILL');
  });
  const guard = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await once(child, 'close');
  clearTimeout(guard);
  return said;
}

t.test('killedInTheMiddleTheSessionGoesOn', async (t) => {
  const state = join(t.testdir({}), 'state');
  const flags = serveFlags(state, linePair(71), 40_000);
  const session = (said: string) => /session (\d+)/.exec(said)?.[1];
  const first = await killedAfter(flags, /sequence [1-9]\d*,\d+/);
  t.match(first, 'a new session: no session was interrupted here');
  const second = await killedAfter(flags, /sequence (1[5-9]|[2-9]\d),\d+/);
  t.match(second, /the session was interrupted and goes on, with the source's message [1-9]\d+/);
  t.equal(session(second), session(first));
  t.ok(existsSync(join(state, 'session.json')));
  const third = await killedAfter(flags, /ended: .*\n/);
  t.match(third, /goes on, with/);
  t.match(third, /ended: sequence [4-9]\d,\d+, source message 40,000/);
  t.equal(session(third), session(first));
  const fourth = await killedAfter(flags, /sequence [1-9]/);
  t.match(fourth, /a new session: /);
  t.ok(BigInt(session(fourth) ?? 0) > BigInt(session(first) ?? 0));
});

t.test('theJournalHasItsFiguresAndIsWholeWhenTheEndIsTold', async (t) => {
  const state = join(t.testdir({}), 'state');
  const { A, B } = linePair(72);
  const options = { state, lineA: A, lineB: B, control: null, simulate: { symbols: 5, messages: 20_000 } };
  const distributor = new Distributor(options);
  await distributor.start();
  t.same(distributor.begin.continued, false);
  t.throws(() => readFileSync(join(state, 'nothing')));
  await t.rejects(new Distributor({ ...options, lineB: null }).start(), /in use by another distributor/);
  await distributor.ended;
  const { journal, sequence } = distributor.stats();
  t.equal(journal.sequence, sequence);
  t.equal(journal.holes, 0n);
  t.equal(journal.writeErrors, 0n);
  await distributor.close();
  await delay(1);
  t.equal(distributor.stats().journal.sequence, sequence, 'figures stay as they were');
  t.match(readFileSync(join(state, 'session.json'), 'utf8'), /"ended":true/, 'nothing to go on with');
  t.notOk(existsSync(join(state, 'ring')));
  t.ok(readdirSync(join(state, 'journal')).some((name) => name.endsWith('.dcj')));
});
