/** Where a token may stand: in the header `Authorization` or in the first message. Never in a URL. Pure. */
import { type Refusal, refuse } from './codes.js';
import { jwt_length_max, looksLikeJwt } from './jwt.js';
import { looksLikeToken } from './token_text.js';

/** The kinds are told apart by their form; what is neither counts as an API token that is malformed. */
export interface Credential {
  kind: 'token' | 'jwt';
  text: string;
}

export type Given = { credential: Credential | undefined } | { refusal: Refusal };

/** From a message's field, or what follows "Bearer ". */
export function credentialOf(text: string): Given {
  if (text.length === 0 || text.length > jwt_length_max || !/^[\x21-\x7e]+$/.test(text))
    return { refusal: refuse('credential_malformed') };
  return { credential: { kind: !looksLikeToken(text) && looksLikeJwt(text) ? 'jwt' : 'token', text } };
}

/** `header`: the value of Authorization; empty where there is none. */
export function credentialOfHeader(header: string): Given {
  if (header === '') return { credential: undefined };
  // Two headers arrive joined by a comma, which no token holds.
  const text = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(header)?.[1];
  return text === undefined ? { refusal: refuse('credential_malformed') } : credentialOf(text);
}

const secret_names = new Set(
  [
    'token',
    'access_token',
    'id_token',
    'refresh_token',
    'auth',
    'authorization',
    'bearer',
    'jwt',
    'key',
    'api_key',
    'apikey',
    'secret',
    'password',
    'passwd',
    'pwd',
    'credential',
    'credentials',
  ].map((name) => name.replaceAll('_', '')),
);

const secret_values = /dct_[a-z2-9]{12}_|eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.|bearer[ +]/i;

/** Percent-decoding that cannot fail, done until nothing changes: at most twice. */
function decoded(text: string): string {
  let result = text;
  for (let round = 0; round < 2; round++)
    result = result.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return result;
}

/**
 * Whether a URL carries a token: then the request is refused, whatever else it says, since the URL already stands in
 * the logs of proxies. `path` and `query` as they came. The caller must log neither.
 */
export function urlRefusal(path: string, query: string): Refusal | undefined {
  const texts = [path, query].map(decoded);
  const named = (texts[1] as string)
    .split(/[&;?]/)
    .some((pair) => secret_names.has((pair.split('=', 1)[0] ?? '').toLowerCase().replace(/[^a-z]/g, '')));
  return named || texts.some((text) => secret_values.test(text)) ? refuse('credential_in_url') : undefined;
}
