/**
 * Multicast lines of the tests in acceptance/, faults/ and lifetime/: each file takes numbers of its own, so that files
 * may run at the same time. All of it stays on loopback.
 */
import type { LinePair } from '../../src/faults/relay.js';

export { type LineName, line_names } from '../../src/faults/profile.js';
export type { LinePair } from '../../src/faults/relay.js';
export type { LineAddress } from '../../src/faults/sockets.js';

/** `number`: 0 to 255, another one in each file. acceptance/ 0 to 49, faults/ 50 to 99, lifetime/ 100 to 149, the others 150 to 255. */
export function linePair(number: number): LinePair {
  return {
    A: { group: `239.192.60.${number}`, port: 28_000 + 2 * number },
    B: { group: `239.192.61.${number}`, port: 28_001 + 2 * number },
  };
}

/** The lines as flags of `serve` and `subscribe`. */
export function lineFlags({ A, B }: LinePair): string[] {
  return [
    `--line-a-group=${A.group}`,
    `--line-a-port=${A.port}`,
    `--line-b-group=${B.group}`,
    `--line-b-port=${B.port}`,
  ];
}

/** The control service that goes with the lines. */
export function controlUrl(number: number): string {
  return `http://127.0.0.1:${28_600 + number}`;
}
