/** Which instruments a subscription means. Pure. */
import { type NamePattern, namePattern, pattern_rule } from './access/name_pattern.js';
import type { InstrumentEntry, Selector } from './protocol.js';

/** Each is held against every instrument, as opposed to names. */
export const patterns_max = 64;

/** Undefined for a number, and for what is no pattern or name. */
function compiled(selector: Selector): NamePattern | undefined {
  return typeof selector === 'number' ? undefined : namePattern(selector);
}

/** It may come to mean other instruments. */
export function isPattern(selector: Selector): selector is string {
  const pattern = compiled(selector);
  return pattern !== undefined && pattern.exact === undefined;
}

/** The one name that a selector means, for who judges by names: `BRK\\*A` is BRK*A. Its number where there is none. */
export function nameOf(selector: Selector, all: readonly InstrumentEntry[]): string {
  if (typeof selector === 'number') return indexOf(all).numbers.get(selector)?.symbol ?? String(selector);
  return namePattern(selector)?.exact ?? selector;
}

/** What it is that makes the selectors unusable, if anything. */
export function faultOf(selectors: readonly Selector[]): string | undefined {
  let patterns = 0;
  for (const [index, selector] of selectors.entries()) {
    if (typeof selector === 'number') continue;
    const pattern = namePattern(selector);
    if (pattern === undefined) return `instruments.${index}: ${pattern_rule}`;
    if (pattern.exact === undefined && ++patterns > patterns_max)
      return `instruments: expected at most ${patterns_max} patterns; take fewer and wider ones`;
  }
  return undefined;
}

/** So many comparisons of a pattern with a symbol, about a millisecond, count for one request more. */
const comparisons_per_request = 10_000;

/**
 * Requests that one with these selectors (undefined: all) counts for, where there are so many instruments: comparing holds
 * up everybody on the thread, as does writing down a whole channel.
 */
export function costOf(selectors: readonly Selector[] | undefined, instruments: number): number {
  const patterns = selectors?.filter(isPattern).length ?? 1;
  // More are refused before anything is compared.
  if (patterns > patterns_max) return 1;
  return 1 + Math.floor((patterns * instruments) / comparisons_per_request);
}

interface Index {
  symbols: Map<string, InstrumentEntry>;
  numbers: Map<number, InstrumentEntry>;
}

/** Of each list of instruments, for as long as there is somebody who has it. */
const indexes = new WeakMap<readonly InstrumentEntry[], Index>();

function indexOf(all: readonly InstrumentEntry[]): Index {
  let index = indexes.get(all);
  if (index === undefined) {
    index = {
      symbols: new Map(all.map((entry) => [entry.symbol, entry])),
      numbers: new Map(all.map((entry) => [entry.instrument, entry])),
    };
    indexes.set(all, index);
  }
  return index;
}

/**
 * The chosen ones among all, ascending by number, and the selectors that mean none of them. A pattern may mean none: what it
 * means may be defined later. `all` must not change afterwards: another list is another array.
 */
export function choose(
  selectors: readonly Selector[],
  all: readonly InstrumentEntry[],
): { chosen: InstrumentEntry[]; unknown: Selector[] } {
  const { numbers, symbols } = indexOf(all);
  const chosen = new Map<number, InstrumentEntry>();
  const unknown: Selector[] = [];
  for (const selector of selectors) {
    const pattern = compiled(selector);
    if (pattern !== undefined && pattern.exact === undefined) {
      for (const entry of all) if (pattern.matches(entry.symbol)) chosen.set(entry.instrument, entry);
      continue;
    }
    const entry = typeof selector === 'number' ? numbers.get(selector) : symbols.get(pattern?.exact ?? selector);
    if (entry === undefined) unknown.push(selector);
    else chosen.set(entry.instrument, entry);
  }
  return { chosen: [...chosen.values()].sort((a, b) => a.instrument - b.instrument), unknown };
}
