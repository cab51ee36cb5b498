/**
 * Patterns of instrument names, the same in subscriptions and entitlements: `*` stands for any run of characters, none
 * too, `?` for one, `\` before either or itself takes its meaning away. Several stars in a row mean one. No regular
 * expressions and no looking back: one step for each character of a name, whatever the pattern. Pure.
 */

export const pattern_length_max = 64;
/** Nobody needs more. */
const stars_max = 4;

export const pattern_rule =
  `expected 1 to ${pattern_length_max} characters with at most ${stars_max} asterisks, ` +
  'and \\ only before *, ? or \\';

const any_run = 0;
const any_one = 1;
type Part = string | typeof any_run | typeof any_one;

export interface NamePattern {
  /** The one name that it stands for; undefined where it has a star or question mark. */
  readonly exact: string | undefined;
  /** It stands for every name. */
  readonly all: boolean;
  matches(name: string): boolean;
}

function partsOf(pattern: string): Part[] | undefined {
  const parts: Part[] = [];
  for (let index = 0; index < pattern.length; index++) {
    let letter = pattern[index] as string;
    if (letter === '*') {
      if (parts.at(-1) !== any_run) parts.push(any_run);
    } else if (letter === '?') parts.push(any_one);
    else {
      if (letter === '\\') {
        letter = pattern[++index] ?? '';
        if (letter !== '*' && letter !== '?' && letter !== '\\') return undefined;
      }
      parts.push(letter);
    }
  }
  return parts;
}

/** 64 bits, since a number has 32 of them. */
interface Bits {
  low: number;
  high: number;
}

function withBit({ high, low }: Bits, place: number): Bits {
  return place < 32 ? { low: low | (1 << place), high } : { low, high: high | (1 << (place - 32)) };
}

const none: Bits = { low: 0, high: 0 };
const ascii = 128;

/**
 * All places of the pattern up to which a name may have matched, one bit each: place N is before the Nth part that is no
 * star. A pattern with a star has at most 63 such parts, so that 64 places are enough.
 */
function withStars(parts: readonly Part[]): (name: string) => boolean {
  /** Places with a star: any character leaves them where they are. */
  let stays = none;
  /** Places from which any character leads on, and from which a certain one does. */
  let any = none;
  const letters = new Map<number, Bits>();
  let place = 0;
  for (const part of parts) {
    if (part === any_run) stays = withBit(stays, place);
    else if (part === any_one) any = withBit(any, place++);
    else letters.set(part.charCodeAt(0), withBit(letters.get(part.charCodeAt(0)) ?? none, place++));
  }
  const end = withBit(none, place);
  // A table for the characters of nearly all names: a step takes a few ns with it.
  const lows = new Int32Array(ascii).fill(any.low);
  const highs = new Int32Array(ascii).fill(any.high);
  for (const [code, bits] of letters) {
    if (code >= ascii) continue;
    lows[code] = bits.low | any.low;
    highs[code] = bits.high | any.high;
  }
  return (name) => {
    let low = 1;
    let high = 0;
    for (let at = 0; at < name.length && (low | high) !== 0; at++) {
      const code = name.charCodeAt(at);
      const others = code < ascii ? none : (letters.get(code) ?? none);
      const leadsLow = low & (code < ascii ? (lows[code] as number) : others.low | any.low);
      const leadsHigh = high & (code < ascii ? (highs[code] as number) : others.high | any.high);
      high = (leadsHigh << 1) | (leadsLow >>> 31) | (high & stays.high);
      low = (leadsLow << 1) | (low & stays.low);
    }
    return ((low & end.low) | (high & end.high)) !== 0;
  };
}

function withoutStars(parts: readonly Part[]): (name: string) => boolean {
  return (name) =>
    name.length === parts.length && parts.every((part, index) => part === any_one || part === name[index]);
}

/** Undefined where it is no pattern: see pattern_rule; controls are none either. */
export function namePattern(pattern: string): NamePattern | undefined {
  if (pattern.length === 0 || pattern.length > pattern_length_max || /\p{C}/u.test(pattern)) return undefined;
  const parts = partsOf(pattern);
  if (parts === undefined) return undefined;
  const stars = parts.filter((part) => part === any_run).length;
  if (stars > stars_max) return undefined;
  if (stars > 0) return { exact: undefined, all: parts.length === 1, matches: withStars(parts) };
  const exact = parts.includes(any_one) ? undefined : parts.join('');
  return { exact, all: false, matches: exact === undefined ? withoutStars(parts) : (name) => name === exact };
}
