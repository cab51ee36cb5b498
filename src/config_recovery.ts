/** Options of what a publisher keeps and gives again, and of how a client gets back. docs/recovery.md. */
import { z } from 'zod';
import { byteCount, ipv4Address, serviceUrl, text, unsigned64, wholeNumber } from './config_values.js';

const milliseconds_max = 86_400_000;
const mebibyte = 2 ** 20;

/** The multicast group of the snapshot loop. */
export function snapshotLine() {
  return z
    .strictObject({
      group: ipv4Address('an IPv4 address').default('239.192.26.3').describe('multicast group of the snapshot loop'),
      port: wholeNumber(1, 65_535).default(26_403).describe('its UDP port'),
    })
    .nullable();
}

export const stateOption = text('a folder, or nothing')
  .default('')
  .describe('state folder: journal, checkpoints, ring; empty: nothing is kept beyond the process');

export const journalOptions = z.strictObject({
  fsync: z
    .enum(['never', 'interval', 'every-batch'])
    .default('interval')
    .describe('when the journal reaches the disk: never (the system decides), interval, every-batch'),
  fsyncMs: wholeNumber(1, milliseconds_max).default(100).describe('interval: ms between two fsyncs'),
  segmentBytes: byteCount(mebibyte, 2 ** 40)
    .default(256 * mebibyte)
    .describe('bytes after which a new segment begins'),
  segmentMs: wholeNumber(1_000, milliseconds_max).default(3_600_000).describe('ms after which a new segment begins'),
  retainBytes: byteCount(0)
    .default(0)
    .describe('oldest segments are removed while the journal is larger than this; 0: never'),
  retainMs: wholeNumber(0).default(0).describe('segments that ended longer ago than this are removed; 0: never'),
  checkpointMs: wholeNumber(0, milliseconds_max)
    .default(60_000)
    .describe('ms between two checkpoints of the books; 0: none'),
  checkpointsKept: wholeNumber(1, 1_000).default(3).describe('checkpoints kept'),
});

export const snapshotOptions = z.strictObject({
  enabled: z.boolean().default(true).describe('keep the replica, from which snapshots and checkpoints are taken'),
  ageMs: wholeNumber(0, milliseconds_max).default(500).describe('ms for which one snapshot serves all who ask'),
  totalBytesPerSecond: byteCount(1)
    .default(1024 * mebibyte)
    .describe('bytes a second of all snapshots over the recovery service together'),
  line: snapshotLine().default(null).describe('multicast group of the snapshot loop; null: none'),
  bytesPerSecond: byteCount(1_000)
    .default(8 * mebibyte)
    .describe('pace of the snapshot loop in bytes a second'),
  core: wholeNumber(-1, 1_023).default(-1).describe('CPU core of the replica; -1: not pinned'),
});

export const recoveryServiceOptions = z.strictObject({
  enabled: z.boolean().default(true).describe('answer at /recovery of the control service'),
  bytesPerSecond: byteCount(1)
    .default(64 * mebibyte)
    .describe('retransmission in bytes a second for each client'),
  burstBytes: byteCount(65_536)
    .default(64 * mebibyte)
    .describe('bytes that a client may take at once'),
  totalBytesPerSecond: byteCount(1)
    .default(512 * mebibyte)
    .describe('retransmission in bytes a second for all clients together'),
  clientsMax: wholeNumber(1, 100_000).default(10_000).describe('clients at the same time'),
  token: text('text').default('').describe('secret that clients must tell; empty: none'),
  udpPort: wholeNumber(0, 65_535).default(0).describe('UDP port of re-requests; 0: none'),
  udpRequestsPerSecond: wholeNumber(1, 10_000_000).default(10_000).describe('re-requests a second of each source'),
});

/** `sequence` is the last number that was taken, `digest` the channel's digest after it. */
const resumeToken = z.strictObject({
  session: unsigned64().describe('session of the last update taken'),
  sequence: unsigned64().describe('number of the last update taken'),
  digest: unsigned64().describe("the channel's digest after it"),
});

export const recoveryClientOptions = z.strictObject({
  enabled: z.boolean().default(true).describe('get back what was missed; false: it is named as missing and given up'),
  url: serviceUrl().nullable().default(null).describe('base URL of the recovery service; null: that of control'),
  udp: text('an address and port such as "10.0.0.1:26404", or nothing', (given) =>
    /^$|^\d+\.\d+\.\d+\.\d+:\d+$/.test(given),
  )
    .default('')
    .describe('address and port for re-requests by UDP, used where the service cannot be reached; empty: none'),
  snapshotLine: snapshotLine()
    .default(null)
    .describe('multicast group of the snapshot loop, used where the service cannot be reached; null: none'),
  token: text('text').default('').describe('secret for the recovery service'),
  timeoutMs: wholeNumber(10, milliseconds_max).default(2_000).describe('ms that an answer may take to begin or go on'),
  backoffMs: wholeNumber(1, milliseconds_max).default(20).describe('ms before the first retry; doubles, with jitter'),
  backoffMsMax: wholeNumber(1, milliseconds_max).default(2_000).describe('ms before any retry, at most'),
  retransmitMax: wholeNumber(0)
    .default(1_000_000)
    .describe('messages behind which a snapshot is asked for instead of retransmission'),
  giveUpMs: wholeNumber(0, milliseconds_max)
    .default(0)
    .describe('ms after which a hole that no way closes is given up (the books are stale then); 0: never'),
  parkedBytesMax: byteCount(mebibyte, 2 ** 36)
    .default(256 * mebibyte)
    .describe('bytes of packets kept while a hole is open'),
});

export const resumeOption = resumeToken
  .nullable()
  .default(null)
  .describe('go on after this point: updates from the next number on, each once; null: from now');

export type SnapshotOptions = z.output<typeof snapshotOptions>;
export type RecoveryServiceOptions = z.output<typeof recoveryServiceOptions>;
export type ResumeToken = z.output<typeof resumeToken>;
