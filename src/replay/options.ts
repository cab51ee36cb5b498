/** Options of a replay, one schema for flags, files and callers of the library. Loads no addon. */
import { z } from 'zod';
import { limitsOptions, speedFactor } from '../config.js';
import { ConfigError } from '../config_parse.js';
import {
  anyNumber,
  byteCount,
  day,
  interfaceAddress,
  ipv4Address,
  text,
  unsigned64,
  wholeNumber,
} from '../config_values.js';

/** A place in a session: a message's number, or an event time in CLOCK_REALTIME ns. */
export type ReplayPlace = { sequence: bigint } | { timeNs: bigint };

const place_text =
  'a sequence number such as 1000, an event time such as 2019-12-30T14:30:00.5Z (UTC unless it says otherwise), or ns since 1970 such as 1577716200000000000ns';

/** ISO text with up to nine digits of a second. */
function timeOf(given: string): bigint | undefined {
  const [, day_text, clock = '00:00:00', fraction = '', zone = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?)?$/.exec(given) ?? [];
  if (day_text === undefined) return undefined;
  const seconds_text = clock.length === 5 ? `${clock}:00` : clock;
  const ms = Date.parse(`${day_text}T${seconds_text}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Undefined where it is no place. */
export function placeOf(given: string): ReplayPlace | undefined {
  if (/^\d{1,20}$/.test(given)) {
    const sequence = BigInt(given);
    return sequence >= 1n && sequence < 2n ** 64n ? { sequence } : undefined;
  }
  if (/^\d{1,19}ns$/.test(given)) return { timeNs: BigInt(given.slice(0, -2)) };
  const timeNs = timeOf(given);
  return timeNs === undefined ? undefined : { timeNs };
}

function place() {
  return text(place_text, (given) => placeOf(given) !== undefined);
}

function line(letter: 'A' | 'B', number: number) {
  return z
    .strictObject({
      group: ipv4Address('an IPv4 address')
        .default(`239.192.26.${number}`)
        .describe(`line ${letter}: IPv4 multicast group`),
      port: wholeNumber(1, 65_535)
        .default(26_400 + number)
        .describe(`line ${letter}: UDP port`),
    })
    .nullable()
    .prefault({});
}

export const replayOutputs = ['json', 'csv', 'multicast', 'journal', 'updates'] as const;

export const replayOptions = z.strictObject({
  source: text('a folder with a journal, or an ITCH 5.0 file', (given) => given !== '').describe('what to replay'),
  output: z
    .enum(replayOutputs)
    .default('updates')
    .describe('where to: json (lines), csv, multicast (line A, line B), journal (a new one); library only: updates'),
  session: unsigned64()
    .default(0n)
    .describe("which session of a journal; 0: the newest. ITCH: the session's id; 0: the clock"),
  from: place().optional().describe('first message: a number, an event time (ISO) or ns (1577716200000000000ns)'),
  to: place().optional().describe('last message, the same way'),
  speed: text('"max", "realtime" or a factor such as "10x"', (given) => speedFactor(given) !== undefined)
    .optional()
    .describe('pace of event time: max, realtime, or a factor such as 10x'),
  rate: anyNumber(0, 1e9).default(0).describe('messages a second at a steady rate, instead of speed; 0: off'),
  instrument: z
    .array(text('the name of a symbol', (given) => given !== ''))
    .default([])
    .describe('only these symbols, with commas between; json and csv only'),
  outJournal: text('a folder, or nothing').default('').describe('folder of the new journal, which must hold none'),
  lineA: line('A', 1),
  lineB: line('B', 2),
  snapshotLine: z
    .strictObject({
      group: ipv4Address('an IPv4 address')
        .default('239.192.26.3')
        .describe('multicast group for the state before the first message'),
      port: wholeNumber(1, 65_535).default(26_403).describe('its UDP port'),
    })
    .nullable()
    .default(null),
  interface: interfaceAddress()
    .default('127.0.0.1')
    .describe('local interface of the multicast traffic: IPv4 address or name'),
  ttl: wholeNumber(0, 255).default(0).describe('hops of multicast packets; 0: they stay on this machine'),
  loop: z.boolean().default(true).describe('receivers on this machine get the packets too'),
  channel: wholeNumber(0, 0xffff_ffff).default(1).describe('ITCH: number of the channel'),
  date: day().optional().describe('ITCH: day (UTC) whose midnight its times count from; 1970-01-01 unless given'),
  datagramBytes: wholeNumber(512, 8_952).default(1_400).describe('ITCH: largest UDP payload in bytes, a multiple of 8'),
  unpackBytesMax: byteCount(1)
    .default(64 * 2 ** 30)
    .describe('bytes that a gzip file may unpack to'),
  limits: limitsOptions.prefault({}).describe('what the books can hold'),
});

export type ReplayOptions = z.output<typeof replayOptions>;
export type ReplayOptionsInput = z.input<typeof replayOptions>;

/** What the schema cannot see. Throws ConfigError. */
export function checkReplay(options: ReplayOptions): void {
  const { output, instrument, outJournal, lineA, lineB, snapshotLine } = options;
  if (instrument.length > 0 && (output === 'multicast' || output === 'journal'))
    throw new ConfigError(
      `instrument is "${instrument.join(',')}", expected none for ${output}: without the other instruments' messages its numbers would have holes, and no receiver could tell them from loss`,
    );
  if ((output === 'journal') !== (outJournal !== ''))
    throw new ConfigError(
      output === 'journal'
        ? 'outJournal is missing, expected the folder of the new journal'
        : `outJournal is "${outJournal}", expected none for ${output}`,
    );
  if (output === 'multicast' && lineA === null && lineB === null)
    throw new ConfigError('lineA is null, expected at least one of lineA and lineB');
  if (snapshotLine !== null && output !== 'multicast')
    throw new ConfigError(`snapshotLine is given, expected none for ${output}`);
  if (options.datagramBytes % 8 !== 0)
    throw new ConfigError(`datagramBytes is ${options.datagramBytes}, expected a multiple of 8`);
}
