/**
 * Every way in which access is refused or ended: its code, the HTTP status that goes with it, what it says, and its
 * cure. docs/gateway.md has the same table; a test compares them.
 */

interface Entry {
  status: 400 | 401 | 403 | 408 | 413 | 429 | 503;
  /** What a client is told. Holds nothing of what the client sent. */
  text: string;
  cure: string;
}

export const access_refusals = {
  credential_missing: {
    status: 401,
    text: 'a token is needed',
    cure: 'send `Authorization: Bearer TOKEN`, or the token in the first message',
  },
  credential_malformed: {
    status: 401,
    text: 'the Authorization header is not "Bearer TOKEN"',
    cure: 'send exactly one header `Authorization: Bearer TOKEN`, at most 8,192 characters',
  },
  credential_twice: {
    status: 400,
    text: 'a token was sent twice, or while another one was being checked',
    cure: 'send it in the header or in the first message, not in both; wait for the answer before renewing it',
  },
  credential_in_url: {
    status: 400,
    text: 'a token must not stand in the URL',
    cure: 'move it to the header or the first message, and replace it: proxies and browsers have kept that URL',
  },
  credential_kind: {
    status: 401,
    text: 'tokens of this kind are not accepted here',
    cure: 'server: configure `access.tokens` for API tokens, `access.jwt` for JWT; client: send the other kind',
  },
  token_malformed: {
    status: 401,
    text: 'this is no API token',
    cure: 'copy the whole token as `depthcast token new` printed it, `dct_` included',
  },
  token_weak: {
    status: 401,
    text: 'the secret of this token is not random',
    cure: 'make tokens with `depthcast token new`; secrets of your own choice are not accepted',
  },
  token_unknown: {
    status: 401,
    text: 'the token is not known',
    cure: 'look at `depthcast token list`; the server may read another file, or the token was removed from it',
  },
  token_revoked: { status: 401, text: 'the token was revoked', cure: 'make a new one with `depthcast token new`' },
  token_expired: { status: 401, text: 'the token has expired', cure: 'make a new one with `depthcast token new`' },
  jwt_malformed: {
    status: 401,
    text: 'this is no signed JWT',
    cure: 'send a compact JWS (three parts with dots, at most 8,192 characters), without `crit` extensions',
  },
  jwt_algorithm: {
    status: 401,
    text: 'the algorithm of the JWT is not accepted',
    cure: 'sign with one of `access.jwt.algorithms`; `none` and HS256/384/512 never are accepted',
  },
  jwt_key: {
    status: 401,
    text: 'no key of ours fits the JWT',
    cure: 'check `kid` and key type against the configured keys; RSA keys need 2,048 bits',
  },
  jwt_signature: {
    status: 401,
    text: 'the signature of the JWT is wrong',
    cure: 'sign with the key whose public part the server has',
  },
  jwt_expired: { status: 401, text: 'the JWT has expired', cure: 'get a new one; compare the clocks' },
  jwt_not_yet: { status: 401, text: 'the JWT is not valid yet', cure: 'wait for `nbf`; compare the clocks' },
  jwt_audience: {
    status: 401,
    text: 'the JWT is for another audience',
    cure: 'ask for one whose `aud` holds `access.jwt.audience`',
  },
  jwt_issuer: { status: 401, text: 'the JWT is of another issuer', cure: '`iss` must equal `access.jwt.issuer`' },
  jwt_claims: {
    status: 401,
    text: 'a claim of the JWT is missing or not of its form',
    cure: '`exp` and `sub` are needed (`sub`: 1 to 128 printable characters), `iat` too where an age is configured',
  },
  jwt_entitlements: {
    status: 403,
    text: 'the JWT says nothing valid about entitlements',
    cure: 'put the object described under "Entitlements" into the claim `access.jwt.claim`',
  },
  jwt_denied: {
    status: 401,
    text: 'the JWT or its subject was denied',
    cure: 'its `jti` or `sub` stands under `denied` in the token file; remove it there',
  },
  jwt_keys_unavailable: {
    status: 503,
    text: 'the keys of the issuer cannot be had now',
    cure: 'try again later; the server tells why (JWKS unreachable, too slow, too large, not JSON)',
  },
  identity_changed: {
    status: 403,
    text: 'a session keeps its identity',
    cure: 'renew with a token of the same id or subject; for another one open another connection',
  },
  login_timeout: {
    status: 408,
    text: 'no login came in time',
    cure: 'send the token at once; `access.limits.loginMs` is the time given',
  },
  logins_exceeded: {
    status: 429,
    text: 'too many failed logins from this address',
    cure: 'wait `waitMs`, then send a token that is valid',
  },
  origin_refused: {
    status: 403,
    text: 'pages of this origin may not connect',
    cure: 'add the origin to `access.origins`',
  },
  host_refused: {
    status: 403,
    text: 'the host asked for is not this service',
    cure: 'use its address, or add the name to `access.hosts`',
  },
  channel_denied: { status: 403, text: 'not entitled to this channel', cure: 'entitlements: `channels` of a grant' },
  mode_denied: { status: 403, text: 'not entitled to this mode', cure: 'entitlements: `modes` of a grant' },
  instrument_denied: {
    status: 403,
    text: 'not entitled to this instrument',
    cure: 'entitlements: `instruments` of a grant; for a whole channel a grant with "*" is needed',
  },
  depth_denied: {
    status: 403,
    text: 'not entitled to so many levels',
    cure: 'ask for fewer levels; entitlements: `depthLevelsMax` of a grant',
  },
  metrics_denied: { status: 403, text: 'not entitled to the figures', cure: 'entitlements: `metrics`' },
  server_full: {
    status: 503,
    text: 'the server has as many connections as it takes',
    cure: 'try again later; `access.limits.connectionsMax`',
  },
  address_connections: {
    status: 429,
    text: 'too many connections from this address',
    cure: 'close some; `access.limits.perAddress.connectionsMax`',
  },
  connections_exceeded: {
    status: 429,
    text: 'too many connections with this token',
    cure: 'close some; `connectionsMax` of the entitlements, else `access.limits.perToken.connectionsMax`',
  },
  subscriptions_exceeded: {
    status: 429,
    text: 'too many subscriptions',
    cure: 'unsubscribe from some; `subscriptionsMax` of the entitlements, of `perToken` or `perAddress`',
  },
  requests_exceeded: {
    status: 429,
    text: 'too many requests',
    cure: 'wait `waitMs`; `requestsPerSecond` of the entitlements, of `perToken` or `perAddress`',
  },
  message_too_long: {
    status: 413,
    text: 'the message is too long',
    cure: 'send shorter ones: `access.limits.loginMessageBytesMax` before login, `messageBytesMax` after it',
  },
} as const satisfies Record<string, Entry>;

export type RefusalCode = keyof typeof access_refusals;

export const refusal_codes = Object.keys(access_refusals) as RefusalCode[];

/** Why something is refused. Plain data: it may cross threads. */
export interface Refusal {
  code: RefusalCode;
  /** One sentence for people, without anything secret. */
  message: string;
  /** Ms after which it makes sense to try again. */
  waitMs?: number;
}

export function refuse(code: RefusalCode, detail = '', waitMs = 0): Refusal {
  const { text } = access_refusals[code];
  const message = detail === '' ? text : `${text}: ${detail}`;
  return waitMs > 0 ? { code, message, waitMs } : { code, message };
}

export function httpStatus(code: RefusalCode): number {
  return access_refusals[code].status;
}

/** The code of a WebSocket's close frame: the HTTP status in the range that is left to applications. */
export function closeCode(code: RefusalCode): number {
  return 4_000 + access_refusals[code].status;
}
