/** Options of `depthcast simulate`. Loads no addon. */
import { simulateOptions } from '../config.js';
import { text, unsigned64 } from '../config_values.js';
import type { FlagRules } from './options.js';

const messages_default = 1_000_000n;

export const simulateCommandOptions = simulateOptions.safeExtend({
  out: text('the name of a file', (given) => given !== '').describe('file to write (ITCH 5.0)'),
  // A file has an end.
  messages: unsigned64().default(messages_default).describe('messages in all, at least 1'),
});

export const simulate_rules: FlagRules = { own: { title: 'File:', keys: ['out', 'messages', 'seed'] } };

export const simulate_examples = `
Examples:
  depthcast simulate --out day.itch50 --messages 5000000 --symbols 1000
  depthcast simulate --out tiny.itch50 --messages 1000 --seed 7 && depthcast inspect tiny.itch50

The same options give the same bytes on every machine.
Exit code: 0 when the file is complete, 1 where it cannot be written, 2 for wrong options; a signal ends it as it ends any
program (130 for Ctrl-C). Nothing is left behind then.`;
