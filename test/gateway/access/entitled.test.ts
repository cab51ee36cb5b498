/** Entitlements: parsing, patterns against a naive matcher, what is allowed. */
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import { Entitled, noLongerAllowed } from '../../../src/gateway/access/entitled.js';
import { all_entitlements, parseEntitlements } from '../../../src/gateway/access/entitlements.js';
import { namePattern } from '../../../src/gateway/access/name_pattern.js';
import { entitlements } from './parts.js';

/** The obvious definition, exponential as it may be. */
function naive(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const rest = pattern.slice(1);
  if (pattern[0] === '*') return naive(rest, name) || (name !== '' && naive(pattern, name.slice(1)));
  return name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && naive(rest, name.slice(1));
}

t.test('patternsMatchAsTheObviousDefinition', async (t) => {
  const seed = Number(process.env.SEED ?? 7);
  const random = new SeededRandom(seed);
  const text = (letters: string[], length: number) =>
    Array.from({ length: random.between(0, length) }, () => random.pick(letters)).join('');
  for (let run = 0; run < 20_000; run++) {
    const pattern = text(['a', 'b', '*', '?'], 8);
    const compiled = namePattern(pattern);
    const stars = (pattern.match(/\*+/g) ?? []).length;
    if (pattern === '' || stars > 4) {
      if (compiled !== undefined) t.fail(`taken: ${pattern}`);
      continue;
    }
    const name = text(['a', 'b'], 8);
    if (compiled?.matches(name) !== naive(pattern, name)) t.fail(`SEED=${seed}: ${pattern} ${name}`);
  }
});

t.test('escapesAndBadPatterns', async (t) => {
  t.equal(namePattern('A\\*')?.exact, 'A*');
  t.equal(namePattern('A\\*')?.matches('AB'), false);
  t.equal(namePattern('a\\\\b')?.exact, 'a\\b');
  t.equal(namePattern('**')?.all, true);
  t.equal(namePattern('\\*')?.all, false);
  for (const bad of ['', 'a'.repeat(65), 'a\\', 'a\\b', 'a\u0000', 'a\u202eb', '\ud800', '*a*b*c*d*'])
    t.equal(namePattern(bad), undefined, JSON.stringify(bad));
});

t.test('longPatternsMatchAcrossTheWordsOfTheirPlaces', async (t) => {
  const seed = Number(process.env.SEED ?? 11);
  const random = new SeededRandom(seed);
  for (let run = 0; run < 2_000; run++) {
    // One star, so that what must match is plain: how the name begins, and how it ends.
    const literal = Array.from({ length: random.between(1, 63) }, () => random.pick(['a', 'b', 'c'])).join('');
    const cut = random.between(0, literal.length);
    const pattern = namePattern(`${literal.slice(0, cut)}*${literal.slice(cut)}`);
    const middle = 'ab'.repeat(random.between(0, 50));
    const name = `${literal.slice(0, cut)}${middle}${literal.slice(cut)}`;
    const fits = (text: string) =>
      text.length >= literal.length && text.startsWith(literal.slice(0, cut)) && text.endsWith(literal.slice(cut));
    const place = random.between(0, name.length - 1);
    const other = `${name.slice(0, place)}c${name.slice(place + 1)}`;
    for (const text of [name, other, name.slice(1), `${name}c`])
      if (pattern?.matches(text) !== fits(text)) t.fail(`SEED=${seed}: ${literal} at ${cut}, ${text}`);
  }
  t.ok(namePattern('*Ä?ß*')?.matches('xÄyßz'), 'beyond ASCII');
  t.notOk(namePattern('*Ä?ß*')?.matches('xÖyßz'));
  const marks = namePattern('?'.repeat(64));
  t.ok(marks?.matches('x'.repeat(64)));
  t.notOk(marks?.matches('x'.repeat(65)));
  t.ok(namePattern(`*${'?'.repeat(63)}`)?.matches('x'.repeat(64)));
  t.notOk(namePattern(`*${'?'.repeat(63)}`)?.matches('x'.repeat(62)));
});

t.test('entitlementsAreReadStrictly', async (t) => {
  const grant = { channels: '*', instruments: ['*'], modes: ['exact'] };
  t.match(parseEntitlements({ grants: [grant] }), {
    value: { connectionsMax: null, grants: [{ depthLevelsMax: null }] },
  });
  const bad: [unknown, RegExp][] = [
    [undefined, /expected/],
    ['all', /expected object/],
    [{}, /^grants: expected array$/],
    [{ grants: [] }, /^grants/],
    [{ grants: [grant], mode: 'x' }, /^unknown "mode"$/],
    [{ grants: [{ ...grant, channels: [] }] }, /^grants\[0\]\.channels: expected "\*" or a list/],
    [{ grants: [{ ...grant, channels: 'all' }] }, /^grants\[0\]\.channels/],
    [{ grants: [{ ...grant, channels: [1.5] }] }, /^grants\[0\]\.channels/],
    [{ grants: [{ ...grant, channels: [-1] }] }, /^grants\[0\]\.channels/],
    [{ grants: [{ ...grant, channels: [2 ** 32] }] }, /^grants\[0\]\.channels/],
    [{ grants: [{ ...grant, modes: ['all'] }] }, /^grants\[0\]\.modes\[0\]: expected one of "exact"/],
    [{ grants: [{ ...grant, instruments: ['AAPL'] }] }, /^grants\[0\]\.instruments: expected \["\*"\]/],
    [{ grants: [{ ...grant, depthLevelsMax: 5 }] }, /^grants\[0\]\.depthLevelsMax: expected null/],
    [{ grants: [{ ...grant, modes: ['depth'], depthLevelsMax: 0 }] }, /^grants\[0\]\.depthLevelsMax: expected a whole/],
    [{ grants: [{ ...grant, instruments: ['a\\'] }] }, /^grants\[0\]\.instruments\[0\]: expected a name/],
    [{ grants: [grant], connectionsMax: '5' }, /^connectionsMax: expected a whole number/],
    [{ grants: [grant], connectionsMax: Number.NaN }, /^connectionsMax: expected a whole number/],
  ];
  for (const [value, fault] of bad) t.match(parseEntitlements(value), { fault }, JSON.stringify(value));
});

const wide = entitlements({
  grants: [
    { channels: [1], instruments: ['AAPL', 'ES*'], modes: ['depth', 'bbo'], depthLevelsMax: 10 },
    { channels: [1], instruments: ['ESZ6'], modes: ['depth'] },
    { channels: [2], instruments: ['*'], modes: ['exact', 'trades'] },
    { channels: [3], instruments: ['MSFT'], modes: ['filtered'] },
  ],
});

function reason(entitled: Entitled, request: Parameters<Entitled['allows']>[0]): string {
  const answer = entitled.allows(request);
  return answer.allowed ? 'ok' : answer.refusal.code;
}

t.test('grantsAllowWhatTheySayAndNothingElse', async (t) => {
  const entitled = new Entitled(wide);
  const subscribe = (
    channel: number,
    mode: 'exact' | 'filtered' | 'depth' | 'bbo' | 'trades',
    instruments: string[] | 'all',
    levels?: number,
  ) => reason(entitled, { use: 'subscribe', channel, mode, instruments, ...(levels === undefined ? {} : { levels }) });
  t.equal(subscribe(1, 'depth', ['AAPL', 'ESH7'], 10), 'ok');
  t.equal(subscribe(1, 'depth', ['AAPL'], 11), 'depth_denied');
  t.equal(subscribe(1, 'depth', ['AAPL']), 'depth_denied', 'without levels it asks for all');
  t.equal(subscribe(1, 'depth', ['ESZ6'], 500), 'ok', 'the widest grant counts');
  t.equal(subscribe(1, 'depth', ['ESZ6', 'AAPL'], 500), 'depth_denied', 'for each instrument');
  t.equal(subscribe(1, 'bbo', ['AAPL']), 'ok');
  t.equal(subscribe(1, 'bbo', ['aapl']), 'instrument_denied', 'letters count as they are');
  t.equal(subscribe(1, 'bbo', 'all'), 'instrument_denied');
  t.equal(subscribe(1, 'trades', ['AAPL']), 'mode_denied');
  t.equal(subscribe(9, 'bbo', ['AAPL']), 'channel_denied');
  t.equal(subscribe(2, 'exact', 'all'), 'ok');
  t.equal(subscribe(2, 'trades', ['X']), 'ok');
  t.equal(subscribe(2, 'filtered', ['X']), 'mode_denied');
  t.equal(subscribe(3, 'exact', ['MSFT']), 'mode_denied');
  t.equal(subscribe(3, 'filtered', ['MSFT']), 'ok');
  t.equal(subscribe(3, 'filtered', 'all'), 'instrument_denied');
  t.equal(subscribe(1, 'bbo', []), 'ok', 'nothing of it is nothing');
  t.same(entitled.permitted(1, 'bbo', 0, ['AAPL', 'ESX', 'MSFT']), ['AAPL', 'ESX']);
});

t.test('recoveryAndSnapshotsAskTheSameObject', async (t) => {
  const entitled = new Entitled(wide);
  t.equal(reason(entitled, { use: 'retransmit', channel: 2 }), 'ok');
  t.equal(reason(entitled, { use: 'retransmit', channel: 3 }), 'mode_denied');
  t.equal(reason(entitled, { use: 'retransmit', channel: 4 }), 'channel_denied');
  t.equal(reason(entitled, { use: 'snapshot', channel: 2, instruments: 'all' }), 'ok');
  t.equal(reason(entitled, { use: 'snapshot', channel: 2, instruments: ['X'] }), 'ok', 'exact gives every order');
  t.equal(reason(entitled, { use: 'snapshot', channel: 3, instruments: ['MSFT'] }), 'ok');
  t.equal(reason(entitled, { use: 'snapshot', channel: 3, instruments: ['MSFT', 'X'] }), 'instrument_denied');
  t.equal(reason(entitled, { use: 'snapshot', channel: 3, instruments: 'all' }), 'mode_denied');
  t.equal(reason(entitled, { use: 'snapshot', channel: 1, instruments: ['AAPL'] }), 'mode_denied', 'depth is not L3');
  t.equal(reason(new Entitled(all_entitlements), { use: 'snapshot', channel: 7, instruments: 'all' }), 'ok');
});

t.test('refusalsNameNoInstrument', async (t) => {
  const answer = new Entitled(wide).allows({
    use: 'subscribe',
    channel: 1,
    mode: 'bbo',
    instruments: ['AAPL', '\u001b[2J'],
  });
  t.same(answer, {
    allowed: false,
    refusal: { code: 'instrument_denied', message: 'not entitled to this instrument: number 2 of the request' },
  });
});

t.test('narrowedEntitlementsSayWhichSubscriptionsEnd', async (t) => {
  const requests = [
    { use: 'subscribe', channel: 1, mode: 'bbo', instruments: ['AAPL'] },
    { use: 'subscribe', channel: 1, mode: 'depth', instruments: ['ESZ6'], levels: 20 },
    { use: 'subscribe', channel: 2, mode: 'exact', instruments: 'all' },
  ] as const;
  t.same(noLongerAllowed(new Entitled(wide), requests), []);
  const codes = noLongerAllowed(new Entitled(entitlements()), requests).map(({ index, refusal }) => [
    index,
    refusal.code,
  ]);
  t.same(codes, [
    [1, 'depth_denied'],
    [2, 'channel_denied'],
  ]);
});
