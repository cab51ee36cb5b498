/** Options of access to gateway, recovery service and snapshots: section `access`. docs/access.md. */
import { z } from 'zod';
import { anyNumber, byteCount, text, wholeNumber } from '../../config_values.js';
import { entitlementsSchema } from './entitlements.js';
import { httpsUrl } from './jwks_fetch.js';
import { jwt_algorithms, jwt_length_max } from './jwt.js';
import { normalOrigin } from './origin.js';

const milliseconds_max = 86_400_000;

function shareOptions(whose: string, defaults: { connections: number; subscriptions: number }) {
  return z.strictObject({
    connectionsMax: wholeNumber(1, 1_000_000).default(defaults.connections).describe(`connections of ${whose}`),
    subscriptionsMax: wholeNumber(1, 100_000_000)
      .default(defaults.subscriptions)
      .describe(`instruments chosen by ${whose}; a pattern or a whole channel counts as one`),
    requestsPerSecond: anyNumber(0.1, 1_000_000).default(20).describe(`messages a second from ${whose}`),
    requestsBurst: wholeNumber(1, 1_000_000).default(200).describe(`messages at once from ${whose}`),
  });
}

export const limitOptions = z
  .strictObject({
    connectionsMax: wholeNumber(1, 1_000_000).default(10_000).describe('connections in all'),
    accountsMax: wholeNumber(1, 10_000_000)
      .default(65_536)
      .describe('addresses, and tokens, that are remembered; at least connectionsMax'),
    perAddress: shareOptions('one address (IPv6: one /64)', { connections: 256, subscriptions: 1_000_000 }).prefault(
      {},
    ),
    perToken: shareOptions('one token', { connections: 64, subscriptions: 100_000 }).prefault({}),
    loginFailuresPerMinute: anyNumber(0.1, 60_000).default(10).describe('failed logins a minute from one address'),
    loginFailuresBurst: wholeNumber(1, 100_000).default(20).describe('failed logins at once from one address'),
    loginMs: wholeNumber(100, milliseconds_max).default(5_000).describe('ms in which a login must come'),
    loginMessageBytesMax: byteCount(jwt_length_max + 1_024, 2 ** 20)
      .default(16_384)
      .describe('bytes of a message before login'),
    messageBytesMax: byteCount(1_024, 2 ** 24)
      .default(262_144)
      .describe('bytes of a message after login'),
  })
  .superRefine(({ connectionsMax, accountsMax }, context) => {
    if (accountsMax < connectionsMax)
      context.addIssue({ code: 'custom', path: ['accountsMax'], message: 'expected at least connectionsMax' });
  });

export const jwtOptions = z
  .strictObject({
    algorithms: z
      .array(z.enum(jwt_algorithms))
      .min(1, 'expected at least one algorithm')
      .default(['RS256', 'ES256', 'EdDSA'])
      .describe('algorithms that are accepted; none and HS256/384/512 never are'),
    issuer: text('text', (given) => given !== '').describe('what `iss` must be'),
    audience: text('text', (given) => given !== '').describe('what `aud` must hold'),
    toleranceSeconds: wholeNumber(0, 600).default(30).describe('seconds that clocks may differ'),
    ageSecondsMax: wholeNumber(0, 31_536_000).default(0).describe('seconds since `iat`; 0: not looked at'),
    claim: text('the name of a claim', (given) => given !== '')
      .default('depthcast')
      .describe('claim with the entitlements'),
    keys: z
      .array(text('a path', (given) => given !== ''))
      .default([])
      .describe('files with public keys: PEM, JWK, JWK set'),
    jwks: text('an https URL, or nothing', (given) => given === '' || httpsUrl(given) !== undefined)
      .default('')
      .describe("URL of the issuer's key set; https only, redirects are refused; empty: none"),
    jwksCa: text('a path, or nothing')
      .default('')
      .describe('PEM file of the authorities trusted for it; empty: the usual ones'),
    jwksTimeoutMs: wholeNumber(100, 60_000).default(5_000).describe('ms for fetching it'),
    jwksBytesMax: byteCount(1_024, 2 ** 24)
      .default(262_144)
      .describe('bytes that it may have'),
    jwksCacheMs: wholeNumber(1_000, milliseconds_max).default(600_000).describe('ms for which it is used'),
    jwksCooldownMs: wholeNumber(100, milliseconds_max).default(30_000).describe('ms between two fetches at least'),
    jwksStaleMs: wholeNumber(0, 7 * milliseconds_max)
      .default(3_600_000)
      .describe('ms for which it is used on while it cannot be fetched'),
  })
  .superRefine(({ keys, jwks }, context) => {
    if ((keys.length === 0) === (jwks === ''))
      context.addIssue({ code: 'custom', path: ['keys'], message: 'expected either keys or jwks' });
  });

function fromJson(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

/** An object; a flag says it as JSON. */
const anonymousEntitlements = z
  .custom<z.input<typeof entitlementsSchema> | string>((given) => given !== undefined)
  .transform(fromJson)
  .pipe(entitlementsSchema);

export const accessOptions = z.strictObject({
  tokens: text('a path, or nothing').default('').describe('file of API tokens; empty: none are accepted'),
  tokensPollMs: wholeNumber(100, milliseconds_max)
    .default(2_000)
    .describe('ms between two looks at it; changes are usually noticed at once'),
  jwt: jwtOptions.nullable().default(null).describe('JSON web tokens; null: none are accepted'),
  anonymous: anonymousEntitlements
    .nullable()
    .default(null)
    .describe('entitlements of clients without a token; null: none, or all where nobody can log in'),
  hosts: z.array(text('a name')).default([]).describe('names under which browsers reach the service'),
  origins: z
    .array(text('an origin such as "https://desk.example"', (given) => normalOrigin(given) !== undefined))
    .default([])
    .describe('origins of other pages that may connect'),
  limits: limitOptions.prefault({}).describe('limits'),
  audit: text('a path, or nothing').default('').describe('file of the audit log; empty: none'),
  insecure: z.boolean().default(false).describe('listen beyond this machine although TLS or authentication is missing'),
});

export type AccessOptions = z.output<typeof accessOptions>;
export type AccessOptionsInput = z.input<typeof accessOptions>;
