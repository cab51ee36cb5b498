/** A real ITCH file with everything that is known to be right about it, and what a subscriber made of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replayItch } from '../reference/book.js';
import { compareWithExpected, type Dump, type Expected, itch_price_exponent, undecimal } from '../reference/dump.js';
import type { ItchMessage } from '../reference/itch_reader.js';

/** The dump document as far as these tests read it. */
export interface FeedDump extends Dump {
  session: string;
  sequence: string;
  digest: string;
  counters: Record<string, number | string>;
  missing: [first: string, last: string][];
}

export interface ItchCase {
  file: string;
  expected: Expected;
  /** State after so many messages of the file. */
  checkpoints: (Expected & { after_messages: number })[];
  /** Rows of expected_bbo.csv. */
  bbo: string[];
  messages: Map<number, ItchMessage>;
  /** Stock locate of each symbol. */
  locates: Map<string, number>;
}

export function readItchCase(folder: string, name: string): ItchCase {
  const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const messages = new Map<number, ItchMessage>();
  const file = join(folder, name);
  const { books } = replayItch(readFileSync(file), (message, number) => messages.set(number, message));
  return {
    file,
    expected: json('expected.json'),
    checkpoints: existsSync(join(folder, 'checkpoints.json')) ? json('checkpoints.json') : [],
    bbo: readFileSync(join(folder, 'expected_bbo.csv'), 'utf8').trimEnd().split(/\r?\n/).slice(1),
    messages,
    locates: new Map(books.all().map(({ symbol, locate }) => [symbol, locate])),
  };
}

/** A line of `subscribe --view json`, as far as these tests read it. */
interface UpdateLine {
  overrun?: number;
  position: number;
  time: string;
  symbol: string;
  kind: string;
  bid: [price: string, quantity: string] | null;
  ask: [price: string, quantity: string] | null;
  flags: string[];
}

const book_kinds = new Set(['add', 'modify', 'delete_order', 'execute']);

/** Rows as in expected_bbo.csv: the best prices at the end of each event that changed orders. */
export function bboRowsOf(lines: string, { messages, locates }: ItchCase): string[] {
  const best = (level: UpdateLine['bid']) =>
    level === null ? ['', ''] : [undecimal(level[0], itch_price_exponent), undecimal(level[1], 0)];
  const rows: string[] = [];
  for (const line of lines.trimEnd().split('\n')) {
    const update = JSON.parse(line) as UpdateLine;
    if (update.overrun !== undefined) rows.push(line);
    if (!book_kinds.has(update.kind) || !update.flags.includes('end_of_event')) continue;
    const { position, time, symbol } = update;
    const type = messages.get(position)?.type;
    rows.push([position - 1, type, time, locates.get(symbol), ...best(update.bid), ...best(update.ask)].join());
  }
  return rows;
}

/** The first differences between two lists of lines, one readable line each. */
export function lineDifferences(actual: readonly string[], expected: readonly string[], limit = 5): string[] {
  const found: string[] = [];
  if (actual.length !== expected.length) found.push(`${actual.length} rows, expected ${expected.length}`);
  for (let index = 0; index < Math.max(actual.length, expected.length) && found.length < limit; index++)
    if (actual[index] !== expected[index])
      found.push(`row ${index + 1} is ${actual[index]}, expected ${expected[index]}`);
  return found;
}

/**
 * Everything in which a subscriber's work differs from what is expected: `dumps` by source position, the last one under
 * "end"; `lines` is what it printed.
 */
export function caseDifferences(itch: ItchCase, dumps: ReadonlyMap<string, FeedDump>, lines: string): string[] {
  const found: string[] = [];
  const compare = (where: string, expected: Expected) => {
    const dump = dumps.get(where);
    const differences = dump === undefined ? ['there is no dump'] : compareWithExpected(dump, expected);
    found.push(...differences.map((text) => `${where}: ${text}`));
  };
  for (const checkpoint of itch.checkpoints) compare(String(checkpoint.after_messages), checkpoint);
  compare('end', itch.expected);
  found.push(...lineDifferences(bboRowsOf(lines, itch), itch.bbo).map((text) => `best prices: ${text}`));
  return found;
}
