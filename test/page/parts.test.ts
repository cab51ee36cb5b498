/** What the page is made of and needs no browser for: texts, places, the tape, figures of the last seconds. */
import t from 'tap';
import type { Print } from '../../src/browser/index.js';
import { error_codes } from '../../src/gateway/protocol.js';
import { decimalText, grouped, msText, rateText, timeOfDay } from '../../src/page/format.js';
import { parsePlace, placeText } from '../../src/page/place.js';
import { SlidingLeast, SlidingPercentiles, SlidingRate } from '../../src/page/sliding.js';
import { Tape } from '../../src/page/tape.js';
import { Transit } from '../../src/page/transit.js';
import { cureOf } from '../../src/page/troubles.js';

t.test('numbersAreTheirDigits', async (t) => {
  t.equal(decimalText(2n ** 63n - 1n, -4), '922,337,203,685,477.5807');
  t.equal(decimalText(-1_234_500n, -4), '-123.4500');
  t.equal(decimalText(12n, 3), '12,000');
  t.equal(grouped('1234.1234567'), '1,234.1234567', 'a fraction has no groups');
  t.equal(timeOfDay(1_795_475_548_449_999_999n), '23:12:28.449', 'never rounded up');
  t.equal(timeOfDay(-1n), '23:59:59.999');
  t.equal(rateText(0.04), '0.0');
  t.equal(rateText(10_234.4), '10,234');
  t.equal(msText(Number.NaN), '–');
  t.equal(msText(1234.5), '1,235');
});

t.test('aPlaceIsReadAsItWasWritten', async (t) => {
  for (const symbol of ['AAPL', 'BRK.A', 'A/B', 'Ä ö#%?*', '<img src=x onerror=alert(1)>'])
    t.same(parsePlace(placeText({ channel: 7, symbol })), { channel: 7, symbol }, symbol);
  const nowhere = { channel: undefined, symbol: undefined };
  for (const fragment of ['', '#', '#x', '#-1/A', '#99999999999/A', '#4294967296/A', '#1.5/A', '#1x'])
    t.same(parsePlace(fragment), nowhere, fragment);
  for (const fragment of ['#1', '#1/', '#1/%E0%A4%A', `#1/${'A'.repeat(65)}`])
    t.same(parsePlace(fragment), { channel: 1, symbol: undefined }, fragment);
});

t.test('percentilesForgetAfterTenSeconds', async (t) => {
  const delays = new SlidingPercentiles();
  t.match(delays.read(0), { count: 0, p50: Number.NaN, max: Number.NaN });
  for (let value = 1; value <= 1_000; value++) delays.add(value / 10, 500);
  const { count, max, p50, p90, p99 } = delays.read(500);
  t.equal(count, 1_000);
  t.equal(max, 100);
  for (const [told, exact] of [
    [p50, 50],
    [p90, 90],
    [p99, 99],
  ] as const)
    t.ok(told >= exact && told <= exact * 1.05, `${told} for ${exact}`);
  delays.add(3, 5_500);
  t.equal(delays.read(9_900).count, 1_001);
  t.match(delays.read(10_100), { count: 1, max: 3 }, 'what is older is gone');
  delays.add(0, 60_000);
  delays.add(1e9, 60_000);
  delays.add(-5, 60_000);
  t.match(delays.read(60_000), { count: 3, max: 1e9 }, 'nothing is beyond its buckets');
  t.equal(delays.read(1e12).count, 0);
});

t.test('theLeastIsOfTheLastMinute', async (t) => {
  const least = new SlidingLeast();
  t.equal(least.read(0), Number.POSITIVE_INFINITY);
  least.add(3, 1_000);
  least.add(5, 40_000);
  t.equal(least.read(59_000), 3);
  t.equal(least.read(61_000), 5);
});

t.test('ratesAreOfAboutTwoSecondsAndBeginAnewAfterAFall', async (t) => {
  const rate = new SlidingRate();
  let told = 0;
  for (let now = 0; now <= 10_000; now += 250) told = rate.update(now < 5_000 ? now : 5_000 + (now - 5_000) * 10, now);
  t.equal(told, 10_000);
  t.equal(rate.update(3, 10_250), 0);
  t.equal(rate.update(13, 11_250), 10);
});

t.test('theFastestFrameTakesHalfTheFastestRoundTrip', async (t) => {
  const transit = new Transit();
  transit.onFrame(1_000, 5_000, 0);
  t.match(transit.read(0), { count: 0, roundTripMs: Number.NaN, clockMs: Number.NaN }, 'nothing is told before a ping');
  transit.onPong(9, 0);
  transit.onPong(4, 10);
  // Clocks 3,990 ms apart; frames that need 2, 12 and 2 ms.
  transit.onFrame(2_000, 5_992, 100);
  transit.onFrame(2_000, 6_002, 110);
  transit.onFrame(3_000, 6_992, 120);
  const { clockMs, count, max, p50, roundTripMs } = transit.read(200);
  t.match({ clockMs, count, max, roundTripMs }, { clockMs: 3_990, count: 3, max: 12, roundTripMs: 4 });
  t.ok(Math.abs(p50 - 2) < 0.1, String(p50));
});

t.test('theTapeIsARingAndAddsUpWhatIsPrintable', async (t) => {
  const tape = new Tape(3);
  const print = (sequence: bigint, more: Partial<Print> = {}): Print => ({
    sequence,
    tradeId: 0n,
    price: 10n * sequence,
    quantity: 2n ** 60n,
    timeNs: 0n,
    instrument: 1,
    instrumentSequence: 1,
    kind: 'execute',
    side: 'bid',
    printable: true,
    ...more,
  });
  t.equal(tape.at(0), undefined);
  tape.add([print(1n), print(2n), print(3n), print(4n)]);
  tape.add([print(5n, { printable: false }), print(6n, { kind: 'trade_break' })]);
  t.same(
    [0, 1, 2, 3].map((age) => (tape.at(age) as Print | undefined)?.sequence),
    [6n, 5n, 4n, undefined],
  );
  t.equal(tape.volume, 4n * 2n ** 60n);
  t.equal(tape.last?.sequence, 4n);
  tape.addGap();
  tape.addGap();
  t.same([tape.at(0), (tape.at(1) as Print).sequence, tape.isWhole], ['gap', 6n, false], 'a hole is shown, once');
  const { version } = tape;
  tape.add([]);
  t.equal(tape.version, version, 'nothing came: nothing is drawn');
  tape.clear();
  t.same([tape.at(0), tape.volume, tape.last], [undefined, 0n, undefined]);
  t.not(tape.version, version);
});

t.test('everyErrorHasACure', async (t) => {
  const of_no_user = ['id_in_use', 'unknown_id', 'not_in_json'];
  for (const code of error_codes) if (!of_no_user.includes(code)) t.notMatch(cureOf(code), /docs\/gateway/, code);
  t.match(cureOf('of_a_later_version'), /docs\/gateway/);
});
