/** `depthcast chaos` as a user runs it. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import t from 'tap';
import { Cli, ensureBuilt, processesWith } from '../cli_process.js';

t.before(ensureBuilt);

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('depthcast-chaos-'));
const ms_max = 60_000;

t.test('aRunThatHoldsExitsWithNothingLeftBehind', async (t) => {
  const profile = { phases: [{ drop: 0.05 }, { line: 'B', reorder: { rate: 0.1, distance: 50 } }] };
  const folder = t.testdir({ 'faults.json': JSON.stringify(profile) });
  const before = folders();
  const flags = ['--seed=5', `--profile=${folder}/faults.json`, '--seconds=1.5', '--rate=5000'];
  const text = await new Cli(t, ['chaos', ...flags], {}, ms_max).ended();
  t.equal(text.end, 0, text.stdout + text.stderr);
  t.match(text.stdout, /ways back: .* by retransmission/);
  t.match(text.stdout, /0 twice, 0 skipped, 0 different/);
  t.match(text.stdout, /all holds\n$/);
  const json = await new Cli(t, ['chaos', ...flags, '--json'], {}, ms_max).ended();
  t.equal(json.end, 0, json.stderr);
  t.match(JSON.parse(json.stdout), { ok: true, problems: [], seed: 5, delivery: { appliedTwice: 0, skipped: 0 } });
  t.same(
    folders().filter((name) => !before.includes(name)),
    [],
  );
});

t.test('aRunThatFailsPrintsTheCommandThatRepeatsIt', async (t) => {
  const folder = t.testdir({ 'none.json': '{}' });
  const flags = ['--seed=6', `--profile=${folder}/none.json`, '--seconds=1', '--rate=2000'];
  const { end, stdout } = await new Cli(t, ['chaos', ...flags], {}, ms_max).ended();
  t.equal(end, 1);
  t.match(stdout, /problem: no message was lost on any line: nothing was tested/);
  t.match(stdout, new RegExp(`again: depthcast chaos --seed 6 --profile ${folder}/none.json --seconds 1 --rate 2000`));
});

t.test('aSignalInTheMiddleLeavesNothingBehind', async (t) => {
  const before = folders();
  const run = new Cli(t, ['chaos', '--seed=7', '--themes=recoveryKilled', '--seconds=20'], {}, ms_max);
  await run.said(/killRecovery/, 30_000);
  const [made] = folders().filter((name) => !before.includes(name));
  t.ok(made);
  run.kill('SIGTERM');
  t.equal((await run.ended()).end, 'SIGTERM');
  for (let turn = 0; turn < 100 && processesWith(made as string).length > 0; turn++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(processesWith(made as string), []);
  t.notOk(folders().includes(made as string));
});
