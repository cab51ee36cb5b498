import t from 'tap';
import { clockDistance_ns, clockStep_ns } from '../../src/jitter/clock.js';

t.test('aStepOfTheClockIsToldFromSlewingAndFromALateLook', async (t) => {
  t.equal(clockStep_ns(1_000n, 1_000n), 0);
  t.equal(clockStep_ns(1_000n, 15_000n), 0);
  t.equal(clockStep_ns(0n, 2_000_000n), 2_000_000);
  t.equal(clockStep_ns(0n, -2_000_000n), -2_000_000);
  // Between the two looks the thread was away three times.
  const looks: [bigint, bigint][] = [
    [1_000_000n, 5_000_000n],
    [6_000_000n, 6_000_400n],
    [7_000_000n, 9_000_000n],
    [9_000_000n, 9_000_100n],
    [9_500_000n, 9_900_000n],
  ];
  let look = 0;
  t.equal(
    clockDistance_ns(() => looks[look++] ?? [0n, 0n]),
    -100n,
  );
});

t.test('theClocksOfThisMachineStandStillAgainstEachOther', async (t) => {
  const before = clockDistance_ns();
  t.type(before, 'bigint');
});
