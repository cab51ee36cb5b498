/** Options of the exchange feeds that a channel can be fed from; docs/ingest.md. */
import { z } from 'zod';
import { byteCount, interfaceAddress, ipv4Address, text, wholeNumber } from '../config_values.js';

const day_ms = 86_400_000;
const session_pattern = /^[!-~]{0,10}$/;

function sessionOption(what: string) {
  return text('at most 10 printable characters without blanks', (given) => session_pattern.test(given))
    .default('')
    .describe(`session of the input; empty: ${what}`);
}

export const soupOptions = z.strictObject({
  username: text('at most 6 letters and digits', (given) => /^[0-9A-Za-z]{0,6}$/.test(given))
    .default('')
    .describe('user name of the login'),
  passwordFile: text('a path, or nothing')
    .default('')
    .describe('file whose first line is the password (at most 10 letters and digits); empty: none'),
  session: sessionOption('the one that is open'),
  heartbeatTimeoutMs: wholeNumber(0, 99_999)
    .default(0)
    .describe('tells a server of version 4 after how many ms of silence it may hang up; 0: a login of version 3'),
  backoffMs: wholeNumber(1, 60_000).default(100).describe('ms before the first new connection, doubling'),
  backoffMsMax: wholeNumber(1, 3_600_000).default(10_000).describe('ms between two connections, at most'),
});

const servers = z
  .array(
    text('an IPv4 address and a port, such as "10.0.0.1:17001"', (given) => /^\d+\.\d+\.\d+\.\d+:\d+$/.test(given)),
  )
  .max(16, 'expected at most 16 servers');

export const moldOptions = z.strictObject({
  interface: interfaceAddress().default('127.0.0.1').describe('local interface of the input: IPv4 address or name'),
  session: sessionOption('the first that is heard'),
  groupB: ipv4Address('an IPv4 address').optional().describe('group of the second line, on the same port'),
  servers: servers.default([]).describe('re-request servers (IPv4 address:port), asked in turn; none: no re-requests'),
  lost: z
    .enum(['fault', 'skip'])
    .default('fault')
    .describe('messages that nobody gives: end the source with a fault, or go on behind them'),
  giveUpMs: wholeNumber(1, day_ms).default(10_000).describe('ms after which messages count as lost'),
  silenceMs: wholeNumber(1, day_ms)
    .default(5_000)
    .describe('ms of silence of the session after which another one that is heard ends the source'),
  parkedBytesMax: byteCount(65_536, 2 ** 34)
    .default(64 * 2 ** 20)
    .describe('bytes kept behind messages that are missing'),
});

export const pcapOptions = z.strictObject({
  groups: z
    .array(ipv4Address('an IPv4 address'))
    .default([])
    .describe('destinations whose datagrams are taken (IPv4 addresses); none: any'),
  port: wholeNumber(0, 65_535).default(0).describe('UDP port whose datagrams are taken; 0: any'),
});
