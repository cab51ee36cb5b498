/** Options of the source that engines push into. docs/ingest.md. */
import { z } from 'zod';
import { byteCount, text, wholeNumber } from './config_values.js';

const path = () => text('a path, or nothing').default('');

export const ingestOptions = z.strictObject({
  acknowledge: z
    .enum(['auto', 'committed', 'journaled', 'durable'])
    .default('auto')
    .describe('events are acknowledged once committed to the ring, journaled, or on the disk; auto: the first two'),
  tokens: path().describe('token file of engines (depthcast token new); empty: no token is asked for'),
  tls: z
    .strictObject({
      cert: path().describe('PEM file of the certificate chain; empty: no TLS'),
      key: path().describe('PEM file of its key'),
    })
    .prefault({})
    .describe('TLS of tcp sources'),
  insecure: z.boolean().default(false).describe('listen beyond this machine without TLS or tokens'),
  takeover: z.boolean().default(false).describe('a second engine replaces the first one; else it is refused'),
  loginMs: wholeNumber(10, 600_000).default(5_000).describe('ms that a login may take'),
  heartbeatMs: wholeNumber(10, 600_000).default(1_000).describe('ms between two heartbeats'),
  idleMs: wholeNumber(20, 3_600_000).default(5_000).describe('ms of silence after which a connection is closed'),
  frameBytesMax: byteCount(4_096, 2 ** 26)
    .default(2 ** 20)
    .describe('bytes of one frame of an engine'),
  batchEventsMax: wholeNumber(1, 1_000_000).default(16_384).describe('events of one batch'),
});

export type IngestOptions = z.output<typeof ingestOptions>;

/** What the options of a distributor say against each other; `path` is that of the option that is wrong. */
export function ingestFaults(options: {
  ingest: IngestOptions;
  state: string;
  journal: { fsync: string };
}): { path: string[]; message: string }[] {
  const { ingest, state, journal } = options;
  const faults: { path: string[]; message: string }[] = [];
  if ((ingest.tls.cert === '') !== (ingest.tls.key === ''))
    faults.push({ path: ['ingest', 'tls'], message: 'expected both cert and key, or neither' });
  if (ingest.idleMs < 2 * ingest.heartbeatMs)
    faults.push({ path: ['ingest', 'idleMs'], message: 'expected at least twice heartbeatMs' });
  const journaled = ingest.acknowledge === 'journaled' || ingest.acknowledge === 'durable';
  if (journaled && state === '')
    faults.push({
      path: ['ingest', 'acknowledge'],
      message: 'expected auto or committed, since there is no state folder',
    });
  else if (ingest.acknowledge === 'durable' && journal.fsync === 'never')
    faults.push({ path: ['ingest', 'acknowledge'], message: 'expected another value, since journal.fsync is never' });
  return faults;
}
