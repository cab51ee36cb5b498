/** Parts that the tests of access share: a clock that stands still, token files, a control over them. */
import { randomBytes } from 'node:crypto';
import { AccessControl, type ConnectRequest } from '../../../src/gateway/access/access_control.js';
import { AuditLog } from '../../../src/gateway/access/audit.js';
import { type Entitlements, parseEntitlements } from '../../../src/gateway/access/entitlements.js';
import type { JwtVerifier } from '../../../src/gateway/access/jwt.js';
import type { LimitOptions } from '../../../src/gateway/access/limits.js';
import type { Moment } from '../../../src/gateway/access/moment.js';
import { limitOptions } from '../../../src/gateway/access/options.js';
import type { TokenFile } from '../../../src/gateway/access/token_table.js';
import { makeToken } from '../../../src/gateway/access/token_text.js';

export const begin_ms = Date.parse('2026-01-01T00:00:00Z');

export class Clock {
  wall_ms = begin_ms;
  monotonic_ms = 0;
  pass(ms: number): void {
    this.wall_ms += ms;
    this.monotonic_ms += ms;
  }
  readonly now = (): Moment => ({ wall_ms: this.wall_ms, monotonic_ms: this.monotonic_ms });
}

export function entitlements(value: object = {}): Entitlements {
  const parsed = parseEntitlements({
    grants: [{ channels: [1], instruments: ['AAPL', 'ES*'], modes: ['depth', 'bbo'], depthLevelsMax: 10 }],
    ...value,
  });
  if ('fault' in parsed) throw new Error(parsed.fault);
  return parsed.value;
}

export interface Held {
  entry: TokenFile['tokens'][number];
  text: string;
}

export function held(change: Partial<Held['entry']> = {}): Held {
  const { id, text, hash } = makeToken(randomBytes);
  const created = '2026-01-01T00:00:00Z';
  const common = { id, name: 'desk', hash, created, expires: null, revoked: null, entitlements: entitlements() };
  return { entry: { ...common, ...change }, text };
}

export function fileOf(...tokens: Held[]): TokenFile {
  return { version: 1, tokens: tokens.map(({ entry }) => entry), denied: [] };
}

export function limitsOf(change: object = {}): LimitOptions {
  return limitOptions.parse(change);
}

export interface Setup {
  control: AccessControl;
  clock: Clock;
  lines: string[];
}

export function setup(
  given: {
    limits?: object;
    jwt?: JwtVerifier;
    anonymous?: Entitlements;
    file?: TokenFile;
    clock?: Clock;
    origins?: string[];
  } = {},
): Setup {
  const clock = given.clock ?? new Clock();
  const lines: string[] = [];
  const audit = new AuditLog((line) => lines.push(line) > 0, clock.now());
  const origin = { hosts: [], bindHost: '127.0.0.1', origins: given.origins ?? [], tls: false };
  const control = new AccessControl(
    { limits: limitsOf(given.limits), origin, anonymous: given.anonymous, tokens: true },
    { jwt: given.jwt, audit, now: clock.now, seed: 1 },
  );
  if (given.file !== undefined) control.tokensChanged(given.file);
  return { control, clock, lines };
}

export function request(change: Partial<ConnectRequest> = {}): ConnectRequest {
  const headers = { host: '127.0.0.1:1', origin: '', fetchSite: '', authorization: '' };
  return { address: '10.0.0.1', path: '/stream', query: '', use: 'websocket', ...headers, ...change };
}

/** A connection that was let in. */
export function connected(control: AccessControl, change: Partial<ConnectRequest> = {}) {
  const opened = control.connect(request(change));
  if ('refusal' in opened) throw new Error(opened.refusal.code);
  return opened.connection;
}

export function codeOf(answer: object | undefined): string {
  const { refusal, code } = (answer ?? {}) as { refusal?: { code: string }; code?: string };
  return refusal?.code ?? code ?? 'ok';
}
