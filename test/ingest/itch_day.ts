/** ITCH messages for the tests of sources: the simulated exchange's, and some written by hand. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from '../../src/native.js';
import type { Test } from '../data.js';

/** The messages of a length-prefixed file. */
export function messagesOf(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const messages: Buffer[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at);
    messages.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return messages;
}

/** The same messages as a length-prefixed file. */
export function fileOf(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      return [length, message];
    }),
  );
}

export async function simulatedDay(
  t: Test,
  messages: bigint,
  seed = 11n,
): Promise<{ file: string; messages: Buffer[] }> {
  // Not t.testdir(), which empties the folder of a test that has called it before.
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-day-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'day.itch50');
  await addon.simulateToFile(file, { seed, symbols: 8, messages, liveOrders: 400, messageIntervalNs: 50_000 });
  return { file, messages: messagesOf(file) };
}
