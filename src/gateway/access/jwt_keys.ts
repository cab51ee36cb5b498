/** Public keys that sign JWTs, from PEM, a JWK or a JWK set: checked and brought into one form. Pure. */
import { createPublicKey } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { parseJson } from './checked_parse.js';

/** More than any issuer has; each may have to be tried. */
export const keys_max = 64;
const rsa_bits_min = 2_048;
/** Verifying takes longer with each bit: a key of 16,384 would be a way to keep us busy. */
const rsa_bits_max = 8_192;

/** Keys that cannot be used; the message says why and quotes nothing. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

const key_types = ['RSA', 'EC', 'OKP'];
/** What only a private or symmetric key has. */
const private_members = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkJwk(jwk: Record<string, unknown>, bits_max: number): void {
  if (private_members.some((member) => Object.hasOwn(jwk, member)))
    throw new KeyError('a private or symmetric key: give the public one');
  if (!key_types.includes(String(jwk.kty))) throw new KeyError('a key whose type is none of RSA, EC, OKP');
  if (jwk.kty !== 'RSA') return;
  // 4 characters for 3 bytes; jose checks the exact length when it verifies.
  const bits = typeof jwk.n === 'string' ? Math.floor(jwk.n.length * 6) : 0;
  if (bits < rsa_bits_min - 8) throw new KeyError(`an RSA key of less than ${rsa_bits_min} bits`);
  if (bits > bits_max + 8) throw new KeyError(`an RSA key of more than ${bits_max} bits`);
  if (typeof jwk.e !== 'string' || jwk.e.length > 8) throw new KeyError('an RSA key with a strange exponent');
}

/** Only what a public key needs: x5c, x5u and the like have no business here. */
function cleaned(jwk: Record<string, unknown>): JWK {
  const kept: Record<string, unknown> = {};
  for (const member of ['kty', 'kid', 'alg', 'use', 'key_ops', 'n', 'e', 'crv', 'x', 'y'])
    if (Object.hasOwn(jwk, member)) kept[member] = jwk[member];
  return kept as JWK;
}

/**
 * A JWK set from an issuer: what cannot be used there (keys for encryption, types that we do not know, keys that are too
 * weak) is left out, as RFC 7517 asks. Throws KeyError where it is no set or nothing is left.
 */
export function keysOfSet(text: string): JSONWebKeySet {
  const parsed = parseJson(text);
  if ('fault' in parsed) throw new KeyError(parsed.fault);
  const set = parsed.value;
  if (!isObject(set) || !Array.isArray(set.keys) || !set.keys.every(isObject)) throw new KeyError('no JWK set');
  if (set.keys.length > keys_max) throw new KeyError(`more than ${keys_max} keys`);
  const keys = set.keys.filter((jwk) => {
    try {
      checkJwk(jwk, rsa_bits_max);
      return jwk.use === undefined || jwk.use === 'sig';
    } catch {
      return false;
    }
  });
  if (keys.length === 0) throw new KeyError('no key that can be used');
  return { keys: keys.map(cleaned) };
}

function keyOfPem(text: string): JWK {
  // Node would take the public part out of a private key in silence; a server must not have that file at all.
  if (/PRIVATE KEY/.test(text)) throw new KeyError('a private key: give the public one');
  if ((text.match(/-----BEGIN /g) ?? []).length !== 1) throw new KeyError('expected exactly one PEM block');
  let jwk: unknown;
  try {
    jwk = createPublicKey(text).export({ format: 'jwk' });
  } catch {
    throw new KeyError('no public key or certificate in PEM');
  }
  checkJwk(jwk as Record<string, unknown>, rsa_bits_max);
  return cleaned(jwk as Record<string, unknown>);
}

/** The text of a key file: PEM (SPKI or certificate), a JWK, or a JWK set. Throws KeyError. */
export function keysOfFile(text: string): JSONWebKeySet {
  if (text.includes('-----BEGIN ')) return { keys: [keyOfPem(text)] };
  const parsed = parseJson(text);
  if ('fault' in parsed) throw new KeyError(`neither PEM nor JSON: ${parsed.fault}`);
  if (isObject(parsed.value) && Object.hasOwn(parsed.value, 'keys')) return keysOfSet(text);
  if (!isObject(parsed.value)) throw new KeyError('no JWK');
  checkJwk(parsed.value, rsa_bits_max);
  return { keys: [cleaned(parsed.value)] };
}
