/**
 * What addresses and tokens have used up: connections, subscriptions, requests, failed logins. Bounded, and such that
 * nobody gets rid of what he used up by filling the table: only an account that is as good as new is ever dropped. When
 * there is none to drop, newcomers share accounts by the network that they come from. Pure: time is passed in, in ms.
 */
import { TokenBucket } from '../../recovery/token_bucket.js';
import { PaceDebts } from './pace_debts.js';

export interface AccountLimits {
  requestsPerSecond: number;
  requestsBurst: number;
  /** Failed logins a minute, and at once; tokens do not use them. */
  loginFailuresPerMinute: number;
  loginFailuresBurst: number;
}

export class Account {
  readonly debts = new PaceDebts();
  connections = 0;
  subscriptions = 0;
  readonly failures: TokenBucket;
  #requests: TokenBucket;
  #perSecond: number;
  #burst: number;

  constructor(
    private readonly limits: AccountLimits,
    now_ms: number,
  ) {
    this.#perSecond = limits.requestsPerSecond;
    this.#burst = limits.requestsBurst;
    this.#requests = new TokenBucket(limits.requestsPerSecond, limits.requestsBurst, now_ms);
    this.failures = new TokenBucket(limits.loginFailuresPerMinute / 60, limits.loginFailuresBurst, now_ms);
  }

  get requests(): TokenBucket {
    return this.#requests;
  }

  /** Another pace of requests; what was used up stays used up. */
  setRequests(perSecond: number, burst: number, now_ms: number): void {
    if (perSecond === this.#perSecond && burst === this.#burst) return;
    const used = this.#burst - this.#requests.available(now_ms);
    this.#requests = new TokenBucket(perSecond, burst, now_ms);
    this.#requests.take(Math.min(used, burst), now_ms);
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Nothing tells it from a new one. */
  isIdle(now_ms: number): boolean {
    return (
      this.connections === 0 &&
      this.subscriptions === 0 &&
      this.debts.count(now_ms) === 0 &&
      this.#requests.available(now_ms) >= this.#burst &&
      this.failures.available(now_ms) >= this.limits.loginFailuresBurst
    );
  }
}

const shared_accounts = 1_024;
/** Looked at for room, per newcomer. */
const looks = 8;

/** Threads: one. Whoever has a connection open keeps the Account and needs the table no more. */
export class AccountTable {
  readonly counters = { dropped: 0, shared: 0 };
  /** In the order of the last look. */
  readonly #accounts = new Map<string, Account>();
  readonly #shared: (Account | undefined)[] = [];

  /** `seed` decides which networks share an account when it comes to that; nobody should know it. */
  constructor(
    private readonly accounts_max: number,
    private readonly limits: AccountLimits,
    private readonly seed: number,
  ) {}

  get size(): number {
    return this.#accounts.size;
  }

  find(key: string, network: string, now_ms: number): Account {
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    if (this.#accounts.size >= this.accounts_max) this.sweep(now_ms, looks);
    if (this.#accounts.size < this.accounts_max) {
      const account = new Account(this.limits, now_ms);
      this.#accounts.set(key, account);
      return account;
    }
    this.counters.shared++;
    const slot = this.#slot(network);
    this.#shared[slot] ??= new Account(this.limits, now_ms);
    return this.#shared[slot];
  }

  /** Drops what is as good as new among the `count` that were not looked at for the longest time. */
  sweep(now_ms: number, count: number): void {
    let left = Math.min(count, this.#accounts.size);
    for (const [key, account] of this.#accounts) {
      if (left-- === 0) return;
      this.#accounts.delete(key);
      if (account.isIdle(now_ms)) this.counters.dropped++;
      else this.#accounts.set(key, account);
    }
  }

  #slot(network: string): number {
    let hash = this.seed | 0;
    for (let index = 0; index < network.length; index++) {
      hash = Math.imul(hash ^ network.charCodeAt(index), 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    return (hash >>> 0) % shared_accounts;
  }
}
