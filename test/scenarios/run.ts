/** Seeded scenarios as tests. Twelve seeds in a row have every theme; all of them: npm run scenarios -- --count 200. */
import { makePlan } from '../../src/chaos/plan.js';
import { reportLines } from '../../src/chaos/report.js';
import { runScenario } from '../../src/chaos/scenario.js';
import { ensureBuilt } from '../cli_process.js';
import type { Test } from '../data.js';
import { seedsOf } from '../faults/random.js';

const limits = { seconds: 3, rate: 12_000 };

export function scenarioTests(t: Test, first: number, count: number): void {
  t.before(ensureBuilt);
  for (const seed of seedsOf(...Array.from({ length: count }, (_, index) => first + index))) {
    const plan = makePlan(seed, limits);
    t.test(`seed ${seed}: ${plan.themes.join(', ')}`, { timeout: 300_000 }, async (t) => {
      const command = `npx depthcast chaos --seed ${seed} --seconds ${limits.seconds} --rate ${limits.rate}`;
      const report = await runScenario({ plan, command });
      for (const line of reportLines(report)) t.comment(line);
      t.same(report.problems, [], report.command);
      t.match(report.delivery, { appliedTwice: 0, skipped: 0, different: 0 });
      t.ok(report.lines.A.messagesLost + report.lines.B.messagesLost > 0, 'losses have happened');
      t.equal(report.client.digest, report.publisher.digest);
    });
  }
}
