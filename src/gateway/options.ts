/** Options of the WebSocket gateway: section `gateway`. docs/gateway.md, "Configuration". */
import { z } from 'zod';
import { byteCount, text, wholeNumber } from '../config_values.js';
import { levels_max } from './protocol.js';

const milliseconds_max = 86_400_000;

/** Where `depthcast serve` listens unless told otherwise. */
export const gateway_port_default = 26_480;

const tlsOptions = z
  .strictObject({
    keyFile: text('a path, or nothing').default('').describe('PEM file with the private key; empty: no TLS'),
    certificateFile: text('a path, or nothing').default('').describe('PEM file with the certificate and its chain'),
  })
  .superRefine(({ keyFile, certificateFile }, context) => {
    if ((keyFile === '') !== (certificateFile === ''))
      context.addIssue({
        code: 'custom',
        path: [keyFile === '' ? 'keyFile' : 'certificateFile'],
        message: 'expected a path, since key and certificate go together',
      });
  });

const goodbyeOptions = z.strictObject({
  url: text('a WebSocket URL such as "wss://b.example:26480", or nothing', (given) =>
    /^$|^wss?:\/\/[^\s@]+$/.test(given),
  )
    .default('')
    .describe('where clients are sent when the gateway ends; empty: here again'),
  reconnectMs: wholeNumber(0, milliseconds_max).default(1_000).describe('ms that they are to wait before that'),
});

export const gatewayOptions = z.strictObject({
  host: text('an address or a name', (given) => given !== '' && !/[\s/]/.test(given))
    .default('127.0.0.1')
    .describe('address to listen on'),
  port: wholeNumber(0, 65_535)
    .nullable()
    .default(null)
    .describe('TCP port of WebSockets, page and metrics; null: no gateway. Port 0: a free one'),
  workers: wholeNumber(1, 64).default(1).describe('threads that share the port'),
  nice: wholeNumber(0, 19)
    .default(5)
    .describe('added to the nice value of these threads: 0 to 19, most yielding. Publisher and sources come first'),
  sessionsMax: wholeNumber(1, 1_000_000).default(10_000).describe('sessions of one thread'),
  subscriptionsMax: wholeNumber(1, 65_535).default(64).describe('subscriptions of one session'),
  levels: wholeNumber(1, levels_max).default(10).describe('levels of each side that a subscription may have'),
  bufferedBytes: byteCount(65_536, 2 ** 30)
    .default(262_144)
    .describe('bytes that may wait for one socket before it is a slow consumer'),
  idleSeconds: wholeNumber(8, 960)
    .default(60)
    .describe('seconds without a word from a client, answers to pings included, after which it is gone'),
  requestsPerSecond: wholeNumber(1, 1_000_000).default(100).describe('requests a second of one session, and at once'),
  windowBytesMax: byteCount(2 ** 20, 2 ** 36)
    .default(256 * 2 ** 20)
    .describe('bytes of one thread for what its sessions hold; beyond them full windows are sent'),
  tls: tlsOptions.prefault({}).describe('TLS'),
  goodbye: goodbyeOptions.prefault({}).describe('what is said at the end'),
});

export type GatewayOptions = z.output<typeof gatewayOptions>;
