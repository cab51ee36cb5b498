/** How flags, a configuration file and the schema come together, without a process. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import type { z } from 'zod';
import { messageOf, oneLine } from '../src/cli/failure.js';
import { addFlags, chooseLines, type FlagRules, flagName, readOptions, toFlags } from '../src/cli/options.js';
import { serve_rules, serveCommandOptions } from '../src/cli/serve_options.js';
import { simulate_rules, simulateCommandOptions } from '../src/cli/simulate_options.js';
import { start_rules, startCommandOptions } from '../src/cli/start_options.js';
import { checkSubscribe, subscribe_rules, subscribeCommandOptions } from '../src/cli/subscribe_options.js';
import { optionFields } from '../src/config.js';
import type { Test } from './data.js';

function commandOf(schema: z.ZodType, rules: FlagRules): Command {
  const command = new Command('test').exitOverride();
  addFlags(command, schema, rules);
  return command;
}

function read<Schema extends z.ZodType>(schema: Schema, rules: FlagRules, parameters: string[]): z.output<Schema> {
  const command = commandOf(schema, rules).parse(parameters, { from: 'user' });
  return readOptions(schema, command.opts(), rules, chooseLines);
}

const serve = (...parameters: string[]) => read(serveCommandOptions, serve_rules, parameters);
const subscribe = (...parameters: string[]) => read(subscribeCommandOptions, subscribe_rules, parameters);

function fileWith(t: Test, value: unknown): string {
  const file = join(t.testdir({}), 'config.json');
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
}

t.test('everyOptionHasAFlagWithItsTextAndDefault', async (t) => {
  const declared: [string, z.ZodType, FlagRules][] = [
    ['serve', serveCommandOptions, serve_rules],
    ['subscribe', subscribeCommandOptions, subscribe_rules],
    ['simulate', simulateCommandOptions, simulate_rules],
    ['start', startCommandOptions, start_rules],
  ];
  for (const [name, schema, rules] of declared) {
    const help = oneLine(commandOf(schema, rules).helpInformation());
    for (const { path, description } of optionFields(schema)) {
      if (rules.omit?.includes(path.join('.'))) continue;
      t.match(help, new RegExp(`--(no-)?${flagName(path)}\\b`), `${name}: ${path.join('.')}`);
      t.ok(description !== '' && help.includes(oneLine(description)), `${name}: text of ${path.join('.')}`);
    }
  }
  const help = oneLine(commandOf(serveCommandOptions, serve_rules).helpInformation());
  t.match(help, '(default: 239.192.26.1)');
  t.match(help, '(default: 64MiB)');
  t.match(help, '--no-loop turn off: ');
  t.notMatch(help, / --loop /, 'the form that changes nothing is not shown');
});

t.test('defaultsAreTheSchemas', async (t) => {
  const options = serve();
  t.equal(options.channel, 1);
  t.strictSame(options.lineA, { group: '239.192.26.1', port: 26_401, datagramBytes: 1_400 });
  t.equal(options.loop, true);
  t.equal(options.control, 'http://127.0.0.1:26400');
  t.equal(subscribe().view, 'json');
});

t.test('flagsWinOverTheFile', async (t) => {
  const options = serve(
    '--config',
    fileWith(t, { channel: 7, loop: false, control: null, lineA: { port: 30_001 }, limits: { orders: 10 } }),
    '--channel',
    '8',
    '--loop',
    '--line-a-group',
    '239.1.1.1',
    '--limits-depth-levels=3',
    '--control=http://127.0.0.1:0',
  );
  t.equal(options.channel, 8);
  t.equal(options.loop, true);
  t.equal(options.control, 'http://127.0.0.1:0');
  t.match(options.lineA, { group: '239.1.1.1', port: 30_001 });
  t.match(options.limits, { orders: 10, depthLevels: 3 });
  t.throws(() => serve('--config', fileWith(t, { sources: [] })), { message: /sources is not an option/ });
});

t.test('nullsListsAndNegativeNumbersCanBeSaid', async (t) => {
  t.equal(serve('--no-control').control, null);
  t.equal(serve('--core', '-1').core, -1);
  t.equal(serve('--no-segmentation').segmentation, false);
  t.strictSame(subscribe('--sources', '10.0.0.1, 10.0.0.2').sources, ['10.0.0.1', '10.0.0.2']);
  t.strictSame(subscribe('--dump=x', '--dump-at', '5,10').dumpAt, [5n, 10n]);
  t.equal(subscribe('--session', '18446744073709551615').session, 18_446_744_073_709_551_615n);
});

t.test('linesChooseAmongLineAAndLineB', async (t) => {
  t.equal(subscribe('--lines', 'A').lineB, null);
  t.equal(subscribe('--lines', 'B').lineA, null);
  const { lineA, lineB } = subscribe('--lines', 'AB', '--config', fileWith(t, { lineA: null }));
  t.ok(lineA !== null && lineB !== null, 'the flag wins over null in the file');
  t.throws(() => subscribe('--lines', 'B', '--config', fileWith(t, { lineB: { port: 0 } })), {
    message: /config\.json: lineB\.port is 0, expected a whole number from 1/,
  });
});

t.test('complaintsNameTheFlagOrTheFile', async (t) => {
  t.throws(() => serve('--line-a-port', 'x', '--rate', 'y'), {
    name: 'ConfigError',
    message: /^--line-a-port is "x", expected .*; --rate is "y", expected /,
  });
  t.throws(() => serve('--config', fileWith(t, { lineA: { prt: 1 } })), {
    name: 'ConfigError',
    message: /config\.json: lineA\.prt is not an option, the nearest known one is lineA\.port$/,
  });
  t.throws(() => serve('--channel=-1', '--config', fileWith(t, { rate: 5 })), { message: /^--channel is "-1"/ });
  t.throws(() => read(simulateCommandOptions, simulate_rules, []), {
    message: '--out is missing, expected the name of a file',
  });
});

t.test('configurationFilesThatCannotBeReadAreWrongUsage', async (t) => {
  for (const [value, message] of [
    ['{"channel": 1', /config\.json is not JSON: /],
    ['[]', /config\.json: expected an object with options/],
    ['null', /config\.json: expected an object with options/],
    ['{"delivery": {"updates": true}}', /config\.json: delivery\.updates is for the library/],
    ['{"__proto__": {"channel": 2}}', /__proto__ is not an option/],
  ] as const)
    t.throws(() => subscribe('--config', fileWith(t, value)), { message });
  t.throws(() => subscribe('--config', t.testdir({})), { name: 'UsageError', message: /^--config: EISDIR/ });
  t.throws(() => subscribe('--config', '/nonexistent.json'), { name: 'UsageError', message: /^--config: ENOENT/ });
});

t.test('dumpOptionsBelongTogether', async (t) => {
  const check = (...parameters: string[]) => checkSubscribe(subscribe(...parameters));
  t.throws(() => check('--dump-at=5'), { message: /--dump-at needs --dump/ });
  t.throws(() => check('--l3'), { message: /--l3 needs --dump/ });
  t.throws(() => check('--view=ladder', '--symbol=A,B'), { message: /expected one symbol for a ladder/ });
  t.doesNotThrow(() => check('--dump=x', '--l3', '--dump-at=5', '--symbol=A,B'));
});

t.test('flagsSayOptionsAgain', async (t) => {
  const options = serve('--no-control', '--no-loop', '--lines=A', '--rate=5', '--session=77', '--simulate-seed=9');
  const { lines: _, ...rest } = options;
  t.strictSame(serve(...toFlags({ ...rest, lines: 'A' })), { ...options, lines: 'A' });
});

t.test('messagesAreOneLine', async (t) => {
  t.equal(messageOf(new Error('a\n  b\x1b[1mc', { cause: new Error('d\ne') })), 'a b [1mc: d e');
  t.equal(messageOf(new Error('')), 'Error');
  t.equal(messageOf('plain\n'), 'plain');
});
