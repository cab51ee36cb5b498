/** `depthcast chaos`: a whole run under faults, or a faulty line between a publisher and a client of one's own. */
import { makePlan } from '../chaos/plan.js';
import { type ChaosReport, reportLines } from '../chaos/report.js';
import { runScenario } from '../chaos/scenario.js';
import { parseProfile, readProfile } from '../faults/profile.js';
import { SeededRandom } from '../faults/random.js';
import { type ChaosCommandOptions, chaos_rules, chaosCommandOptions } from './chaos_options.js';
import type { CommandEnd } from './command.js';
import { exit_failure, messageOf, say, UsageError } from './failure.js';
import { readOptions } from './options.js';
import { Output } from './output.js';
import { dieStopped, listenForStop } from './stopping.js';

const flush_ms_max = 10_000;

function profileOf(options: ChaosCommandOptions) {
  if (options.profile === undefined) return undefined;
  let value: unknown;
  try {
    value = readProfile(options.profile);
  } catch (error) {
    throw new UsageError(`--profile: ${messageOf(error)}`);
  }
  return parseProfile(value, options.profile);
}

/** What repeats this run. */
function commandOf(seed: number, { profile, themes, seconds, rate }: ChaosCommandOptions): string {
  const parts = ['depthcast chaos', `--seed ${seed}`];
  if (profile !== undefined) parts.push(`--profile ${profile}`);
  if (themes.length > 0) parts.push(`--themes ${themes.join(',')}`);
  parts.push(`--seconds ${seconds}`, `--rate ${rate}`);
  return parts.join(' ');
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where it cannot be run. */
export async function chaos(given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(chaosCommandOptions, given, chaos_rules);
  const first = options.seed ?? new SeededRandom(Date.now() & 0x7fff_ffff).between(1, 999_999);
  const profile = profileOf(options);
  if (options.between) {
    const { between } = await import('./chaos_between.js');
    return between({
      ...options,
      seconds: given.seconds === undefined ? 0 : options.seconds,
      seed: first,
      faults: profile,
    });
  }
  const stopping = listenForStop();
  const output = new Output();
  let failed = 0;
  for (let seed = first; seed < first + options.runs; seed++) {
    const { seconds, rate, themes } = options;
    const plan = makePlan(seed, { seconds, rate, themes, ...(profile === undefined ? {} : { profile }) });
    if (!options.json) say(`seed ${seed}: ${plan.themes.join(', ') || 'faults of the profile'}`);
    const run = runScenario({
      plan,
      command: commandOf(seed, options),
      ...(options.json ? {} : { onProgress: say }),
    });
    const report: ChaosReport | undefined = await Promise.race([run, stopping.requested.then(() => undefined)]);
    if (report === undefined) return dieStopped(stopping.reason ?? 'SIGTERM');
    if (!report.ok) failed++;
    output.write(`${options.json ? JSON.stringify(report) : reportLines(report).join('\n')}\n`);
  }
  await output.flush(flush_ms_max);
  if (failed === 0) return { exitCode: 0, reason: 'done', detail: '' };
  if (options.json) say(`${failed} of ${options.runs} failed; the first to repeat: ${commandOf(first, options)}`);
  return { exitCode: exit_failure, reason: 'failed', detail: '' };
}
