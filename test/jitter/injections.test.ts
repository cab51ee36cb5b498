import t from 'tap';
import { addInjections, injection_kinds, noFigures, parseInjection } from '../../src/jitter/injections.js';

t.test('anInjectionIsAKindAnIntervalAndALength', async (t) => {
  t.same(parseInjection('receiver-stop'), { kind: 'receiver-stop', every_ms: 50, length_ms: 2 });
  t.same(parseInjection('publisher-pause:20:1.5'), { kind: 'publisher-pause', every_ms: 20, length_ms: 1.5 });
  for (const kind of injection_kinds) t.ok(parseInjection(kind), kind);
  for (const wrong of [
    '',
    'pause',
    'receiver-stop:1',
    'receiver-stop:50:26',
    'receiver-stop:50:x',
    'receiver-stop:50:2:1',
  ])
    t.equal(parseInjection(wrong), undefined, wrong);
});

t.test('anEpisodeIsOfAnInjectionsMakingWhereThatCoversHalfOfItsWorstPacketsWay', async (t) => {
  const figures = noFigures('publisher-pause');
  const injections = [100, 200, 300].map((begin_ns) => ({ begin_ns, end_ns: begin_ns + 20 }));
  addInjections(figures, injections, [
    { cause: 'publisher', begin_ns: 90, end_ns: 121 },
    { cause: 'machine', begin_ns: 205, end_ns: 230 },
    { cause: 'scheduling', begin_ns: 310, end_ns: 400 },
    { cause: 'scheduling', begin_ns: 400, end_ns: 500 },
  ]);
  t.match(figures, { expected: 'publisher', injections: 3, seen: 2, episodes: 2, right: 1 });
  t.same(figures.causes, { publisher: 1, machine: 1 });
  t.same(figures.touched, { scheduling: 1 });
});
