import type { Figures } from './native_program.js';

/** A table for people, or one JSON object on one line. */
export function printResult(result: Figures, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  const width = Math.max(...Object.keys(result).map((key) => key.length));
  for (const [key, value] of Object.entries(result)) console.log(`${key.padEnd(width)}  ${value}`);
}
