/** Which instruments a subscription means. Pure. */
import { any_one, any_run, matchParts, type Part } from './access/name_pattern.js';
import type { InstrumentEntry, Selector } from './protocol.js';

/** Wildcards of one pattern: each may make matching start again, so that there are few. */
const wildcards_max = 4;

/** `*`: any characters, none too; `?`: one. Nothing is escaped. */
export function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('').map((letter): Part => (letter === '*' ? any_run : letter === '?' ? any_one : letter));
  return matchParts(parts, text);
}

export function isPattern(selector: Selector): selector is string {
  return typeof selector === 'string' && /[*?]/.test(selector);
}

/** What it is that makes a selector unusable, if anything. */
export function faultOf(selector: Selector): string | undefined {
  if (typeof selector === 'number') return undefined;
  const wildcards = [...selector].filter((character) => character === '*').length;
  return wildcards > wildcards_max ? `${selector} has more than ${wildcards_max} asterisks` : undefined;
}

/**
 * The chosen ones among all, ascending by number, and the selectors that mean none of them. A pattern may mean none: what it
 * means may be defined later.
 */
export function choose(
  selectors: readonly Selector[],
  all: readonly InstrumentEntry[],
): { chosen: InstrumentEntry[]; unknown: Selector[] } {
  const bySymbol = new Map(all.map((entry) => [entry.symbol, entry]));
  const byNumber = new Map(all.map((entry) => [entry.instrument, entry]));
  const chosen = new Map<number, InstrumentEntry>();
  const unknown: Selector[] = [];
  for (const selector of selectors) {
    if (isPattern(selector)) {
      for (const entry of all) if (matches(selector, entry.symbol)) chosen.set(entry.instrument, entry);
      continue;
    }
    const entry = typeof selector === 'number' ? byNumber.get(selector) : bySymbol.get(selector);
    if (entry === undefined) unknown.push(selector);
    else chosen.set(entry.instrument, entry);
  }
  return { chosen: [...chosen.values()].sort((a, b) => a.instrument - b.instrument), unknown };
}
