import t from 'tap';
import type { Activity } from '../../src/jitter/attribution.js';
import { findDeliveryEpisodes, medianDelivery_ns } from '../../src/jitter/deliveries.js';

/** A packet of two messages each 1 ms, delivered 50 us after it was applied unless `late_us` says more. */
function slice(count: number, late_us: Record<number, number>, run_delay_us: Record<number, number> = {}) {
  const packets: number[] = [];
  const deliveries: number[] = [];
  for (let index = 0; index < count; index++) {
    const applied_ns = 1e6 * (index + 1);
    packets.push(0, 0, applied_ns, applied_ns - 9_000, 2 * (index + 1), 2, 0);
    const wait_ns = 1e3 * (late_us[index] ?? 50);
    deliveries.push(2 * (index + 1), applied_ns + wait_ns, 1e3 * (run_delay_us[index] ?? 0));
  }
  return { packets: Float64Array.from(packets), deliveries: Float64Array.from(deliveries) };
}

const none: Activity[] = [];

t.test('aQuietSliceHasNoneAndItsMedianIsTold', async (t) => {
  const evidence = { ...slice(20, {}), activities: none };
  t.equal(medianDelivery_ns(evidence), 50_000);
  t.same(findDeliveryEpisodes(evidence, 300_000), []);
  t.equal(medianDelivery_ns({ packets: new Float64Array(), deliveries: new Float64Array(), activities: none }), 0);
});

t.test('garbageCollectionTheCoreAndTheEventLoopAreToldApart', async (t) => {
  const gc = [{ name: 'gc of the subscriber', begin_ns: 5_100_000, end_ns: 5_800_000 }];
  const [collected] = findDeliveryEpisodes({ ...slice(20, { 4: 900 }), activities: gc }, 300_000);
  t.match(collected, { cause: 'javascript', beside: ['gc of the subscriber'], messages: 2, latency_ns: 900_000 });
  const [waited] = findDeliveryEpisodes({ ...slice(20, { 4: 900 }, { 4: 800 }), activities: none }, 300_000);
  t.equal(waited?.cause, 'scheduling');
  const [busy] = findDeliveryEpisodes({ ...slice(20, { 4: 900 }, { 4: 100 }), activities: none }, 300_000);
  t.equal(busy?.cause, 'javascript');
});

t.test('whatNoCallBroughtIsNoEpisode', async (t) => {
  const { packets, deliveries } = slice(5, { 3: 900, 4: 900 });
  const cut = deliveries.subarray(0, 4 * 3);
  t.equal(findDeliveryEpisodes({ packets, deliveries: cut, activities: none }, 300_000).length, 1);
});
