/**
 * Real ITCH files through `depthcast serve` in one process and `depthcast subscribe` in others, over multicast, with and
 * without faults on the way. What the subscribers dump must be what the files' owners say.
 */
import { join } from 'node:path';
import type { NumberRange } from '../../src/faults/number_ranges.js';
import { type Test, testWithData } from '../data.js';
import { line_names, linePair } from '../faults/lines.js';
import { seedsOf } from '../faults/random.js';
import { type LineFaults, Relay, type RelayOptions } from '../faults/relay.js';
import { runFeed, type SubscriberResult } from './feed_run.js';
import { caseDifferences, type ItchCase, readItchCase } from './itch_case.js';

const cases = [
  { name: 'bx', folder: 'itch-bx-2019-12-30', file: 'bx.itch50', seeds: [1, 2, 3] },
  { name: 'open1000', folder: 'itch-open-2019-12-30', file: 'open1000.itch50', seeds: [1, 2] },
] as const;

/** Room for every update of either file, so that none is skipped. */
const all_updates = '--delivery-capacity=65536';
/** A hole stays open for so long that only what is lost for good is given up, however busy the machine. */
const patient = ['--gap-wait-ms=2000', '--parked-max=16384'];
const other_sizes = ['--line-a-datagram-bytes=1400', '--line-b-datagram-bytes=704'];

const publisher_lines = linePair(0);
const relay_lines = [linePair(1), linePair(2), linePair(3)];

function positionsOf(itch: ItchCase): number[] {
  return itch.checkpoints.map(({ after_messages }) => after_messages);
}

/** Nothing was lost, nothing doubted, and books and best prices are those of the file. */
function checkComplete(t: Test, itch: ItchCase, { name, dumps, dump, lines }: SubscriberResult): void {
  const { counters } = dump;
  t.strictSame(dump.missing, [], `${name}: nothing is missing`);
  t.strictSame(caseDifferences(itch, dumps, lines), [], `${name}: equals what is expected`);
  t.strictSame(
    [counters.kernelDropsA, counters.kernelDropsB, counters.updatesLost, counters.digestsMismatched, counters.whole],
    [0, 0, 0, 0, 1],
    `${name}: no drops, no updates lost, no digest differs, every book is live`,
  );
  t.ok(Number(counters.digestsChecked) > 0, `${name}: ${counters.digestsChecked} digests agreed`);
}

for (const { name, folder, file } of cases) {
  testWithData(`${name}IsWhatIsExpectedFromBothLinesAndFromEachAlone`, async (t, data) => {
    const itch = readItchCase(join(data, folder), file);
    const positions = positionsOf(itch);
    const subscribers = ['AB', 'A', 'B'].map((line) => ({
      name: `line${line}`,
      positions,
      flags: [`--lines=${line}`, all_updates],
    }));
    const { subscribers: results } = await runFeed(t, {
      number: 0,
      lines: publisher_lines,
      file: itch.file,
      serve: other_sizes,
      subscribers,
    });
    for (const result of results) checkComplete(t, itch, result);
    const heard = results.map(({ dump: { counters } }) => [
      Number(counters.firstA) > 0,
      Number(counters.datagramsB) > 0,
    ]);
    const alone = [
      [true, false],
      [false, true],
    ];
    t.strictSame(heard.slice(1), alone, 'each line alone was heard alone');
    t.equal(new Set(results.map(({ dump }) => dump.digest)).size, 1, 'the digests are the same');
  });
}

interface FaultyRun {
  t: Test;
  itch: ItchCase;
  faults: (Pick<RelayOptions, 'faults' | 'neverBoth' | 'seed'> & { name: string })[];
}

/** One publisher; for each set of faults a relay of its own and a subscriber behind it. */
async function runWithFaults({ t, itch, faults }: FaultyRun) {
  const relays: Relay[] = [];
  t.teardown(() => {
    for (const relay of relays) relay.close();
  });
  for (const [index, options] of faults.entries())
    relays.push(
      await Relay.open({ from: publisher_lines, to: relay_lines[index] as typeof publisher_lines, ...options }),
    );
  // A kernel that grants little to a receive buffer could not keep what comes at full speed.
  const buffer_bytes = Math.min(...relays.map((relay) => relay.receiveBufferBytes));
  const pace = buffer_bytes < 4 << 20 ? ['--rate=10000'] : [];
  const { datagrams, subscribers } = await runFeed(t, {
    number: 1,
    lines: publisher_lines,
    file: itch.file,
    serve: [...other_sizes, ...pace],
    subscribers: faults.map(({ name }, index) => ({
      name,
      lines: relay_lines[index] as typeof publisher_lines,
      positions: positionsOf(itch),
      flags: [...patient, all_updates],
    })),
  });
  const runs = faults.map(({ name }, index) => ({
    name,
    relay: relays[index] as Relay,
    subscriber: subscribers[index] as SubscriberResult,
  }));
  for (const { name, relay } of runs) {
    t.strictSame(await relay.prove(datagrams), [], `${name}: the relay's log is complete`);
    t.comment(`${name}: ${relay.last} messages, ${JSON.stringify([relay.figures('A'), relay.figures('B')])}`);
  }
  return runs;
}

/** As numbers, with ranges that touch each other made one. */
function missingRanges(pairs: readonly [first: string, last: string][]): NumberRange[] {
  const ranges: NumberRange[] = [];
  for (const [first, last] of pairs) {
    const previous = ranges.at(-1);
    if (previous !== undefined && previous[1] + 1 === Number(first)) previous[1] = Number(last);
    else ranges.push([Number(first), Number(last)]);
  }
  return ranges;
}

type Figures = readonly [ReturnType<Relay['figures']>, ReturnType<Relay['figures']>];

const third: LineFaults = { drop: 1 / 3 };
const rough: LineFaults = { duplicate: 0.2, reorder: 0.2, delay: 0.05 };

for (const { name, folder, file, seeds } of cases) {
  testWithData(`${name}WithAThirdDroppedOnEachLineNamesExactlyWhatIsMissing`, async (t, data) => {
    const itch = readItchCase(join(data, folder), file);
    const runs = await runWithFaults({
      t,
      itch,
      faults: seedsOf(...seeds).map((seed) => ({ name: `seed${seed}`, seed, faults: { A: third, B: third } })),
    });
    for (const { name, relay, subscriber } of runs) {
      const { dump } = subscriber;
      const wanted = relay.missing();
      const lost = wanted.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      t.comment(`${name}: ${lost} of ${relay.last} messages missing in ${wanted.length} ranges`);
      t.strictSame(missingRanges(dump.missing), wanted, `${name}: the missing ranges are those that the relay logged`);
      t.equal(dump.counters.missingMessages, lost, `${name}: their messages are counted`);
      t.equal(Number(dump.sequence), relay.last, `${name}: what follows the last hole was applied`);
      for (const line of line_names) {
        const { dropped, received } = relay.figures(line);
        t.ok(
          Math.abs(dropped / received - 1 / 3) < 0.07,
          `${name}: line ${line} lost ${dropped} of ${received} packets`,
        );
      }
      if (wanted.length === 0) checkComplete(t, itch, subscriber);
      else t.equal(dump.counters.digestsMismatched, 0, `${name}: what is missing explains every difference`);
    }
  });

  testWithData(`${name}IsCompleteWhereOneLineHasWhatTheOtherLost`, async (t, data) => {
    const itch = readItchCase(join(data, folder), file);
    const [seed = 1] = seedsOf(4);
    const hard = { ...third, ...rough };
    const runs = await runWithFaults({
      t,
      itch,
      faults: [
        { name: 'rough', seed, faults: { A: rough, B: rough } },
        { name: 'thirdDropped', seed, faults: { A: third, B: third }, neverBoth: true },
        {
          name: 'everything',
          seed,
          faults: { A: { ...hard, corrupt: 0.1 }, B: { ...hard, corrupt: 0.1 } },
          neverBoth: true,
        },
      ],
    });
    for (const { name, relay, subscriber } of runs) {
      t.strictSame(relay.missing(), [], `${name}: nothing was lost on both lines`);
      checkComplete(t, itch, subscriber);
    }
    const figures = runs.map(({ relay }) => [relay.figures('A'), relay.figures('B')] as const);
    const [inRough, inThird, inAll] = figures as [Figures, Figures, Figures];
    t.ok(
      [...inThird, ...inAll].every(({ dropped }) => dropped > 10),
      `seed ${seed}: packets were dropped on both lines`,
    );
    t.ok(
      [...inRough, ...inAll].every(({ duplicated, reordered, delayed }) => duplicated * reordered * delayed > 0),
      `seed ${seed}: packets were duplicated, reordered and delayed`,
    );
    const { counters } = (runs[2] as (typeof runs)[0]).subscriber.dump;
    const refused = Object.entries(counters)
      .filter(([key]) => key.startsWith('packet.') && key !== 'packet.ok')
      .reduce((sum, [, count]) => sum + Number(count), 0);
    const corrupted = inAll[0].corrupted + inAll[1].corrupted;
    const numbered = inAll[0].corruptedNumbered + inAll[1].corruptedNumbered;
    // Heartbeats may have come before it listened.
    const told = `${refused} corrupted packets were refused, of ${numbered} with numbers and ${corrupted} in all`;
    t.ok(numbered > 10 && refused >= numbered && refused <= corrupted, `seed ${seed}: ${told}`);
  });
}
