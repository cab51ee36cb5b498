/** Frames of the recovery service: what is understood, and what is not. */
import t from 'tap';
import {
  type ClientMessage,
  clientMessage,
  datagramLength,
  frame_bytes_max,
  instruments_chosen_max,
  parseMessage,
  ranges_max,
  readFrameHeader,
  type ServiceMessage,
  serviceMessage,
  text_bytes_max,
  textOf,
  writeFrameHeader,
} from '../../src/recovery/protocol.js';

t.test('messagesComeBackAsTheyWereWritten', (t) => {
  const most = 2n ** 64n - 1n;
  const clients: ClientMessage[] = [
    { type: 'hello', version: 1, channel: 4_294_967_295, token: 'x' },
    {
      type: 'retransmit',
      id: 4_294_967_295,
      session: most,
      ranges: [
        [1n, 1n],
        [3n, most],
      ],
    },
    { type: 'snapshot', id: 0, session: 1n, from: 5n, before: 4n, instruments: [1, 2, 9] },
    { type: 'snapshot', id: 0, session: 1n },
    { type: 'cancel', id: 3 },
  ];
  for (const message of clients) t.same(parseMessage(clientMessage, textOf(message)), { message });
  const services: ServiceMessage[] = [
    { type: 'welcome', version: 1, channel: 1, session: most, next: 5n, oldest: 1n, snapshots: true, ended: false },
    { type: 'session', session: 2n, next: 1n, oldest: 1n },
    { type: 'done', id: 1, sent: [[1n, 2n]], sequence: 9n, refused: [{ first: 3n, last: 4n, code: 'too_low' }] },
    { type: 'refused', id: 1, code: 'rate_limited', waitMs: 20 },
    { type: 'refused', code: 'invalid', message: 'no' },
  ];
  for (const message of services) t.same(parseMessage(serviceMessage, textOf(message)), { message });
  t.end();
});

t.test('largestRequestsFitATextFrame', (t) => {
  const most = 2n ** 64n - 1n;
  const ranges = Array.from({ length: ranges_max }, (_, index) => {
    const first = most - BigInt(2 * (ranges_max - index));
    return [first, first] as [bigint, bigint];
  });
  const retransmit: ClientMessage = { type: 'retransmit', id: 4_294_967_295, session: most, ranges };
  t.ok(textOf(retransmit).length <= text_bytes_max);
  t.ok('message' in parseMessage(clientMessage, textOf(retransmit)));
  const instruments = Array.from({ length: instruments_chosen_max }, (_, index) => 1_000_000 + index);
  t.ok(textOf({ type: 'snapshot', id: 1, session: most, instruments }).length <= text_bytes_max);
  const more = [...ranges.slice(1), [most - 1n, most - 1n], [most, most]] as [bigint, bigint][];
  t.ok('fault' in parseMessage(clientMessage, textOf({ ...retransmit, ranges: more })), 'one more is too many');
  t.end();
});

t.test('clientsIgnoreWhatALaterServiceTells', (t) => {
  const text = '{"type":"session","session":"2","next":"1","oldest":"1","mood":"good"}';
  t.same(parseMessage(serviceMessage, text), { message: { type: 'session', session: 2n, next: 1n, oldest: 1n } });
  t.match(parseMessage(serviceMessage, '{"type":"else"}'), { fault: String });
  t.match(parseMessage(serviceMessage, 'null'), { fault: String });
  t.end();
});

t.test('frameHeadersAreReadAndChecked', (t) => {
  const frame = new Uint8Array(20).subarray(3, 15);
  writeFrameHeader(frame, { id: 4_000_000_000, type: 2, flags: 9 });
  t.same(readFrameHeader(frame), { id: 4_000_000_000, type: 2, flags: 9 });
  frame[4] = 3;
  t.equal(readFrameHeader(frame), undefined);
  t.equal(readFrameHeader(new Uint8Array(7)), undefined);
  const long = new Uint8Array(frame_bytes_max + 1);
  writeFrameHeader(long, { id: 1, type: 1, flags: 0 });
  t.equal(readFrameHeader(long), undefined);
  t.end();
});

t.test('datagramsOfAFrameAreFoundOneAfterTheOther', (t) => {
  const bytes = new Uint8Array(100);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 0x5443_4344, true);
  view.setUint32(12, 24, true);
  t.equal(datagramLength(bytes, 4), 40);
  t.equal(datagramLength(bytes, 44), 0, 'no magic');
  t.equal(datagramLength(bytes, 95), 0, 'no room');
  view.setUint32(12, 81, true);
  t.equal(datagramLength(bytes, 4), 0, 'it does not end');
  view.setUint32(12, 0xffff_ffff, true);
  t.equal(datagramLength(bytes, 4), 0);
  t.end();
});
