// Checks our C++: clang-format on every source and header, then clang-tidy on what ships (sources and the headers they
// include; tests and perf programs compile with -Werror, and tests run under sanitizers).
//   node tools/lint_native.mjs          changes nothing, exits 1 on findings
//   node tools/lint_native.mjs --fix    only formats, in place
// A source whose text, headers and settings are as they were when clang-tidy last passed is not checked again.
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sources } from './sources.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.generated', 'lint');
const shipped_folders = [
  'core',
  'ingest',
  'book',
  'encode',
  'arbitrate',
  'gateway',
  'journal',
  'io',
  'run',
  'binding',
  'publisher_c',
];
const folders = [...shipped_folders, 'native/include/depthcast', 'test', 'perf/native', 'tools/engine'];
const flags = [
  '-x',
  'c++',
  '-std=c++20',
  '-fno-rtti',
  '-Wall',
  '-Wextra',
  '-Inative',
  '-isystem',
  '.generated/include',
];

/** @param {string} tool named like its Debian package */
function version(tool) {
  const { error, stdout } = spawnSync(tool, ['--version'], { encoding: 'utf8' });
  if (error === undefined) return stdout;
  console.error(`${tool} is not installed: apt-get install ${tool}`);
  process.exit(1);
}

/** What binding.gyp adds for the addon. The folder of Node's own headers is the one node-gyp found at install. */
function bindingFlags() {
  const path = join(root, 'build', 'config.gypi');
  if (!existsSync(path)) throw new Error('build/config.gypi is missing: run npm run build:native');
  const { nodedir } = JSON.parse(readFileSync(path, 'utf8').replace(/^#.*$/gm, '')).variables;
  const napi = createRequire(import.meta.url)('node-addon-api').include_dir;
  const defines = ['-DNAPI_VERSION=8', '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS'];
  return [...defines, '-isystem', join(nodedir, 'include', 'node'), '-isystem', napi];
}

/**
 * The file and every file of native/ that it includes, directly or not.
 * @param {string} path
 * @param {Set<string>} seen
 */
function closure(path, seen = new Set()) {
  if (seen.has(path) || !existsSync(join(root, path))) return seen;
  seen.add(path);
  const text = readFileSync(join(root, path), 'utf8');
  for (const [, name] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
    closure(`native/${name}`, seen);
    closure(join(dirname(path), String(name)), seen);
  }
  return seen;
}

/**
 * @param {string} path
 * @param {string[]} settings
 */
function fingerprint(path, settings) {
  const hash = createHash('sha256').update(settings.join('\n'));
  for (const name of [...closure(path)].sort()) hash.update(`\n${name}\n`).update(readFileSync(join(root, name)));
  return hash.digest('hex');
}

/**
 * @param {string} path
 * @param {string[]} parameters
 * @returns {Promise<string | undefined>} the findings
 */
function tidy(path, parameters) {
  return new Promise((resolve) => {
    execFile(
      'clang-tidy',
      ['--quiet', path, '--', ...parameters],
      { cwd: root, maxBuffer: 1 << 26 },
      (error, out, log) => {
        // What clang-tidy counts on stderr is what it suppressed in system headers.
        resolve(error ? `${out}${log.replace(/^\d+ warnings? .*generated.*\n/gm, '')}` : undefined);
      },
    );
  });
}

async function tidyAll() {
  const settings = [version('clang-tidy'), readFileSync(join(root, '.clang-tidy'), 'utf8')];
  mkdirSync(cache, { recursive: true });
  const queue = sources(shipped_folders).flatMap((path) => {
    const parameters = path.startsWith('native/binding/') ? [...flags, ...bindingFlags()] : flags;
    const passed = join(cache, fingerprint(path, [...settings, ...parameters]));
    return existsSync(passed) ? [] : [{ path, parameters, passed }];
  });
  const checked = queue.length;
  let failed = 0;
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const findings = await tidy(job.path, job.parameters);
      if (findings === undefined) writeFileSync(job.passed, job.path);
      else failed += 1;
      if (findings !== undefined) console.error(`clang-tidy: ${job.path}\n${findings}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  console.log(`clang-tidy: ${checked} sources checked, ${failed} with findings`);
  return failed === 0;
}

/** @param {boolean} fix */
function format(fix) {
  version('clang-format');
  const files = [...sources(folders), ...sources(folders, '.h')];
  if (files.length === 0) return true;
  const mode = fix ? ['-i'] : ['--dry-run', '-Werror', '--ferror-limit=1'];
  const { status } = spawnSync('clang-format', [...mode, ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  console.log(`clang-format: ${files.length} files ${fix ? 'formatted' : 'checked'}`);
  return status === 0;
}

if (process.argv.includes('--fix')) {
  process.exitCode = format(true) ? 0 : 1;
} else {
  const formatted = format(false);
  process.exitCode = (await tidyAll()) && formatted ? 0 : 1;
}
