/** The resume token of an earlier run, in a file of JSON: {"session":"…","sequence":"…","digest":"…"}. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { ConfigError, type ResumeToken } from '../config.js';

const names = ['session', 'sequence', 'digest'] as const;

/** Null where there is no such file. Throws ConfigError where it holds no token, Error where it cannot be read. */
export function readResumeFile(file: string): ResumeToken | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const token = { session: 0n, sequence: 0n, digest: 0n };
  try {
    const given = JSON.parse(text) as Record<string, unknown>;
    for (const name of names) {
      const value = given[name];
      if (typeof value !== 'string' || !/^\d{1,20}$/.test(value) || BigInt(value) >= 2n ** 64n) throw new Error(name);
      token[name] = BigInt(value);
    }
  } catch {
    throw new ConfigError(`${file} holds no resume token, expected {"session":"…","sequence":"…","digest":"…"}`);
  }
  return token;
}

/** Whole or not at all. */
export function writeResumeFile(file: string, { session, sequence, digest }: ResumeToken): void {
  const text = JSON.stringify({ session: `${session}`, sequence: `${sequence}`, digest: `${digest}` });
  writeFileSync(`${file}.new`, `${text}\n`);
  renameSync(`${file}.new`, file);
}
