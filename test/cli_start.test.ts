/** `depthcast start` as a user runs it, without a terminal and on one: it ends cleanly, whatever happens to its parts. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { screen } from '../src/view/terminal.js';
import { Cli, channelFlags, controlUrl, ensureBuilt, main, processesWith, root, run, until } from './cli_process.js';
import type { Test } from './data.js';

t.before(ensureBuilt);

const flow = ['--simulate-symbols=5', '--simulate-live-orders=500'];

function start(t: Test, number: number, ...flags: string[]): Cli {
  return new Cli(t, ['start', '--no-gateway-port', ...channelFlags(number), ...flow, '--interval-ms=100', ...flags]);
}

/** The process of one of the two that it starts. */
function partOf(number: number, command: 'serve' | 'subscribe'): number {
  const found = processesWith(controlUrl(number)).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${command}\0`),
  );
  if (found.length !== 1) throw new Error(`${found.length} processes of ${command}`);
  return found[0] as number;
}

async function nothingLeft(t: Test, number: number): Promise<void> {
  await until('processes to end', () => processesWith(controlUrl(number)).length === 0);
  t.strictSame(processesWith(controlUrl(number)), []);
}

const running = /synchronized, sequence [1-9][\d,]*, [1-9][\d,]* messages\/s, missing 0, .*latency p50 \d/;

t.test('withoutATerminalItPrintsStatusLinesUntilASignal', async (t) => {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) {
    const started = start(t, 20);
    await started.said(running);
    t.equal(processesWith(controlUrl(20)).length, 3, 'itself, the distributor and the client');
    started.kill(signal);
    const { end, stdout, stderr } = await started.ended();
    t.equal(end, 0, stderr);
    for (const line of stdout.trimEnd().split('\n'))
      t.match(line, /^(ended: )?(connecting|recovering|synchronized|ended), sequence /);
    t.notMatch(stdout, '\x1b');
    await nothingLeft(t, 20);
  }
});

t.test('theExampleEngineFeedsItOverASocket', async (t) => {
  const started = start(t, 20, '--source=engine', '--rate=5000');
  await started.said(running);
  const found = processesWith(controlUrl(20));
  t.equal(found.length, 3, 'itself, the distributor and the client; the engine knows no control service');
  started.kill('SIGINT');
  const { end, stderr } = await started.ended();
  t.equal(end, 0, stderr);
  t.match(stderr, /engine example connected/);
  await nothingLeft(t, 20);
  const path = /unix:(\S+)/.exec(stderr)?.[1] ?? 'no path';
  t.strictSame(processesWith(path), [], 'no engine either');
});

t.test('aFiniteSimulationEndsByItself', async (t) => {
  const { end, stdout, stderr } = await start(t, 21, '--simulate-messages=5000', '--speed=max').ended();
  t.equal(end, 0, stderr);
  t.match(stdout, /ended: ended, sequence [\d,]+, .* missing 0, digests [\d,]+ equal, /);
  t.match(stderr, /source message 5,000,/);
  await nothingLeft(t, 21);
});

t.test('itSaysWhichProcessDiedAndWhy', async (t) => {
  for (const [command, signal, words] of [
    ['serve', 'SIGKILL', 'the distributor ended: killed by SIGKILL'],
    ['serve', 'SIGTERM', 'the distributor ended: stopped by SIGTERM'],
    ['subscribe', 'SIGKILL', 'the client ended: killed by SIGKILL'],
    ['subscribe', 'SIGINT', 'the client ended: stopped by SIGINT'],
  ] as const) {
    const started = start(t, 22);
    await started.said(running);
    process.kill(partOf(22, command), signal);
    const { end, stderr } = await started.ended();
    t.equal(end, 1, `${command} ${signal}`);
    t.match(stderr, new RegExp(`^depthcast: ${words}$`, 'm'));
    await nothingLeft(t, 22);
  }
});

t.test('nothingOutlivesItWhenItIsKilled', async (t) => {
  const started = start(t, 23);
  await started.said(running);
  started.kill('SIGKILL');
  t.equal((await started.ended()).end, 'SIGKILL');
  await nothingLeft(t, 23);
});

t.test('signalsAreHeardAtEveryMoment', async (t) => {
  for (const ms of [20, 200, 350, 600]) {
    const started = start(t, 24);
    await new Promise((resolve) => setTimeout(resolve, ms));
    started.kill('SIGINT');
    const { end, stderr } = await started.ended();
    t.ok(end === 0 || (end === 'SIGINT' && stderr === ''), `after ${ms} ms: ${end}: ${stderr}`);
    await nothingLeft(t, 24);
  }
});

t.test('aReaderThatGoesAwayEndsItQuietly', async (t) => {
  const started = start(t, 25);
  await started.said(running);
  started.closeOutput();
  const { end, stderr } = await started.ended();
  t.equal(end, 0, stderr);
  await nothingLeft(t, 25);
});

t.test('whatKeepsItFromStartingIsSaid', async (t) => {
  const first = start(t, 26);
  await first.said(running);
  const second = await start(t, 26).ended();
  t.equal(second.end, 1);
  t.match(second.stderr, /the distributor ended: exit code 1: the control service cannot listen on 127\.0\.0\.1:\d+/);
  first.kill('SIGINT');
  t.match(await first.ended(), { end: 0 });
  await nothingLeft(t, 26);
});

/** A terminal of util-linux's script: what is written to its input comes as if typed. */
function onTerminal(t: Test, command: string, env: Record<string, string>): Cli {
  const folder = t.testdir({});
  const log = join(folder, 'typescript');
  const launcher = `process.exit(require('node:child_process').spawnSync('script', ['-qefc', ${JSON.stringify(command)}, ${JSON.stringify(log)}], { stdio: 'inherit' }).status)`;
  return new Cli(t, [], { env, stdio: ['pipe', 'pipe', 'pipe'] }, 30_000, ['-e', launcher]);
}

/** Fixed, since start cannot tell which free one its distributor took. */
const gateway_port = 29_999;

const script = spawnSync('script', ['--version']).status === 0;
t.test('onATerminalItDrawsALadder', { skip: script ? false : 'no script(1), which makes terminals' }, async (t) => {
  const flags = [...channelFlags(27), ...flow, `--gateway-port=${gateway_port}`].join(' ');
  const command = `stty cols 90 rows 30; exec ${process.execPath} ${main} start ${flags}`;
  for (const [env, colours] of [
    [{ NO_COLOR: '' }, true],
    [{ NO_COLOR: '1' }, false],
  ] as const) {
    const terminal = onTerminal(t, command, { ...env, TERM: 'xterm', LC_ALL: 'C.UTF-8' });
    await terminal.said(/latency p50 \d/);
    await terminal.said(/ask +\d+\.\d{4} .*bid +\d+\.\d{4} /s);
    terminal.input?.write('\x03');
    const { end, stdout } = await terminal.ended();
    t.equal(end, 0, stdout.slice(-500));
    const [entered, left = ''] = stdout.split(screen.leave);
    t.ok(entered?.includes(screen.enter), 'the screen of its own');
    t.match(stripVTControlCharacters(left), /^channel 1 .*sequence [\d,]+ .*missing 0 /s, 'the figures stay');
    t.match(stdout, /█/);
    t.match(stdout, `page: http://127.0.0.1:${gateway_port}/`);
    t.equal(stdout.includes('\x1b[1;32mbid'), colours);
    await nothingLeft(t, 27);
  }
});

t.test('onATerminalADeadClientGivesTheScreenBack', { skip: script ? false : 'no script(1)' }, async (t) => {
  const command = `exec ${process.execPath} ${main} start --no-gateway-port ${[...channelFlags(28), ...flow].join(' ')}`;
  const terminal = onTerminal(t, command, { TERM: 'xterm' });
  await terminal.said(/latency p50 \d/);
  process.kill(partOf(28, 'subscribe'), 'SIGKILL');
  const { end, stdout } = await terminal.ended();
  t.equal(end, 1);
  t.match(stdout.split(screen.leave)[1], /depthcast: the client ended: killed by SIGKILL/);
  await nothingLeft(t, 28);
});

t.test('npmStartIsTheSame', async (t) => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  // Without exec the shell between npm and the command would die of Ctrl-C, and npm say that it failed.
  t.equal(manifest.scripts.start, 'exec node dist/cli/main.js start --source engine');
  t.match(await run(t, ['start', '--help']), { end: 0 });
});
