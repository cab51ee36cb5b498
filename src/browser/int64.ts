/**
 * 64-bit integers as two 32-bit halves: no BigInt object on the path of a message. A function that has a 64-bit result
 * leaves it in `high` and `low`, both unsigned, where it stays until the next call: copy it at once.
 */

export let high = 0;
export let low = 0;

const two_32 = 4_294_967_296;

/** Mod 2^64. */
export function add(a_high: number, a_low: number, b_high: number, b_low: number): void {
  const sum = (a_low >>> 0) + (b_low >>> 0);
  low = sum >>> 0;
  high = (a_high + b_high + (sum >= two_32 ? 1 : 0)) >>> 0;
}

/** Mod 2^64. */
export function subtract(a_high: number, a_low: number, b_high: number, b_low: number): void {
  const difference = (a_low >>> 0) - (b_low >>> 0);
  low = difference >>> 0;
  high = (a_high - b_high - (difference < 0 ? 1 : 0)) >>> 0;
}

/** Mod 2^64. */
export function multiply(a_high: number, a_low: number, b_high: number, b_low: number): void {
  const a0 = a_low & 0xffff;
  const a1 = a_low >>> 16;
  const b0 = b_low & 0xffff;
  const b1 = b_low >>> 16;
  const p00 = Math.imul(a0, b0) >>> 0;
  const p01 = Math.imul(a0, b1) >>> 0;
  const p10 = Math.imul(a1, b0) >>> 0;
  const p11 = Math.imul(a1, b1) >>> 0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carry = p11 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  low = ((middle << 16) | (p00 & 0xffff)) >>> 0;
  high = (carry + Math.imul(a_high, b_low) + Math.imul(a_low, b_high)) >>> 0;
}

/** Negative, zero or positive, as unsigned numbers. */
export function compare(a_high: number, a_low: number, b_high: number, b_low: number): number {
  return (a_high >>> 0) - (b_high >>> 0) || (a_low >>> 0) - (b_low >>> 0);
}

/** The same of two's complement. */
export function compareSigned(a_high: number, a_low: number, b_high: number, b_low: number): number {
  return (a_high | 0) - (b_high | 0) || (a_low >>> 0) - (b_low >>> 0);
}

/** Inexact from 2^53 on. */
export function numberOf(word_high: number, word_low: number): number {
  return (word_high >>> 0) * two_32 + (word_low >>> 0);
}

export function highOf(value: number): number {
  return Math.floor(value / two_32) >>> 0;
}

export function lowOf(value: number): number {
  return value >>> 0;
}

export function bigintOf(word_high: number, word_low: number): bigint {
  return (BigInt(word_high >>> 0) << 32n) | BigInt(word_low >>> 0);
}

export function signedBigintOf(word_high: number, word_low: number): bigint {
  return (BigInt(word_high | 0) << 32n) | BigInt(word_low >>> 0);
}

/** 16 hexadecimal digits. */
export function hexadecimal(word_high: number, word_low: number): string {
  const digits = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
  return digits(word_high) + digits(word_low);
}
