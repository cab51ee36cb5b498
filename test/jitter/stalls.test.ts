import t from 'tap';
import { machineIntervals, overlap_ns, partsOf, readStalls, stalled_ns, stallOf } from '../../src/jitter/stalls.js';

const quiet = { voluntary: 0, forced: 0, faults: 0, run_delay_ns: 0, blocks: 0, off_core_ns: 0, work: false };
const stall = (begin_ns: number, end_ns: number, counts: Partial<typeof quiet> = {}) =>
  stallOf({ ...quiet, ...counts, begin_ns, end_ns });

t.test('aGapIsTheMachinesOnlyWhereNothingMovedAndTheThreadWasOnItsCore', async (t) => {
  t.equal(stall(0, 100).machine, true);
  t.equal(stall(0, 100, { off_core_ns: 25 }).machine, true);
  t.equal(stall(0, 100, { off_core_ns: 26 }).machine, false);
  for (const moved of [{ voluntary: 1 }, { forced: 1 }, { faults: 1 }, { run_delay_ns: 1 }, { work: true }])
    t.equal(stall(0, 100, moved).machine, false, JSON.stringify(moved));
});

t.test('itsLengthIsDividedByWhatTheKernelCounts', async (t) => {
  const parts = { machine: 0, scheduling: 0, stopped: 0, disk: 0, page_fault: 0 };
  t.same(partsOf(stall(0, 100)), { ...parts, machine: 100 });
  t.same(partsOf(stall(0, 100, { forced: 1, run_delay_ns: 90, off_core_ns: 92 })), { ...parts, scheduling: 92 });
  t.same(partsOf(stall(0, 100, { voluntary: 1, run_delay_ns: 10, off_core_ns: 95 })), {
    ...parts,
    scheduling: 10,
    stopped: 85,
  });
  t.same(partsOf(stall(0, 100, { voluntary: 2, blocks: 8, off_core_ns: 95 })), { ...parts, disk: 95 });
  t.same(partsOf(stall(0, 100, { faults: 1 })), { ...parts, page_fault: 100 });
  // In work, what is not explained was work.
  t.same(partsOf(stall(0, 100, { faults: 1, work: true })), parts);
  t.same(partsOf(stall(0, 100, { forced: 1, run_delay_ns: 20, off_core_ns: 20, work: true })), {
    ...parts,
    scheduling: 20,
  });
});

t.test('anIntervalGetsItsShareOfTheStallsThatItMeets', async (t) => {
  const stalls = [stall(0, 100), stall(200, 300, { forced: 1, run_delay_ns: 100, off_core_ns: 100 }), stall(400, 500)];
  t.same(stalled_ns(stalls, 50, 250), { machine: 50, scheduling: 50, stopped: 0, disk: 0, page_fault: 0 });
  t.same(stalled_ns(stalls, 100, 200), { machine: 0, scheduling: 0, stopped: 0, disk: 0, page_fault: 0 });
  t.equal(stalled_ns(stalls, 450, 9_000).machine, 50);
  t.equal(overlap_ns(stalls, 90, 410), 120);
});

t.test('rowsOfTheAddonAreRead', async (t) => {
  const rows = Float64Array.from([10, 40, 0, 0, 0, 0, 0, 0, 0, 50, 90, 1, 2, 3, 4, 5, 6, 1]);
  const [first, second] = readStalls(rows);
  t.match(first, { begin_ns: 10, end_ns: 40, machine: true });
  t.same(second, {
    begin_ns: 50,
    end_ns: 90,
    voluntary: 1,
    forced: 2,
    faults: 3,
    run_delay_ns: 4,
    blocks: 5,
    off_core_ns: 6,
    work: true,
    machine: false,
  });
  t.same([...machineIntervals(rows)], [10, 40]);
});
