/** Re-requests by UDP, as bytes. docs/recovery.md, "Re-request by UDP". Pure; every byte from outside is checked. */

export const request_bytes = 48;
export const refusal_bytes = 32;
export const cookie_bytes = 16;
export const challenge_bytes = 32;
/** Padded to so many bytes, a request proves nothing but may be answered with a datagram of 1,400. */
export const padded_request_bytes = 467;
/** An unproven source gets at most so many times what it sent. */
export const amplification_max = 3;

const request_magic = 0x5152_4344; // "DCRQ"
const refusal_magic = 0x4152_4344; // "DCRA"
const challenge_magic = 0x4352_4344; // "DCRC"
const version = 1;

export const rerequest_codes = {
  too_low: 1,
  too_high: 2,
  unavailable: 3,
  rate_limited: 4,
  wrong_session: 5,
} as const;
export type RerequestCode = keyof typeof rerequest_codes;

export interface Rerequest {
  /** Messages wanted, from `sequence` on. */
  count: number;
  session: bigint;
  sequence: bigint;
  channel: number;
  /** Zeros: none yet. */
  cookie: Uint8Array;
}

export interface RerequestRefusal {
  code: RerequestCode;
  session: bigint;
  next: bigint;
  oldest: bigint;
}

/** What an answer is: a datagram of the feed is neither of the other two. */
export type RerequestAnswer =
  | { type: 'refusal'; refusal: RerequestRefusal }
  | { type: 'challenge'; cookie: Uint8Array }
  | { type: 'datagram'; bytes: Uint8Array };

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Padded with zeros to `length`. */
export function writeRerequest(request: Rerequest, length = padded_request_bytes): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, request_bytes));
  const view = viewOf(bytes);
  view.setUint32(0, request_magic, true);
  view.setUint16(4, version, true);
  view.setUint16(6, request.count, true);
  view.setBigUint64(8, request.session, true);
  view.setBigUint64(16, request.sequence, true);
  view.setUint32(24, request.channel, true);
  bytes.set(request.cookie.subarray(0, cookie_bytes), 32);
  return bytes;
}

/** Undefined where it is none: then nothing is answered. */
export function readRerequest(bytes: Uint8Array): Rerequest | undefined {
  if (bytes.byteLength < request_bytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== request_magic || view.getUint16(4, true) !== version) return undefined;
  if (view.getUint32(28, true) !== 0) return undefined;
  const request = {
    count: view.getUint16(6, true),
    session: view.getBigUint64(8, true),
    sequence: view.getBigUint64(16, true),
    channel: view.getUint32(24, true),
    cookie: bytes.slice(32, 32 + cookie_bytes),
  };
  return request.count === 0 || request.sequence === 0n ? undefined : request;
}

export function writeRefusal({ code, session, next, oldest }: RerequestRefusal): Uint8Array {
  const bytes = new Uint8Array(refusal_bytes);
  const view = viewOf(bytes);
  view.setUint32(0, refusal_magic, true);
  view.setUint16(4, version, true);
  view.setUint16(6, rerequest_codes[code], true);
  view.setBigUint64(8, session, true);
  view.setBigUint64(16, next, true);
  view.setBigUint64(24, oldest, true);
  return bytes;
}

export function writeChallenge(cookie: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(challenge_bytes);
  const view = viewOf(bytes);
  view.setUint32(0, challenge_magic, true);
  view.setUint16(4, version, true);
  bytes.set(cookie.subarray(0, cookie_bytes), 16);
  return bytes;
}

/** The asker's side. Undefined where it is nothing that a server sends. A datagram is not checked here. */
export function readAnswer(bytes: Uint8Array): RerequestAnswer | undefined {
  if (bytes.byteLength < 16) return undefined;
  const view = viewOf(bytes);
  const magic = view.getUint32(0, true);
  if (magic === request_magic) return undefined;
  if (magic !== refusal_magic && magic !== challenge_magic) return { type: 'datagram', bytes };
  if (bytes.byteLength !== refusal_bytes || view.getUint16(4, true) !== version) return undefined;
  if (magic === challenge_magic) return { type: 'challenge', cookie: bytes.slice(16, 16 + cookie_bytes) };
  const number = view.getUint16(6, true);
  const found = Object.entries(rerequest_codes).find(([, value]) => value === number);
  if (found === undefined) return undefined;
  const code = found[0] as RerequestCode;
  const refusal = {
    code,
    session: view.getBigUint64(8, true),
    next: view.getBigUint64(16, true),
    oldest: view.getBigUint64(24, true),
  };
  return { type: 'refusal', refusal };
}
