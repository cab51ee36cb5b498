// The acceptance runs that CI does a share of: seeded scenarios under faults, and publishers killed under load.
//   npm run scenarios -- --count 200 [--seed 1] [--seconds 4] [--rate 20000] [--json FILE] [--jobs 1]
//   npm run scenarios -- --kills 100 [--seed 1] [--rate 40000]
//   npm run scenarios -- --engine-kills 50 [--seed 1] [--rate 500000]   of the example engine, and as many of its distributor
//   npm run scenarios -- --socket-kills 50 [--seed 1] [--rate 500000]   the same over TCP, with the engine in TypeScript
// Prints a table and totals; exit code 0 only if every run holds and, from 200 scenarios on, each dear way back was
// used in at least 20 of them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '0' },
    kills: { type: 'string', default: '0' },
    'engine-kills': { type: 'string', default: '0' },
    'socket-kills': { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    rate: { type: 'string' },
    json: { type: 'string' },
  },
});

const ways_needed = ['retransmission', 'snapshot', 'sessionChange'];
const runs_that_need_ways = 200;
const uses_needed = 20;

/** @param {string} name */
const load = (name) => import(new URL(`../dist/${name}`, import.meta.url).href);

async function scenarios() {
  const { makePlan } = await load('chaos/plan.js');
  const { runScenario } = await load('chaos/scenario.js');
  const [first, seconds, rate] = [Number(values.seed), Number(values.seconds), Number(values.rate ?? 20_000)];
  const reports = [];
  console.log('seed   ok   messages  lost A  lost B    both  other  retr  snap  sess  res  repair p99  themes');
  for (let seed = first; seed < first + Number(values.count); seed++) {
    const command = `npx depthcast chaos --seed ${seed} --seconds ${seconds} --rate ${rate}`;
    const plan = makePlan(seed, { seconds, rate });
    let report;
    try {
      report = await runScenario({ plan, command });
    } catch (error) {
      report = { seed, ok: false, problems: [String(error)], themes: plan.themes, command };
    }
    reports.push(report);
    console.log(row(report));
    if (!report.ok)
      for (const problem of [...report.problems, `again: ${report.command}`]) console.log(`       ${problem}`);
  }
  if (values.json !== undefined)
    writeFileSync(values.json, `${reports.map((one) => JSON.stringify(one)).join('\n')}\n`);
  return totals(reports);
}

/** @param {any} report */
function row({ seed, ok, themes, ways, lines, lostOnBoth, delivery, repair }) {
  const right = (/** @type {unknown} */ value, /** @type {number} */ width) => String(value ?? '').padStart(width);
  const cells = [
    right(seed, 5),
    right(ok ? 'yes' : 'NO', 4),
    right(delivery?.delivered, 10),
    right(lines?.A.messagesLost, 7),
    right(lines?.B.messagesLost, 7),
    right(lostOnBoth, 7),
    right(ways?.otherLine, 6),
    right(ways?.retransmission, 5),
    right(ways?.snapshot, 5),
    right(ways?.sessionChange, 5),
    right(ways?.resume, 4),
    right(repair === undefined ? '' : `${repair.p99_ms.toFixed(1)} ms`, 11),
  ];
  return `${cells.join(' ')}  ${themes.join(', ')}`;
}

/** @param {any[]} reports */
function totals(reports) {
  const failed = reports.filter(({ ok }) => !ok);
  const used = (/** @type {string} */ way) => reports.filter(({ ways }) => (ways?.[way] ?? 0) > 0).length;
  const sum = (/** @type {(report: any) => number | undefined} */ of) =>
    reports.reduce((total, one) => total + (of(one) ?? 0), 0);
  console.log(
    `\n${reports.length} scenarios, ${failed.length} failed${failed.length > 0 ? `: seeds ${failed.map(({ seed }) => seed).join(', ')}` : ''}`,
  );
  console.log(
    `messages delivered ${sum(({ delivery }) => delivery?.delivered)}, lost on both lines ${sum(({ lostOnBoth }) => lostOnBoth)}, applied twice ${sum(({ delivery }) => delivery?.appliedTwice)}, skipped ${sum(({ delivery }) => delivery?.skipped)}, different ${sum(({ delivery }) => delivery?.different)}`,
  );
  for (const way of ['otherLine', ...ways_needed, 'resume']) console.log(`scenarios that used ${way}: ${used(way)}`);
  const enough = reports.length < runs_that_need_ways || ways_needed.every((way) => used(way) >= uses_needed);
  if (!enough) console.log(`each of ${ways_needed.join(', ')} must be used in at least ${uses_needed}`);
  return failed.length === 0 && enough;
}

async function kills() {
  const { runKills } = await load('chaos/kill_run.js');
  const report = await runKills({
    seed: Number(values.seed),
    kills: Number(values.kills),
    rate: Number(values.rate ?? 40_000),
    onKill: (/** @type {string} */ text) => console.log(text),
  });
  console.log(JSON.stringify(report, null, 2));
  return report.ok;
}

function buildEngine() {
  const program = 'build/example_engine';
  const sources = ['-Inative/include', 'tools/engine/engine.cc'];
  const { status } = spawnSync('c++', ['-std=c++20', '-O2', ...sources, '-o', program], { stdio: 'inherit' });
  return status === 0 ? program : undefined;
}

/**
 * @param {'engine-kills' | 'socket-kills'} option
 * @param {'shm' | 'tcp'} over
 * @param {string | undefined} program
 */
async function engineKills(option, over, program) {
  if (program === undefined) return false;
  const { runEngineKills } = await load('chaos/engine_run.js');
  const report = await runEngineKills({
    seed: Number(values.seed),
    kills: Number(values[option]),
    rate: Number(values.rate ?? 500_000),
    program,
    over,
    onKill: (/** @type {string} */ text) => console.log(text),
  });
  console.log(JSON.stringify(report, null, 2));
  return report.ok;
}

let ok = true;
if (Number(values.count) > 0) ok = (await scenarios()) && ok;
if (Number(values.kills) > 0) ok = (await kills()) && ok;
if (Number(values['engine-kills']) > 0) ok = (await engineKills('engine-kills', 'shm', buildEngine())) && ok;
if (Number(values['socket-kills']) > 0)
  ok = (await engineKills('socket-kills', 'tcp', 'dist/matching_engine/engine.js')) && ok;
const asked = [values.count, values.kills, values['engine-kills'], values['socket-kills']];
if (asked.every((count) => Number(count) === 0))
  console.log('nothing to do: --count N, --kills N, --engine-kills N, --socket-kills N');
process.exit(ok ? 0 : 1);
