import t from 'tap';
import { causeOf, findEpisodes, medianLatency_ns, outlierThreshold_ns } from '../../src/jitter/attribution.js';
import { eachPacket } from '../../src/jitter/packets.js';
import type { Stall } from '../../src/jitter/stalls.js';

interface Step {
  due: number;
  ingest: number;
  sequenced: number;
  before: number;
  after: number;
  kernel: number;
  received: number;
  applied: number;
  line?: number;
}

/** µs after it was due, of a packet that nothing held up. */
const quiet = { ingest: 1, sequenced: 3, before: 4, after: 12, kernel: 9, received: 12, applied: 14 };

/** One packet each 100 µs, quiet but for what `change` makes of it. */
function slice(
  count: number,
  change: (index: number, step: Step) => void,
  stalls: { sender?: Stall[]; receiver?: Stall[] } = {},
) {
  const batches: number[] = [];
  const packets: number[] = [];
  for (let index = 0; index < count; index++) {
    const due = 100 * index;
    const step: Step = { due, ...quiet };
    for (const key of ['ingest', 'sequenced', 'before', 'after', 'kernel', 'received', 'applied'] as const)
      step[key] += due;
    change(index, step);
    const { ingest, sequenced, before, after, kernel, received, applied, line = 0 } = step;
    batches.push(...[ingest, sequenced, before, after].map((us) => us * 1e3), index + 1, index + 1);
    packets.push(...[kernel, received, applied, due].map((us) => us * 1e3), index + 1, 1, line);
  }
  return {
    batches: Float64Array.from(batches),
    packets: Float64Array.from(packets),
    senderStalls: stalls.sender ?? [],
    receiverStalls: stalls.receiver ?? [],
  };
}

function stall(begin_us: number, end_us: number, counts: Partial<Stall> = {}): Stall {
  const { switches = 0, faults = 0, run_delay_ns = 0 } = counts;
  const machine = switches === 0 && faults === 0 && run_delay_ns === 0;
  return { begin_ns: begin_us * 1e3, end_ns: end_us * 1e3, machine, switches, faults, run_delay_ns };
}

const later = (step: Step, keys: (keyof Step)[], us: number) => {
  for (const key of keys) step[key] = (step[key] ?? 0) + us;
};
const from_kernel: (keyof Step)[] = ['kernel', 'received', 'applied'];

function causes(evidence: ReturnType<typeof slice>) {
  return findEpisodes(evidence, outlierThreshold_ns(medianLatency_ns(evidence.packets))).map(({ cause }) => cause);
}

t.test('aQuietSliceHasNoOutliers', async (t) => {
  const evidence = slice(100, () => {});
  t.equal(medianLatency_ns(evidence.packets), 14_000);
  t.same(causes(evidence), []);
});

t.test('theSameDelayIsTheMachinesTheSchedulersOrAFaultsAsTheCountsOfTheThreadSay', async (t) => {
  const held = (index: number, step: Step) => {
    if (index === 50) later(step, ['ingest', 'sequenced', 'before', 'after', ...from_kernel], 2_000);
  };
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999)] })), ['machine']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { switches: 1 })] })), ['scheduling']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { run_delay_ns: 9 })] })), ['scheduling']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { faults: 1 })] })), ['page_fault']);
  // The receiver stood still, but not while this packet was with it.
  t.not(causes(slice(100, held, { receiver: [stall(4_990, 6_999)] }))[0], 'machine');
});

t.test('aStallOfTheReceivingThreadCountsFromWhenTheKernelHadThePacket', async (t) => {
  const held = (index: number, step: Step) => {
    if (index === 50) later(step, ['received', 'applied'], 3_000);
  };
  t.same(causes(slice(100, held, { receiver: [stall(5_010, 8_010)] })), ['machine']);
  t.same(causes(slice(100, held, { sender: [stall(5_010, 8_010)] })), ['kernel_queue']);
});

t.test('withoutAStallTheStageThatTookLongestIsToBlame', async (t) => {
  const one = (keys: (keyof Step)[], more: (step: Step) => void = () => {}) =>
    causes(
      slice(100, (index, step) => {
        if (index !== 50) return;
        later(step, keys, 1_000);
        more(step);
      }),
    );
  t.same(one(['sequenced', 'before', 'after', ...from_kernel]), ['publisher']);
  t.same(one(['after', ...from_kernel]), ['send_call']);
  t.same(
    one(['after', ...from_kernel], (step) => {
      step.line = 1;
    }),
    ['line'],
  );
  t.same(one(['received', 'applied']), ['kernel_queue']);
  t.same(one(['applied']), ['receiver']);
});

t.test('whoWaitsForABatchBeforeItIsToldWhatThatWasBusyWith', async (t) => {
  const evidence = slice(100, (index, step) => {
    // Batch 50 sends for 2 ms; the one after it is taken only then.
    if (index === 50) later(step, ['after'], 2_000);
    if (index === 51) later(step, ['ingest', 'sequenced', 'before', 'after', ...from_kernel], 1_950);
  });
  t.same(causes(evidence), ['send_call']);
});

t.test('aPacketBehindABusyReceiverIsTheReceiversAndOutliersInARowAreOneEpisode', async (t) => {
  const evidence = slice(100, (index, step) => {
    if (index === 50) step.applied += 1_500;
    if (index > 50 && index < 60) {
      step.received = Math.max(step.received, 6_514);
      step.applied = step.received + 2;
    }
  });
  const episodes = findEpisodes(evidence, 60_000);
  t.equal(episodes.length, 1);
  t.equal(episodes[0]?.cause, 'receiver');
  t.equal(episodes[0]?.packets, 10);
  const [fifth] = slice(1, () => {}).packets;
  t.ok(fifth !== undefined);
  eachPacket(evidence.batches, evidence.packets, (packet) => {
    if (packet.sequence === 55) t.equal(causeOf({ ...packet }, evidence), 'receiver');
  });
});
