/** Wrong usage, help, and the commands that work on files, as processes. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { Cli, ensureBuilt, run } from './cli_process.js';
import { testWithData } from './data.js';

t.before(ensureBuilt);

t.test('wrongUsageIsOneLineAndExitCode2', async (t) => {
  const cases: [string[], RegExp][] = [
    [['serv'], /unknown command 'serv' \(Did you mean serve\?\)/],
    [['serve', '--linea-port', '3'], /unknown option '--linea-port' \(Did you mean --line-a-port\?\)/],
    [['serve', '--line-a-port', 'abc'], /--line-a-port is "abc", expected a whole number from 1 to 65535/],
    [['serve', '--line-a-port'], /argument missing/],
    [['serve', 'extra'], /too many arguments/],
    [['serve', '--source', 'nope'], /--source is "nope", expected "simulate", "itch:FILE", .* or "pcap:FILE"/],
    [['subscribe', '--view', 'x'], /--view is "x", expected one of "json", "bbo", "ladder", "status", "none"/],
    [['subscribe', '--l3'], /--l3 needs --dump/],
    [['subscribe', '--interface', 'nosuch0'], /--interface is "nosuch0", expected an IPv4 address, or an interface/],
    [['simulate'], /--out is missing/],
    [['simulate', '--out', 'x', '--messages', '0'], /--messages is 0, expected at least 1/],
    [['simulate', '--out', join(t.testdirName, 'x'), '--messages', '5'], /--messages must be /],
    [['inspect'], /missing required argument 'file'/],
    [['start', '--symbol', 'A,B'], /--symbol is "A,B", expected one symbol/],
    [['serve', '--config', '/nonexistent.json'], /--config: ENOENT/],
  ];
  const ends = await Promise.all(cases.map(([parameters]) => run(t, parameters)));
  ends.forEach(({ end, stdout, stderr }, index) => {
    const [parameters, pattern] = cases[index] as [string[], RegExp];
    t.equal(end, 2, parameters.join(' '));
    t.match(stderr, /^depthcast: [^\n]*\n$/);
    t.match(stderr, pattern);
    t.equal(stdout, '');
  });
});

t.test('helpExplainsEveryCommand', async (t) => {
  const names = ['serve', 'subscribe', 'simulate', 'inspect', 'start', 'journal'];
  const ends = await Promise.all(names.map((name) => run(t, [name, '--help'])));
  ends.forEach(({ end, stdout, stderr }, index) => {
    t.equal(end, 0, names[index] ?? '');
    t.equal(stderr, '');
    t.match(stdout, /\nExamples:\n[\s\S]*\nExit code: 0 /);
  });
  const [all, none, version] = await Promise.all([run(t, ['--help']), run(t, []), run(t, ['--version'])]);
  t.equal(all.end, 0);
  for (const name of names) t.match(all.stdout, new RegExp(`\\n {2}${name} `));
  t.equal(none.end, 2);
  t.match(none.stderr, all.stdout.slice(0, 100));
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

t.test('simulateWritesTheSameBytesAgain', async (t) => {
  const folder = t.testdir({});
  const write = async (name: string, seed: number) => {
    const flags = [`--out=${join(folder, name)}`, '--messages=20000', `--seed=${seed}`, '--symbols=20'];
    const { end, stderr } = await run(t, ['simulate', ...flags]);
    t.equal(end, 0, stderr);
    t.match(stderr, /: 20,000 messages, [\d.]+ KiB, seed/);
    return createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  };
  const [first, again, other] = await Promise.all([write('a', 7), write('b', 7), write('c', 8)]);
  t.equal(first, again);
  t.not(first, other);
  const { end, stdout } = await run(t, ['inspect', '--json', join(folder, 'a')]);
  t.equal(end, 0);
  t.match(JSON.parse(stdout), { messages: 20_000, bytes: statSync(join(folder, 'a')).size, fault: null });
});

t.test('simulateLeavesNothingBehindWhereItFails', async (t) => {
  const folder = t.testdir({ target: '' });
  const out = join(folder, 'big');
  const stopped = new Cli(t, ['simulate', `--out=${out}`, '--messages=2000000000']);
  const growing = () => readdirSync(folder).filter((name) => name.endsWith('.part'));
  for (const begin = Date.now(); growing().length === 0 && Date.now() - begin < 10_000; )
    await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(growing().length, 1);
  stopped.kill('SIGINT');
  const { end, stderr } = await stopped.ended();
  t.equal(end, 'SIGINT');
  t.match(stderr, /stopped: .*big was not written/);
  t.strictSame(readdirSync(folder), ['target']);

  const refused = await run(t, ['simulate', `--out=${join(folder, 'no', 'such')}`, '--messages=1000']);
  t.equal(refused.end, 1);
  t.match(refused.stderr, /^depthcast: cannot write .*No such file or directory\n$/);
  t.match(await run(t, ['simulate', `--out=${folder}`, '--messages=1000']), { end: 1, stderr: /it is a folder/ });
  t.match(await run(t, ['simulate', '--out=/dev/full', '--messages=100000']), { end: 1, stderr: /No space left/ });

  // What a link names is written; the link stays.
  const link = join(folder, 'link');
  symlinkSync('target', link);
  t.match(await run(t, ['simulate', `--out=${link}`, '--messages=1000']), { end: 0 });
  t.ok(statSync(join(folder, 'target')).size > 10_000);
  t.strictSame(readdirSync(folder).sort(), ['link', 'target']);
});

t.test('inspectSaysWhereAFileBreaks', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'a.itch50');
  t.match(await run(t, ['simulate', `--out=${file}`, '--messages=5000', '--symbols=5']), { end: 0 });
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
  const [plain, packed] = await Promise.all([
    run(t, ['inspect', '--json', file]),
    run(t, ['inspect', '--json', `${file}.gz`]),
  ]);
  t.match([plain.end, packed.end], [0, 0]);
  t.strictSame(
    { ...JSON.parse(packed.stdout), file: '' },
    { ...JSON.parse(plain.stdout), file: '' },
    'packed or not, the same',
  );
  const { size } = statSync(file);
  const capped = await run(t, ['inspect', `--unpack-bytes-max=${size - 1}`, `${file}.gz`]);
  t.match(capped, { end: 1, stderr: new RegExp(`breaks at byte ${size - 1}: expected at most ${size - 1} unpacked`) });

  truncateSync(file, size - 3);
  const cut = await run(t, ['inspect', file]);
  t.equal(cut.end, 1);
  t.match(cut.stdout, /whole {3}no: breaks at byte [\d,]+, expected a message of \d+ bytes, but the file ends/);
  t.match(cut.stderr, /^depthcast: .*a\.itch50: breaks at byte \d+: expected .*\n$/);

  writeFileSync(`${file}.gz`, readFileSync(`${file}.gz`).subarray(0, 5_000));
  t.match(await run(t, ['inspect', `${file}.gz`]), { end: 1, stderr: /expected gzip data/ });
  t.match(await run(t, ['inspect', join(folder, 'missing')]), { end: 1, stdout: '', stderr: /there is no such file/ });
  t.match(await run(t, ['inspect', folder]), { end: 1, stderr: /it is a directory/ });
  t.match(await run(t, ['serve', `--source=itch:${folder}`, '--no-control']), { end: 1, stderr: /it is a directory/ });
});

t.test('aReaderThatGoesAwayIsNoFailure', async (t) => {
  const command = new Cli(t, ['serve', '--help']);
  command.closeOutput();
  t.match(await command.ended(), { end: 0, stderr: '' });
});

testWithData('inspectCountsARealFile', async (t, folder) => {
  const file = join(folder, 'itch-bx-2019-12-30', 'bx.itch50');
  const { end, stdout } = await run(t, ['inspect', file]);
  t.equal(end, 0);
  t.match(stdout, /12,012 messages, 465,048 bytes/);
  t.match(stdout, '\n  A   4,997  add order\n');
  t.match(stdout, '\nsymbols 3\n  ALC BOB CHAR\nwhole   yes\n');
  t.ok(existsSync(file));
});
