/** Options: defaults, what is accepted as what, and what is said of wrong ones. */
import { networkInterfaces } from 'node:os';
import t from 'tap';
import {
  ConfigError,
  mergeOptions,
  midnightNs,
  optionFields,
  parseOptions,
  serveOptions,
  speedFactor,
  subscribeOptions,
} from '../src/config.js';
import { accessOptions } from '../src/gateway/access/options.js';
import { sourceKind, sourceSyntax } from '../src/sources/kinds.js';

function refusalOf(schema: typeof serveOptions | typeof subscribeOptions, value: unknown): string {
  try {
    parseOptions(schema, value, 'test');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '(accepted)';
}

t.test('fillsInDefaultsOfServe', async (t) => {
  t.same(parseOptions(serveOptions, undefined, 'test'), {
    channel: 1,
    session: 0n,
    interface: '127.0.0.1',
    control: 'http://127.0.0.1:26400',
    lineA: { group: '239.192.26.1', port: 26401, datagramBytes: 1400 },
    lineB: { group: '239.192.26.2', port: 26402, datagramBytes: 1400 },
    ttl: 0,
    loop: true,
    segmentation: true,
    source: 'simulate',
    speed: 'max',
    rate: 0,
    unpackBytesMax: 64 * 2 ** 30,
    exitAtEnd: false,
    waitSubscribers: 0,
    waitTimeoutMs: 0,
    soupbintcp: {
      username: '',
      passwordFile: '',
      session: '',
      heartbeatTimeoutMs: 0,
      backoffMs: 100,
      backoffMsMax: 10_000,
    },
    moldudp64: {
      interface: '127.0.0.1',
      session: '',
      servers: [],
      lost: 'fault',
      giveUpMs: 10_000,
      silenceMs: 5_000,
      parkedBytesMax: 64 * 2 ** 20,
    },
    pcap: { groups: [], port: 0 },
    validation: {
      unknownOrder: 'refuse',
      duplicateOrder: 'refuse',
      overExecution: 'refuse',
      invalidQuantity: 'refuse',
      invalidSide: 'refuse',
      wrongInstrument: 'refuse',
      unknownInstrument: 'refuse',
      offTick: 'refuse',
      priceOutOfRange: 'refuse',
      delisted: 'refuse',
    },
    carryOver: false,
    simulate: { seed: 1n, symbols: 100, messages: 0n, liveOrders: 20_000, messageIntervalNs: 50_000 },
    ingest: {
      acknowledge: 'auto',
      tokens: '',
      tls: { cert: '', key: '' },
      insecure: false,
      takeover: false,
      loginMs: 5_000,
      heartbeatMs: 1_000,
      idleMs: 5_000,
      frameBytesMax: 2 ** 20,
      batchEventsMax: 16_384,
    },
    limits: { orders: 1_048_576, levels: 0, instruments: 16_384, depthLevels: 10, prefault: false },
    ring: { bytes: 64 * 2 ** 20, path: '' },
    state: '',
    journal: {
      fsync: 'interval',
      fsyncMs: 100,
      segmentBytes: 2 ** 28,
      segmentMs: 3_600_000,
      retainBytes: 0,
      retainMs: 0,
      checkpointMs: 60_000,
      checkpointsKept: 3,
    },
    snapshot: {
      enabled: true,
      ageMs: 500,
      totalBytesPerSecond: 2 ** 30,
      line: null,
      bytesPerSecond: 2 ** 23,
      core: -1,
    },
    recovery: {
      enabled: true,
      bytesPerSecond: 2 ** 26,
      burstBytes: 2 ** 26,
      totalBytesPerSecond: 2 ** 29,
      clientsMax: 10_000,
      token: '',
      udpPort: 0,
      udpRequestsPerSecond: 10_000,
    },
    gateway: {
      host: '127.0.0.1',
      port: null,
      workers: 1,
      nice: 5,
      sessionsMax: 10_000,
      subscriptionsMax: 64,
      levels: 10,
      bufferedBytes: 2 ** 18,
      idleSeconds: 60,
      requestsPerSecond: 100,
      windowBytesMax: 2 ** 28,
      tls: { keyFile: '', certificateFile: '' },
      goodbye: { url: '', reconnectMs: 1_000 },
    },
    access: accessOptions.parse({}),
    wait: 'park',
    core: -1,
    lockMemory: false,
    heartbeatMs: 100,
    digestMessages: 10_000,
    definitionsMs: 200,
  });
});

t.test('fillsInDefaultsOfSubscribe', async (t) => {
  const options = parseOptions(subscribeOptions, {}, 'test');
  const { channel, session, lineA, lineB, control } = parseOptions(serveOptions, {}, 'test');
  t.match(options, { channel, session, control, sources: [], exportPositions: [], exportOrders: false });
  t.same({ ...options.lineA, datagramBytes: 1400 }, lineA, 'the lines are those of serve');
  t.same({ ...options.lineB, datagramBytes: 1400 }, lineB);
  t.same(options.delivery, { updates: false, capacity: 65_536, policy: 'skip' });
  t.equal(options.receiveBufferBytes, 32 * 2 ** 20);
});

t.test('acceptsTextForNumbersAsFlagsGiveIt', async (t) => {
  const options = parseOptions(
    serveOptions,
    {
      channel: '7',
      session: '18446744073709551615',
      rate: '2.5',
      unpackBytesMax: '4GiB',
      core: '-1',
      lineA: { port: '5000', datagramBytes: '8952' },
      ring: { bytes: '1 MiB' },
    },
    'test',
  );
  t.match(options, { channel: 7, session: 2n ** 64n - 1n, rate: 2.5, unpackBytesMax: 4 * 2 ** 30, core: -1 });
  t.same(options.lineA, { group: '239.192.26.1', port: 5000, datagramBytes: 8952 });
  t.equal(options.ring.bytes, 2 ** 20);
  const positions = (exportPositions: string | (string | number)[]) =>
    parseOptions(subscribeOptions, { exportPositions }, 'test').exportPositions;
  t.same(positions('1000, 2000'), [1000n, 2000n]);
  t.same(positions([1, '2']), [1n, 2n]);
  t.same(positions(''), []);
});

t.test('namesKeyGivenValueAndExpectation', async (t) => {
  const cases: [value: unknown, message: string][] = [
    [{ lineA: { port: 70_000 } }, 'test: lineA.port is 70000, expected a whole number from 1 to 65535'],
    [{ channel: -1 }, 'test: channel is -1, expected a whole number from 0 to 4294967295'],
    [{ channel: 1.5 }, 'test: channel is 1.5, expected a whole number from 0 to 4294967295'],
    [{ channel: '' }, 'test: channel is "", expected a whole number from 0 to 4294967295'],
    [{ channel: null }, 'test: channel is null, expected a whole number from 0 to 4294967295'],
    [{ session: 2n ** 64n }, `test: session is ${2n ** 64n}, expected a whole number from 0 to 2^64 - 1`],
    [{ loop: 'yes' }, 'test: loop is "yes", expected true or false'],
    [{ wait: 'sleep' }, 'test: wait is "sleep", expected one of "spin", "yield", "park"'],
    [{ lineB: { group: 'localhost' } }, 'test: lineB.group is "localhost", expected an IPv4 address'],
    [{ lineA: 5 }, 'test: lineA is 5, expected an object'],
    [{ source: 'itch:' }, `test: source is "itch:", expected ${sourceSyntax}`],
    [{ speed: '0x' }, 'test: speed is "0x", expected "max", "realtime" or a factor such as "10x"'],
    [{ date: '2019-02-30' }, 'test: date is "2019-02-30", expected a day as YYYY-MM-DD'],
    [{ rate: Number.NaN }, 'test: rate is null, expected a number from 0 to 1000000000'],
    [
      { lineA: { datagramBytes: 1401 } },
      'test: lineA.datagramBytes is 1401, expected bytes from 512 to 8952, a multiple of 8, such as 65536, "64KiB" or "4GiB"',
    ],
    [
      { control: 'https://127.0.0.1:1' },
      'test: control is "https://127.0.0.1:1", expected a URL such as "http://127.0.0.1:26400"',
    ],
    [7, 'test: 7 given, expected an object'],
  ];
  for (const [value, message] of cases) t.equal(refusalOf(serveOptions, value), message);
});

t.test('namesUnknownKeyAndTheNearestKnownOne', async (t) => {
  t.equal(refusalOf(serveOptions, { chanel: 1 }), 'test: chanel is not an option, the nearest known one is channel');
  t.equal(
    refusalOf(serveOptions, { lineA: { prot: 1 } }),
    'test: lineA.prot is not an option, the nearest known one is lineA.port',
  );
  t.equal(
    refusalOf(subscribeOptions, { delivery: { Policies: 1 } }),
    'test: delivery.Policies is not an option, the nearest known one is delivery.policy',
  );
  t.match(refusalOf(serveOptions, JSON.parse('{"__proto__": {}}')), /^test: __proto__ is not an option/);
});

t.test('namesEveryFaultOfOneFile', async (t) => {
  t.equal(
    refusalOf(serveOptions, { ttl: 256, sped: 'max', ring: { bytes: 3_000_000 } }),
    'test: ttl is 256, expected a whole number from 0 to 255; ' +
      'ring.bytes is 3000000, expected bytes from 1048576 to 1099511627776, a power of two, such as 65536, "64KiB" or "4GiB"; ' +
      'sped is not an option, the nearest known one is speed',
  );
});

t.test('refusesOptionsThatContradictEachOther', async (t) => {
  t.match(refusalOf(serveOptions, { lineA: null, lineB: null }), /lineA is null, expected at least one of/);
  const line = { group: '239.1.1.1', port: 1000 };
  t.match(refusalOf(subscribeOptions, { lineA: line, lineB: line }), /lineB is .*, expected another group or port/);
  t.match(refusalOf(serveOptions, { control: null, waitSubscribers: 1 }), /waitSubscribers is 1, expected 0/);
  t.match(refusalOf(subscribeOptions, { sourceSpecific: true }), /sources is missing, expected a source/);
  t.match(
    refusalOf(subscribeOptions, { control: 'http://127.0.0.1:0' }),
    /control is "http:\/\/127.0.0.1:0", expected/,
  );
  t.match(refusalOf(subscribeOptions, { exportPositions: [2, 2] }), /exportPositions is \[2,2\], expected ascending/);
  t.match(refusalOf(subscribeOptions, { exportPositions: '0' }), /exportPositions is "0", expected ascending/);
});

t.test('acceptsAnInterfaceByName', async (t) => {
  const [name, addresses] =
    Object.entries(networkInterfaces()).find(([, list]) => list?.some(({ family }) => family === 'IPv4')) ?? [];
  const address = addresses?.find(({ family }) => family === 'IPv4')?.address;
  t.ok(name);
  t.equal(parseOptions(serveOptions, { interface: name }, 'test').interface, address);
  t.match(refusalOf(serveOptions, { interface: 'nosuch0' }), /interface is "nosuch0", expected an IPv4 address, or an/);
});

/** The token is given whole or not at all. */
const resume_fields = ['resume.session', 'resume.sequence', 'resume.digest'];

t.test('listsEveryOptionWithDescriptionAndDefault', async (t) => {
  for (const schema of [serveOptions, subscribeOptions]) {
    const fields = optionFields(schema);
    t.same(
      fields.filter(({ description }) => description === '').map(({ path }) => path.join('.')),
      [],
      'each has a description',
    );
    const noDefault = fields.filter(({ defaultValue }) => defaultValue === undefined).map(({ path }) => path.join('.'));
    t.same(
      noDefault,
      schema === serveOptions
        ? ['date', 'moldudp64.groupB', 'access.jwt.issuer', 'access.jwt.audience', 'profile']
        : [...resume_fields, 'profile'],
    );
  }
  const fields = new Map(optionFields(serveOptions).map((field) => [field.path.join('.'), field]));
  t.match(fields.get('lineB.port'), { defaultValue: 26402, kind: 'value', nullable: false });
  t.match(fields.get('loop'), { defaultValue: true, kind: 'flag' });
  t.match(fields.get('wait'), { choices: ['spin', 'yield', 'park'] });
  t.match(fields.get('control'), { nullable: true });
  t.equal(optionFields(subscribeOptions).find(({ path }) => path[0] === 'sources')?.kind, 'list');
});

t.test('mergesSectionsAndLeavesWhatIsUndefined', async (t) => {
  const base = { channel: 1, lineA: { port: 1, group: 'g' }, lineB: null };
  const over = { channel: undefined, lineA: { port: 2 }, lineB: { port: 3 } };
  t.same(mergeOptions(base, over), { channel: 1, lineA: { port: 2, group: 'g' }, lineB: { port: 3 } });
  t.same(base.lineA.port, 1, 'the base stays as it was');
  t.same(mergeOptions({ lineA: { port: 1 } }, { lineA: null }), { lineA: null });
  const polluting = JSON.parse('{"__proto__": {"polluted": true}}');
  const merged = mergeOptions(polluting, polluting) as object;
  t.notOk('polluted' in {});
  t.ok(Object.hasOwn(merged, '__proto__'), 'kept as a key, for the schema to refuse');
});

t.test('turnsSpeedIntoAFactor', async (t) => {
  t.same(['max', 'realtime', '10x', '0.5x'].map(speedFactor), [0, 1, 10, 0.5]);
  t.same(
    ['', 'x', '0x', '-1x', '1e3x', 'fast', '10'].map(speedFactor).filter((factor) => factor !== undefined),
    [],
  );
});

t.test('countsTimesFromMidnightOfTheDay', async (t) => {
  const now_ms = Date.parse('2026-03-04T05:06:07Z');
  const midnight = (day: string) => BigInt(Date.parse(`${day}T00:00:00Z`)) * 1_000_000n;
  t.equal(midnightNs({ source: 'simulate', date: undefined }, now_ms), midnight('2026-03-04'));
  t.equal(midnightNs({ source: 'itch:x', date: undefined }, now_ms), 0n);
  t.equal(midnightNs({ source: 'itch:x', date: '2019-12-30' }, now_ms), midnight('2019-12-30'));
});

t.test('aSourcesPortIsOneOfThoseThatThereAre', async (t) => {
  for (const [source, kind] of [
    ['tcp:127.0.0.1:65535', 'tcp'],
    ['tcp:[::1]:0,unix:/a:99999', 'tcp'],
    ['unix:/a:99999', 'unix'],
    ['tcp:127.0.0.1:65536', undefined],
    ['tcp:[::1]:99999,unix:/a', undefined],
    // In capitals nothing would find the address again, and nobody be listened to.
    ['TCP:127.0.0.1:1', undefined],
    ['tcp:127.0.0.1:1,UNIX:/a', undefined],
    ['tcp:[::FFFF:127.0.0.1]:1', 'tcp'],
    ['soupbintcp:host:65536', undefined],
    ['moldudp64:239.1.1.1:70000', undefined],
  ] as const)
    t.equal(sourceKind(source), kind, source);
});
