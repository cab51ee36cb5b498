import t from 'tap';
import { findRecurrences } from '../../src/jitter/periodic.js';

const known = [
  { name: 'heartbeat', interval_ms: 100 },
  { name: 'definitions', interval_ms: 200 },
];
/** Slices of half a second with half a second between them. */
const windows = Array.from({ length: 10 }, (_, index) => ({ begin_ms: index * 1_000, end_ms: index * 1_000 + 500 }));
const looked = (ms: number) => windows.some(({ begin_ms, end_ms }) => ms >= begin_ms && ms < end_ms);

/** A generator of our own, so that every run sees the same times. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

t.test('spikesEvery100MsAmongOthersAreFoundOnceBesideWhatRunsAtThatInterval', async (t) => {
  const next = random(7);
  const spikes: number[] = [];
  for (let ms = 13; ms < 10_000; ms += 100) if (looked(ms)) spikes.push(ms + 0.4 * next());
  for (let index = 0; index < 40; index++) spikes.push(Math.floor(next() * 10) * 1_000 + 500 * next());
  const found = findRecurrences(
    spikes.sort((a, b) => a - b),
    windows,
    known,
  );
  t.ok(found.length >= 1);
  t.ok(Math.abs((found[0]?.interval_ms ?? 0) - 100) < 1, String(found[0]?.interval_ms));
  t.same(found[0]?.beside, ['heartbeat']);
});

t.test('anIntervalThatNothingIsKnownToRunAtIsToldAsThat', async (t) => {
  const spikes: number[] = [];
  for (let ms = 3; ms < 10_000; ms += 37) if (looked(ms)) spikes.push(ms);
  const [first] = findRecurrences(spikes, windows, known);
  t.ok(Math.abs((first?.interval_ms ?? 0) - 37) < 1);
  t.same(first?.beside, []);
});

t.test('spikesWithoutARhythmHaveNone', async (t) => {
  const next = random(3);
  const spikes = Array.from({ length: 120 }, () => Math.floor(next() * 10) * 1_000 + 500 * next()).sort(
    (a, b) => a - b,
  );
  t.same(findRecurrences(spikes, windows, known), []);
  t.same(findRecurrences([1, 2], windows, known), []);
  t.same(findRecurrences([], [], known), []);
});
