/** What ran in the measured processes beside the path. Pure. */
import { activity_names } from '../native.js';
import type { Activity } from './attribution.js';
import { wordsOf } from './rows.js';
import type { Interval } from './stalls.js';

/** From rows of 3: number of the activity, begin, end; in the order of their ends, as they come. */
export function readActivities(rows: Float64Array): Activity[] {
  return wordsOf(rows, 3).map(([number = 0, begin_ns = 0, end_ns = 0]) => ({
    name: activity_names[number] ?? 'unknown',
    begin_ns,
    end_ns,
  }));
}

/** From rows of begin and end. */
export function readIntervals(rows: Float64Array): Interval[] {
  return wordsOf(rows, 2).map(([begin_ns = 0, end_ns = 0]) => ({ begin_ns, end_ns }));
}

/** Those within [0, length], ascending by begin. */
export function withinSlice<One extends Interval>(activities: readonly One[], length_ns: number): One[] {
  return activities
    .filter(({ begin_ns, end_ns }) => end_ns > 0 && begin_ns < length_ns)
    .toSorted((a, b) => a.begin_ns - b.begin_ns);
}
