/** Options of `depthcast token ...`. Loads no addon. */
import { z } from 'zod';
import { text, wholeNumber } from '../config_values.js';
import { access_modes } from '../gateway/access/entitlements.js';

const file = text('a path', (given) => given !== '').describe('the token file');

export const tokenNewCommandOptions = z.strictObject({
  file,
  name: text('text', (given) => given !== '').describe('who it is for; shown in lists and the audit log'),
  expiresDays: wholeNumber(0, 36_500).default(365).describe('days until it expires; 0: never'),
  channels: z.array(text('text')).default(['*']).describe('channels; * for all'),
  instruments: z.array(text('text')).default(['*']).describe('instruments, or patterns with * and ?'),
  modes: z
    .array(z.enum(access_modes))
    .default(['depth', 'bbo', 'trades'])
    .describe(`modes, of ${access_modes.join(', ')}`),
  depthLevelsMax: wholeNumber(0, 1_000_000).default(0).describe('levels of each side in mode depth; 0: all'),
  connectionsMax: wholeNumber(0, 1_000_000).default(0).describe("connections at the same time; 0: the server's limit"),
  metrics: z.boolean().default(false).describe("the server's figures too, for its operator (GET /metrics)"),
  entitlements: text('a path, or nothing')
    .default('')
    .describe('JSON file with whole entitlements, instead of the six above (docs/access.md)'),
});
export const tokenListCommandOptions = z.strictObject({
  file,
  json: z.boolean().default(false).describe('one JSON object instead of lines for people'),
});
export const tokenRevokeCommandOptions = z.strictObject({ file });

const exit_codes = `
Exit code: 0; 1 where the file cannot be read or written, or has no such token; 2 for wrong options.`;

export const token_examples = `
Examples:
  depthcast token new --file tokens.json --name desk-4
  depthcast token list --file tokens.json
  depthcast token revoke --file tokens.json k3jxw8n2m5ab

The file holds hashes and is readable by its owner only (0600). A server that runs takes changes over at once.
${exit_codes}`;

export const token_new_examples = `
Examples:
  depthcast token new --file tokens.json --name desk-4 --instruments 'ES*,NQ*' --modes depth,bbo --depth-levels-max 10
  depthcast token new --file tokens.json --name mirror --modes exact,filtered --expires-days 30
  TOKEN=$(depthcast token new --file tokens.json --name ci)

The token is the only thing on standard output. It is kept nowhere: who loses it needs another one.
${exit_codes}`;

export const token_list_examples = `
Examples:
  depthcast token list --file tokens.json
  depthcast token list --file tokens.json --json | jq -r '.tokens[] | select(.state == "valid").id'
${exit_codes}`;

export const token_revoke_examples = `
Example:
  depthcast token revoke --file tokens.json k3jxw8n2m5ab
${exit_codes}`;
