/** Answers of the HTTP routes, and how they are written. */
import type { HttpResponse } from '../../uws.js';
import type { Refusal } from '../access/codes.js';
import { httpStatus } from '../access/codes.js';
import { type HttpErrorCode, http_errors, status_lines } from './codes.js';

export interface Reply {
  status: number;
  headers: Record<string, string>;
  /** Shared by all who are sent it: nobody writes into it. */
  body: Uint8Array;
  /** The connection ends with it: what is left of a refused request must not be taken for the next one. */
  close?: boolean;
}

const nothing = new Uint8Array();

export function emptyReply(status: number, headers: Record<string, string> = {}): Reply {
  return { status, headers, body: nothing };
}

export function jsonReply(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

export function errorReply(code: HttpErrorCode, headers: Record<string, string> = {}): Reply {
  const { status, text } = http_errors[code];
  return jsonReply(status, { code, message: text }, headers);
}

export function upgradeReply(): Reply {
  return errorReply('upgrade_required', { upgrade: 'websocket', 'sec-websocket-version': '13' });
}

export function refusalReply(refusal: Refusal): Reply {
  const status = httpStatus(refusal.code);
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (refusal.waitMs !== undefined) headers['retry-after'] = String(Math.ceil(refusal.waitMs / 1_000));
  return jsonReply(status, refusal, headers);
}

/** Bytes that a client has already (If-None-Match) are not sent again. `tag` without quotes. */
export function taggedReply(
  ifNoneMatch: string,
  tag: string,
  headers: Record<string, string>,
  body: Uint8Array,
): Reply {
  const quoted = `"${tag}"`;
  const known = ifNoneMatch.split(',').some((one) => {
    const text = one.trim();
    return text === '*' || text === quoted || text === `W/${quoted}`;
  });
  const all = { 'cache-control': 'no-cache', etag: quoted, ...headers };
  if (!known) return { status: 200, headers: all, body };
  const { 'content-type': _1, 'content-encoding': _2, ...kept } = all as Record<string, string>;
  return emptyReply(304, kept);
}

/** Of every answer. */
const security_headers = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  // Of what is no page; the page's own comes after it.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/**
 * Once for each response, and not after it was aborted. A long body goes out as the client takes it, from memory that
 * all share.
 */
export function sendReply(response: HttpResponse, { status, headers, body, close }: Reply, withBody: boolean): void {
  response.cork(() => {
    response.writeStatus(status_lines[status] ?? `${status} Error`);
    for (const [name, value] of Object.entries({ ...security_headers, ...headers })) response.writeHeader(name, value);
    if (status === 204 || status === 304) response.endWithoutBody(undefined, close);
    else if (!withBody) response.endWithoutBody(body.length, close);
    else if (close === true) response.end(body as Uint8Array<ArrayBuffer>, true);
    else stream(response, body as Uint8Array<ArrayBuffer>);
  });
}

function stream(response: HttpResponse, body: Uint8Array<ArrayBuffer>): void {
  const [sent, ended] = response.tryEnd(body, body.length);
  if (sent || ended) return;
  response.onWritable((offset) => response.tryEnd(body.subarray(offset), body.length)[0]);
}
