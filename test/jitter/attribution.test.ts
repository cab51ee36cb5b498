import t from 'tap';
import {
  type Activity,
  activitiesBeside,
  causeOf,
  findEpisodes,
  medianLatency_ns,
  outlierThreshold_ns,
} from '../../src/jitter/attribution.js';
import { eachPacket } from '../../src/jitter/packets.js';
import { type Stall, stallOf } from '../../src/jitter/stalls.js';

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
  stalls: { sender?: Stall[]; receiver?: Stall[]; activities?: Activity[] } = {},
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
    activities: stalls.activities ?? [],
  };
}

const no_counts = { voluntary: 0, forced: 0, faults: 0, run_delay_ns: 0, blocks: 0, off_core_ns: 0, work: false };

function stall(begin_us: number, end_us: number, counts: Partial<Stall> = {}): Stall {
  return stallOf({ ...no_counts, ...counts, begin_ns: begin_us * 1e3, end_ns: end_us * 1e3 });
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
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { forced: 1 })] })), ['scheduling']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { run_delay_ns: 9 })] })), ['scheduling']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { faults: 1 })] })), ['page_fault']);
  const off = { off_core_ns: 2_000_000 };
  const asleep = stall(4_990, 6_999, { ...off, voluntary: 1, run_delay_ns: 9_000 });
  t.same(causes(slice(100, held, { sender: [asleep] })), ['stopped']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, { ...off, voluntary: 3, blocks: 8 })] })), ['disk']);
  t.same(causes(slice(100, held, { sender: [stall(4_990, 6_999, off)] })), ['scheduling'], 'an interrupt');
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

t.test('aStallInTheMiddleOfWorkIsTheSchedulersForAsLongAsItSaysAndElseTheWorks', async (t) => {
  const held = (index: number, step: Step) => {
    if (index === 50) later(step, ['sequenced', 'before', 'after', ...from_kernel], 2_000);
  };
  const work = (counts: Partial<Stall>) =>
    causes(slice(100, held, { sender: [stall(5_000, 7_012, { ...counts, work: true })] }));
  t.same(work({ forced: 1, run_delay_ns: 1_900_000, off_core_ns: 1_900_000 }), ['scheduling']);
  t.same(work({ voluntary: 3, blocks: 8, off_core_ns: 1_800_000 }), ['disk']);
  t.same(work({ voluntary: 1, off_core_ns: 1_950_000 }), ['stopped']);
  // It lost the core for a moment, and was busy for the rest.
  t.same(work({ forced: 1, run_delay_ns: 30_000, off_core_ns: 30_000 }), ['publisher']);
  // That nothing moved proves nothing: work may take any time.
  t.same(work({}), ['publisher']);
});

t.test('aCoreThatIsLostWhileAMeasuredProcessCollectsGarbageIsJavaScripts', async (t) => {
  const held = (index: number, step: Step) => {
    if (index === 50) later(step, ['received', 'applied'], 3_000);
  };
  const receiver = [stall(5_010, 8_010, { forced: 1, run_delay_ns: 2_900_000, off_core_ns: 2_900_000 })];
  const gc = (begin_us: number, end_us: number) => [
    { name: 'gc of the subscriber', begin_ns: begin_us * 1e3, end_ns: end_us * 1e3 },
  ];
  t.same(causes(slice(100, held, { receiver, activities: gc(5_100, 7_900) })), ['javascript']);
  t.same(causes(slice(100, held, { receiver, activities: gc(7_500, 9_900) })), ['scheduling']);
  const fsync = [{ name: 'fsync', begin_ns: 5_000_000, end_ns: 8_000_000 }];
  const [episode] = findEpisodes(slice(100, held, { receiver, activities: fsync }), 60_000);
  t.equal(episode?.cause, 'scheduling');
  t.same(episode?.beside, ['fsync']);
});

t.test('whatRanInSeveralPartsIsBesideWhereTheyMakeUpHalf', async (t) => {
  const one = (name: string, begin_ns: number, end_ns: number) => ({ name, begin_ns, end_ns });
  const parts = [one('a', 0, 20), one('b', 5, 45), one('a', 50, 90), one('c', 60, 100)];
  t.same(activitiesBeside(parts, 0, 100), ['a']);
  t.same(activitiesBeside([one('a', 0, 60), one('a', 10, 40)], 0, 130), [], 'each ns counts once');
  t.same(activitiesBeside([], 0, 100), []);
});
