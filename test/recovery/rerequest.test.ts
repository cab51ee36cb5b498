/** Re-requests by UDP: bytes, cookies, rates, and a distributor that answers them. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { Distributor } from '../../src/distributor.js';
import type { NativeArchiveRead } from '../../src/native.js';
import { type RerequestOptions, RerequestState } from '../../src/recovery/rerequest_state.js';
import {
  padded_request_bytes,
  type Rerequest,
  readAnswer,
  readRerequest,
  refusal_bytes,
  request_bytes,
  writeChallenge,
  writeRefusal,
  writeRerequest,
} from '../../src/recovery/rerequest_wire.js';
import { serveOn } from '../channel.js';
import { packetHead } from '../faults/packets.js';

const none = new Uint8Array(16);
const request: Rerequest = { count: 5, session: 7n, sequence: 10n, channel: 1, cookie: none };

/** Numbers 1 to 100, each a datagram of `bytes`. */
function source(bytes = 1_400) {
  return {
    state: () => ({ channel: 1, session: 7n, next: 101n, oldest: 1n, ended: false }),
    read: (session: bigint, first: bigint): NativeArchiveRead => {
      const status = session !== 7n ? 'wrong_session' : first > 100n ? 'too_high' : 'ok';
      const frame = new Uint8Array(status === 'ok' ? bytes : 0);
      if (status === 'ok') new DataView(frame.buffer).setUint32(0, 0x5443_4344, true);
      return { status, next: first + 1n, until: first, datagrams: status === 'ok' ? 1 : 0, frame };
    },
  };
}

function state(more: Partial<RerequestOptions> = {}, bytes = 1_400): RerequestState {
  const options = { channel: 1, requestsPerSecond: 1_000, totalBytesPerSecond: 1e9, ...more };
  return new RerequestState(options, source(bytes), 0);
}

t.test('requestsAndAnswersComeBackAsTheyWereWritten', (t) => {
  const cookie = randomBytes(16);
  const full = { count: 65_535, session: 2n ** 64n - 1n, sequence: 2n ** 63n, channel: 4_294_967_295, cookie };
  const bytes = writeRerequest(full);
  t.equal(bytes.byteLength, padded_request_bytes);
  t.same(readRerequest(bytes), { ...full, cookie: new Uint8Array(cookie) });
  t.equal(writeRerequest(full, 0).byteLength, request_bytes);
  const refusal = { code: 'unavailable' as const, session: 3n, next: 2n ** 64n - 1n, oldest: 5n };
  t.same(readAnswer(writeRefusal(refusal)), { type: 'refusal', refusal });
  t.same(readAnswer(writeChallenge(cookie)), { type: 'challenge', cookie: new Uint8Array(cookie) });
  t.equal(readAnswer(new Uint8Array(1_400))?.type, 'datagram');
  t.equal(readAnswer(new Uint8Array(3)), undefined);
  t.equal(readAnswer(writeRefusal(refusal).subarray(0, 31)), undefined);
  const unknown = writeRefusal(refusal);
  unknown[6] = 99;
  t.equal(readAnswer(unknown), undefined);
  t.end();
});

t.test('bytesOfTheDocumentAreTheBytes', (t) => {
  const bytes = Buffer.from(writeRerequest({ ...request, cookie: new Uint8Array(16).fill(9) }, 48));
  t.equal(bytes.toString('latin1', 0, 4), 'DCRQ');
  t.equal(bytes.readUInt16LE(4), 1);
  t.equal(bytes.readUInt16LE(6), 5);
  t.equal(bytes.readBigUInt64LE(8), 7n);
  t.equal(bytes.readBigUInt64LE(16), 10n);
  t.equal(bytes.readUInt32LE(24), 1);
  t.equal(bytes.readUInt32LE(28), 0);
  t.ok(bytes.subarray(32, 48).every((byte) => byte === 9));
  const refusal = Buffer.from(writeRefusal({ code: 'too_high', session: 7n, next: 8n, oldest: 2n }));
  t.equal(refusal.toString('latin1', 0, 4), 'DCRA');
  t.equal(refusal.length, 32);
  t.same([refusal.readUInt16LE(4), refusal.readUInt16LE(6)], [1, 2]);
  t.same(
    [8, 16, 24].map((at) => refusal.readBigUInt64LE(at)),
    [7n, 8n, 2n],
  );
  const challenge = Buffer.from(writeChallenge(new Uint8Array(16).fill(5)));
  t.equal(challenge.toString('latin1', 0, 4), 'DCRC');
  t.ok(challenge.subarray(8, 16).every((byte) => byte === 0) && challenge.subarray(16).every((byte) => byte === 5));
  t.end();
});

t.test('unprovenSourceGetsAtMostThreeTimesWhatItSent', (t) => {
  for (const bytes of [500, 1_400, 8_952]) {
    const asked = state({}, bytes);
    for (let length = request_bytes; length < 4_000; length += 13) {
      const answer = asked.answer(writeRerequest(request, length), '10.0.0.1', 5, length);
      t.ok((answer?.byteLength ?? 0) <= 3 * length) || t.bailout();
      const type = readAnswer(answer ?? none)?.type;
      t.equal(type, bytes <= 3 * length ? 'datagram' : 'challenge') || t.bailout();
    }
  }
  t.end();
});

t.test('cookieProvesItsSourceAndNoOtherAndNotForEver', (t) => {
  const asked = state();
  const challenge = readAnswer(asked.answer(writeRerequest(request, 48), '10.0.0.1', 5, 0) ?? none);
  t.equal(challenge?.type, 'challenge');
  const cookie = (challenge as { cookie: Uint8Array }).cookie;
  const proved = writeRerequest({ ...request, cookie }, 48);
  const typeOf = (address: string, port: number, now_ms: number) =>
    readAnswer(asked.answer(proved, address, port, now_ms) ?? none)?.type;
  t.equal(typeOf('10.0.0.1', 5, 1), 'datagram');
  t.equal(typeOf('10.0.0.2', 5, 2), 'challenge');
  t.equal(typeOf('10.0.0.1', 6, 3), 'challenge');
  t.equal(typeOf('10.0.0.1', 5, 60_001), 'datagram', 'the secret has changed once');
  t.equal(typeOf('10.0.0.1', 5, 120_002), 'challenge', 'and twice');
  t.equal(asked.counters.challenges, 4);
  t.end();
});

t.test('refusalsSayWhyAndWhatThereIs', (t) => {
  const asked = state();
  const refusalTo = (change: Partial<Rerequest>) =>
    readAnswer(asked.answer(writeRerequest({ ...request, ...change }), '10.0.0.1', 5, 0) ?? none);
  const common = { session: 7n, next: 101n, oldest: 1n };
  t.same(refusalTo({ sequence: 101n }), { type: 'refusal', refusal: { code: 'too_high', ...common } });
  t.same(refusalTo({ session: 8n }), { type: 'refusal', refusal: { code: 'wrong_session', ...common } });
  t.equal(refusalTo({ sequence: 100n })?.type, 'datagram');
  t.equal(asked.answer(writeRerequest({ ...request, channel: 2 }), '10.0.0.1', 5, 0), undefined);
  t.equal(asked.counters.ignored, 1);
  t.end();
});

t.test('sourceBeyondItsRateIsToldAndThenLeftAlone', (t) => {
  const asked = state({ requestsPerSecond: 100 });
  const types: (string | undefined)[] = [];
  for (let index = 0; index < 1_000; index++) {
    const answer = asked.answer(writeRerequest(request), '10.0.0.1', index, 0);
    types.push(answer === undefined ? undefined : readAnswer(answer)?.type);
  }
  const count = (type: string | undefined) => types.filter((one) => one === type).length;
  t.equal(count('datagram'), 10);
  t.ok(count('refusal') > 5 && count('refusal') < 30, `${count('refusal')} refusals`);
  t.equal(asked.counters.refused.rate_limited, count('refusal'));
  t.ok(asked.counters.dropped > 900);
  t.equal(
    readAnswer(asked.answer(writeRerequest(request), '10.0.0.2', 5, 0) ?? none)?.type,
    'datagram',
    'others go on',
  );
  t.equal(
    readAnswer(asked.answer(writeRerequest(request), '10.0.0.1', 5, 500) ?? none)?.type,
    'datagram',
    'it as well',
  );
  t.end();
});

t.test('hostileRequestsAreNotAnswered', (t) => {
  const asked = state({ requestsPerSecond: 1e7 });
  for (const bytes of [new Uint8Array(0), new Uint8Array(47), new Uint8Array(500), randomBytes(1_400)])
    t.equal(asked.answer(bytes, '10.0.0.1', 5, 0), undefined);
  const change = (offset: number, value: number) => {
    const bytes = writeRerequest(request);
    bytes[offset] = value;
    return asked.answer(bytes, '10.0.0.1', 5, 0);
  };
  t.equal(change(0, 0), undefined);
  t.equal(change(4, 2), undefined, 'another version');
  t.equal(change(28, 1), undefined, 'reserved');
  t.equal(asked.answer(writeRerequest({ ...request, count: 0 }), '10.0.0.1', 5, 0), undefined);
  t.equal(asked.answer(writeRerequest({ ...request, sequence: 0n }), '10.0.0.1', 5, 0), undefined);
  for (let round = 0; round < 5_000; round++) {
    const bytes = writeRerequest(request, 48 + (round % 600));
    for (let flips = 0; flips < 4; flips++) {
      const [at = 0, value = 0] = randomBytes(2);
      bytes[at % bytes.byteLength] = value;
    }
    const answer = asked.answer(bytes, '10.0.0.1', 5, round);
    if ((answer?.byteLength ?? 0) > 3 * bytes.byteLength) t.fail('amplified');
  }
  t.end();
});

/** Sends and takes the next answer; undefined after 300 ms of silence. */
async function exchange(socket: Socket, port: number, bytes: Uint8Array): Promise<Buffer | undefined> {
  const answer = new Promise<Buffer | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), 1_000);
    socket.once('message', (message) => {
      clearTimeout(timer);
      resolve(message);
    });
  });
  socket.send(bytes, port, '127.0.0.1');
  return answer;
}

t.test('distributorAnswersReRequestsByUdp', async (t) => {
  const flow = { simulate: { symbols: 8, messages: 5_000, liveOrders: 500 } };
  const port = 26_900 + (process.pid % 90);
  const made = new Distributor(serveOn(72, { ...flow, recovery: { udpPort: port } }));
  t.teardown(() => made.close());
  await made.start();
  await made.ended;
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { sequence } = made.stats();
  let next = 1n;
  let cookie: Uint8Array = none;
  let datagrams = 0;
  while (next <= sequence) {
    const asked = { count: 10, session: made.session, sequence: next, channel: 1, cookie };
    const answer = readAnswer((await exchange(socket, port, writeRerequest(asked, request_bytes))) ?? none);
    if (answer?.type === 'challenge') {
      cookie = answer.cookie;
      continue;
    }
    if (answer?.type !== 'datagram') throw new Error(`${answer?.type} at ${next}`);
    const { first, count } = packetHead(Buffer.from(answer.bytes));
    t.ok(BigInt(first) <= next && next < BigInt(first + count)) || t.bailout();
    next = BigInt(first + count);
    datagrams++;
  }
  t.ok(datagrams > 50);
  const beyond = await exchange(socket, port, writeRerequest({ ...request, session: made.session, sequence: next }));
  t.equal(beyond?.length, refusal_bytes);
  const udp = made.stats().recovery.udp;
  t.equal(udp?.challenges, 1);
  t.equal(udp?.answered, datagrams);
  t.equal(udp?.refused.too_high, 1);
  const directory = (await (await fetch(`${made.control}/channels`)).json()) as {
    channels: { recovery: string; recoveryUdpPort: number; snapshotLine: null }[];
  };
  t.match(directory.channels[0], { recovery: '/recovery', recoveryUdpPort: port, snapshotLine: null });
});
