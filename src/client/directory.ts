/** Finds a channel in a directory: its lines, gateway, recovery and snapshot group. docs/gateway.md, "Directory". */
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { z } from 'zod';
import type { SubscribeOptions } from '../config.js';
import { gateway_path } from '../gateway/protocol.js';
import { connectFailure, saidIn } from './connect_failure.js';

const answer_bytes_max = 16 << 20;

const line = z.object({ group: z.ipv4(), port: z.number().int().min(1).max(65_535) }).nullable();

/** Unknown fields are those of a later version. */
const directoryAnswer = z.object({
  channels: z.array(
    z.object({
      channel: z.number().int(),
      lineA: line.optional(),
      lineB: line.optional(),
      recovery: z.string().nullable().optional(),
      recoveryUdpPort: z.number().int().min(1).max(65_535).nullable().optional(),
      snapshotLine: line.optional(),
      gateway: z.string().nullable().optional(),
    }),
  ),
});

export type DirectoryEntry = z.output<typeof directoryAnswer>['channels'][number];

/** Where a directory cannot be had, or says nothing that helps. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError';
}

/** Rejects with DirectoryError. */
export async function findChannel(options: SubscribeOptions): Promise<DirectoryEntry> {
  const url = new URL(options.directory ?? '');
  const answer = directoryAnswer.safeParse(await getJson(url, options));
  if (!answer.success) throw new DirectoryError(`${url.href} is no directory of channels`);
  const { channels } = answer.data;
  const found = channels.find(({ channel }) => channel === options.channel);
  if (found !== undefined) return found;
  const there = channels.map(({ channel }) => channel).join(', ');
  throw new DirectoryError(`${url.href} knows channel ${there === '' ? 'none' : there}, not ${options.channel}`);
}

/** The gateway's URL; undefined: there is none. Not told: beside the directory. */
export function gatewayUrl({ gateway }: DirectoryEntry, directory: string): string | undefined {
  if (gateway === null) return undefined;
  const url = new URL(gateway ?? gateway_path, directory.replace(/^http/, 'ws'));
  return /^wss?:$/.test(url.protocol) ? url.href : undefined;
}

/** `options` with the lines and ways back of the directory; undefined where it names no line. */
export function multicastOptions(options: SubscribeOptions, entry: DirectoryEntry): SubscribeOptions | undefined {
  const { lineA = null, lineB = null, recovery, recoveryUdpPort, snapshotLine = null } = entry;
  if (lineA === null && lineB === null) return undefined;
  const service = new URL(recovery ?? '/', options.directory ?? '');
  // The recovery service is the control service's: http for the one, ws for the other.
  const origin = `${service.protocol.replace(/^ws/, 'http')}//${service.host}`;
  const { hostname } = service;
  return {
    ...options,
    lineA,
    lineB,
    control: origin,
    recovery: {
      ...options.recovery,
      // One login for all that a server gives.
      token: options.recovery.token === '' ? options.token : options.recovery.token,
      url: recovery == null ? null : origin,
      // Re-requests go to the machine that answers for the rest.
      udp: recoveryUdpPort == null || !/^[\d.]+$/.test(hostname) ? '' : `${hostname}:${recoveryUdpPort}`,
      snapshotLine,
    },
  };
}

function getJson(url: URL, { token, tls, timeoutMs }: SubscribeOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new DirectoryError(`${url.href}: ${reason}`));
    const headers = { accept: 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) };
    const ca = tls.caFile === '' ? {} : { ca: readFileSync(tls.caFile) };
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, { headers, ...ca, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.byteLength;
        if (bytes > answer_bytes_max) request.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('error', ({ message }) => fail(message));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        if (response.statusCode !== 200) {
          const said = saidIn(text);
          fail(`it answered ${response.statusCode}${said === '' ? '' : ` (${said})`}`);
          return;
        }
        try {
          resolve(JSON.parse(text));
        } catch {
          fail('no JSON');
        }
      });
    });
    request.on('error', (error) =>
      fail(error.name === 'AbortError' ? `no answer within ${timeoutMs} ms` : connectFailure(error).text),
    );
    request.end();
  });
}
