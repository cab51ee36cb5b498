/**
 * Patterns of instrument names: `*` stands for any run of characters, `?` for one, `\` before either or itself takes
 * its meaning away. No regular expressions, so that no pattern can take long. Pure.
 */

export const pattern_length_max = 64;
/** Each further star multiplies the worst case; nobody needs more. */
const stars_max = 4;

export const any_run = 0;
export const any_one = 1;
export type Part = string | typeof any_run | typeof any_one;

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
      // Several in a row mean one.
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

/** Looks back only to the last star: the earliest match of what stood before it leaves the most for the rest. */
export function matchParts(parts: readonly Part[], name: string): boolean {
  let at = 0;
  let part = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = parts[part];
    if (wanted === any_run) {
      star = part++;
      starAt = at;
    } else if (wanted !== undefined && (wanted === any_one || wanted === name[at])) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[part] === any_run) part++;
  return part === parts.length;
}

/** Undefined where it is no pattern: empty, too long, controls, a lone backslash, more than four stars. */
export function namePattern(pattern: string): NamePattern | undefined {
  if (pattern.length === 0 || pattern.length > pattern_length_max || /\p{C}/u.test(pattern)) return undefined;
  const parts = partsOf(pattern);
  if (parts === undefined || parts.filter((part) => part === any_run).length > stars_max) return undefined;
  const plain = parts.every((part) => typeof part === 'string');
  const exact = plain ? parts.join('') : undefined;
  return {
    exact,
    all: parts.length === 1 && parts[0] === any_run,
    matches: exact === undefined ? (name) => matchParts(parts, name) : (name) => name === exact,
  };
}
