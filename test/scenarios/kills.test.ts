/** A share of the kill -9 runs; all of them: npm run scenarios -- --kills 100. */
import t from 'tap';
import { runKills } from '../../src/chaos/kill_run.js';
import { ensureBuilt } from '../cli_process.js';
import { seedsOf } from '../faults/random.js';

t.before(ensureBuilt);

t.test('aKilledPublisherLosesAndRepeatsNoNumber', { timeout: 330_000 }, async (t) => {
  for (const seed of seedsOf(11)) {
    t.comment(`seed ${seed}; again: DEPTHCAST_SEED=${seed} npx tap test/scenarios/kills.test.ts`);
    const report = await runKills({ seed, kills: 10, rate: 30_000, onKill: (text) => t.comment(text) });
    t.same(report.problems, []);
    t.match(report, { sessions: 1, jumps: 0, conflicts: 0, journaled: report.messages });
    t.ok(report.messages > 20_000, `${report.messages} messages`);
  }
});
