/**
 * The digest of books and the hash of windows: docs/protocol.md, "Digest", and docs/gateway.md, "DepthFrame".
 * Results stand in `high` and `low` of int64.ts.
 */
import { add, high, low, multiply } from './int64.js';

/** Finalizer of MurmurHash3. */
export function mix64(word_high: number, word_low: number): void {
  // x >> 33 has no upper half, and of the lower one the upper half's bits.
  multiply(word_high, word_low ^ (word_high >>> 1), 0xff51_afd7, 0xed55_8ccd);
  multiply(high, low ^ (high >>> 1), 0xc4ce_b9fe, 0x1a85_ec53);
  // The last shift, without a function of its own.
  add(high, low ^ (high >>> 1), 0, 0);
}

/** The part of an order's term that a change of quantity leaves alone. */
export function orderIdentity(
  instrument: number,
  side: number,
  price_high: number,
  price_low: number,
  id_high: number,
  id_low: number,
): void {
  multiply(instrument >>> 30, (instrument << 2) | side, 0x6a09_e667, 0xf3bc_c909);
  const place_high = high;
  const place_low = low;
  multiply(price_high, price_low, 0xbb67_ae85, 0x84ca_a73b);
  add(high, low, place_high, place_low);
  const sum_high = high;
  const sum_low = low;
  multiply(id_high, id_low, 0x3c6e_f372, 0xfe94_f82b);
  add(high, low, sum_high, sum_low);
  mix64(high, low);
}

export function orderTerm(
  identity_high: number,
  identity_low: number,
  quantity_high: number,
  quantity_low: number,
  priority_high: number,
  priority_low: number,
): void {
  multiply(quantity_high, quantity_low, 0xa54f_f53a, 0x5f1d_36f1);
  add(high, low, identity_high, identity_low);
  const sum_high = high;
  const sum_low = low;
  multiply(priority_high, priority_low, 0x510e_527f, 0xade6_82d1);
  add(high, low, sum_high, sum_low);
  mix64(high, low);
}

/** 0 where the status is unknown. */
export function statusTerm(instrument: number, status: number): void {
  if (status === 0) {
    add(0, 0, 0, 0);
    return;
  }
  multiply(0, instrument, 0x9b05_688c, 0x2b3e_6c1f);
  const place_high = high;
  const place_low = low;
  multiply(0, status, 0x1f83_d9ab, 0xfb41_bd6b);
  add(high, low, place_high, place_low);
  mix64(high, low);
}
