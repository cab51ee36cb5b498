// Configures when needed and builds incrementally.
//   node tools/native_build.mjs                                            the addon, build/Release/depthcast.node
//   node tools/native_build.mjs --target depthcast_tests [--run [FILTER]]  the native tests, build/Release/depthcast_tests
//   node tools/native_build.mjs --target depthcast_perf                    the perf programs, build/Release/depthcast_perf
//   node tools/native_build.mjs --sanitize thread --target depthcast_tests [--run]    in build-tsan/
//   node tools/native_build.mjs --sanitize address --target depthcast_tests [--run]   in build-asan/ (with UBSan)
// What follows --run goes to the test executable.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sources } from './sources.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'build', '.configured');

/** @typedef {{ configuration: string, folder: string, environment: Record<string, string> }} Build */
/** @type {Record<string, Build>} */
const builds = {
  none: { configuration: 'Release', folder: 'build/Release', environment: {} },
  address: {
    configuration: 'Asan',
    folder: 'build-asan',
    environment: {
      ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  },
  thread: { configuration: 'Tsan', folder: 'build-tsan', environment: { TSAN_OPTIONS: 'second_deadlock_stack=1' } },
};

/**
 * Runs a command in the root of the repository, its output ours.
 * @param {string} command
 * @param {string[]} parameters
 * @param {Record<string, string | undefined>} environment
 */
function run(command, parameters, environment = {}) {
  const { status, signal, error } = spawnSync(command, parameters, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  if (error) throw error;
  if (signal !== null) console.error(`${command} ended by ${signal}`);
  return status ?? 1;
}

/** What the Makefile in build/ depends on. */
function configurationWanted() {
  const folders = [
    'core',
    'ingest',
    'book',
    'encode',
    'arbitrate',
    'journal',
    'io',
    'run',
    'binding',
    'test',
    'perf/native',
  ];
  const inputs = [process.version, readFileSync(join(root, 'binding.gyp'), 'utf8'), ...sources(folders)];
  return createHash('sha256').update(inputs.join('\n')).digest('hex');
}

function configure() {
  const wanted = configurationWanted();
  const current =
    existsSync(stamp) && existsSync(join(root, 'build', 'Makefile')) && readFileSync(stamp, 'utf8') === wanted;
  if (current) return 0;
  rmSync(stamp, { force: true });
  // npm exec, so that node-gyp sees npm's settings (nodedir, python) however this program was started.
  const nodeGyp = ['exec', '--no', '--', 'node-gyp', 'configure', '--loglevel=warn'];
  const status = run('npm', [...nodeGyp, '--', '-Dnative_tests=1']);
  if (status === 0) writeFileSync(stamp, wanted);
  return status;
}

/**
 * @param {Build} build
 * @param {string} target
 */
function make(build, target) {
  const parameters = ['-C', 'build', '-j2', '--no-print-directory', `BUILDTYPE=${build.configuration}`];
  if (build.folder !== 'build/Release') parameters.push(`builddir=../${build.folder}`);
  return run('make', [...parameters, target]);
}

/** Two builds of one tree at the same time wait for each other: the build runs in a child that holds a file lock. */
function buildLocked() {
  mkdirSync(join(root, '.generated'), { recursive: true });
  const self = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  return run('flock', [join('.generated', 'build.lock'), ...self], { DEPTHCAST_BUILD_LOCKED: '1' });
}

/**
 * @param {Build} build
 * @param {string} target
 * @param {string[]} parameters
 */
function runBuilt(build, target, parameters) {
  const command = [join(root, build.folder, target), ...parameters];
  // GCC's ThreadSanitizer knows no address layout with more than 28 random bits: run without randomization there.
  const random = '/proc/sys/vm/mmap_rnd_bits';
  if (build === builds.thread && existsSync(random) && Number(readFileSync(random, 'utf8')) > 28) {
    command.unshift('setarch', '--addr-no-randomize');
  }
  return run(String(command[0]), command.slice(1), build.environment);
}

const { values, positionals } = parseArgs({
  options: {
    sanitize: { type: 'string', default: 'none' },
    target: { type: 'string', default: 'depthcast' },
    run: { type: 'boolean' },
  },
  allowPositionals: true,
});
const build = builds[values.sanitize];
if (build === undefined) throw new Error(`--sanitize is thread or address, not ${values.sanitize}`);

if (process.env.DEPTHCAST_BUILD_LOCKED === '1') {
  process.exitCode = configure() || make(build, values.target);
} else {
  process.exitCode = buildLocked();
  if (process.exitCode === 0 && values.run) process.exitCode = runBuilt(build, values.target, positionals);
}
