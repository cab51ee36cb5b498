/**
 * The gateway's streams against what they are made of. 60,000 messages; with DEPTHCAST_FULL=1, 1,000,000 (a minute or
 * two), and then every policy must have acted. DEPTHCAST_SEED=n takes another run.
 */
import t from 'tap';
import { seedsOf } from '../faults/random.js';
import { runStreams } from './streams.js';

const full = process.env.DEPTHCAST_FULL === '1';
t.setTimeout(900_000);

const folder = t.testdir();

for (const seed of seedsOf(20_191_230))
  t.test('streamsAreTheMulticastTheReferenceAndTheirCounts', async (t) => {
    const figures = await runStreams(t, {
      folder,
      number: 235,
      messages: full ? 1_000_000 : 60_000,
      rate: full ? 15_000 : 20_000,
      seed,
      stopMsMax: full ? 6_000 : 500,
    });
    const { checks, compared, counts, differing, exactMessages, neverReceived, prints, slow } = figures;
    t.comment(`DEPTHCAST_SEED=${seed}: ${JSON.stringify({ ...figures, wrong: figures.wrong.slice(0, 5) })}`);
    t.equal(differing, 0, `${compared} messages as on line A, of ${exactMessages}`);
    t.equal(compared + neverReceived, exactMessages);
    t.ok(compared > exactMessages / 2, `${neverReceived} did not arrive on line A`);
    t.same(figures.wrong.slice(0, 10), [], 'books, windows and prints are those of the reference');
    for (const mode of ['filtered', 'depth', 'bbo']) t.ok((checks[mode] ?? 0) > 100, `${checks[mode]} of ${mode}`);
    t.ok(prints > 1_000, `${prints} prints`);
    for (const { conflated, pending, published, refused, sent, what } of counts) {
      t.equal(pending, 0, what);
      t.equal(sent + conflated + refused, published, `${what}: ${sent} + ${conflated} + ${refused} = ${published}`);
    }
    t.same(figures.told, [], 'no mismatch of digests, hashes or counts, no fault');
    if (figures.disconnected !== undefined)
      t.equal(figures.disconnected.said, figures.disconnected.last, 'the close names the last number sent');
    if (!full) return;
    t.ok(exactMessages >= 990_000);
    t.ok((slow.conflated ?? 0) > 0 && (slow.resnapshot ?? 0) > 0, JSON.stringify(slow));
    t.ok(figures.disconnected, 'who did not read was disconnected');
  });
