/** Flat arrays of equal rows, as the addon gives them. */

export function wordsOf(flat: Float64Array, words: number): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let at = 0; at + words <= flat.length; at += words) rows.push(flat.subarray(at, at + words));
  return rows;
}
