/** `npm run perf -- NAME [--json] [--option value]…`: runs one perf program. Without a name, lists them. */
import { conditions } from './conditions.js';
import { joinRuns, native_programs, runNative } from './native_program.js';
import { printResult } from './print_result.js';

/** Programs in TypeScript: each a module perf/NAME.ts with run(parameters, json). */
const typescript_programs = [
  'fanout',
  'gateway_clients',
  'feed_throughput',
  'js_delivery',
  'js_reads',
  'late_join',
  'page_frames',
  'peers',
  'profiles',
  'publisher_sdk',
  'recovery_storm',
  'repair_time',
  'scaling',
  'simulated_mix',
];

interface Program {
  run(parameters: string[], json: boolean): Promise<void>;
}

async function main(): Promise<void> {
  const [name, ...rest] = process.argv.slice(2);
  const json = rest.includes('--json');
  const parameters = rest.filter((parameter) => parameter !== '--json');
  if (name !== undefined && native_programs.includes(name)) {
    const around = { ...conditions() };
    printResult({ ...joinRuns(name, runNative(name, parameters)), ...around }, json);
  } else if (name !== undefined && typescript_programs.includes(name)) {
    const program = (await import(`./${name}.js`)) as Program;
    await program.run(parameters, json);
  } else {
    console.error(
      `perf: expected one of ${[...native_programs, ...typescript_programs].join(', ')}; docs/performance.md`,
    );
    process.exitCode = 2;
  }
}

main().catch((error: unknown) => {
  console.error(`perf: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
