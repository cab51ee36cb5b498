/** Whether an engine may log in: by a token file of its own. docs/access.md tells the file's form. */
import { statSync } from 'node:fs';
import { readTokenFile } from '../gateway/access/token_file.js';
import { TokenTable } from '../gateway/access/token_table.js';

/** Threads: one. The file is looked at with each login, so that a token that was revoked is refused from then on. */
export class EngineTokens {
  readonly #file: string;
  #signature = '';
  #table: TokenTable;

  /** Throws TokenFileError: nobody starts on a broken file. */
  constructor(file: string) {
    this.#file = file;
    this.#table = new TokenTable(readTokenFile(file));
  }

  /** Undefined where the token is right; else why not, without anything secret. */
  fault(token: string): string | undefined {
    try {
      const signature = signatureOf(this.#file);
      if (signature !== this.#signature) this.#table = new TokenTable(readTokenFile(this.#file));
      this.#signature = signature;
    } catch {
      // Nobody is let in on what an old file said.
      return 'the token file cannot be read now';
    }
    const verdict = this.#table.verify(token, Date.now());
    return 'refusal' in verdict ? verdict.refusal.message : undefined;
  }
}

function signatureOf(file: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
