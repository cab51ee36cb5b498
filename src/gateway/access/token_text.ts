/**
 * The text of an API token: `dct_`, 12 letters and digits that name it, `_`, 43 characters of base64url that hold
 * 256 random bits. The name is public (logs, lists); only the SHA-256 of the secret is stored. Pure, but for the random
 * bytes of a new one.
 *
 * SHA-256 and no slow hash such as scrypt: a slow hash makes guessing a password dear, and 256 random bits cannot be
 * guessed at any price. It would only let anyone burn our CPU with wrong tokens. That argument stands and falls with
 * the randomness, so secrets that somebody made up are refused.
 */
import { createHash, randomBytes } from 'node:crypto';

export const secret_bytes = 32;
const id_length = 12;
const id_letters = 'abcdefghijkmnpqrstuvwxyz23456789';
const token_pattern = /^dct_([a-z2-9]{12})_([A-Za-z0-9_-]{43})$/;

export const token_id_pattern = /^[a-z2-9]{12}$/;

export interface TokenParts {
  id: string;
  secret: Buffer;
}

/** 32 random bytes fail each of these with less than one in 10^9; what people make up fails one of them. */
export function isWeakSecret(secret: Buffer): boolean {
  const text = secret.toString('base64url');
  const distinct = new Set(secret).size;
  const steps = new Set(secret.map((byte, index) => byte - (secret[index - 1] ?? 0)).subarray(1)).size;
  const printable = secret.every((byte) => byte >= 0x20 && byte < 0x7f);
  return distinct < 18 || steps < 16 || printable || !/[A-Z]/.test(text) || !/[a-z]/.test(text);
}

/** Undefined where it has not the form of a token. */
export function tokenParts(text: string): TokenParts | undefined {
  const [, id, encoded] = token_pattern.exec(text) ?? [];
  if (id === undefined || encoded === undefined) return undefined;
  const secret = Buffer.from(encoded, 'base64url');
  // The last character carries two bits too many: only one spelling of a secret is right.
  return secret.toString('base64url') === encoded ? { id, secret } : undefined;
}

export function looksLikeToken(text: string): boolean {
  return /^dct_/.test(text);
}

export function hashOfSecret(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** As it stands in the token file. */
export function hashText(hash: Buffer): string {
  return `sha256:${hash.toString('hex')}`;
}

/** A new token; `random` gives so many random bytes. The text is shown once and kept nowhere. */
export function makeToken(random: (bytes: number) => Buffer = randomBytes): { id: string; text: string; hash: string } {
  // 32 letters: five bits each, none more likely than another.
  const id = Array.from(random(id_length), (byte) => id_letters[byte % id_letters.length]).join('');
  let secret = random(secret_bytes);
  for (let tries = 0; isWeakSecret(secret); tries++) {
    if (tries === 8) throw new Error('the random generator of this system does not give random bytes');
    secret = random(secret_bytes);
  }
  return { id, text: `dct_${id}_${secret.toString('base64url')}`, hash: hashText(hashOfSecret(secret)) };
}
