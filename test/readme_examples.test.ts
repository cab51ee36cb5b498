/** The examples of the README run: all at once, each as a program of its own, since they speak to each other. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

const root = join(import.meta.dirname, '..');
const library = pathToFileURL(join(import.meta.dirname, 'readme_depthcast.ts')).href;

/** The ```ts blocks of a document, with the library in place of the package. */
function programsOf(document: string): string[] {
  const blocks = readFileSync(document, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  return Array.from(blocks, ([, text = '']) => text.replaceAll("from 'depthcast'", `from '${library}'`));
}

/** Code, standard output and errors of a program, once it has ended by itself. */
function run(file: string): Promise<{ code: number | null; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, [...process.execArgv, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 300_000,
    });
    let [output, errors] = ['', ''];
    started.stdout.on('data', (text) => {
      output += text;
    });
    started.stderr.on('data', (text) => {
      errors += text;
    });
    started.on('error', reject);
    started.on('close', (code) => resolve({ code, output, errors }));
  });
}

for (const document of ['README.md', 'docs/_readme_examples.md']) {
  const path = join(root, document);
  if (!existsSync(path)) continue;
  t.test(`examplesRunAndEndByThemselves ${document}`, async (t) => {
    const programs = programsOf(path);
    t.ok(programs.length >= 2, 'one of a Distributor, one of a FeedClient');
    const folder = t.testdir(Object.fromEntries(programs.map((text, index) => [`example_${index + 1}.ts`, text])));
    const files = programs.map((_, index) => join(folder, `example_${index + 1}.ts`));
    for (const outcome of await Promise.all(files.map(run))) {
      t.match(outcome, { code: 0, errors: '' });
      t.not(outcome.output, '', 'it prints something');
      t.comment(outcome.output);
    }
  });
}

t.test(
  'examplesAreTypedAsTheLibraryIs',
  { skip: !existsSync(join(root, 'README.md')) && 'no README yet' },
  async (t) => {
    // Every name that an example imports is exported.
    const names = programsOf(join(root, 'README.md')).flatMap((text) =>
      Array.from(text.matchAll(/^import \{([^}]*)\}/gm), ([, list = '']) =>
        list.split(',').map((name) => name.trim()),
      ).flat(),
    );
    const exported = Object.keys(await import(library));
    t.ok(names.length > 0);
    t.same(
      names.filter((name) => !exported.includes(name.replace(/^type /, '')) && !name.startsWith('type ')),
      [],
    );
  },
);
