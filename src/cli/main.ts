#!/usr/bin/env node
/** The command line. Each command's code is loaded when it is run, so that --help needs no addon. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { z } from 'zod';
import { chaos_examples, chaos_rules, chaosCommandOptions } from './chaos_options.js';
import { type CommandEnd, exiting } from './command.js';
import { exit_usage, oneLine, report, say } from './failure.js';
import { inspect_examples, inspectCommandOptions } from './inspect_options.js';
import { jitter_examples, jitter_rules, jitterCommandOptions } from './jitter_options.js';
import {
  journal_cat_examples,
  journal_examples,
  journal_ls_examples,
  journal_prune_examples,
  journal_repair_examples,
  journal_verify_examples,
  journalCatCommandOptions,
  journalLsCommandOptions,
  journalPruneCommandOptions,
  journalRepairCommandOptions,
  journalVerifyCommandOptions,
} from './journal_options.js';
import { addFlags, type FlagRules } from './options.js';
import { recovery_examples, recovery_rules, recoveryCommandOptions } from './recovery_options.js';
import { replay_examples, replay_rules, replayCommandOptions } from './replay_options.js';
import { serve_examples, serve_rules, serveCommandOptions } from './serve_options.js';
import { simulate_examples, simulate_rules, simulateCommandOptions } from './simulate_options.js';
import { start_examples, start_rules, startCommandOptions } from './start_options.js';
import { subscribe_examples, subscribe_rules, subscribeCommandOptions } from './subscribe_options.js';
import {
  token_examples,
  token_list_examples,
  token_new_examples,
  token_revoke_examples,
  tokenListCommandOptions,
  tokenNewCommandOptions,
  tokenRevokeCommandOptions,
} from './token_options.js';

type Given = Record<string, unknown>;

interface Declared {
  name: string;
  summary: string;
  schema: z.ZodType;
  rules?: FlagRules;
  examples: string;
}

function declare(program: Command, { name, summary, schema, rules, examples }: Declared): Command {
  const command = program.command(name).description(summary);
  addFlags(command, schema, rules);
  return command.addHelpText('after', examples);
}

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** `depthcast journal ...`: commands of their own name, each on a folder. */
function declareJournal(program: Command): void {
  const group = program
    .command('journal')
    .description('list, print, check, mend and shorten the journal in a folder')
    .addHelpText('after', journal_examples);
  const add = (
    name: 'ls' | 'cat' | 'verify' | 'repair' | 'prune',
    summary: string,
    schema: z.ZodType,
    examples: string,
  ) => {
    declare(group, { name, summary, schema, examples })
      .argument('<folder>', 'a state folder, or a folder of segments')
      .action((folder: string, given: Given, command: Command) =>
        exiting(async (): Promise<CommandEnd> => (await import('./journal.js'))[name](folder, given))(given, command),
      );
  };
  add('ls', 'list sessions, segments and checkpoints', journalLsCommandOptions, journal_ls_examples);
  add('cat', 'print records as lines of JSON', journalCatCommandOptions, journal_cat_examples);
  add('verify', 'check every byte, and say where what is wrong', journalVerifyCommandOptions, journal_verify_examples);
  add('repair', 'mend what verify finds', journalRepairCommandOptions, journal_repair_examples);
  add('prune', 'remove old segments', journalPruneCommandOptions, journal_prune_examples);
}

/** `depthcast token ...`: the API tokens of a token file. */
function declareToken(program: Command): void {
  const group = program
    .command('token')
    .description('make, list and revoke the API tokens that clients log in with')
    .addHelpText('after', token_examples);
  declare(group, {
    name: 'new',
    summary: 'make a token and print it, once',
    schema: tokenNewCommandOptions,
    examples: token_new_examples,
  }).action(exiting(async (given: Given) => (await import('./token.js')).make(given)));
  declare(group, {
    name: 'list',
    summary: 'list the tokens, without their secrets',
    schema: tokenListCommandOptions,
    examples: token_list_examples,
  }).action(exiting(async (given: Given) => (await import('./token.js')).list(given)));
  declare(group, {
    name: 'revoke',
    summary: 'revoke a token: its open sessions end',
    schema: tokenRevokeCommandOptions,
    examples: token_revoke_examples,
  })
    .argument('<id>', 'id of the token, as list shows it')
    .action((id: string, given: Given, command: Command) =>
      exiting(async (): Promise<CommandEnd> => (await import('./token.js')).revoke(id, given))(given, command),
    );
}

/** commander says "error: unknown option '--x'\n(Did you mean --y?)". */
function sayError(text: string): void {
  // What follows a wrong name may be a secret.
  say(oneLine(text.replace(/^error: /, '').replace(/'(--[\w-]+)=[^']*'/, "'$1'")));
}

function makeProgram(): Command {
  const program = new Command('depthcast')
    .description('Distributes exchange order books over UDP multicast, and follows them.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'explain the command and every option')
    .configureOutput({ outputError: sayError })
    .exitOverride()
    .addHelpText('after', '\nEvery option of a command: depthcast COMMAND --help');
  declare(program, {
    name: 'serve',
    summary: 'publish the books of a source on line A and line B',
    schema: serveCommandOptions,
    rules: serve_rules,
    examples: serve_examples,
  }).action(exiting(async (given: Given) => (await import('./serve.js')).serve(given)));
  declare(program, {
    name: 'subscribe',
    summary: 'follow line A and line B or a gateway, build the books, print updates or a view, dump',
    schema: subscribeCommandOptions,
    rules: subscribe_rules,
    examples: subscribe_examples,
  }).action(exiting(async (given: Given) => (await import('./subscribe.js')).subscribe(given)));
  declare(program, {
    name: 'simulate',
    summary: "write the simulated exchange's flow as an ITCH 5.0 file",
    schema: simulateCommandOptions,
    rules: simulate_rules,
    examples: simulate_examples,
  }).action(exiting(async (given: Given) => (await import('./simulate.js')).simulate(given)));
  declare(program, {
    name: 'inspect',
    summary: "count an ITCH 5.0 file's messages, and say where it breaks",
    schema: inspectCommandOptions,
    examples: inspect_examples,
  })
    .argument('<file>', 'ITCH 5.0, also gzip')
    .action((file: string, given: Given, command: Command) =>
      exiting(async (): Promise<CommandEnd> => (await import('./inspect.js')).inspect(file, given))(given, command),
    );
  declare(program, {
    name: 'start',
    summary: 'try it: an exchange, a distributor and a client with a live ladder on this machine',
    schema: startCommandOptions,
    rules: start_rules,
    examples: start_examples,
  }).action(exiting(async (given: Given) => (await import('./start.js')).start(given)));
  declare(program, {
    name: 'replay',
    summary: 'replay a range of a journal or an ITCH file: to lines, JSON, CSV or a new journal',
    schema: replayCommandOptions,
    rules: replay_rules,
    examples: replay_examples,
  })
    .argument('<source>', 'a state folder, a folder with a journal, or an ITCH 5.0 file')
    .action((source: string, given: Given, command: Command) =>
      exiting(async (): Promise<CommandEnd> => (await import('./replay.js')).replay(source, given))(given, command),
    );
  declare(program, {
    name: 'recovery',
    summary: 'the recovery service as a process of its own, on the state folder of a distributor',
    schema: recoveryCommandOptions,
    rules: recovery_rules,
    examples: recovery_examples,
  }).action(exiting(async (given: Given) => (await import('./recovery.js')).recovery(given)));
  declare(program, {
    name: 'chaos',
    summary: 'run publisher, recovery and client under seeded faults and check every message, or put faults on a line',
    schema: chaosCommandOptions,
    rules: chaos_rules,
    examples: chaos_examples,
  }).action(exiting(async (given: Given) => (await import('./chaos.js')).chaos(given)));
  declareJournal(program);
  declareToken(program);
  declare(program, {
    name: 'jitter',
    summary: 'measure latency by stage beside its floor, tell stalls of the machine apart, name the cause of outliers',
    schema: jitterCommandOptions,
    rules: jitter_rules,
    examples: jitter_examples,
  }).action(exiting(async (given: Given) => (await import('./jitter.js')).jitter(given)));
  return program;
}

// A reader that goes away (`| head -1`) is no accident; commands look at it themselves where it matters.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  await makeProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) report(error);
  // Help and version that were asked for are no error.
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : exit_usage;
}
