/** The file of a token: nothing else is in it. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config.js';

const token_length_max = 8_192;

/** Throws ConfigError where it holds no token, Error where it cannot be read. */
export function readTokenFile(file: string): string {
  const token = readFileSync(file, 'utf8').trim();
  // Never shown: it may be a secret.
  if (token === '' || token.length > token_length_max || /\s/.test(token))
    throw new ConfigError(`${file} holds no token, expected one word`);
  return token;
}
