/** Events that contradict the books, from the source to the client: refused or passed on, told, counted, never diverging. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ServeOptionsInput, serveOptions } from '../../src/config.js';
import { parseOptions } from '../../src/config_parse.js';
import type { Refusal } from '../../src/distributor.js';
import { SeededRandom } from '../../src/faults/random.js';
import { FeedClient } from '../../src/feed_client.js';
import { passedOn } from '../../src/validation.js';
import { RefusalLines, refusalLine } from '../../src/view/refusal_lines.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { controlUrl, linePair } from '../faults/lines.js';
import { feedDistributor } from './feeds.js';
import { fileOf, simulatedDay } from './itch_day.js';

const line = 247;

const everything = Object.fromEntries(
  Object.keys(parseOptions(serveOptions, {}, 'test').validation).map((reason) => [reason, 'pass']),
) as ServeOptionsInput['validation'];

const quantity_at: Record<string, number> = { A: 20, F: 20, E: 19, X: 19, U: 27 };

/** A day of which messages were lost, repeated and damaged. */
async function contradictoryDay(t: Test): Promise<string> {
  const { messages } = await simulatedDay(t, 12_000n);
  const random = new SeededRandom(3);
  const broken = messages.flatMap((message) => {
    const roll = random.between(0, 99);
    if (roll === 0) return [];
    if (roll === 1) return [message, message];
    const type = message.toString('latin1', 0, 1);
    if (roll > 3 || quantity_at[type] === undefined) return [message];
    const copy = Buffer.from(message);
    if (roll === 2) copy.writeUInt32BE(random.between(0, 1) * 0xffff_ffff, quantity_at[type] ?? 0);
    else copy.writeUInt16BE(random.between(0, 20), 1);
    return [copy];
  });
  const file = join(t.testdir({}), 'day.itch50');
  writeFileSync(file, fileOf(broken));
  return file;
}

async function run(t: Test, file: string, validation: ServeOptionsInput['validation']) {
  const client = new FeedClient({
    lineA: linePair(line).A,
    lineB: null,
    control: controlUrl(line),
    limits: { orders: 65_536 },
  });
  t.teardown(() => client.close());
  const made = feedDistributor(t, line, {
    source: `itch:${file}`,
    rate: 60_000,
    digestMessages: 20,
    control: controlUrl(line),
    validation,
  });
  const refusals: Refusal[] = [];
  made.on('refused', (refusal) => refusals.push(refusal));
  await client.start();
  await made.start();
  const end = await made.ended;
  await until('the client', () => client.sequence === made.stats().sequence && client.state !== 'recovering');
  const { counters } = made.stats();
  t.equal(client.stats().counters.digestsMismatched, 0n);
  t.ok((client.stats().counters.digestsChecked ?? 0n) > 20n);
  t.equal((await client.snapshot()).digest, counters.digest);
  const sum = (pattern: RegExp) =>
    Object.entries(counters).reduce((all, [name, count]) => (pattern.test(name) ? all + count : all), 0n);
  await made.close();
  await client.close();
  return { end, refusals, refused: sum(/^refused\./), passed: sum(/^passed\./), untold: counters.refusalsUntold ?? 0n };
}

t.test('whateverThePolicyTheClientsBooksAreThePublishers', async (t) => {
  const file = await contradictoryDay(t);
  const refusing = await run(t, file, {});
  t.match(refusing, { end: { reason: 'end' }, passed: 0n });
  t.ok(refusing.refused > 100n, `${refusing.refused} refused`);
  t.equal(BigInt(refusing.refusals.length) + refusing.untold, refusing.refused, 'each was told, or counted as untold');
  t.ok(refusing.refusals.every(({ position, passed }) => position > 0n && !passed));
  const passing = await run(t, file, everything);
  t.equal(passing.refused, 0n);
  t.ok(passing.passed > 100n);
  t.ok(passing.refusals.every(({ passed }) => passed));
});

t.test('onlyReasonsThatCanBePassedOnAreOptions', async (t) => {
  t.same(passedOn(parseOptions(serveOptions, {}, 'test').validation), []);
  t.same(passedOn(parseOptions(serveOptions, { validation: { offTick: 'pass' } }, 'test').validation), ['off_tick']);
  t.throws(
    () => parseOptions(serveOptions, { validation: { orderLimit: 'pass' } }, 'test'),
    /validation.orderLimit is not an option/,
  );
});

t.test('refusalsAreSaidAtALimitedRate', async (t) => {
  const refusal: Refusal = {
    position: 17n,
    timeNs: 0n,
    reason: 'off_tick',
    kind: 'add',
    passed: false,
    sourceCode: 3,
    orderId: 5n,
    price: 1_001n,
    quantity: 7n,
  };
  const text = 'message 17: add of order 5 refused: off_tick (instrument 3 of the source, price 1001, quantity 7)';
  t.equal(refusalLine(refusal), text);
  t.match(refusalLine({ ...refusal, orderId: 0n, passed: true }), 'message 17: add passed on: off_tick');
  const said: string[] = [];
  const lines = new RefusalLines((each) => said.push(each));
  for (let count = 0; count < 25; count++) lines.take(refusal, 1_000 + count);
  t.equal(said.length, 10);
  lines.tick(1_999);
  t.equal(said.length, 10);
  lines.take(refusal, 2_000);
  t.same(said.slice(10), ['15 more refused or passed on, not shown', text]);
});
