/**
 * The ITCH reader without any data: each message type in bytes written by hand, and files that are not as they should
 * be.
 */
import t from 'tap';
import { bytesOf, framed } from './reference/bytes.js';
import { encodeItch, type ItchMessage, ItchReader, message_length, message_types } from './reference/itch_reader.js';

/** Locate 7, tracking 258, 09:30:00.000000001. */
const header_hex = '0007 0102 1F1ACED9F001';
const header = { locate: 7, tracking: 258, timestamp_ns: 34_200_000_000_001 };

/** One message of each type: what follows the header, and what it says. */
const samples: {
  [T in ItchMessage['type']]: [hex: string, fields: Omit<ItchMessage<T>, 'type' | keyof typeof header>];
} = {
  S: ["'O'", { event: 'O' }],
  R: [
    "'ABCD    ' 'Q' 'N' 00000064 'Y' 'C' 'Z ' 'P' 'N' ' ' '1' 'N' 00000003 'Y'",
    {
      stock: 'ABCD',
      market_category: 'Q',
      financial_status: 'N',
      round_lot_size: 100,
      round_lots_only: 'Y',
      issue_classification: 'C',
      issue_subtype: 'Z',
      authenticity: 'P',
      short_sale_threshold: 'N',
      ipo_flag: '',
      luld_tier: '1',
      etp_flag: 'N',
      etp_leverage: 3,
      inverse: 'Y',
    },
  ],
  H: ["'ABCD    ' 'T' ' ' 'LUDP'", { stock: 'ABCD', trading_state: 'T', reserved: '', reason: 'LUDP' }],
  Y: ["'ABCD    ' '1'", { stock: 'ABCD', action: '1' }],
  L: [
    "'GSCO' 'ABCD    ' 'Y' 'N' 'A'",
    { participant: 'GSCO', stock: 'ABCD', primary_market_maker: 'Y', market_maker_mode: 'N', participant_state: 'A' },
  ],
  V: ['0000000100000002 0000000000000003 000000000000FFFF', { level_1: 4_294_967_298, level_2: 3, level_3: 65_535 }],
  W: ["'2'", { level: '2' }],
  K: [
    "'ABCD    ' 00008598 'A' 00030D40",
    { stock: 'ABCD', release_time: 34_200, release_qualifier: 'A', price: 200_000 },
  ],
  J: [
    "'ABCD    ' 00030D40 00030D41 00030D3F 00000002",
    { stock: 'ABCD', reference_price: 200_000, upper_price: 200_001, lower_price: 199_999, extension: 2 },
  ],
  h: ["'ABCD    ' 'Q' 'H'", { stock: 'ABCD', market_code: 'Q', action: 'H' }],
  A: [
    "0000000000000001 'B' 0000012C 'ABCD    ' 00030D40",
    { reference: 1, side: 'B', shares: 300, stock: 'ABCD', price: 200_000 },
  ],
  F: [
    "001FFFFFFFFFFFFF 'S' 00000064 'ABCDEFGH' FFFFFFFF 'GSCO'",
    { reference: 2 ** 53 - 1, side: 'S', shares: 100, stock: 'ABCDEFGH', price: 4_294_967_295, participant: 'GSCO' },
  ],
  E: ['0000000000000001 00000064 0000000000000009', { reference: 1, shares: 100, match_number: 9 }],
  C: [
    "0000000000000001 00000064 000000000000000A 'N' 00030D3F",
    { reference: 1, shares: 100, match_number: 10, printable: 'N', price: 199_999 },
  ],
  X: ['0000000000000001 00000032', { reference: 1, shares: 50 }],
  D: ['0000000100000000', { reference: 4_294_967_296 }],
  U: [
    '0000000000000001 0000000000000002 00000064 00030D41',
    { reference: 1, new_reference: 2, shares: 100, price: 200_001 },
  ],
  P: [
    "0000000000000000 'B' 00000064 'ABCD    ' 00030D40 000000000000000B",
    { reference: 0, side: 'B', shares: 100, stock: 'ABCD', price: 200_000, match_number: 11 },
  ],
  Q: [
    "0000000000001388 'ABCD    ' 00030D40 000000000000000C 'O'",
    { shares: 5000, stock: 'ABCD', price: 200_000, match_number: 12, cross_type: 'O' },
  ],
  B: ['000000000000000C', { match_number: 12 }],
  I: [
    "0000000000001388 0000000000000064 'B' 'ABCD    ' 00030D42 00030D41 00030D40 'O' 'L'",
    {
      paired_shares: 5000,
      imbalance_shares: 100,
      imbalance_direction: 'B',
      stock: 'ABCD',
      far_price: 200_002,
      near_price: 200_001,
      reference_price: 200_000,
      cross_type: 'O',
      price_variation: 'L',
    },
  ],
  N: ["'ABCD    ' 'A'", { stock: 'ABCD', interest: 'A' }],
  O: [
    "'ABCD    ' 'Y' 00030D40 00061A80 00030D41 00001F1ACED9F000 00030D42 00030D43",
    {
      stock: 'ABCD',
      open_eligibility: 'Y',
      minimum_price: 200_000,
      maximum_price: 400_000,
      near_price: 200_001,
      near_price_time: 34_200_000_000_000,
      lower_collar_price: 200_002,
      upper_collar_price: 200_003,
    },
  ],
};

function sampleBytes(type: ItchMessage['type']): Buffer {
  return bytesOf(`'${type}' ${header_hex} ${samples[type][0]}`);
}

t.test('eachMessageTypeIsReadFieldByField', async (t) => {
  for (const type of message_types) {
    const bytes = sampleBytes(type);
    t.equal(bytes.length, message_length[type], `${type} has its specified length`);
    t.strictSame([...new ItchReader(framed(bytes)).messages()], [{ type, ...header, ...samples[type][1] }], type);
  }
});

t.test('encodingIsTheInverseOfReading', async (t) => {
  for (const type of message_types) {
    const message = { type, ...header, ...samples[type][1] } as ItchMessage;
    t.strictSame(encodeItch(message), framed(sampleBytes(type)), type);
  }
  const cancel = { type: 'X', ...header, reference: 1, shares: 1 } as const;
  t.throws(() => encodeItch({ ...cancel, shares: 2 ** 32 }), RangeError, 'shares beyond u32');
  t.throws(
    () => encodeItch({ type: 'N', ...header, stock: 'ABCDEFGHI', interest: 'A' }),
    RangeError,
    'nine letters of eight',
  );
});

t.test('fileOfAllTypesIsCountedByType', async (t) => {
  const reader = new ItchReader(framed(...message_types.map(sampleBytes)));
  const types = [...reader.messages()].map(({ type }) => type);
  t.strictSame(types, message_types);
  t.strictSame(reader.types, Object.fromEntries(message_types.map((type) => [type, 1])));
  t.strictSame([reader.message_count, reader.parsed_bytes, reader.framing_error], [23, 23 * 2 + 694, null]);
});

t.test('unknownTypesAndWrongLengthsAreCountedAndTakeTheirNumber', async (t) => {
  const short = sampleBytes('D').subarray(0, 18);
  const long = Buffer.concat([sampleBytes('D'), Buffer.alloc(1)]);
  const reader = new ItchReader(
    framed(bytesOf("'z' 00"), Buffer.alloc(0), short, long, bytesOf(`'toString' ${header_hex}`), sampleBytes('D')),
  );
  const numbers = [];
  for (const message of reader.messages()) numbers.push([message.type, reader.message_count]);
  t.strictSame(numbers, [['D', 6]]);
  t.strictSame(reader.unknown_types, { z: 1, '': 1, t: 1 });
  t.strictSame(reader.bad_length, { D: 2 });
});

t.test('fileThatEndsInsideAMessageIsAFramingError', async (t) => {
  const whole = framed(sampleBytes('D'), sampleBytes('X'));
  for (const cut of [22, 23, 24, 45]) {
    const reader = new ItchReader(whole.subarray(0, cut));
    t.equal([...reader.messages()].length, 1, `cut at ${cut}`);
    t.strictSame([reader.parsed_bytes, reader.framing_error], [21, 'the file ends inside the message at byte 21']);
  }
});

t.test('valuesThatANumberCannotHoldAreRefused', async (t) => {
  const read = (hex: string) => () => [...new ItchReader(framed(bytesOf(hex))).messages()];
  t.throws(read(`'D' ${header_hex} 0020000000000000`), { name: 'RangeError', message: /9007199254740992, beyond/ });
  t.throws(read(`'A' ${header_hex} 0000000000000001 'b' 0000012C 'ABCD    ' 00030D40`), {
    name: 'RangeError',
    message: /neither B nor S/,
  });
});
