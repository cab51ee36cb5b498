/** A distributor that is killed as by `kill -9` when it has taken so many messages of its source. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServeOptionsInput } from '../../src/config.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';

/** Resolves to the last position that the process told before it died. */
export async function cutOff(t: Test, options: ServeOptionsInput, number: number, position: bigint): Promise<bigint> {
  const child = fork(fileURLToPath(new URL('./cut_off_child.ts', import.meta.url)), [], {
    execArgv: process.execArgv,
    serialization: 'advanced',
  });
  t.teardown(() => child.kill('SIGKILL'));
  child.send({ options: { lineA: linePair(number).A, ...options }, position });
  let seen = 0n;
  child.on('message', (told) => {
    seen = BigInt(told as string);
    if (seen >= position) child.kill('SIGKILL');
  });
  await once(child, 'exit');
  return seen;
}
