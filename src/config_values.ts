/**
 * The kinds of values that options are made of. Each accepts what a JSON file, a flag (always text) and a caller of the
 * library would write, and says what it expected in one phrase that starts with "expected".
 */
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { z } from 'zod';

const byte_units: Record<string, number> = { '': 1, B: 1, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 };

/** A value that `convert` turns into what is wanted, or into undefined where it is not `expected`. */
function value<Input, Output>(expected: string, convert: (given: unknown) => Output | undefined) {
  return z
    .custom<Input>((given) => convert(given) !== undefined, `expected ${expected}`)
    .transform((given) => convert(given) as Output);
}

function toNumber(given: unknown): number | undefined {
  if (typeof given === 'number') return given;
  return typeof given === 'string' && /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : undefined;
}

/** Whole numbers from `min` to `max`, both at most 2^53: a number, or its digits as text. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`;
  return value<number | string, number>(expected, (given) => {
    const number = toNumber(given);
    return number !== undefined && Number.isInteger(number) && number >= min && number <= max ? number : undefined;
  });
}

/** Numbers that need not be whole. */
export function anyNumber(min: number, max: number) {
  return value<number | string, number>(`a number from ${min} to ${max}`, (given) => {
    const number = toNumber(given);
    return number !== undefined && number >= min && number <= max ? number : undefined;
  });
}

function toUnsigned64(given: unknown): bigint | undefined {
  const digits = typeof given === 'string' && /^\d+$/.test(given);
  if (typeof given !== 'bigint' && !digits && !Number.isSafeInteger(given)) return undefined;
  const number = BigInt(given as bigint | string | number);
  return number >= 0n && number < 2n ** 64n ? number : undefined;
}

/** 64-bit unsigned: a bigint, its digits as text, or a number up to 2^53. */
export function unsigned64() {
  return value<bigint | number | string, bigint>('a whole number from 0 to 2^64 - 1', toUnsigned64);
}

/** Ascending 64-bit positions: a list, or text with commas. */
export function positions() {
  return value<readonly (bigint | number | string)[] | string, bigint[]>(
    'ascending whole numbers from 1, each once',
    (given) => {
      const list = typeof given === 'string' ? given.split(',').filter((part) => part !== '') : given;
      if (!Array.isArray(list)) return undefined;
      const numbers = list.map((item) => toUnsigned64(typeof item === 'string' ? item.trim() : item));
      const ascending = numbers.every((number, index) => number !== undefined && number > (numbers[index - 1] ?? 0n));
      return ascending ? (numbers as bigint[]) : undefined;
    },
  );
}

/** Bytes: a number, or text with a unit such as "16MiB" or "4GiB". */
export function byteCount(
  min: number,
  max = Number.MAX_SAFE_INTEGER,
  rule?: (bytes: number) => boolean,
  ruleText = '',
) {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return value<number | string, number>(`bytes ${range}${ruleText}, such as 65536, "64KiB" or "4GiB"`, (given) => {
    const text = String(typeof given === 'number' || typeof given === 'string' ? given : '').trim();
    const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
    const factor = byte_units[(unit ?? '').toUpperCase()];
    if (digits === undefined || factor === undefined) return undefined;
    const bytes = Number(digits) * factor;
    if (!Number.isSafeInteger(bytes) || bytes < min || bytes > max || rule?.(bytes) === false) return undefined;
    return bytes;
  });
}

export function isPowerOfTwo(number: number): boolean {
  return number > 0 && Number.isInteger(Math.log2(number));
}

/** IPv4 address of a group, or of one host. */
export function ipv4Address(what: string) {
  return value<string, string>(what, (given) => (typeof given === 'string' && isIPv4(given) ? given : undefined));
}

/** A local interface by address or by name; its IPv4 address comes out. */
export function interfaceAddress() {
  const named = (name: string) => networkInterfaces()[name]?.find(({ family }) => family === 'IPv4')?.address;
  const names = Object.keys(networkInterfaces()).filter((name) => named(name) !== undefined);
  return value<string, string>(`an IPv4 address, or an interface that has one (${names.join(', ')})`, (given) => {
    if (typeof given !== 'string') return undefined;
    return isIPv4(given) ? given : named(given);
  });
}

/** Text that `rule` accepts. */
export function text(expected: string, rule: (given: string) => boolean = () => true) {
  return value<string, string>(expected, (given) => (typeof given === 'string' && rule(given) ? given : undefined));
}

/** Base URL of an HTTP service, without a path; given back without a slash at its end. */
export function serviceUrl() {
  return value<string, string>('a URL such as "http://127.0.0.1:26400"', (given) => {
    if (typeof given !== 'string' || !/^http:\/\/[^/?#@\s]+:\d+\/?$/.test(given)) return undefined;
    return URL.canParse(given) ? given.replace(/\/$/, '') : undefined;
  });
}

/** A day of the calendar, "YYYY-MM-DD". */
export function day() {
  return text('a day as YYYY-MM-DD', (given) => {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(given)) return false;
    const milliseconds = Date.parse(given);
    // Date.parse rolls some days over the end of their month.
    return !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(given);
  });
}
