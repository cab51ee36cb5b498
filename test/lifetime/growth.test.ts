/** 1,000 publishers and subscribers opened, run and closed: what the process holds stays what it was. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Holdings } from './growth_child.js';

const cycles = 1_000;
const ms_max = 90_000;
/** 10 KiB for each cycle after the first fifth, while one feed holds some MiB. */
const growth_bytes_max = 8 << 20;

t.test('thousandOpenCloseCyclesDoNotGrow', async (t) => {
  const child = fork(fileURLToPath(new URL('./growth_child.ts', import.meta.url)), [String(cycles)], {
    execArgv: [...process.execArgv, '--expose-gc'],
    // With one arena, resident memory is what is held, not what glibc keeps for threads that are gone.
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms_max);
  const samples: Holdings[] = [];
  child.on('message', (sample) => samples.push(sample as Holdings));
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  t.strictSame([code, signal], [0, null], 'it ended by itself');
  for (const sample of samples) t.comment(JSON.stringify(sample));
  t.equal(samples.length, 5);
  const [first, last] = [samples[0] as Holdings, samples[4] as Holdings];
  t.equal(last.cycles, cycles);
  t.strictSame(
    samples.map(({ threads }) => threads),
    [0, 0, 0, 0, 0],
    'no thread is left',
  );
  t.strictSame(
    samples.map(({ descriptors }) => descriptors),
    Array(5).fill(first.descriptors),
    'descriptors stay as many',
  );
  for (const what of ['rss', 'heap', 'external'] as const) {
    const grown = last[what] - first[what];
    t.ok(grown < growth_bytes_max, `${what} grew by ${Math.round(grown / 1_024)} KiB from cycle ${first.cycles} on`);
  }
});
