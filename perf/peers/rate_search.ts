/** The highest rate that holds, by trial. Pure but for `holds`. */

export interface SearchOptions {
  from: number;
  to: number;
  /** Trials between the last rate that held and the first that did not. */
  refinements: number;
}

/**
 * Doubles from `from` while it holds (halves while it does not), then narrows down by the geometric mean. Each rate that
 * fails is tried once more: one pause of the machine is no limit. Returns 0 where nothing down to from / 64 holds.
 */
export async function searchRate(options: SearchOptions, holds: (rate: number) => Promise<boolean>): Promise<number> {
  const surely = async (rate: number) => (await holds(rate)) || (await holds(rate));
  let low = 0;
  let high = 0;
  for (let rate = options.from; rate >= options.from / 64 && rate <= options.to; ) {
    if (await surely(rate)) {
      low = rate;
      if (high !== 0) break;
      rate *= 2;
    } else {
      high = rate;
      if (low !== 0) break;
      rate /= 2;
    }
  }
  if (low === 0 || high === 0) return low;
  for (let trial = 0; trial < options.refinements; trial++) {
    const middle = Math.sqrt(low * high);
    if (await surely(middle)) low = middle;
    else high = middle;
  }
  return low;
}
