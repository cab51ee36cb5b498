/** Processes that end while their feed runs: no crash, no hang, and no shared memory left behind. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from '../data.js';

const child_file = fileURLToPath(new URL('./exit_child.ts', import.meta.url));
const ms_max = 30_000;

interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The ring's file was there, private, while it ran; and after it had ended. */
  ring: { mode: number; left: boolean };
  stderr: string;
}

async function endedBy(t: Test, how: string, flags: string[] = []): Promise<ChildEnd> {
  const ring = join(t.testdir({}), 'ring');
  const execArgv = [...process.execArgv, ...flags];
  const child = fork(child_file, [how, ring], { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  // Nothing that this process does keeps it running.
  child.channel?.unref();
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  let mode = 0;
  child.stdout?.once('data', () => {
    if (existsSync(ring)) mode = statSync(ring).mode & 0o777;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms_max);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, ring: { mode, left: existsSync(ring) }, stderr };
}

for (const [name, how, code, flags] of [
  ['exitWhileSendingEndsWellAndRemovesTheRing', 'exit', 0, []],
  ['exitFromTheEventLoopEndsWellAndRemovesTheRing', 'exitInCallback', 0, []],
  ['uncaughtErrorWhileSendingRemovesTheRing', 'throw', 1, []],
  ['processEndsByItselfOnceAllIsClosed', 'close', 0, []],
  ['feedThatNobodyHoldsRunsOnUntilTheProcessExits', 'forget', 0, ['--expose-gc']],
] as const)
  t.test(name, async (t) => {
    const end = await endedBy(t, how, [...flags]);
    t.strictSame([end.code, end.signal], [code, null], end.stderr);
    t.equal(end.ring.left, false, 'no shared memory is left');
    // The others may be gone before anybody looks.
    if (how === 'forget') t.equal(end.ring.mode, 0o600, 'while it ran, only its owner could open it');
    if (how === 'throw') t.match(end.stderr, /on purpose/);
    else t.equal(end.stderr, '');
  });
