/**
 * Finds the real market data that tests read. It is not part of this repository (it belongs to its owners), so every
 * test that needs it goes through `testWithData`, which reports the test as skipped, by its name, where there is no
 * data.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** What the body of a tap test gets. */
export type Test = Parameters<Parameters<typeof t.test>[0]>[0];

/**
 * The nearest folder at or above `start` that holds depthcast's package.json. Compiled code may run from anywhere below
 * it.
 */
function repositoryRoot(start: string): string | undefined {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === 'depthcast') return folder;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * The folder with the market data: `$DEPTHCAST_DATA`, else `../shared/data` seen from the repository root, which is
 * searched upwards from this file and then from the working directory. Undefined where neither exists.
 */
export function dataFolder(
  environment: { readonly [name: string]: string | undefined } = process.env,
  starts: readonly string[] = [dirname(fileURLToPath(import.meta.url)), process.cwd()],
): string | undefined {
  const candidates: string[] = [];
  if (environment.DEPTHCAST_DATA) candidates.push(resolve(environment.DEPTHCAST_DATA));
  for (const start of starts) {
    const root = repositoryRoot(start);
    if (root !== undefined) candidates.push(resolve(root, '../shared/data'));
  }
  return candidates.find((folder) => existsSync(folder));
}

/** Why a test without data is skipped. */
export const no_data_reason = 'no market data: neither $DEPTHCAST_DATA nor ../shared/data exists';

/**
 * A test that gets the data folder; without data it is reported as skipped under its own name. `parent` and `folder`
 * (null where there is none) are for the test of this very function.
 */
export function testWithData(
  name: string,
  body: (test: Test, folder: string) => void | Promise<void>,
  { parent = t, folder = dataFolder() ?? null }: { parent?: Pick<Test, 'test'>; folder?: string | null } = {},
): void {
  if (folder === null) void parent.test(name, { skip: no_data_reason }, () => {});
  else void parent.test(name, async (test) => body(test, folder));
}
