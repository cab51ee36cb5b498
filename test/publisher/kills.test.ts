/** The example engine and its distributor are killed in turn: every event is applied once, and no number used twice. */
import t from 'tap';
import { runEngineKills } from '../../src/chaos/engine_run.js';
import { engine, ensureBuilt } from '../cli_process.js';

t.test('killedInTurnOverTcpNothingIsLostOrRepeated', { timeout: 300_000 }, async (t) => {
  await ensureBuilt();
  const onKill = (text: string) => t.comment(text);
  const report = await runEngineKills({ seed: 5, kills: 3, rate: 20_000, program: engine, over: 'tcp', onKill });
  t.same(report.problems, []);
  t.match(report, { engineKills: 3, distributorKills: 3, sessions: 1, conflicts: 0 });
  t.equal(report.sequence, report.engine?.messages);
});
