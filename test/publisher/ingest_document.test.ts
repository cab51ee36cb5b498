/** docs/ingest.md: its example runs, its tables are those of the code. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { refusalName } from '../../src/publisher/refusals.js';
import { pushOptions } from './push.js';

const document = readFileSync(join(import.meta.dirname, '../../docs/ingest.md'), 'utf8');

t.test('itsExampleRuns', async (t) => {
  const [, program = ''] = /^```ts\n(.*?)^```$/ms.exec(document) ?? [];
  const library = pathToFileURL(join(import.meta.dirname, '../readme_depthcast.ts')).href;
  const { lineA } = pushOptions(7);
  const text = program
    .replaceAll("from 'depthcast'", `from '${library}'`)
    .replace('control: null', `control: null, lineA: ${JSON.stringify(lineA)}, lineB: null`);
  t.not(text, program);
  const file = join(t.testdir({ 'example.ts': text }), 'example.ts');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...process.execArgv, file], {
    timeout: 120_000,
  });
  t.equal(stderr, '');
  t.match(stdout, /^acknowledged up to event 4 .*price: 9990n/s);
});

t.test('itsRefusalsAreThoseOfTheCode', async (t) => {
  const rows = Array.from(document.matchAll(/^\| (\d+) \| `(\w+)` \|/gm), ([, code, name]) => [Number(code), name]);
  t.equal(rows.length, 13);
  for (const [code, name] of rows) t.equal(refusalName(Number(code)), name);
  t.equal(refusalName(14), 'unknown');
});
