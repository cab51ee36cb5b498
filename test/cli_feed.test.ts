/** `serve` and `subscribe` as a user runs them: processes, pipes, signals. */
import { existsSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { timeOfDay } from '../src/view/format.js';
import { Cli, channelFlags, controlUrl, ensureBuilt, processesWith, run, small, until } from './cli_process.js';
import { type Test, testWithData } from './data.js';
import { compareWithExpected, type Dump, type Expected } from './reference/dump.js';

t.before(ensureBuilt);

const flow = ['--source=simulate', '--simulate-symbols=5', '--simulate-live-orders=500', '--status-ms=0'];
const finite = [...flow, '--simulate-messages=20000', '--exit-at-end'];

interface FeedDump extends Dump {
  sequence: string;
  digest: string;
  missing: unknown[];
}

function dumpOf(file: string): FeedDump {
  return JSON.parse(readFileSync(file, 'utf8')) as FeedDump;
}

function serve(t: Test, number: number, ...flags: string[]): Cli {
  return new Cli(t, ['serve', '--no-gateway-port', ...channelFlags(number), ...small, ...flags]);
}

function subscribe(t: Test, number: number, ...flags: string[]): Cli {
  return new Cli(t, ['subscribe', ...channelFlags(number), ...small, ...flags]);
}

/** All of the channel's processes are gone. */
async function nothingLeft(t: Test, number: number): Promise<void> {
  await until('processes to end', () => processesWith(controlUrl(number)).length === 0);
  t.strictSame(processesWith(controlUrl(number)), []);
}

/** /dev/full as a descriptor: writing fails with ENOSPC. */
function openFull(): number {
  return openSync('/dev/full', 'w');
}

/** Time, bid, its quantity, ask, its quantity: of each line of the view. */
function bboRows(stdout: string): string[] {
  return stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [time, , bid_quantity, bid, ask, ask_quantity] = line.split(/ +/);
      return [time, bid, bid_quantity, ask, ask_quantity].join(' ');
    });
}

/** The rows of expected_bbo.csv that differ from the row before of the same stock, in the same words. */
function expectedRows(csv: string): string[] {
  const last = new Map<string, string>();
  const rows: string[] = [];
  for (const line of csv.trimEnd().split('\n').slice(1)) {
    const [, , time, locate = '', ...best] = line.split(',');
    const [bid = '', bid_quantity, ask = '', ask_quantity] = best;
    const price = (units: string) => (units === '' ? '-' : (Number(units) / 10_000).toFixed(4));
    const row = [price(bid), bid_quantity || '-', price(ask), ask_quantity || '-'].join(' ');
    if ((last.get(locate) ?? '- - - -') !== row) rows.push(`${timeOfDay(BigInt(time ?? 0))} ${row}`);
    last.set(locate, row);
  }
  return rows;
}

t.test('twoSubscribersFollowFromTheFirstMessageToTheLast', async (t) => {
  const folder = t.testdir({});
  const server = serve(t, 0, ...finite, '--wait-subscribers=2', '--status-ms=100', '--rate=20000');
  await server.said(/waiting for 2 more subscribers, sequence 0,/);
  const both = subscribe(t, 0, '--view=none', '--l3', `--dump=${join(folder, 'ab.json')}`, '--dump-at=1000,7000,99999');
  await server.said(/waiting for 1 more subscriber,/);
  const one = subscribe(t, 0, '--lines=B', '--l3', `--dump=${join(folder, 'b.json')}`);
  const [served, first, second] = await Promise.all([server.ended(), both.ended(), one.ended()]);

  t.equal(served.end, 0, served.stderr);
  t.match(served.stderr, /ended: sequence [\d,]+, source message 20,000, .* 0 send errors, /);
  t.equal(first.end, 0, first.stderr);
  t.equal(first.stdout, '');
  t.match(first.stderr, /session \d+ has ended at sequence \d+\n/);
  t.match(first.stderr, /no dump at 99999: the source has not come so far/);
  t.equal(second.end, 0, second.stderr);

  const [dump, other] = [dumpOf(join(folder, 'ab.json')), dumpOf(join(folder, 'b.json'))];
  t.strictSame(dump.instruments, other.instruments);
  t.equal(dump.digest, other.digest);
  t.strictSame(dump.missing, []);
  t.strictSame(readdirSync(folder).sort(), ['ab.1000.json', 'ab.7000.json', 'ab.json', 'b.json']);
  t.ok(Number(dumpOf(join(folder, 'ab.1000.json')).sequence) < Number(dumpOf(join(folder, 'ab.7000.json')).sequence));

  const lines = second.stdout.trimEnd().split('\n');
  t.equal(lines.length, Number(dump.sequence), 'a line for each message');
  lines.forEach((line, index) => {
    const { sequence } = JSON.parse(line) as { sequence: number };
    if (sequence !== index + 1) t.fail(`line ${index + 1} has sequence ${sequence}`);
  });
  await nothingLeft(t, 0);
});

t.test('signalsEndTheSessionInGoodOrder', async (t) => {
  const folder = t.testdir({});
  const server = serve(t, 1, ...flow, '--rate=20000', '--wait-subscribers=2');
  const stopped = subscribe(t, 1, `--dump=${join(folder, 'stopped.json')}`, '--symbol=NOPE');
  const stays = subscribe(t, 1, `--dump=${join(folder, 'stays.json')}`, '--view=status', '--interval-ms=50');
  await stays.said(/synchronized, sequence [1-9]/);
  stopped.kill('SIGINT');
  const early = await stopped.ended();
  t.equal(early.end, 0, early.stderr);
  t.match(early.stderr, /NOPE: no such symbol was seen/);
  t.equal(early.stdout, '');
  t.ok(Number(dumpOf(join(folder, 'stopped.json')).sequence) > 0, 'the dump was written');
  server.kill('SIGTERM');
  const [served, last] = await Promise.all([server.ended(), stays.ended()]);
  t.equal(served.end, 0, served.stderr);
  t.equal(last.end, 0, last.stderr);
  const sequence = /ended: sequence ([\d,]+)/.exec(served.stderr)?.[1]?.replaceAll(',', '');
  t.equal(dumpOf(join(folder, 'stays.json')).sequence, sequence, 'it saw the end of the session');
  t.match(last.stdout, /\nended: ended, sequence [\d,]+, .* missing 0, digests [\d,]+ equal, latency p50 /);
  await nothingLeft(t, 1);
});

t.test('signalsAreHeardAtEveryMoment', async (t) => {
  const folder = t.testdir({});
  for (const ms of [50, 150, 250, 350, 500]) {
    const commands = [serve(t, 2, ...flow), subscribe(t, 2, `--dump=${join(folder, 'x.json')}`)];
    await new Promise((resolve) => setTimeout(resolve, ms));
    for (const command of commands) command.kill('SIGINT');
    for (const command of commands) {
      const { end, stderr } = await command.ended();
      // Before anything was started the signal ends it as it ends any program.
      t.ok(end === 0 || (end === 'SIGINT' && stderr === ''), `after ${ms} ms: ${end}: ${stderr}`);
    }
  }
  await nothingLeft(t, 2);
});

t.test('aReaderThatGoesAwayEndsSubscribeButNotItsDump', async (t) => {
  const folder = t.testdir({});
  const server = serve(t, 3, ...flow, '--rate=20000');
  const quiet = subscribe(t, 3);
  await quiet.said(/"sequence"/);
  quiet.closeOutput();
  const { end, stderr } = await quiet.ended();
  t.equal(end, 0);
  t.notMatch(stderr, 'EPIPE');
  const dumping = subscribe(t, 3, `--dump=${join(folder, 'x.json')}`);
  await dumping.said(/"sequence"/);
  dumping.closeOutput();
  await new Promise((resolve) => setTimeout(resolve, 200));
  dumping.kill('SIGINT');
  t.match(await dumping.ended(), { end: 0 });
  t.ok(existsSync(join(folder, 'x.json')));
  t.match(await run(t, ['subscribe', ...channelFlags(3), ...small], { stdio: ['ignore', openFull(), 'pipe'] }), {
    end: 1,
    stderr: /ENOSPC/,
  });
  server.kill('SIGINT');
  t.match(await server.ended(), { end: 0 });
  await nothingLeft(t, 3);
});

t.test('viewsShowOneSymbol', async (t) => {
  const server = serve(t, 4, ...flow, '--rate=5000', '--wait-subscribers=3');
  const all = subscribe(t, 4, '--view=bbo');
  const json = subscribe(t, 4);
  const ladder = subscribe(t, 4, '--view=ladder', '--interval-ms=100', '--levels=3');
  await all.said(/\n\d\d:\d\d:\d\d\.\d{9} \S/);
  const symbol = /\n[\d:.]+ (\S+)/.exec(all.stdout)?.[1] ?? '';
  const some = subscribe(t, 4, '--view=bbo', `--symbol=${symbol},NOPE`);
  await some.said(new RegExp(`\n[\\d:.]+ ${symbol} `), 20_000);
  await ladder.said(/\n {2,}price {2}quantity/);
  await ladder.said(/--- (spread|no|crossed|locked)/);
  for (const command of [all, some, ladder, json]) command.kill('SIGINT');
  for (const command of [all, some, ladder, json]) t.match(await command.ended(), { end: 0 });
  const symbols = new Set(
    some.stdout
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(' ')[1]),
  );
  t.strictSame([...symbols], [symbol], 'no other symbol');
  t.notMatch(ladder.stdout, '\x1b', 'no escape sequences without a terminal');
  // Every change of the best prices at the end of an event is a line of the other view.
  const bbo = new Map<string, string>();
  let changes = 0;
  for (const line of json.stdout.slice(0, json.stdout.lastIndexOf('\n')).split('\n')) {
    const { symbol, bid, ask, flags } = JSON.parse(line) as Record<string, unknown>;
    if (symbol === null || !(flags as string[]).includes('end_of_event')) continue;
    const best = JSON.stringify([bid, ask]);
    if ((bbo.get(String(symbol)) ?? '[null,null]') !== best) changes++;
    bbo.set(String(symbol), best);
  }
  const shown = all.stdout.trimEnd().split('\n').length - 1;
  t.ok(shown > 10 && changes > 10 && Math.abs(shown - changes) < shown / 2, `${shown} and ${changes} changes`);
  server.kill('SIGINT');
  t.match(await server.ended(), { end: 0 });
  await nothingLeft(t, 4);
});

t.test('whatCannotWorkIsSaidAtOnce', async (t) => {
  const server = serve(t, 5, ...flow);
  await server.said(
    /channel 1, session \d+, simulate to 239\.192\.70\.5:29015 and 239\.192\.71\.5:29016, control http/,
  );
  const taken = await serve(t, 5, ...flow).ended();
  t.match(taken, { end: 1, stderr: /^depthcast: the control service cannot listen on 127\.0\.0\.1:29017: [^\n]*\n$/ });
  server.kill('SIGHUP');
  t.match(await server.ended(), { end: 0 });

  const folder = t.testdir({ folder: {} });
  const dump = (file: string, ...more: string[]) => subscribe(t, 5, `--dump=${file}`, ...more).ended();
  t.match(await dump(join(folder, 'no', 'x.json')), { end: 1, stderr: /^depthcast: cannot write the dump .*ENOENT/ });
  t.match(await dump(join(folder, 'folder')), { end: 1, stderr: /it is a folder/ });
  // A pipe has no name to put a complete file in the place of.
  symlinkSync('/proc/self/fd/1', join(folder, 'stdout'));
  t.match(await dump(join(folder, 'stdout'), '--view=none'), { end: 1, stderr: /it is a pipe without a name/ });
  t.strictSame(readdirSync(folder).sort(), ['folder', 'stdout']);
  t.match(await dump('/dev/null', '--dump-at=5'), { end: 1, stderr: /need a file to be named after/ });
  const missing = serve(t, 5, '--source=itch:/nonexistent').ended();
  t.match(await missing, { end: 1, stderr: /^depthcast: cannot open \/nonexistent: there is no such file\n$/ });
  const waiting = serve(t, 5, ...flow, '--wait-subscribers=1', '--wait-timeout-ms=100').ended();
  t.match(await waiting, { end: 1, stderr: /1 subscribers within 100 ms, but 0 came/ });
  await nothingLeft(t, 5);
});

t.test('aSlowReaderLosesUpdatesAndIsTold', async (t) => {
  const server = serve(t, 6, ...flow, '--simulate-messages=300000', '--exit-at-end', '--wait-subscribers=1');
  const slow = subscribe(t, 6, '--delivery-capacity=1024', '--exit-at-end-of-session');
  const [, { end, stdout, stderr }] = await Promise.all([server.ended(), slow.ended()]);
  t.equal(end, 0, stderr);
  let printed = 0n;
  let lost = 0n;
  for (const line of stdout.trimEnd().split('\n')) {
    const { overrun } = JSON.parse(line) as { overrun?: number };
    if (overrun === undefined) printed++;
    else lost += BigInt(overrun);
  }
  const sequence = BigInt(/has ended at sequence (\d+)/.exec(stderr)?.[1] ?? 0);
  t.equal(printed + lost, sequence, 'every message is a line or counted');
  if (lost > 0n) t.match(stderr, /\d+ updates were lost/);
  await nothingLeft(t, 6);
});

testWithData('realFilesGoThroughPackedOrNot', async (t, data) => {
  const folder = t.testdir({});
  const source = join(data, 'itch-bx-2019-12-30');
  const server = serve(t, 7, `--source=itch:${join(source, 'bx.itch50')}`, '--exit-at-end', '--wait-subscribers=2');
  const dumping = subscribe(t, 7, '--view=none', '--l3', `--dump=${join(folder, 'bx.json')}`, '--dump-at=3000');
  const bbo = subscribe(t, 7, '--view=bbo', '--exit-at-end-of-session');
  t.match(await server.ended(), { end: 0, stderr: /117 source messages skipped/ });
  t.match(await dumping.ended(), { end: 0 });
  const expected = JSON.parse(readFileSync(join(source, 'expected.json'), 'utf8')) as Expected;
  t.strictSame(compareWithExpected(dumpOf(join(folder, 'bx.json')), expected), []);
  const { stdout } = await bbo.ended();
  t.strictSame(bboRows(stdout), expectedRows(readFileSync(join(source, 'expected_bbo.csv'), 'utf8')));
  await nothingLeft(t, 7);
});
