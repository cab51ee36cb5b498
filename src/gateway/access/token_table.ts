/** The tokens of a token file: who they are, whether a given one is right, what changed. Pure. docs/access.md. */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { checkedParse, isPrintable, parseJson } from './checked_parse.js';
import { type Refusal, refuse } from './codes.js';
import { type Entitlements, entitlementsSchema } from './entitlements.js';
import type { Principal } from './principal.js';
import { hashOfSecret, isWeakSecret, token_id_pattern, tokenParts } from './token_text.js';

const tokens_max = 100_000;
const denied_max = 100_000;

const expected_time = 'expected a time such as "2027-01-31T00:00:00Z"';
const time = z
  .string(expected_time)
  .refine((text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(text) && !Number.isNaN(Date.parse(text)), {
    message: expected_time,
  });
const printable = (length: number) => {
  const message = `expected 1 to ${length} printable characters`;
  return z.string(message).refine((text) => isPrintable(text, length), message);
};

const tokenEntry = z.strictObject({
  id: z.string().regex(token_id_pattern, 'expected the 12 letters and digits after "dct_"'),
  /** For people. */
  name: printable(128),
  hash: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'expected "sha256:" and 64 hexadecimal digits, as `token new` writes'),
  created: time,
  /** null: never. */
  expires: time.nullable().default(null),
  /** When it was revoked; null: it was not. */
  revoked: time.nullable().default(null),
  entitlements: entitlementsSchema,
});

/** A JWT cannot be taken back by its issuer; here it can, by its `jti` or all of a `sub`. */
const deniedEntry = z.union(
  [z.strictObject({ sub: printable(128) }), z.strictObject({ jti: printable(128) })],
  'expected {"sub": TEXT} or {"jti": TEXT}',
);

export const tokenFile = z.strictObject({
  version: z.literal(1, 'expected 1'),
  tokens: z
    .array(tokenEntry)
    .max(tokens_max)
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'expected every id once'),
  denied: z.array(deniedEntry).max(denied_max).default([]),
});

export type TokenFile = z.output<typeof tokenFile>;
export type TokenEntry = TokenFile['tokens'][number];

/** The text of a token file, checked; `fault` says what is wrong and shows nothing of what may be a secret. */
export function parseTokenFile(text: string): { value: TokenFile } | { fault: string } {
  const parsed = parseJson(text);
  return 'fault' in parsed ? parsed : checkedParse(tokenFile, parsed.value);
}

interface Known {
  entry: TokenEntry;
  hash: Buffer;
  expires_ms: number | undefined;
}

/** What a change of the file means for one token. */
export type TokenChange =
  | { id: string; ended: 'token_revoked' | 'token_unknown' }
  | { id: string; entitlements: Entitlements; name: string; expires_ms: number | undefined };

/** Threads: one. A file that changed makes another table. */
export class TokenTable {
  readonly #tokens = new Map<string, Known>();
  readonly #deniedSubjects = new Set<string>();
  readonly #deniedIds = new Set<string>();
  /** Stands in for the hash of a token that is not known, so that the same is done for it. */
  static readonly #nobody = Buffer.alloc(32);

  /** `equal` compares in a time that does not depend on the contents. */
  constructor(
    file: TokenFile,
    private readonly equal: (left: Buffer, right: Buffer) => boolean = timingSafeEqual,
  ) {
    for (const entry of file.tokens) {
      const hash = Buffer.from(entry.hash.slice('sha256:'.length), 'hex');
      const expires_ms = entry.expires === null ? undefined : Date.parse(entry.expires);
      this.#tokens.set(entry.id, { entry, hash, expires_ms });
    }
    for (const one of file.denied) {
      if ('sub' in one) this.#deniedSubjects.add(one.sub);
      else this.#deniedIds.add(one.jti);
    }
  }

  get size(): number {
    return this.#tokens.size;
  }

  /** `wall_ms` as of Date.now(). That a token expired or was revoked is told only to who has its secret. */
  verify(text: string, wall_ms: number): { principal: Principal } | { refusal: Refusal; id?: string } {
    const parts = tokenParts(text);
    if (parts === undefined) return { refusal: refuse('token_malformed') };
    if (isWeakSecret(parts.secret)) return { refusal: refuse('token_weak') };
    const known = this.#tokens.get(parts.id);
    const right = this.equal(hashOfSecret(parts.secret), known?.hash ?? TokenTable.#nobody);
    if (known === undefined) return { refusal: refuse('token_unknown') };
    const { id, name, revoked, entitlements } = known.entry;
    if (!right) return { refusal: refuse('token_unknown'), id };
    if (revoked !== null) return { refusal: refuse('token_revoked'), id };
    if (known.expires_ms !== undefined && wall_ms >= known.expires_ms) return { refusal: refuse('token_expired'), id };
    return { principal: { kind: 'token', id, name, jti: undefined, expires_ms: known.expires_ms, entitlements } };
  }

  deniesJwt(principal: Principal): boolean {
    const { id, jti } = principal;
    return this.#deniedSubjects.has(id) || (jti !== undefined && this.#deniedIds.has(jti));
  }

  /** What has become of a token that was good when its session began; undefined: nothing that matters. */
  change(before: Principal, hashBefore: string | undefined): TokenChange | undefined {
    const { id } = before;
    const known = this.#tokens.get(id);
    // A new secret under the old id: the old token is not in the file any more.
    if (known === undefined || (hashBefore !== undefined && known.entry.hash !== hashBefore))
      return { id, ended: 'token_unknown' };
    if (known.entry.revoked !== null) return { id, ended: 'token_revoked' };
    const { entitlements, name } = known.entry;
    const same = known.expires_ms === before.expires_ms && textOf(entitlements) === textOf(before.entitlements);
    return same ? undefined : { id, entitlements, name, expires_ms: known.expires_ms };
  }

  hashOf(id: string): string | undefined {
    return this.#tokens.get(id)?.entry.hash;
  }
}

/** Thousands of sessions share one token's entitlements: their text is made once. */
const texts = new WeakMap<Entitlements, string>();

function textOf(entitlements: Entitlements): string {
  let text = texts.get(entitlements);
  if (text === undefined) {
    text = JSON.stringify(entitlements);
    texts.set(entitlements, text);
  }
  return text;
}

export const empty_token_file: TokenFile = { version: 1, tokens: [], denied: [] };
