/** CRC-32C (Castagnoli), four bytes at a time. */

const tables = makeTables();

function makeTables(): Uint32Array {
  const made = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0x82f6_3b78 : 0);
    made[byte] = value;
  }
  for (let index = 256; index < 4 * 256; index++) {
    const before = made[index - 256] as number;
    made[index] = (before >>> 8) ^ (made[before & 0xff] as number);
  }
  return made;
}

/** Goes on from the `crc` of what stands before `bytes`; 0 at the beginning. Bytes from `first` to before `end`. */
export function crc32c(crc: number, bytes: Uint8Array, first = 0, end = bytes.length): number {
  let value = ~crc;
  let at = first;
  for (; at + 4 <= end; at += 4) {
    value ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    value =
      (tables[768 + (value & 0xff)] as number) ^
      (tables[512 + ((value >>> 8) & 0xff)] as number) ^
      (tables[256 + ((value >>> 16) & 0xff)] as number) ^
      (tables[value >>> 24] as number);
  }
  for (; at < end; at++) value = (value >>> 8) ^ (tables[(value ^ (bytes[at] as number)) & 0xff] as number);
  return ~value >>> 0;
}
