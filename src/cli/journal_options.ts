/** Options of `depthcast journal ...`. Loads no addon. */
import { z } from 'zod';
import { journalPruneOptions, journalReadOptions } from '../journal/options.js';

const json = z.boolean().default(false).describe('one JSON object instead of lines for people');

export const journalVerifyCommandOptions = z.strictObject({ json });
export const journalRepairCommandOptions = z.strictObject({
  json,
  keepDamaged: z.boolean().default(true).describe('leave what was damaged beside it, as .damaged'),
});
export const journalLsCommandOptions = z.strictObject({ json });
export const journalCatCommandOptions = journalReadOptions;
export const journalPruneCommandOptions = journalPruneOptions.safeExtend({ json });

const exit_codes = `
Exit code: 0 where it is sound and all was done, 1 for faults (or a folder that cannot be read, or is in use), 2 for wrong
options.`;

export const journal_examples = `
Examples:
  depthcast journal ls state
  depthcast journal verify state
  depthcast journal repair state
  depthcast journal cat state --first 1000 --limit 10
  depthcast journal prune state --retain-bytes 10GiB --dry-run

The folder is a state folder or a folder of segments. ls, cat and verify may run while a distributor writes; repair and
prune refuse a folder that is in use.
${exit_codes}`;

export const journal_verify_examples = `
Examples:
  depthcast journal verify state
  depthcast journal verify state --json | jq .faults

Reads every byte of every segment, index and checkpoint. Holes are what the journal itself says it does not have; they
are no fault.
${exit_codes}`;

export const journal_repair_examples = `
Examples:
  depthcast journal repair state
  depthcast journal repair state --no-keep-damaged

Writes damaged segments anew with every packet that can be read, and holes where none can; makes indexes anew; takes
damaged checkpoints away.
${exit_codes}`;

export const journal_ls_examples = `
Examples:
  depthcast journal ls state
  depthcast journal ls state --json | jq -r '.sessions[].session'
${exit_codes}`;

export const journal_cat_examples = `
Examples:
  depthcast journal cat state --first 1000 --limit 10
  depthcast journal cat state | jq -r 'select(.type == "hole")'

One line of JSON for each record: packets with their numbers, payload and size, holes and damage with their reason. For
the messages themselves: depthcast replay.

Exit code: 0; 1 where damage was among them, or the number or the folder is not there; 2 for wrong options.`;

export const journal_prune_examples = `
Examples:
  depthcast journal prune state --retain-bytes 10GiB --dry-run
  depthcast journal prune state --before 5000000

The newest segment always stays. Without a bound nothing is removed.
${exit_codes}`;
