/** Symbols as definitions hold them: 16 bytes of ASCII, filled up with zeros, as two little-endian words. */

/** Throws RangeError. */
export function parseSymbol(symbol: string): [bigint, bigint] {
  if (!/^[!-~]{1,16}$/.test(symbol))
    throw new RangeError(`symbol is ${JSON.stringify(symbol)}, expected 1 to 16 printable ASCII characters, no spaces`);
  const bytes = Buffer.alloc(16);
  bytes.write(symbol, 'latin1');
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)];
}
