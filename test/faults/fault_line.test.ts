import t from 'tap';
import { ConfigError } from '../../src/config_parse.js';
import { FaultLine, type FaultSubject } from '../../src/faults/fault_line.js';
import { lengthOf, NumberRanges } from '../../src/faults/number_ranges.js';
import { type FaultProfileInput, parseProfile } from '../../src/faults/profile.js';

function subject(sequence: number, count = 1): FaultSubject {
  const datagram = Buffer.alloc(64);
  datagram.writeUInt32LE(sequence);
  return { datagram, sequence, count, endOfSession: false };
}

/** The numbers that come out for 1 … `count`, one datagram each, one a millisecond unless given. */
function run(profile: FaultProfileInput, count: number, seed = 1, line: 'A' | 'B' = 'A', every_ms = 1) {
  const out: number[] = [];
  const faults = new FaultLine(seed, line, parseProfile(profile), (datagram) => out.push(datagram.readUInt32LE()));
  for (let sequence = 1; sequence <= count; sequence++) faults.take(subject(sequence), sequence * every_ms);
  faults.drain();
  return { out, counters: faults.counters };
}

const all = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

t.test('withoutPhasesEverythingComesThroughInOrder', async (t) => {
  t.same(run({}, 1_000).out, all(1_000));
});

t.test('dropsAboutItsShareAndTheSameForTheSameSeed', async (t) => {
  const profile = { phases: [{ drop: 0.1 }] };
  const { out, counters } = run(profile, 10_000);
  t.ok(counters.dropped > 850 && counters.dropped < 1_150, `${counters.dropped} of 10,000`);
  t.equal(out.length, 10_000 - counters.dropped);
  t.same(run(profile, 10_000).out, out);
  t.notSame(run(profile, 10_000, 2).out, out, 'another seed');
  t.notSame(run(profile, 10_000, 1, 'B').out, out, 'the other line');
});

t.test('aDatagramsFateDoesNotDependOnWhenItComesOrWhatComesBetween', async (t) => {
  const fates = (heartbeats: boolean) => {
    const faults = new FaultLine(7, 'A', parseProfile({ phases: [{ drop: 0.3 }] }), () => {});
    return all(500).map((sequence) => {
      if (heartbeats) faults.take(subject(sequence, 0), 3 * sequence);
      return faults.take(subject(sequence), heartbeats ? 3 * sequence : sequence);
    });
  };
  t.same(fates(true), fates(false));
});

t.test('aBurstLosesSoManyInARow', async (t) => {
  const profile = { phases: [{ burst: { rate: 1, packets: 10_000 }, fromSequence: 101, toSequence: 101 }, {}] };
  const { out, counters } = run(profile, 12_000);
  t.equal(counters.droppedInBurst, 10_000);
  t.same(out, [...all(100), ...all(12_000).slice(10_100)]);
});

t.test('deadBetweenTwoMoments', async (t) => {
  t.same(run({ phases: [{ dead: true, fromMs: 11, toMs: 2_011 }] }, 3_000).out, [
    ...all(10),
    ...all(3_000).slice(2_010),
  ]);
  t.same(run({ phases: [{ line: 'B', dead: true }] }, 10).out, all(10), 'the other line lives');
});

t.test('reordersOverManyPacketsAndLosesNone', async (t) => {
  const profile = { phases: [{ reorder: { rate: 0.2, distance: 1_500 }, toSequence: 3_000 }] };
  const { out, counters } = run(profile, 10_000, 1, 'A', 0.1);
  t.same(
    [...out].sort((a, b) => a - b),
    all(10_000),
  );
  t.ok(counters.reordered > 400);
  t.ok(counters.overtakenMax > 1_000 && counters.overtakenMax <= 1_501, `overtaken by ${counters.overtakenMax}`);
});

t.test('duplicatesAsAStorm', async (t) => {
  const { out, counters } = run({ phases: [{ duplicate: { rate: 1, copies: 20, distance: 5 } }] }, 100);
  t.equal(out.length, 2_100);
  t.equal(counters.duplicated, 2_000);
  for (const number of all(100)) t.equal(out.filter((one) => one === number).length, 21);
});

t.test('delaysByTimeAlone', async (t) => {
  const out: number[] = [];
  const faults = new FaultLine(
    1,
    'A',
    parseProfile({ phases: [{ delay: { rate: 1, ms: 10 }, toSequence: 1 }] }),
    (datagram) => out.push(datagram.readUInt32LE()),
  );
  faults.take(subject(1), 0);
  faults.take(subject(2), 0);
  t.same(out, [2]);
  faults.tick(10);
  t.same(out, [2, 1]);
  t.equal(faults.held, 0);
});

t.test('flipsBitsInACopy', async (t) => {
  let broken: Buffer = Buffer.alloc(0);
  const faults = new FaultLine(1, 'A', parseProfile({ phases: [{ corrupt: { rate: 1, bits: 3 } }] }), (datagram) => {
    broken = datagram;
  });
  const given = subject(9);
  const before = Buffer.from(given.datagram);
  t.equal(faults.take(given, 0), 'corrupted');
  t.same(given.datagram, before);
  let bits = 0;
  for (const [index, byte] of broken.entries())
    for (let difference = byte ^ (before[index] as number); difference > 0; difference >>= 1) bits += difference & 1;
  t.ok(bits > 0 && bits <= 3, `${bits} bits`);
});

t.test('theLastEndsOfASessionAreSpared', async (t) => {
  let sent = 0;
  const faults = new FaultLine(1, 'A', parseProfile({ phases: [{ dead: true }] }), () => sent++);
  for (let turn = 0; turn < 5; turn++) faults.take({ ...subject(10, 0), endOfSession: true }, turn);
  t.equal(sent, 1);
});

t.test('namesWhatIsWrongInAProfile', async (t) => {
  t.throws(() => parseProfile({ phases: [{ drop: 2 }] }), ConfigError);
  t.throws(() => parseProfile({ phases: [{ dorp: 0.1 }] }), /dorp is not an option/);
  t.throws(() => parseProfile({ phases: [{ reorder: { rate: 0.1 } }] }), /distance/);
});

t.test('rangesOfNumbersJoinAndNameTheirHoles', async (t) => {
  const ranges = new NumberRanges();
  for (const [first, last] of [
    [5, 6],
    [1, 2],
    [9, 9],
    [8, 8],
    [3, 4],
    [20, 30],
    [25, 26],
  ] as const)
    ranges.add(first, last);
  t.same(ranges.ranges(), [
    [1, 6],
    [8, 9],
    [20, 30],
  ]);
  t.same(ranges.missing(1, 35), [
    [7, 7],
    [10, 19],
    [31, 35],
  ]);
  t.same([ranges.has(7), ranges.has(8), ranges.has(30), ranges.has(31)], [false, true, true, false]);
  t.equal(ranges.count, 19);
  t.equal(
    lengthOf(
      NumberRanges.intersection(
        [
          [1, 5],
          [8, 20],
        ],
        [
          [4, 9],
          [11, 12],
        ],
      ),
    ),
    6,
  );
});
