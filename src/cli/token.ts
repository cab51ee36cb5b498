/** `depthcast token new|list|revoke`. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { type Entitlements, parseEntitlements } from '../gateway/access/entitlements.js';
import { type ListedToken, listTokens, newToken, revokeToken } from '../gateway/access/token_admin.js';
import type { CommandEnd } from './command.js';
import { messageOf, say, UsageError } from './failure.js';
import { readOptions } from './options.js';
import { Output } from './output.js';
import { tokenListCommandOptions, tokenNewCommandOptions, tokenRevokeCommandOptions } from './token_options.js';

const flush_ms_max = 60_000;
const day_ms = 86_400_000;

type Given = Record<string, unknown>;
type NewOptions = z.output<typeof tokenNewCommandOptions>;

async function print(lines: readonly string[]): Promise<void> {
  const output = new Output();
  output.write(lines.map((line) => `${line}\n`).join(''));
  await output.flush(flush_ms_max);
}

function fromFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`--entitlements: ${messageOf(error)}`);
  }
}

function fromFlags({ channels, instruments, modes, depthLevelsMax, connectionsMax, metrics }: NewOptions): unknown {
  const all = channels.includes('*');
  return {
    grants: [
      {
        channels: all ? '*' : channels.map((number) => (/^\d+$/.test(number) ? Number(number) : number)),
        instruments,
        modes,
        depthLevelsMax: depthLevelsMax === 0 ? null : depthLevelsMax,
      },
    ],
    connectionsMax: connectionsMax === 0 ? null : connectionsMax,
    metrics,
  };
}

function entitlementsOf(options: NewOptions, given: Given): Entitlements {
  const { entitlements: file } = options;
  const flags = ['channels', 'instruments', 'modes', 'depthLevelsMax', 'connectionsMax', 'metrics'];
  if (file !== '' && flags.some((flag) => given[flag] !== undefined))
    throw new UsageError('--entitlements says everything: no flag about entitlements beside it');
  const parsed = parseEntitlements(file === '' ? fromFlags(options) : fromFile(file));
  if ('fault' in parsed) throw new UsageError(`entitlements: ${parsed.fault}`);
  return parsed.value;
}

/** The token goes to standard output, alone; everything for people to standard error. */
export async function make(given: Given): Promise<CommandEnd> {
  const options = readOptions(tokenNewCommandOptions, given);
  const { file, name, expiresDays } = options;
  const entitlements = entitlementsOf(options, given);
  const now_ms = Date.now();
  const expires_ms = expiresDays === 0 ? undefined : now_ms + expiresDays * day_ms;
  const { id, text } = newToken(file, { name, expires_ms, entitlements }, now_ms);
  await print([text]);
  say(`token ${id} for ${JSON.stringify(name)}: keep it now, it is not shown again; only its hash is in ${file}`);
  return { exitCode: 0, reason: 'done', detail: id };
}

function listLine({ id, state, name, expires, entitlements }: ListedToken): string {
  const until = state === 'valid' ? `until ${expires?.slice(0, 10) ?? 'revoked'}` : '';
  const grants = entitlements.grants.map(({ channels, instruments, modes, depthLevelsMax }) => {
    const shown = instruments.length > 3 ? `${instruments.length} instruments` : instruments.join(',');
    const depth = depthLevelsMax === null ? '' : ` ${depthLevelsMax} levels`;
    return `${modes.join(',')} of ${shown} on ${channels === '*' ? '*' : channels.join(',')}${depth}`;
  });
  return [id, state.padEnd(7), until.padEnd(16), name, grants.join('; ')].join('  ');
}

export async function list(given: Given): Promise<CommandEnd> {
  const { file, json } = readOptions(tokenListCommandOptions, given);
  const tokens = listTokens(file, Date.now());
  await print(json ? [JSON.stringify({ file, tokens })] : tokens.map(listLine));
  if (!json && tokens.length === 0) say(`${file}: no tokens`);
  return { exitCode: 0, reason: 'done', detail: file };
}

export async function revoke(id: string, given: Given): Promise<CommandEnd> {
  const { file } = readOptions(tokenRevokeCommandOptions, given);
  const { id: revoked, changed } = revokeToken(file, id, Date.now());
  say(changed ? `${file}: token ${revoked} revoked` : `${file}: token ${revoked} had been revoked before`);
  return { exitCode: 0, reason: 'done', detail: revoked };
}
