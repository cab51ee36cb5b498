/** The file of a token: nothing else is in it. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config.js';

const token_length_max = 8_192;

/** Throws ConfigError where it cannot be read, or holds no token. */
export function readTokenFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`--token-file ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
  return tokenOf(text, file);
}

/** Of the environment; empty: none. Throws ConfigError where it is no token. */
export function environmentToken(environment: NodeJS.ProcessEnv): string {
  const { DEPTHCAST_TOKEN: text = '' } = environment;
  return text === '' ? '' : tokenOf(text, 'DEPTHCAST_TOKEN');
}

// Never shown: it may be a secret.
function tokenOf(text: string, place: string): string {
  const token = text.trim();
  if (token === '' || token.length > token_length_max || /\s/.test(token))
    throw new ConfigError(`${place} holds no token, expected one word`);
  return token;
}
