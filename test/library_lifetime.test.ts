/** How the library lives and ends: each case in a process of its own, which must end by itself and in time. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const child = join(import.meta.dirname, 'library_lifetime_child.ts');

interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  errors: string;
}

/** The loaders that run this test run the child too. */
function run(scenario: string, channel: number, ...more: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const parameters = [...process.execArgv, '--expose-gc', child, scenario, String(channel), ...more];
    const started = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
    let [output, errors] = ['', ''];
    started.stdout.on('data', (text) => {
      output += text;
    });
    started.stderr.on('data', (text) => {
      errors += text;
    });
    started.on('error', reject);
    started.on('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
}

const quiet = { code: 0, signal: null, errors: '' };

t.test('endsByItselfWhenAllIsClosed', async (t) => {
  t.match(await run('close', 50), quiet);
});

t.test('exitsInTheMiddleOfSending', async (t) => {
  t.match(await run('exit', 51), quiet);
});

t.test('aGatewaysThreadsEndWithTheirProcess', async (t) => {
  t.match(await run('gatewayClose', 58), quiet);
  t.match(await run('gatewayExit', 59), quiet);
});

t.test('aListenerThatThrowsLosesNothingForTheOthers', async (t) => {
  const outcome = await run('listenerThrows', 52);
  t.match(outcome, quiet);
  t.same(JSON.parse(outcome.output), { all: true, thrown: ['session', 'updates'] });
});

t.test('workersEndByThemselvesOrInTheMiddle', async (t) => {
  const outcome = await run('workers', 53);
  t.match(outcome, quiet);
  t.same(JSON.parse(outcome.output), { codes: [0, 0, 0] });
});

t.test('opensAndClosesAgainAndAgainWithoutGrowth', async (t) => {
  const outcome = await run('cycles', 57, '100');
  t.match(outcome, quiet);
  const { rss, descriptors, threads } = JSON.parse(outcome.output);
  // One feed takes several MiB; what garbage collection leaves varies by some tens of them, whatever the cycles.
  t.ok(rss < 96 * 2 ** 20, `${rss} bytes more`);
  t.ok(descriptors <= 2, `${descriptors} descriptors more`);
  t.ok(threads <= 1, `${threads} threads more`);
});
