/** docs/protocol.md, "Digest", in BigInt: written from that page alone, to hold other implementations against. */
export const mask = (1n << 64n) - 1n;

export function mix64(value: bigint): bigint {
  let x = value & mask;
  x ^= x >> 33n;
  x = (x * 0xff51afd7ed558ccdn) & mask;
  x ^= x >> 33n;
  x = (x * 0xc4ceb9fe1a85ec53n) & mask;
  return x ^ (x >> 33n);
}
