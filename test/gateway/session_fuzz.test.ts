/**
 * The gateway's sessions under random clients, logins, sockets, sessions and definitions, held against a model. Runs of
 * one seed: SEED=N npx tap test/gateway/session_fuzz.test.ts; more of them: RUNS=100000.
 */
import t from 'tap';
import { SessionRun } from './fuzz/session_run.js';

const runs = Number(process.env.RUNS ?? 300);
const first = process.env.SEED === undefined ? 1 : Number(process.env.SEED);
const last = process.env.SEED === undefined ? runs : first;

t.test('sessionsKeepTheirPromisesWhateverComes', async (t) => {
  let steps = 0;
  let published = 0;
  for (let seed = first; seed <= last; seed++) {
    const run = new SessionRun(seed);
    try {
      run.run();
    } catch (error) {
      run.faults.push(`it throws: ${(error as Error).stack}`);
    }
    steps += run.log.length;
    published += run.published;
    if (run.faults.length === 0) continue;
    t.fail(`SEED=${seed} npx tap test/gateway/session_fuzz.test.ts`, {
      faults: run.faults.slice(0, 5),
      before: run.log.slice(-20),
    });
    break;
  }
  t.ok(steps > (last - first) * 100, `${steps} steps of ${last - first + 1} runs`);
  t.ok(published > (last - first) * 2, `${published} frames for groups`);
});
