// Makes the browser build of the client: one ES module without imports.
//   node tools/browser_bundle.mjs    writes dist/browser/depthcast.js and its source map
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
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

const is_run = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (is_run) await browserBundle({ ...published, write: true });
