/**
 * The issuer's key set from its URL: kept for a while, fetched again when a key is asked for that is not in it (but not
 * more often than the cooldown allows, however many tokens name strange keys), kept on when the issuer is down.
 * Time and fetching are passed in.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { FetchError } from './jwks_fetch.js';
import { KeyError, keysOfSet } from './jwt_keys.js';

export interface JwksOptions {
  /** Ms for which a set is used without asking again. */
  cacheMs: number;
  /** Ms between two fetches at least, failed ones included. */
  cooldownMs: number;
  /** Ms for which a set is used on while the issuer cannot be reached, after cacheMs. */
  staleMs: number;
}

/** There are no keys now; the message says why. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Threads: one. Fetches are never more than one at a time. */
export class JwksCache {
  readonly counters = { fetches: 0, failures: 0 };
  /** Why the last fetch failed; empty after a good one. */
  lastFailure = '';
  #keys: JWTVerifyGetKey | undefined;
  #fetched_ms = Number.NEGATIVE_INFINITY;
  #tried_ms = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(
    private readonly options: JwksOptions,
    private readonly fetch: () => Promise<string>,
    private readonly now_ms: () => number,
  ) {}

  /** For jose. Rejects with KeysUnavailable, or as createLocalJWKSet does. */
  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    const age_ms = this.now_ms() - this.#fetched_ms;
    if (age_ms >= this.options.cacheMs) await this.#refresh();
    try {
      return await this.#current()(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayFetch()) throw error;
      await this.#refresh();
      return await this.#current()(header, token);
    }
  };

  #current(): JWTVerifyGetKey {
    const { cacheMs, staleMs } = this.options;
    if (this.#keys === undefined) throw new KeysUnavailable(this.lastFailure);
    if (this.now_ms() - this.#fetched_ms > cacheMs + staleMs) throw new KeysUnavailable(this.lastFailure);
    return this.#keys;
  }

  #mayFetch(): boolean {
    return this.#fetching !== undefined || this.now_ms() - this.#tried_ms >= this.options.cooldownMs;
  }

  async #refresh(): Promise<void> {
    if (this.#fetching === undefined) {
      if (!this.#mayFetch()) return;
      this.#tried_ms = this.now_ms();
      this.#fetching = this.#load().finally(() => {
        this.#fetching = undefined;
      });
    }
    await this.#fetching;
  }

  async #load(): Promise<void> {
    this.counters.fetches++;
    try {
      const keys = createLocalJWKSet(keysOfSet(await this.fetch()));
      this.#keys = keys;
      this.#fetched_ms = this.now_ms();
      this.lastFailure = '';
    } catch (error) {
      this.counters.failures++;
      this.lastFailure =
        error instanceof FetchError || error instanceof KeyError ? error.message : 'the key set cannot be used';
    }
  }
}

/** Keys from files. A key without `kid` (PEM has none) fits any. */
export function fixedKeys(sets: readonly { keys: object[] }[]): JWTVerifyGetKey {
  const keys = sets.flatMap((set) => set.keys) as { kid?: unknown }[];
  const named = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid !== undefined) as [] });
  const nameless = createLocalJWKSet({ keys: keys.filter(({ kid }) => kid === undefined) as [] });
  return async (header, token) => {
    try {
      return await named(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const { kid: _, ...rest } = header;
      return await nameless(rest as typeof header, token);
    }
  };
}
