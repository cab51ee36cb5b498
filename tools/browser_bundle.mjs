// Makes what runs in browsers.
//   node tools/browser_bundle.mjs    writes the client, one ES module without imports, to dist/browser, and the page that
//                                    `depthcast serve` shows to dist/page
import { realpathSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * What is imported and cannot be had in a browser, such as a module of Node, is an error.
 * @param {{ entry: string, outfile: string, write: boolean, minify: boolean, globalName?: string }} what `globalName`:
 *   a classic script that sets this variable, instead of a module
 * @returns {Promise<{ text: string, imports: string[] }>} the bundle, and what it would import when run
 */
export async function browserBundle({ entry, outfile, write, minify, globalName }) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: globalName === undefined ? 'esm' : 'iife',
    ...(globalName !== undefined && { globalName }),
    platform: 'browser',
    target: 'es2022',
    minify,
    sourcemap: write ? 'linked' : false,
    legalComments: 'none',
    metafile: true,
    write,
    logLevel: 'error',
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
  return { text: outputFiles?.[0]?.text ?? '', imports };
}

/** What is published as depthcast/browser. */
export const published = { entry: 'src/browser/index.ts', outfile: 'dist/browser/depthcast.js', minify: true };

/**
 * The page: every file that it consists of.
 * @returns {Promise<Map<string, string>>} content by name
 */
export async function pageFiles() {
  const bundle = (/** @type {string} */ entry, /** @type {string} */ outfile) =>
    browserBundle({ entry, outfile, write: false, minify: true });
  const source = (/** @type {string} */ name) => readFile(join(root, 'src/page', name), 'utf8');
  return new Map([
    ['index.html', await source('index.html')],
    ['icon.svg', await source('icon.svg')],
    ['page.css', (await bundle('src/page/page.css', 'page.css')).text],
    ['page.js', (await bundle('src/page/main.ts', 'page.js')).text],
  ]);
}

async function writePage() {
  const folder = join(root, 'dist/page');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, content] of await pageFiles()) await writeFile(join(folder, name), content);
}

const is_run = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (is_run) {
  await browserBundle({ ...published, write: true });
  await writePage();
}
