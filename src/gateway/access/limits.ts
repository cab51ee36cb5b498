/** How much one address and one token may have at a time. Pure: time is passed in, in ms of a monotonic clock. */
import type { PaceDebt } from '../pace.js';
import { type Account, AccountTable } from './account_table.js';
import { addressKeys } from './address.js';
import { type Refusal, refuse } from './codes.js';
import type { Entitlements } from './entitlements.js';

export interface ShareOptions {
  connectionsMax: number;
  subscriptionsMax: number;
  requestsPerSecond: number;
  requestsBurst: number;
}

export interface LimitOptions {
  connectionsMax: number;
  /** Addresses and tokens that are remembered, each; at least connectionsMax. */
  accountsMax: number;
  perAddress: ShareOptions;
  perToken: ShareOptions;
  /** Failed logins of one address. */
  loginFailuresPerMinute: number;
  loginFailuresBurst: number;
  /** Ms in which a login must come. */
  loginMs: number;
  /** Bytes of a message before login, and after it. */
  loginMessageBytesMax: number;
  messageBytesMax: number;
}

/** A connection's accounts; `token` once it has logged in. */
export interface Accounts {
  readonly address: Account;
  token: Account | undefined;
  /** Counted in both. */
  subscriptions: number;
  /** Of the token's entitlements, instead of `perToken`. */
  subscriptionsMax: number;
}

/** Threads: one, for all connections of a server: what several threads count apart, nobody limits. */
export class AccessLimits {
  connections = 0;
  readonly addresses: AccountTable;
  readonly tokens: AccountTable;

  constructor(
    private readonly options: LimitOptions,
    seed: number,
  ) {
    const { accountsMax, perAddress, perToken, loginFailuresBurst, loginFailuresPerMinute } = options;
    const failures = { loginFailuresBurst, loginFailuresPerMinute };
    this.addresses = new AccountTable(accountsMax, { ...perAddress, ...failures }, seed);
    this.tokens = new AccountTable(accountsMax, { ...perToken, ...failures }, seed);
  }

  /** A connection opens. It counts until close(). */
  open(address: string, now_ms: number): { accounts: Accounts } | { refusal: Refusal } {
    if (this.connections >= this.options.connectionsMax) return { refusal: refuse('server_full') };
    const { client, network } = addressKeys(address);
    const account = this.addresses.find(client, network, now_ms);
    const wait_ms = account.requests.wait_ms(1, now_ms);
    if (wait_ms > 0) return { refusal: refuse('requests_exceeded', '', wait_ms) };
    account.requests.take(1, now_ms);
    if (account.connections >= this.options.perAddress.connectionsMax)
      return { refusal: refuse('address_connections') };
    account.connections++;
    this.connections++;
    const { subscriptionsMax } = this.options.perToken;
    return { accounts: { address: account, token: undefined, subscriptions: 0, subscriptionsMax } };
  }

  /** Once for each that was opened. */
  close(accounts: Accounts): void {
    this.unsubscribe(accounts, accounts.subscriptions);
    accounts.address.connections--;
    if (accounts.token !== undefined) accounts.token.connections--;
    accounts.token = undefined;
    this.connections--;
  }

  /**
   * Before a token is looked at: it is paid for as a failure, and loginSucceeded() gives that back. So many that are
   * being checked at the same time cost as much as one after the other.
   */
  loginBegins({ address }: Accounts, now_ms: number): Refusal | undefined {
    const wait_ms = address.failures.wait_ms(1, now_ms);
    if (wait_ms > 0) return refuse('logins_exceeded', '', wait_ms);
    address.failures.take(1, now_ms);
    return undefined;
  }

  loginSucceeded({ address }: Accounts, now_ms: number): void {
    address.failures.take(-1, now_ms);
  }

  /** The connection belongs to `key` from now on; undefined key: to nobody, and only the address is limited. */
  bind(accounts: Accounts, key: string | undefined, entitlements: Entitlements, now_ms: number): Refusal | undefined {
    const { perToken } = this.options;
    const connectionsMax = entitlements.connectionsMax ?? perToken.connectionsMax;
    if (key !== undefined && accounts.token === undefined) {
      const account = this.tokens.find(key, key, now_ms);
      if (account.connections >= connectionsMax) return refuse('connections_exceeded', `at most ${connectionsMax}`);
      account.connections++;
      accounts.token = account;
    }
    this.change(accounts, entitlements, now_ms);
    return undefined;
  }

  /** New entitlements of a connection that is open. What exceeds them stays; nothing more is added. */
  change(accounts: Accounts, entitlements: Entitlements, now_ms: number): void {
    const { perToken } = this.options;
    accounts.subscriptionsMax = entitlements.subscriptionsMax ?? perToken.subscriptionsMax;
    const perSecond = entitlements.requestsPerSecond ?? perToken.requestsPerSecond;
    const burst = entitlements.requestsPerSecond === null ? perToken.requestsBurst : Math.max(perSecond, 1);
    accounts.token?.setRequests(perSecond, burst, now_ms);
  }

  /** Any message of a client; one of a higher `cost` may leave a debt. */
  request({ address, token }: Accounts, now_ms: number, cost = 1): Refusal | undefined {
    const wait_ms = Math.max(address.requests.wait_ms(1, now_ms), token?.requests.wait_ms(1, now_ms) ?? 0);
    if (wait_ms > 0) return refuse('requests_exceeded', '', wait_ms);
    address.requests.take(cost, now_ms);
    token?.requests.take(cost, now_ms);
    return undefined;
  }

  /** Of a session that ends. Its account keeps it for the next one, since a new connection is no new allowance. */
  leaveDebt({ address, token }: Accounts, debt: PaceDebt, now_ms: number): void {
    (token ?? address).debts.leave(debt, now_ms);
  }

  takeDebt({ address, token }: Accounts, now_ms: number): PaceDebt | undefined {
    return (token ?? address).debts.take(now_ms);
  }

  /** All `count` or none. */
  subscribe(accounts: Accounts, count: number): Refusal | undefined {
    const { address, token, subscriptionsMax: most } = accounts;
    if (token !== undefined && token.subscriptions + count > most)
      return refuse('subscriptions_exceeded', `${most} with this token`);
    if (address.subscriptions + count > this.options.perAddress.subscriptionsMax)
      return refuse('subscriptions_exceeded', `${this.options.perAddress.subscriptionsMax} from this address`);
    address.subscriptions += count;
    if (token !== undefined) token.subscriptions += count;
    accounts.subscriptions += count;
    return undefined;
  }

  unsubscribe(accounts: Accounts, count: number): void {
    const given = Math.min(Math.max(count, 0), accounts.subscriptions);
    accounts.subscriptions -= given;
    accounts.address.subscriptions -= given;
    if (accounts.token !== undefined) accounts.token.subscriptions -= given;
  }

  message(bytes: number, loggedIn: boolean): Refusal | undefined {
    const { messageBytesMax, loginMessageBytesMax } = this.options;
    const most = loggedIn ? messageBytesMax : loginMessageBytesMax;
    return bytes > most ? refuse('message_too_long', `at most ${most} bytes`) : undefined;
  }

  /** About once a second: makes room before it is needed. */
  tick(now_ms: number): void {
    this.addresses.sweep(now_ms, 1_024);
    this.tokens.sweep(now_ms, 1_024);
  }
}
