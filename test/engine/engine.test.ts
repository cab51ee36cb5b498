/**
 * Matching engines outside the tree: compiled against the installed package, run against a distributor, killed and
 * started again.
 */
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { booksHash } from '../../src/chaos/books_hash.js';
import { EngineProcess } from '../../src/chaos/engine_process.js';
import { runEngineKills } from '../../src/chaos/engine_run.js';
import { freeAddresses } from '../../src/chaos/ports.js';
import { Distributor, FeedClient } from '../../src/index.js';
import { addon } from '../../src/native.js';
import { ensureBuilt, root } from '../cli_process.js';
import { compare, cutOffOf, distributorOf, optionsOf, resumedOf } from '../ingest/numbering.js';

const run = promisify(execFile);
const has = (tool: string) => spawnSync(tool, ['--version']).status === 0;
// CI installs them: there a missing one is a failure.
const skip = process.env.CI === undefined && !(has('cmake') && has('pkg-config')) && 'cmake and pkg-config are needed';

t.test('enginesOutsideTheTree', { skip, timeout: 330_000 }, async (t) => {
  const folder = t.testdir({ project: { node_modules: { depthcast: {} } } });
  const installed = join(folder, 'project/node_modules/depthcast');
  const memory = mkdtempSync('/dev/shm/depthcast-test-');
  t.teardown(() => rmSync(memory, { recursive: true, force: true }));
  // What `npm install` would put there; its build of the addon takes minutes, and is npm ci's business.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: root,
  });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', installed, '--strip-components=1']);
  cpSync(join(root, 'tools/engine'), join(folder, 'cpp'), { recursive: true });
  cpSync(join(root, 'test/engine/c_engine'), join(folder, 'c'), { recursive: true });
  const cmake = async (name: string) => {
    const project = join(folder, name);
    const build = join(project, 'build');
    const settings = [`-DCMAKE_PREFIX_PATH=${join(installed, 'native')}`, '-DCMAKE_BUILD_TYPE=Release'];
    await run('cmake', ['-S', project, '-B', build, ...settings]);
    await run('cmake', ['--build', build]);
    return build;
  };
  const program = join(await cmake('cpp'), 'example_engine');

  await t.test('itsBooksAreTheClientsBooks', async (t) => {
    const ring = join(memory, 'events');
    const { from } = await freeAddresses();
    const limits = { orders: 65_536, instruments: 64 };
    await using distributor = new Distributor({
      source: `shm:${ring}`,
      lineA: from.A,
      lineB: null,
      control: null,
      limits,
    });
    await using client = new FeedClient({ lineA: from.A, lineB: null, control: null, limits });
    await client.start();
    // The distributor waits for the engine's file.
    const started = distributor.start();
    const engine = new EngineProcess(program, [ring, '--events', '60000', '--rate', '100000', '--top', '2', '--end']);
    engine.start();
    await started;
    const report = await engine.end();
    t.match(await distributor.ended, { reason: 'end', position: BigInt(report.events) });
    await client.ended;
    const books = await client.snapshot({ orders: true });
    t.equal(Number(books.sequence), report.messages);
    t.equal(booksHash(books), report.books);
    t.ok(report.live_orders > 1_000);
    t.equal(distributor.stats().counters.liveOrders, BigInt(report.live_orders));
  });

  await t.test('twoDistributorsOfOneInputNumberItAlikeThoughOneIsKilled', async (t) => {
    const states = [join(folder, 'one'), join(folder, 'two')] as [string, string];
    const rings = [join(memory, 'one'), join(memory, 'two')] as [string, string];
    const day = ['--events', '40000', '--top', '2', '--from', '1700000000000000000', '--end'];
    // Another speed and another ring; the events are those of the seed.
    const engines = [
      new EngineProcess(program, [rings[0], ...day]),
      new EngineProcess(program, [rings[1], ...day, '--rate', '20000', '--slots', '8192']),
    ] as const;
    t.teardown(() => Promise.all(engines.map((engine) => engine.kill())));
    for (const engine of engines) engine.start();
    const steady = distributorOf(t, 246, optionsOf(states[0], { source: `shm:${rings[0]}` }, 512, { wait: 'yield' }));
    await steady.start();
    const jumpy = optionsOf(states[1], { source: `shm:${rings[1]}` }, 8_952, {});
    await cutOffOf(t, 247, jumpy, 6_000n);
    const resumed = await resumedOf(t, 247, jumpy);
    const [one, two] = await Promise.all(engines.map((engine) => engine.end()));
    t.match(await Promise.all([steady.ended, resumed.ended]), [
      { reason: 'end', position: BigInt(one?.events ?? 0) },
      { reason: 'end', position: BigInt(one?.events ?? 0) },
    ]);
    t.equal(one?.books, two?.books);
    t.equal(steady.stats().counters.digest, resumed.stats().counters.digest);
    await compare(t, states, BigInt(one?.messages ?? 0));
  });

  await t.test('theProgramOfTheDocumentCompilesAndRuns', async (t) => {
    const document = readFileSync(join(root, 'docs/ingest.md'), 'utf8');
    const [, body = ''] = /```cpp\n([\s\S]*?)```/.exec(document) ?? [];
    const [, cmakeLines = ''] = /### Building an engine[\s\S]*?```\n([\s\S]*?)```/.exec(document) ?? [];
    t.match(body, /engine::Publisher publisher/);
    const at = body.indexOf('engine::Publisher publisher');
    const main = ['int main() {', '  const std::int64_t now_ns = 1;', '  std::uint64_t order_id = 20, match_id = 1;'];
    const ring = join(memory, 'document');
    const program = `${body.slice(0, at)}\n${main.join('\n')}\n${body.slice(at)}\n}\n`;
    mkdirSync(join(folder, 'document'));
    writeFileSync(join(folder, 'document/engine.cc'), program.replace('/dev/shm/exchange-events', ring));
    writeFileSync(
      join(folder, 'document/CMakeLists.txt'),
      `cmake_minimum_required(VERSION 3.20)\nproject(document CXX)\n${cmakeLines.replace(
        'target_link',
        'add_executable(my_engine engine.cc)\ntarget_link',
      )}`,
    );
    await run(join(await cmake('document'), 'my_engine'));
    t.match(addon.eventRing(ring), { published: 5n, committed: 0n });
  });

  await t.test('anEngineInCLinksByCMakeAndByPkgConfig', async (t) => {
    const byCMake = join(await cmake('c'), 'c_engine');
    await run('node', [join(root, 'tools/native_build.mjs'), '--target', 'depthcast_publisher']);
    mkdirSync(join(installed, 'build/Release'), { recursive: true });
    copyFileSync(
      join(root, 'build/Release/libdepthcast_publisher.a'),
      join(installed, 'build/Release/libdepthcast_publisher.a'),
    );
    const env = { ...process.env, PKG_CONFIG_PATH: join(installed, 'native/pkgconfig') };
    const flags = async (name: string) =>
      (await run('pkg-config', ['--cflags', '--libs', name], { env })).stdout.trim().split(/\s+/);
    const byPkgConfig = join(folder, 'c_engine');
    const own = ['-std=c11', '-Wall', '-Wextra', '-pedantic', '-Werror', join(folder, 'c/engine.c')];
    await run('cc', [...own, '-o', byPkgConfig, ...(await flags('depthcast-publisher-c'))]);
    for (const [index, engine] of [byCMake, byPkgConfig].entries()) {
      const ring = join(memory, `c${index}`);
      t.equal((await run(engine, [ring])).stdout, 'malformed 5\n');
      t.match(addon.eventRing(ring), { published: 5n, committed: 0n });
      await t.rejects(run(engine, [memory]), /open /);
    }
    const source = join(folder, 'cpp/engine.cc');
    const strict = ['-std=c++20', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Wpedantic', '-Werror'];
    await run('c++', [...strict, '-fsyntax-only', ...(await flags('depthcast-publisher')), source]);
  });

  await t.test('killedInTurnWithItsDistributorNothingIsLostOrRepeated', { timeout: 300_000 }, async (t) => {
    await ensureBuilt();
    const report = await runEngineKills({
      seed: 5,
      kills: 3,
      rate: 30_000,
      program,
      onKill: (text) => t.comment(text),
    });
    t.same(report.problems, []);
    t.match(report, { engineKills: 3, distributorKills: 3, sessions: 1, conflicts: 0 });
    t.equal(report.sequence, report.engine?.messages);
  });
});

t.test('packageFilesTellOneVersion', async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  for (const name of ['depthcast-publisher.pc', 'depthcast-publisher-c.pc'])
    t.match(readFileSync(join(root, 'native/pkgconfig', name), 'utf8'), `\nVersion: ${version}\n`, name);
  t.ok(existsSync(join(root, 'native/cmake/depthcastConfig.cmake')));
});
