/** What perf/gateway_clients.ts makes of its samples. */
import t from 'tap';
import { groupsOf } from '../../perf/clients/groups.js';
import { memoryFigures, slopePerMinute } from '../../perf/clients/memory.js';
import { percentile, percentileAtSizesOf, Samples } from '../../perf/clients/samples.js';

/** One datagram of a phase. */
type Row = [phase: number, batch: number, messages: number, latency_ns: number];
const samplesOf = (rows: Row[]) => new Samples(Uint32Array.from(rows.flat()));

t.test('datagramsOfOneBatchAreTakenTogether', async (t) => {
  const samples = samplesOf([
    [0, 1, 20, 4_000],
    [0, 1, 5, 9_000],
    [1, 2, 7, 3_000],
    [0, 3, 1, 2_000],
  ]);
  t.match(samples.of([0]), {
    latency_ns: [4_000, 9_000, 2_000],
    messages: [25, 25, 1],
    first_ns: [4_000, 2_000],
    batch_messages: [25, 1],
    batch_datagrams: [2, 1],
  });
  t.same(samples.of([0, 1]).batch_messages, [25, 7, 1]);
  t.same(samples.of([5]).latency_ns, []);
  t.ok(Number.isNaN(percentile([], 0.5)));
});

t.test('aPhaseIsComparedAtTheBatchSizesOfAnother', async (t) => {
  // A hundred small batches of 1 µs and one large of 50 µs, against as many large ones as small.
  const rows = (phase: number, small: number, large: number): Row[] => [
    ...Array.from({ length: small }, (_, index): Row => [phase, index, 2, 1_000]),
    ...Array.from({ length: large }, (_, index): Row => [phase, 1_000 + index, 200, 50_000]),
  ];
  const samples = samplesOf([...rows(0, 100, 1), ...rows(1, 50, 50)]);
  const [reference, phase] = [samples.of([0]), samples.of([1])];
  t.equal(percentile(phase.latency_ns, 0.9), 50_000);
  t.equal(percentileAtSizesOf(reference, phase, 0.9), 1_000, 'the bursts alone made it slow');
  const slower = samplesOf([...rows(0, 100, 1), ...rows(1, 50, 50).map(([a, b, c, ns]): Row => [a, b, c, 2 * ns])]);
  t.equal(percentileAtSizesOf(slower.of([0]), slower.of([1]), 0.9), 2_000, 'what is slow at every size stays so');
});

t.test('memoryThatGrowsIsToldFromMemoryThatDoesNot', async (t) => {
  const noise = (index: number) => ((index * 7_919) % 13) - 6;
  const over = (mebibytes: (seconds: number) => number) =>
    Array.from({ length: 120 }, (_, index) => ({ seconds: 5 * index, mebibytes: mebibytes(5 * index) + noise(index) }));
  t.equal(memoryFigures(over(() => 180)).memory_verdict, 'flat');
  t.equal(memoryFigures(over((seconds) => 180 + seconds / 20)).memory_verdict, 'grows');
  t.equal(memoryFigures(over(() => 180).slice(0, 4)).memory_verdict, 'too few samples');
  const { slope, halfWidth } = slopePerMinute(over((seconds) => 180 + seconds / 20));
  t.ok(Math.abs(slope - 3) <= halfWidth && halfWidth < 0.5, `${slope} of 3 MiB a minute, ± ${halfWidth}`);
});

t.test('silentExactClientsAskForOnePolicyEach', async (t) => {
  const groups = groupsOf({ clients: { exact: 20, bbo: 180, depth: 800 }, silent: [3, 3, 4], instruments: 2 });
  t.same(
    groups.map(({ name, clients, silent }) => [name, clients, silent]),
    [
      ['exact', 18, 1],
      ['bbo', 180, 3],
      ['depth', 800, 4],
      ['exact_conflate', 1, 1],
      ['exact_snapshot', 1, 1],
    ],
  );
  t.match(JSON.parse(groups[3]?.request ?? '{}'), { mode: 'exact', onSlow: 'conflate' });
  const none = groupsOf({ clients: { exact: 1, bbo: 0, depth: 2 }, silent: [0, 0, 1], instruments: 2 });
  t.same(
    none.map(({ clients }) => clients),
    [1, 0, 2],
  );
});
