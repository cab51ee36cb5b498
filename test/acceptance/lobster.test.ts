/**
 * LOBSTER's AAPL sample, converted to ITCH by the adapter of the tests, through a real publisher and a real subscriber:
 * the book after each message must be the sample's row, but for the level that a replay cannot know (see
 * test/reference/lobster.ts), and in full when settled.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BookExport, Distributor, FeedClient } from '../../src/index.js';
import { testWithData } from '../data.js';
import { linePair } from '../faults/lines.js';
import type { Side } from '../reference/itch_reader.js';
import { compareLobsterRow, type LobsterLevel, lobsterToItch, readLobsterSample } from '../reference/lobster.js';

const { A: lineA, B: lineB } = linePair(4);
const limits = { orders: 4_096, instruments: 16 };
const window_levels = 10;

function levelsOf(books: BookExport): Record<Side, LobsterLevel[]> {
  const side = (name: 'bid' | 'ask') =>
    books
      .levels('AAPL', name, window_levels)
      .map(({ price, quantity }): LobsterLevel => [Number(price), Number(quantity)]);
  return { B: side('bid'), S: side('ask') };
}

testWithData('lobsterRowsAreWhatASubscriberHasAfterEachMessage', async (t, data) => {
  const sample = readLobsterSample(join(data, 'lobster-aapl-2012-06-21'));
  const { itch, message_after_row, settled_after_row } = lobsterToItch(sample);
  const file = join(t.testdir({}), 'aapl.itch50');
  writeFileSync(file, itch);
  const positions = [...new Set([...message_after_row, ...settled_after_row])].sort((a, b) => a - b);

  const client = new FeedClient({ lineA, lineB, control: null, limits, exportPositions: positions });
  const server = new Distributor({ lineA, lineB, control: null, limits, source: `itch:${file}` });
  t.teardown(() => Promise.all([client.close(), server.close()]));
  const books = new Map<number, Record<Side, LobsterLevel[]>>();
  client.on('export', (exported) => books.set(Number(exported.position), levelsOf(exported)));
  await client.start();
  await server.start();
  const end = await client.ended;
  // Exports come before the end of the session that they belong to.
  t.equal(books.size, positions.length, 'every position was exported');
  t.equal(end?.position, BigInt(positions.at(-1) as number));
  t.strictSame(client.missing(), []);
  t.equal(client.stats().digestMismatches, 0);

  const differences = (numbers: readonly number[]) =>
    numbers.map((number, k) => compareLobsterRow(sample, k, books.get(number) ?? { B: [], S: [] }, window_levels));
  const after_message = differences(message_after_row);
  const equal = after_message.filter((found) => found.length === 0).length;
  const at_edge = after_message.filter(
    (found) => found.length === 1 && found.every(({ edge, position }) => edge && position === window_levels),
  ).length;
  t.strictSame([equal, at_edge, sample.rows.length], [985, 14, 999], 'rows equal in full, but for the edge, in all');
  t.strictSame(differences(settled_after_row).flat(), [], 'every row is equal in full when settled');
});
