/** What `depthcast token new|list|revoke` do. Time is passed in, in ms as of Date.now(). */
import type { Entitlements } from './entitlements.js';
import { changeTokenFile, readTokenFile, TokenFileError } from './token_file.js';
import { parseTokenFile, type TokenEntry } from './token_table.js';
import { makeToken, token_id_pattern, tokenParts } from './token_text.js';

export interface NewToken {
  name: string;
  /** Undefined: never. */
  expires_ms: number | undefined;
  entitlements: Entitlements;
}

export interface MadeToken {
  id: string;
  /** The token itself: to be shown once, and kept nowhere. */
  text: string;
}

/** Appends a token to the file, which is made where there is none. Throws TokenFileError. */
export function newToken(file: string, { name, expires_ms, entitlements }: NewToken, wall_ms: number): MadeToken {
  return changeTokenFile(file, true, (content) => {
    let { id, text, hash } = makeToken();
    while (content.tokens.some((entry) => entry.id === id)) ({ id, text, hash } = makeToken());
    const entry: TokenEntry = {
      id,
      name,
      hash,
      created: new Date(wall_ms).toISOString(),
      expires: expires_ms === undefined ? null : new Date(expires_ms).toISOString(),
      revoked: null,
      entitlements,
    };
    content.tokens.push(entry);
    // What would be refused when it is read must not be written.
    const checked = parseTokenFile(JSON.stringify(content));
    if ('fault' in checked) throw new TokenFileError(`not written: ${checked.fault}`);
    return { id, text };
  });
}

export type TokenState = 'valid' | 'revoked' | 'expired';
export interface ListedToken extends Omit<TokenEntry, 'hash'> {
  state: TokenState;
}

/** Without the hashes: nobody needs them. Throws TokenFileError. */
export function listTokens(file: string, wall_ms: number): ListedToken[] {
  return readTokenFile(file).tokens.map(({ hash: _, ...entry }) => {
    const expired = entry.expires !== null && Date.parse(entry.expires) <= wall_ms;
    return { ...entry, state: entry.revoked !== null ? 'revoked' : expired ? 'expired' : 'valid' };
  });
}

/**
 * By id, or by the whole token of which only the id is used. The entry stays, so that logs can be read later. False:
 * it had been revoked before. Throws TokenFileError.
 */
export function revokeToken(file: string, idOrToken: string, wall_ms: number): { id: string; changed: boolean } {
  const id = tokenParts(idOrToken)?.id ?? idOrToken;
  if (!token_id_pattern.test(id))
    throw new TokenFileError('expected the id of a token, as `depthcast token list` shows');
  return changeTokenFile(file, false, (content) => {
    const entry = content.tokens.find((one) => one.id === id);
    if (entry === undefined) throw new TokenFileError(`${file} has no token ${id}`);
    const changed = entry.revoked === null;
    entry.revoked ??= new Date(wall_ms).toISOString();
    return { id, changed };
  });
}
