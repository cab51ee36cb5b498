/**
 * Every option of depthcast: one schema for flags, configuration files and callers of the library. The text of each
 * field states its unit; `optionFields` lists them with their defaults, which is what --help prints.
 */
import { z } from 'zod';
import { checkGatewayClient, gatewayClientFields } from './config_gateway_client.js';
import { ingestFaults, ingestOptions } from './config_ingest.js';
import {
  journalOptions,
  recoveryClientOptions,
  recoveryServiceOptions,
  resumeOption,
  snapshotOptions,
  stateOption,
} from './config_recovery.js';
import {
  anyNumber,
  byteCount,
  day,
  interfaceAddress,
  ipv4Address,
  isPowerOfTwo,
  positions,
  serviceUrl,
  text,
  unsigned64,
  wholeNumber,
} from './config_values.js';
import { accessOptions } from './gateway/access/options.js';
import { gatewayOptions } from './gateway/options.js';
import { moldOptions, pcapOptions, soupOptions } from './sources/feed_options.js';
import { isLive, sourceKind, sourceSyntax } from './sources/kinds.js';
import { validationOptions } from './validation.js';

export { ConfigError, mergeOptions, type OptionField, optionFields, parseOptions } from './config_parse.js';

const milliseconds_max = 86_400_000;
const port_text = 'UDP port';
const group_text = 'IPv4 multicast group, or the address of one host';

function channelFields() {
  return {
    channel: wholeNumber(0, 0xffff_ffff).default(1).describe('number of the channel'),
    session: unsigned64()
      .default(0n)
      .describe('64-bit session id; 0: serve takes the clock (ns), subscribe follows whichever comes'),
    interface: interfaceAddress()
      .default('127.0.0.1')
      .describe('local interface of the multicast traffic: IPv4 address or name'),
    control: serviceUrl()
      .nullable()
      .default('http://127.0.0.1:26400')
      .describe('base URL of the control service; null: none. Port 0: serve takes a free one'),
  };
}

function lineFields(letter: 'A' | 'B') {
  const index = letter === 'A' ? 1 : 2;
  return {
    group: ipv4Address('an IPv4 address').default(`239.192.26.${index}`).describe(`line ${letter}: ${group_text}`),
    port: wholeNumber(1, 65_535)
      .default(26_400 + index)
      .describe(`line ${letter}: ${port_text}`),
  };
}

function subscribeLine(letter: 'A' | 'B') {
  return z.strictObject(lineFields(letter)).nullable().prefault({}).describe(`line ${letter}; null: not used`);
}

function serveLine(letter: 'A' | 'B') {
  const datagramBytes = byteCount(512, 8_952, (bytes) => bytes % 8 === 0, ', a multiple of 8');
  return z
    .strictObject({
      ...lineFields(letter),
      datagramBytes: datagramBytes.default(1_400).describe(`line ${letter}: largest UDP payload in bytes`),
    })
    .nullable()
    .prefault({})
    .describe(`line ${letter}; null: not used`);
}

const limitsOptions = z.strictObject({
  orders: wholeNumber(1, 2 ** 30)
    .default(1_048_576)
    .describe('live orders, over all instruments'),
  levels: wholeNumber(0, 2 ** 30)
    .default(0)
    .describe('live price levels, over all instruments; 0: as many as orders'),
  instruments: wholeNumber(1, 2 ** 20)
    .default(16_384)
    .describe('instruments'),
  depthLevels: wholeNumber(0, 64).default(10).describe('levels of each side that depth() can read'),
  prefault: z.boolean().default(false).describe('touch all memory at start, so that no page fault comes later'),
});

const waitOption = z
  .enum(['spin', 'yield', 'park'])
  .default('park')
  .describe('how the native thread waits: spin (a whole core, lowest latency), yield, park (sleeps)');
const coreOption = wholeNumber(-1, 1_023).default(-1).describe('CPU core of the native thread; -1: not pinned');

const profileOption = z
  .enum(['laptop', 'low-latency'])
  .optional()
  .describe('settings for what is not said otherwise: laptop (idle costs nothing) or low-latency (a core of its own)');
const lockMemoryOption = z
  .boolean()
  .default(false)
  .describe('lock books and rings into memory, so that the system takes no page away; needs limits.prefault');

interface Lines {
  lineA: { group: string; port: number } | null;
  lineB: { group: string; port: number } | null;
}

function checkLines({ lineA, lineB }: Lines, context: z.RefinementCtx): void {
  if (lineA === null && lineB === null)
    context.addIssue({ code: 'custom', path: ['lineA'], message: 'expected at least one of lineA and lineB' });
  if (lineA !== null && lineA.group === lineB?.group && lineA.port === lineB.port)
    context.addIssue({
      code: 'custom',
      path: ['lineB'],
      message: 'expected another group or port than those of lineA',
    });
}

interface Guarded {
  access: { tokens: string; jwt: object | null; insecure: boolean };
  recovery: { token: string; udpPort: number };
}

/** Nothing may give what access refuses. */
export function checkAccess({ access, recovery }: Guarded, context: z.RefinementCtx): void {
  if (access.tokens === '' && access.jwt === null) return;
  const fault = (key: string, message: string) =>
    context.addIssue({ code: 'custom', path: ['recovery', key], message });
  if (recovery.token !== '') fault('token', 'expected nothing, since access says who may come in');
  if (recovery.udpPort !== 0 && !access.insecure)
    fault('udpPort', 'expected 0, since re-requests by UDP carry no token (access.insecure gives them to all)');
}

/** Options of the simulated exchange; `simulate` writes its flow to a file. */
export const simulateOptions = z.strictObject({
  seed: unsigned64().default(1n).describe('same seed, same bytes'),
  symbols: wholeNumber(1, 10_000).default(100).describe('symbols'),
  messages: unsigned64().default(0n).describe('messages in all; 0: endless'),
  liveOrders: wholeNumber(1, 16_000_000).default(20_000).describe('live orders that the flow keeps about'),
  messageIntervalNs: wholeNumber(0, 60_000_000_000)
    .default(50_000)
    .describe('mean time between messages, in ns of event time'),
});

export const serveOptions = z
  .strictObject({
    ...channelFields(),
    lineA: serveLine('A'),
    lineB: serveLine('B'),
    ttl: wholeNumber(0, 255).default(0).describe('hops of multicast packets; 0: they stay on this machine'),
    loop: z.boolean().default(true).describe('receivers on this machine get the packets too'),
    segmentation: z.boolean().default(true).describe('hand several datagrams to the kernel at once (UDP_SEGMENT)'),
    source: text(sourceSyntax, (given) => sourceKind(given) !== undefined)
      .default('simulate')
      .describe(
        'where orders come from: simulate, ITCH 5.0 as itch:FILE (also gzip), soupbintcp:HOST:PORT, moldudp64:GROUP:PORT or pcap:FILE, shm:PATH (an engine on this machine), or where an engine connects: tcp:HOST:PORT, unix:PATH',
      ),
    speed: text('"max", "realtime" or a factor such as "10x"', (given) => speedFactor(given) !== undefined)
      .default('max')
      .describe('pace of event time: max, realtime, or a factor such as 10x'),
    rate: anyNumber(0, 1e9).default(0).describe('messages a second at a steady rate, instead of speed; 0: off'),
    date: day()
      .optional()
      .describe('day (UTC) whose midnight ITCH times count from; today, for files and captures 1970-01-01'),
    unpackBytesMax: byteCount(1)
      .default(64 * 2 ** 30)
      .describe('bytes that a gzip file may unpack to'),
    exitAtEnd: z.boolean().default(false).describe('exit when the source has ended'),
    waitSubscribers: wholeNumber(0, 10_000)
      .default(0)
      .describe('hold the source until so many subscribers have joined'),
    waitTimeoutMs: wholeNumber(0, milliseconds_max).default(0).describe('give up waiting for them after ms; 0: never'),
    soupbintcp: soupOptions.prefault({}).describe('SoupBinTCP'),
    moldudp64: moldOptions.prefault({}).describe('MoldUDP64, received or captured'),
    pcap: pcapOptions.prefault({}).describe('captures'),
    validation: validationOptions.prefault({}).describe('events that contradict the books, by reason'),
    simulate: simulateOptions.prefault({}).describe('the simulated exchange'),
    ingest: ingestOptions.prefault({}).describe('the source that engines push into'),
    limits: limitsOptions.prefault({}).describe('what the books can hold'),
    ring: z
      .strictObject({
        bytes: byteCount(2 ** 20, 2 ** 40, isPowerOfTwo, ', a power of two')
          .default(64 * 2 ** 20)
          .describe('bytes of the broadcast ring'),
        path: text('a path, or nothing')
          .default('')
          .describe('file of the broadcast ring; empty: in the state folder, or private memory'),
      })
      .prefault({})
      .describe('the broadcast ring in shared memory'),
    state: stateOption,
    carryOver: z
      .boolean()
      .default(false)
      .describe('a new session opens with the orders that were live when the last one ended; needs state'),
    journal: journalOptions.prefault({}).describe('the journal in the state folder'),
    snapshot: snapshotOptions.prefault({}).describe('snapshots'),
    recovery: recoveryServiceOptions.prefault({}).describe('the recovery service'),
    gateway: gatewayOptions.prefault({}).describe('the WebSocket gateway'),
    access: accessOptions.prefault({}).describe('who may have what'),
    profile: profileOption,
    wait: waitOption,
    core: coreOption,
    lockMemory: lockMemoryOption,
    heartbeatMs: wholeNumber(1, 60_000).default(100).describe('ms between heartbeats'),
    digestMessages: wholeNumber(1, 10_000).default(10_000).describe('messages between two digests, at most'),
    definitionsMs: wholeNumber(0, milliseconds_max)
      .default(200)
      .describe('ms between packets of repeated definitions; 0: none'),
  })
  .superRefine((options, context) => {
    checkLines(options, context);
    for (const fault of ingestFaults(options)) context.addIssue({ code: 'custom', ...fault });
    checkAccess(options, context);
    if (options.carryOver && options.state === '')
      context.addIssue({
        code: 'custom',
        path: ['carryOver'],
        message: 'expected false, since nothing is kept without state',
      });
    if (options.waitSubscribers > 0 && options.control === null)
      context.addIssue({
        code: 'custom',
        path: ['waitSubscribers'],
        message: 'expected 0, since without a control service nobody can join',
      });
  });

export const subscribeOptions = z
  .strictObject({
    ...channelFields(),
    ...gatewayClientFields(),
    lineA: subscribeLine('A'),
    lineB: subscribeLine('B'),
    sources: z
      .array(ipv4Address('the IPv4 address of a sender'))
      .default([])
      .describe('senders to listen to (IPv4 addresses); none: any'),
    sourceSpecific: z.boolean().default(false).describe('join each group for these sources only (SSM)'),
    receiveBufferBytes: byteCount(4_096, 2 ** 30)
      .default(32 * 2 ** 20)
      .describe('socket receive buffer in bytes'),
    coalescing: z.boolean().default(true).describe('take several datagrams from the kernel at once (UDP_GRO)'),
    gapWaitMs: anyNumber(0, 60_000).default(10).describe('ms that a hole may wait for the other line'),
    parkedMax: wholeNumber(1, 4_194_304).default(262_144).describe('packets kept while a hole is open'),
    recovery: recoveryClientOptions.prefault({}).describe('the ways back'),
    resume: resumeOption,
    silenceMs: anyNumber(1, milliseconds_max)
      .default(1_000)
      .describe('ms of silence after which a newer session replaces the current one'),
    limits: limitsOptions.prefault({}).describe('what the books can hold'),
    profile: profileOption,
    wait: waitOption,
    core: coreOption,
    lockMemory: lockMemoryOption,
    busyPollUs: wholeNumber(0, 10_000)
      .default(0)
      .describe('µs that a look at a socket polls the network device (SO_BUSY_POLL); 0: off'),
    delivery: z
      .strictObject({
        updates: z.boolean().default(false).describe('deliver every update to JavaScript (event "updates")'),
        capacity: wholeNumber(1, 16_777_216).default(65_536).describe('updates kept for JavaScript; a power of two'),
        policy: z
          .enum(['skip', 'stop'])
          .default('skip')
          .describe('when JavaScript is too slow: skip updates (counted), or stop delivering for good'),
      })
      .prefault({})
      .describe('delivery of updates to JavaScript'),
    exportPositions: positions().default([]).describe('source positions after which the books are exported'),
    exportOrders: z.boolean().default(false).describe('those exports hold every order'),
  })
  .superRefine((options, context) => {
    checkLines(options, context);
    checkGatewayClient(options, context);
    if (options.control?.endsWith(':0'))
      context.addIssue({ code: 'custom', path: ['control'], message: 'expected the port that the service listens on' });
    if (options.sourceSpecific && options.sources.length === 0)
      context.addIssue({ code: 'custom', path: ['sources'], message: 'expected a source where sourceSpecific is set' });
  });

export type { ResumeToken } from './config_recovery.js';

/** Checked options with every default filled in. */
export type ServeOptions = z.output<typeof serveOptions>;
export type SubscribeOptions = z.output<typeof subscribeOptions>;
export type SimulateOptions = z.output<typeof simulateOptions>;
export type LimitsOptions = z.output<typeof limitsOptions>;
/** What callers write: everything optional, numbers also as text. */
export type ServeOptionsInput = z.input<typeof serveOptions>;
export type SubscribeOptionsInput = z.input<typeof subscribeOptions>;
export type SimulateOptionsInput = z.input<typeof simulateOptions>;
export type LimitsOptionsInput = z.input<typeof limitsOptions>;
export { limitsOptions };

/** 0 for "max", 1 for "realtime", N for "Nx"; undefined where it is none of them. */
export function speedFactor(speed: string): number | undefined {
  if (speed === 'max') return 0;
  if (speed === 'realtime') return 1;
  const factor = /^\d+(\.\d+)?x$/.test(speed) ? Number(speed.slice(0, -1)) : 0;
  return factor > 0 && factor <= 1e9 ? factor : undefined;
}

/** CLOCK_REALTIME ns of the midnight that the source's times count from; `nowMs` as of Date.now(). */
export function midnightNs(options: { date?: string | undefined; source: string }, nowMs: number): bigint {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const date = options.date ?? (isLive(options.source) ? today : '1970-01-01');
  return BigInt(Date.parse(date)) * 1_000_000n;
}
