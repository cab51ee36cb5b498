/** Clients that mean harm, over real sockets: each gets its code or its end, and nobody else feels it. */
import t from 'tap';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { gatewayOn } from './gateway_on.js';
import { RawGatewayClient } from './raw_client.js';
import { frame, opcodes, RawSocket } from './raw_socket.js';

/** A gateway, and a client of good faith on it that must not notice anything. */
async function attacked(t: Test, number: number, more: Parameters<typeof gatewayOn>[3] = {}) {
  const { server } = await gatewayOn(t, number, { rate: 2_000 }, { requestsPerSecond: 100_000, ...more });
  const other = await RawGatewayClient.open(server.port);
  t.teardown(() => other.close());
  await other.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', intervalMs: 10 }, 'subscribed');
  const connect = async () => {
    const raw = await RawSocket.welcomed(server.port);
    t.teardown(() => raw.socket.destroy());
    return raw;
  };
  const unharmed = async () => {
    const { frames } = other;
    await until('the others’ frames', () => other.frames > frames + 2);
    const { conflated, says, sent } = await other.askCounts({ type: 'count', id: 1 }, 'counts');
    const { pending, published } = says as Record<string, string>;
    t.equal(published, String(sent + conflated + BigInt(pending ?? '')), 'counts of another client are right');
    t.same(other.faults, []);
    t.same(
      other.texts.filter(({ type }) => !['welcome', 'subscribed', 'counts', 'definitions', 'session'].includes(type)),
      [],
      'and nothing was said to it',
    );
  };
  return { server, connect, unharmed };
}

/** Bytes that this process holds, garbage aside as far as can be. */
const memory = () => process.memoryUsage().rss;

t.test('brokenFramesEndTheirOwnSocket', async (t) => {
  const { connect, server, unharmed } = await attacked(t, 220);
  const text = '{"type":"ping"}';
  const broken: [string, Buffer[]][] = [
    ['reserved bit 1 without an extension', [frame(text, { reserved: 0x40 })]],
    ['reserved bits 2 and 3', [frame(text, { reserved: 0x30 })]],
    ['an opcode that does not exist', [frame(text, { opcode: 3 })]],
    ['a control opcode that does not exist', [frame(text, { opcode: 11 })]],
    ['a ping in fragments', [frame('x', { opcode: opcodes.ping, fin: false })]],
    ['a ping that is too long', [frame('x'.repeat(126), { opcode: opcodes.ping })]],
    ['a continuation of nothing', [frame(text, { opcode: opcodes.continuation })]],
    ['a text inside of a text', [frame('{', { fin: false }), frame(text)]],
    ['2^63 bytes announced', [frame('x', { length: 2n ** 63n })]],
    ['2^64 - 1 bytes announced', [frame('x', { length: 2n ** 64n - 1n })]],
    ['more than is taken', [frame(Buffer.alloc(131_073, 32))]],
    [
      'more than is taken, in fragments',
      [1, 0, 0, 0].map((opcode) => frame('x'.repeat(40_000), { opcode, fin: false })),
    ],
    ['bytes that are no UTF-8', [frame(Buffer.from([0xff, 0xfe]))]],
    ['UTF-8 that is too long', [frame(Buffer.from([0xc0, 0xaf]))]],
    ['half of a surrogate pair', [frame(Buffer.from([0xed, 0xa0, 0x80]))]],
    ['UTF-8 that ends in the middle', [frame(Buffer.from([0xe2, 0x82]))]],
    ['a close frame of one byte', [frame('x', { opcode: opcodes.close })]],
    ['a close code that does not exist', [frame(Buffer.from([0, 1]), { opcode: opcodes.close })]],
  ];
  for (const [what, frames] of broken) {
    const raw = await connect();
    for (const bytes of frames) raw.send(bytes);
    await raw.end();
    t.same(
      raw.texts.slice(1).filter(({ type }) => type !== 'error'),
      [],
      what,
    );
  }
  const raw = await connect();
  raw.send(frame(text, { masked: false }));
  raw.socket.end();
  await raw.end();
  t.notOk(
    raw.texts.some(({ type }) => type === 'pong'),
    'a frame without a mask is not understood',
  );
  await until('their sessions to be gone', () => server.figures.sessions === 1);
  await unharmed();
});

t.test('whatIsNoRequestIsToldSoAndEndsAtTheSixteenth', async (t) => {
  const { connect, server, unharmed } = await attacked(t, 220);
  const subscribe = { type: 'subscribe', id: 1, channel: 1, mode: 'depth' };
  const wrong: (string | Buffer | object)[] = [
    '',
    'null',
    '"ping"',
    '[{"type":"ping"}]',
    '{"type":"ping"}{"type":"ping"}',
    '{"type":"ping",}',
    `${'['.repeat(32_000)}${']'.repeat(32_000)}`,
    `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    '{"__proto__":{"type":"ping"}}',
    '{"type":"ping","__proto__":{"time":1}}',
    '{"type":"constructor"}',
    '{"type":"toString"}',
    '{"type":["ping"]}',
    `{"type":"ping"}${' '.repeat(65_536)}`,
    { ...subscribe, id: 0 },
    { ...subscribe, id: 65_536 },
    { ...subscribe, id: 1.5 },
    { ...subscribe, id: '1' },
    '{"type":"subscribe","id":1e999,"channel":1,"mode":"depth"}',
    { ...subscribe, channel: -1 },
    { ...subscribe, channel: 2 ** 32 },
    { ...subscribe, levels: 65 },
    { ...subscribe, intervalMs: 1e15 },
    { ...subscribe, mode: '__proto__' },
    { ...subscribe, onSlow: 'hasOwnProperty' },
    { ...subscribe, instruments: [] },
    { ...subscribe, instruments: [2 ** 32] },
    { ...subscribe, instruments: [{ toString: 'AAPL' }] },
    { ...subscribe, instruments: ['x'.repeat(65)] },
    { ...subscribe, instruments: ['*a*b*c*d*e'] },
    { ...subscribe, instruments: ['AAPL\\'] },
    { ...subscribe, instruments: Array.from({ length: 10_000 }, () => '*') },
    { ...subscribe, instruments: Array.from({ length: 4_096 }, (_, index) => `*?${index % 10}`) },
    { ...subscribe, resume: { session: '18446744073709551616', sequence: '1' } },
    { ...subscribe, resume: { session: '-1', sequence: '1' } },
  ];
  let raw = await connect();
  for (const [index, message] of wrong.entries()) {
    if (index % 15 === 0) raw = await connect();
    const before = raw.texts.length;
    raw.send(frame(typeof message === 'string' ? message : JSON.stringify(message)));
    const shown = (typeof message === 'string' ? message : JSON.stringify(message)).slice(0, 60);
    await until(`an answer to ${shown}`, () => raw.texts.length > before || raw.gone);
    t.match(raw.texts[before], { type: 'error', code: 'bad_message' }, shown);
    t.ok(JSON.stringify(raw.texts[before] ?? '').length < 400, 'it says no more than it must');
  }
  t.equal(({} as { type?: string }).type, undefined, 'no prototype was changed');
  const last = await connect();
  for (let count = 0; count < 16; count++) last.send(frame('x', { opcode: opcodes.binary }));
  t.equal(await last.end(), 4_016);
  t.equal(last.texts.filter(({ code }) => code === 'bad_message').length, 16);
  const first = await RawSocket.open(server.port);
  first.send(frame('{"type":"subscribe"}'));
  t.equal(await first.end(), 4_016, 'the first before hello');
  const twice = await connect();
  twice.send(frame('{"type":"ping","type":"count","id":7}'));
  await until('an answer', () => twice.texts.length > 1);
  t.match(twice.texts[1], { code: 'unknown_id', id: 7 }, 'the last of equal keys counts');
  await unharmed();
});

t.test('subscriptionBombsFindTheirBounds', async (t) => {
  const { connect, server, unharmed } = await attacked(t, 220);
  const raw = await connect();
  const ids = 65_535;
  const begin = memory();
  for (let id = 1; id <= ids; id++)
    raw.send(frame(JSON.stringify({ type: 'subscribe', id, channel: 1, mode: 'bbo', instruments: ['*'] })));
  await until('all answers', () => raw.texts.at(-1)?.id === ids, 60_000);
  const answers = raw.texts.filter(({ type }) => type === 'subscribed' || type === 'error');
  t.same(
    answers.map(({ id }) => id),
    Array.from({ length: ids }, (_, index) => index + 1),
    'one answer each, in order',
  );
  t.equal(answers.filter(({ type }) => type === 'subscribed').length, 8);
  t.ok(answers.slice(8).every(({ code }) => code === 'too_many'));
  t.ok(memory() - begin < 256 * 2 ** 20, 'memory stays bounded');
  for (let round = 0; round < 1_000; round++) {
    raw.send(frame('{"type":"unsubscribe","id":1}'));
    raw.send(frame('{"type":"subscribe","id":1,"channel":1,"mode":"filtered","instruments":["*A*","*?*"]}'));
  }
  raw.send(frame('{"type":"ping","time":7}'));
  await until('the end of the flood', () => raw.texts.some(({ type }) => type === 'pong'), 60_000);
  t.equal(raw.texts.filter(({ type }) => type === 'unsubscribed').length, 1_000);
  t.equal(server.figures.subscriptions, 9, 'theirs and that of the other');
  raw.socket.resetAndDestroy();
  await until('its subscriptions to be gone', () => server.figures.subscriptions === 1);
  await unharmed();
});

t.test('floodsAreSlowedDownAndSocketsThatDoNotReadAreEnded', async (t) => {
  const { connect, server, unharmed } = await attacked(t, 220, { requestsPerSecond: 50 });
  const raw = await connect();
  for (let time = 0; time < 2_000; time++) raw.send(frame(`{"type":"ping","time":${time}}`));
  await until('all answers', () => raw.texts.length > 2_000);
  const limited = raw.texts.filter(({ code }) => code === 'rate_limited');
  t.ok(limited.length > 1_500 && limited.every(({ waitMs }) => Number(waitMs) > 0), `${limited.length} of them`);
  for (let count = 0; count < 5_000; count++) raw.send(frame('x'.repeat(125), { opcode: opcodes.ping }));
  await until('all pongs', () => raw.pongs === 5_000);
  const deaf = await connect();
  deaf.socket.pause();
  const begin = memory();
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => frame('{"type":"count","id":1}')));
  for (let round = 0; round < 400 && server.figures.sessions > 2; round++) {
    deaf.socket.write(flood);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until('the one that does not read to be ended', () => server.figures.sessions === 2, 60_000);
  t.ok(memory() - begin < 256 * 2 ** 20, 'memory stays bounded');
  deaf.socket.destroy();
  await unharmed();
});

t.test('nobodyGetsWhatOthersAskedFor', async (t) => {
  const { connect, unharmed } = await attacked(t, 220);
  const raw = await connect();
  for (const message of [
    { type: 'count', id: 1 },
    { type: 'change', id: 1, mode: 'exact' },
    { type: 'unsubscribe', id: 1 },
  ])
    raw.send(frame(JSON.stringify(message)));
  await until('three answers', () => raw.texts.length === 4);
  t.same(
    raw.texts.slice(1).map(({ code }) => code),
    ['unknown_id', 'unknown_id', 'unknown_id'],
    'numbers of subscriptions are each socket’s own',
  );
  await unharmed();
  t.equal(raw.binaries, 0, 'no frame without a subscription');
});
