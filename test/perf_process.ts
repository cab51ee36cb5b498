/** Runs the perf programs; for their own tests. */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBuilt, locked, root } from './cli_process.js';

const program = join(root, 'build', 'perf', 'perf', 'main.js');
let built: Promise<void> | undefined;

async function build(): Promise<void> {
  await ensureBuilt();
  await locked(() => {
    const { status, stderr, stdout } = spawnSync('npm', ['run', '--silent', 'build:perf'], { cwd: root });
    if (status !== 0) throw new Error(`build:perf: ${stdout}${stderr}`);
  });
}

/** What it prints with --json. Built once in each test file. */
export async function perf(name: string, ...parameters: string[]): Promise<Record<string, unknown>> {
  built ??= build();
  await built;
  const { stdout } = await promisify(execFile)(process.execPath, [program, name, '--json', ...parameters], {
    cwd: root,
  });
  return JSON.parse(stdout.trim()) as Record<string, unknown>;
}
