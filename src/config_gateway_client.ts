/** Options of a client that follows a gateway, or finds its feed in a directory. docs/gateway.md. */
import { z } from 'zod';
import { text, wholeNumber } from './config_values.js';

const milliseconds_max = 86_400_000;
const instruments_max = 4_096;

const urlOf = (expected: string, pattern: RegExp) =>
  text(expected, (given) => pattern.test(given) && URL.canParse(given));

/** A number in text is a symbol, as everywhere in JSON. */
const instrument = z.union([
  text('a symbol, or a pattern with * and ?', (given) => given !== ''),
  z.number().int().min(1),
]);

export function gatewayClientFields() {
  return {
    gateway: urlOf('a URL such as "wss://host/feed"', /^wss?:\/\/[^\s@#]+$/)
      .nullable()
      .default(null)
      .describe('URL of a gateway, followed instead of the lines; null: none'),
    directory: urlOf('a URL such as "http://host:port/channels"', /^https?:\/\/[^\s@#]+$/)
      .nullable()
      .default(null)
      .describe('URL of a directory: it tells lines, gateway, recovery and snapshot group of the channel; null: none'),
    transport: z
      .enum(['auto', 'multicast', 'gateway'])
      .default('auto')
      .describe('with a directory: multicast, gateway, or auto (multicast where it arrives, else the gateway)'),
    probeMs: wholeNumber(1, milliseconds_max)
      .default(1_000)
      .describe('ms that multicast gets to arrive, before transport auto takes the gateway'),
    mode: z
      .enum(['exact', 'filtered', 'depth', 'bbo', 'trades'])
      .default('exact')
      .describe('gateway: exact (every message, native books), filtered, depth, bbo, trades; multicast is exact'),
    instruments: z
      .array(instrument)
      .max(instruments_max)
      .default([])
      .describe('gateway, unless exact: symbols or patterns with * and ?; none: all'),
    levels: wholeNumber(1, 64).default(10).describe('depth: levels of each side'),
    conflationMs: wholeNumber(0, milliseconds_max)
      .default(100)
      .describe('depth, bbo: ms between two changes of an instrument; 0: each'),
    onSlow: z
      .enum(['snapshot', 'disconnect'])
      .default('snapshot')
      .describe('gateway, when this client is too slow: begin anew with a snapshot, or close'),
    token: text('text').default('').describe('token for gateway and directory; empty: none'),
    tls: z
      .strictObject({
        caFile: text('a path, or nothing')
          .default('')
          .describe("PEM file of the authority that signed the gateway's certificate; empty: the well-known ones"),
      })
      .prefault({})
      .describe('TLS of gateway and directory'),
    timeoutMs: wholeNumber(10, milliseconds_max)
      .default(5_000)
      .describe('ms that an answer of the gateway may take before it is left'),
    backoffMs: wholeNumber(1, milliseconds_max)
      .default(250)
      .describe('ms before the gateway is tried again; doubles, half of it chance'),
    backoffMsMax: wholeNumber(1, milliseconds_max).default(10_000).describe('ms before it is tried again, at most'),
  };
}

interface Chosen {
  gateway: string | null;
  directory: string | null;
  transport: string;
  mode: string;
  instruments: readonly unknown[];
  delivery: { updates: boolean };
  exportPositions: readonly unknown[];
}

export function checkGatewayClient(options: Chosen, context: z.RefinementCtx): void {
  const { gateway, directory, mode, transport, instruments, delivery, exportPositions } = options;
  const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (gateway !== null && directory !== null) wrong('directory', 'expected either gateway or directory');
  if (mode === 'exact') {
    if (instruments.length > 0) wrong('instruments', 'expected none, since exact is the whole channel; see filtered');
    return;
  }
  if (gateway === null && (directory === null || transport === 'multicast'))
    wrong('mode', 'expected exact, since the others come over a gateway');
  if (delivery.updates) wrong('delivery', 'expected no updates, since they are delivered in mode exact');
  if (exportPositions.length > 0) wrong('exportPositions', 'expected none, since they are for mode exact');
}
