/** A channel of its own for each test that sends packets: loopback, TTL 0, groups and ports that no other test uses. */
import type { ServeOptionsInput, SubscribeOptionsInput } from '../src/config.js';

interface Line {
  group: string;
  port: number;
}

/** `number`: 0 to 99, another one in each test file and, where channels live at the same time, in each test. */
export function channelLines(number: number): { lineA: Line; lineB: Line } {
  return {
    lineA: { group: `239.192.40.${number}`, port: 27_000 + 2 * number },
    lineB: { group: `239.192.41.${number}`, port: 27_001 + 2 * number },
  };
}

/** Small books and buffers, so that many fit into a test run; a free port for the control service. */
export const limits = { orders: 65_536, instruments: 1_024 };

export function serveOn(number: number, more: ServeOptionsInput = {}): ServeOptionsInput {
  return { ...channelLines(number), control: 'http://127.0.0.1:0', limits, ...more };
}

export function subscribeOn(
  number: number,
  control: string | null,
  more: SubscribeOptionsInput = {},
): SubscribeOptionsInput {
  return { ...channelLines(number), control, limits, receiveBufferBytes: '8MiB', ...more };
}

/** Resolves when `condition` holds; rejects after `ms`. */
export async function until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
  for (const begin = Date.now(); !condition(); ) {
    if (Date.now() - begin > ms) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
