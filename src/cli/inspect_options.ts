/** Options of `depthcast inspect`. Loads no addon. */
import { z } from 'zod';
import { serveOptions } from '../config.js';

export const inspectCommandOptions = z.strictObject({
  json: z.boolean().default(false).describe('one JSON object instead of a table'),
  unpackBytesMax: serveOptions.shape.unpackBytesMax,
});

export const inspect_examples = `
Examples:
  depthcast inspect day.itch50.gz
  depthcast inspect --json day.itch50 | jq .types

Exit code: 0 for a whole file, 1 where it breaks (what came before is counted) or cannot be read, 2 for wrong options.`;
