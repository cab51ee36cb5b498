/**
 * Checks JWTs with jose: pinned asymmetric algorithms, issuer, audience and times; the entitlements stand in a claim.
 * HMAC is not offered: a server that only checks should not hold what signs, and without it a public key can never be
 * taken for a secret.
 */
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import { isPrintable } from './checked_parse.js';
import { type Refusal, type RefusalCode, refuse } from './codes.js';
import { parseEntitlements } from './entitlements.js';
import { KeysUnavailable } from './jwks.js';
import { keys_max } from './jwt_keys.js';
import type { Principal } from './principal.js';

export const jwt_algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export const jwt_length_max = 8_192;
const subject_length_max = 128;

export interface JwtOptions {
  algorithms: (typeof jwt_algorithms)[number][];
  issuer: string;
  audience: string;
  /** Seconds that clocks may differ. */
  toleranceSeconds: number;
  /** Seconds that may have passed since `iat`; 0: `iat` is not looked at. */
  ageSecondsMax: number;
  /** Name of the claim with the entitlements. */
  claim: string;
}

export type JwtAnswer = { principal: Principal } | { refusal: Refusal };

/** Whether a text is meant to be a JWT: three parts with dots. */
export function looksLikeJwt(text: string): boolean {
  return text.length <= jwt_length_max && /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/.test(text);
}

function claimCode({ claim }: errors.JWTClaimValidationFailed): RefusalCode {
  if (claim === 'aud') return 'jwt_audience';
  if (claim === 'iss') return 'jwt_issuer';
  return 'jwt_claims';
}

/** What a failure of jose means. Nothing of the token is in the answer. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof KeysUnavailable) return refuse('jwt_keys_unavailable');
  if (error instanceof errors.JWTExpired) return refuse('jwt_expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    // Failed, rather than missing or of another type.
    const early = error.reason === 'check_failed' && (error.claim === 'nbf' || error.claim === 'iat');
    return refuse(early ? 'jwt_not_yet' : claimCode(error));
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refuse('jwt_algorithm');
  if (error instanceof errors.JWSSignatureVerificationFailed) return refuse('jwt_signature');
  if (error instanceof errors.JWKSNoMatchingKey) return refuse('jwt_key');
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return refuse('jwt_malformed');
  if (error instanceof errors.JOSENotSupported) return refuse('jwt_malformed');
  // A key that does not suit the algorithm, and what else jose finds wrong with keys.
  return refuse('jwt_key');
}

/** Threads: one. */
export class JwtVerifier {
  constructor(
    private readonly options: JwtOptions,
    private readonly getKey: JWTVerifyGetKey,
  ) {}

  /** `wall_ms` as of Date.now(). Never rejects. */
  async verify(text: string, wall_ms: number): Promise<JwtAnswer> {
    if (!looksLikeJwt(text)) return { refusal: refuse('jwt_malformed') };
    const { algorithms, issuer, audience, toleranceSeconds, ageSecondsMax } = this.options;
    const options: JWTVerifyOptions = {
      algorithms,
      issuer,
      audience,
      clockTolerance: toleranceSeconds,
      currentDate: new Date(wall_ms),
      requiredClaims: ['exp', 'sub'],
      ...(ageSecondsMax > 0 ? { maxTokenAge: ageSecondsMax } : {}),
    };
    try {
      return this.#principal(await this.#payload(text, options));
    } catch (error) {
      return { refusal: refusalOf(error) };
    }
  }

  /** Where several keys fit, each is tried: an issuer that changes keys need not name them. */
  async #payload(text: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    try {
      return (await jwtVerify(text, this.getKey, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      let tries = 0;
      for await (const key of error) {
        if (++tries > keys_max) break;
        try {
          return (await jwtVerify(text, key, options)).payload;
        } catch (inner) {
          if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  #principal(payload: JWTPayload): JwtAnswer {
    const { sub, exp, jti } = payload;
    if (!isPrintable(sub, subject_length_max) || !Number.isFinite(exp)) return { refusal: refuse('jwt_claims') };
    if (jti !== undefined && !isPrintable(jti, subject_length_max)) return { refusal: refuse('jwt_claims', 'jti') };
    const { claim, toleranceSeconds } = this.options;
    const given = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
    if (given === undefined) return { refusal: refuse('jwt_entitlements', 'the claim is missing') };
    const parsed = parseEntitlements(given);
    if ('fault' in parsed) return { refusal: refuse('jwt_entitlements', parsed.fault) };
    const expires_ms = ((exp as number) + toleranceSeconds) * 1_000;
    return { principal: { kind: 'jwt', id: sub, name: '', jti, expires_ms, entitlements: parsed.value } };
  }
}
