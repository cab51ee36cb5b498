// Prints the C++ sources of the named folders of native/, one per line, sorted: binding.gyp reads its lists from here.
//   node tools/sources.mjs core book
//   node tools/sources.mjs --development   prints 1 in a source tree with tests, 0 in a published package
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @param {string[]} folders folders of native/, or paths from the root of the repository
 * @param {string} ending `.cc` or `.h`
 * @returns {string[]} paths from the root of the repository
 */
export function sources(folders, ending = '.cc') {
  return folders
    .map((folder) => (folder.includes('/') ? folder : `native/${folder}`))
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith(ending))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--development') console.log(existsSync(join(root, 'native/test')) ? 1 : 0);
  else for (const path of sources(first === undefined ? [] : [first, ...rest])) console.log(path);
}
