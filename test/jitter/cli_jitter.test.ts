import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { quantile_names } from '../../src/jitter/histograms.js';
import { injection_causes, injection_kinds } from '../../src/jitter/injections.js';
import { feed_stages, floor_stages, type JitterResult, other_stages } from '../../src/jitter/result.js';
import { Cli, ensureBuilt } from '../cli_process.js';

const lines = [
  '--line-a-group=239.192.72.91',
  '--line-a-port=29591',
  '--line-b-group=239.192.72.92',
  '--line-b-port=29592',
];
// Where cores are shared two threads that never let go of them take turns of milliseconds.
const run = ['jitter', ...lines, '--seconds=1', '--slice=0.25', '--rate=5000', '--live-orders=500', '--wait=yield'];

t.before(ensureBuilt);

// No speed is asserted: only that everything is there, and that it adds up.
t.test('aShortRunPrintsOneObjectWithAllThatItFoundAndWritesItsFiles', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const html = join(folder, 'report.html');
  const hgrm = join(folder, 'hgrm');
  const cli = new Cli(t, [...run, '--json', `--html=${html}`, `--hgrm=${hgrm}`, '--budget=max<100s'], {}, 120_000);
  const { end, stdout, stderr } = await cli.ended();
  t.equal(end, 0, stderr);
  const result = JSON.parse(stdout) as JitterResult;
  for (const name of ['feed', 'feed_without_stalls', 'floor', 'floor_without_stalls'] as const) {
    const quantiles = result[name];
    t.ok(quantiles.count > 0, name);
    for (const [index, quantile] of quantile_names.entries()) {
      t.type(quantiles[quantile], 'number');
      const before = quantile_names[index - 1];
      if (before !== undefined) t.ok(quantiles[quantile] >= quantiles[before], `${name}.${quantile}`);
    }
  }
  for (const name of [...feed_stages, ...other_stages, ...floor_stages]) t.ok(result.stages[name].count > 0, name);
  t.equal(result.pairs.length, 2);
  t.equal(result.feed.count, result.feed_without_stalls.count + result.stalls.excluded_messages);
  t.equal(result.conditions.rate, 5_000);
  t.equal(result.conditions.books_equal, true);
  t.type(result.attribution.threshold, 'number');
  t.type(result.stalls.excluded_share, 'number');
  t.match(result.budget, [{ quantile: 'max', kept: true }]);
  t.ok((result.delivered?.count ?? 0) > 0);
  t.ok((result.delivered?.max ?? 0) >= result.stages.applied_to_javascript.max);
  t.type(result.attribution.delivered?.threshold, 'number');
  t.ok(result.attribution.p99_9.value >= result.feed.p99);
  t.same([result.injections, result.collecting, result.clock_steps], [null, null, []]);
  const page = readFileSync(html, 'utf8');
  t.match(page, /^<!doctype html>[\s\S]*<svg[\s\S]*<\/html>\s*$/);
  t.notMatch(page, /NaN|undefined|https?:/);
  // The page's own policy would forbid them.
  t.match(page, /default-src 'none'; style-src 'sha256-/);
  t.notMatch(page, /<script|style="/);
  t.ok(readdirSync(hgrm).includes('feed.hgrm'));
  t.match(readFileSync(join(hgrm, 'feed.hgrm'), 'utf8'), /Percentile TotalCount/);
  const json = join(folder, 'run.json');
  writeFileSync(json, stdout);
  const comparison = await new Cli(t, ['jitter', `--compare=${json},${json}`]).ended();
  t.equal(comparison.end, 0, comparison.stderr);
  t.match(comparison.stdout, /feed \/ floor.*within the spread/);
  t.notOk(existsSync(join(folder, 'sender')));
});

t.test('aJournalAReplicaAndGarbageCollectionAreTakenIntoTheRunAndLeaveNothingBehind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const more = [`--journal=${folder}`, '--journal-fsync=every-batch', '--replica', '--gc-every=50', '--json'];
  const { end, stdout, stderr } = await new Cli(t, [...run, ...more], {}, 120_000).ended();
  t.equal(end, 0, stderr);
  const { activities, collecting, conditions } = JSON.parse(stdout) as JitterResult;
  for (const name of ['fsync', 'journal_write', 'replica', 'snapshot_loop']) {
    const { count = 0, longest = 0, total = 0 } = activities[name] ?? {};
    t.ok(count > 0 && longest > 0 && total >= longest, name);
  }
  t.match(collecting, { every_ms: 50, pairs: [{}, {}] });
  t.ok((collecting?.pairs[0]?.forced ?? 0) > 0);
  t.match(conditions, { journal_fsync: 'every-batch', replica: true, gc_every_ms: 50 });
  t.same(readdirSync(folder), []);
});

t.test('faultsMadeOnPurposeAreCountedWithTheCausesThatTheirOutliersWereGiven', async (t) => {
  for (const kind of injection_kinds) {
    const more = [`--inject=${kind}:40:10`, '--json'];
    const { end, stdout, stderr } = await new Cli(t, [...run, ...more], {}, 120_000).ended();
    t.equal(end, 0, stderr);
    const { injections, warnings } = JSON.parse(stdout) as JitterResult;
    t.match(injections, { kind, expected: injection_causes[kind] });
    if (injections === null) throw new Error('no figures');
    // How many are done and seen, and what they are called, is the machine's: see docs/performance.md.
    t.ok(injections.injections > 0, kind);
    const called = Object.values(injections.causes).reduce((sum, count) => sum + count, 0);
    t.equal(called, injections.episodes);
    t.ok(injections.right <= injections.episodes);
    t.ok(warnings.some((warning) => warning.includes(kind)));
  }
});

t.test('aBudgetThatNoMachineKeepsEndsWithExitCode1AndSaysSo', async (t) => {
  const { end, stdout, stderr } = await new Cli(t, [...run, '--budget=p50<1ns'], {}, 120_000).ended();
  t.equal(end, 1);
  t.match(stdout, /feed without proved stalls/);
  t.match(stdout, /Budget p50<1ns: MISSED/);
  t.match(stderr, /budget missed: p50<1ns/);
});

t.test('wrongOptionsAreNamed', async (t) => {
  const wrong = await new Cli(t, ['jitter', '--budget=p98<1us']).ended();
  t.equal(wrong.end, 2);
  t.match(wrong.stderr, /budget/);
  const alone = await new Cli(t, ['jitter', '--compare=a.json']).ended();
  t.equal(alone.end, 2);
  const injection = await new Cli(t, ['jitter', '--inject=publisher-pause:1']).ended();
  t.equal(injection.end, 2);
  t.match(injection.stderr, /inject/);
  t.match(alone.stderr, /two files/);
});
