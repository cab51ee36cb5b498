/** Files, clocks and timers around AccessControl: made from options, and closed with the server. */
import { randomInt } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from '../../config.js';
import { AccessControl, type SessionAction } from './access_control.js';
import { AuditLog } from './audit.js';
import { AuditFile } from './audit_file.js';
import { all_entitlements } from './entitlements.js';
import { fixedKeys, JwksCache } from './jwks.js';
import { fetchLimited, httpsUrl } from './jwks_fetch.js';
import { JwtVerifier } from './jwt.js';
import { KeyError, keysOfFile } from './jwt_keys.js';
import { listeningFault } from './listening.js';
import { type Moment, systemMoment } from './moment.js';
import type { AccessOptions } from './options.js';
import { TokenFileWatcher } from './token_watch.js';

const tick_ms = 1_000;
const debounce_ms = 50;
const key_file_bytes_max = 2 ** 20;

export interface AccessServiceEvents {
  /** Sessions to close or to narrow. */
  actions: (actions: SessionAction[]) => void;
  /** For people: the token file is broken or good again, the audit log cannot be written, keys cannot be had. */
  notice: (text: string) => void;
}

function readKeyFile(file: string): string {
  try {
    if (statSync(file).size > key_file_bytes_max) throw new Error(`longer than ${key_file_bytes_max} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`,
    );
  }
}

function keysOf(file: string): ReturnType<typeof keysOfFile> {
  const content = readKeyFile(file);
  try {
    return keysOfFile(content);
  } catch (error) {
    if (error instanceof KeyError) throw new ConfigError(`${file}: ${error.message}`);
    throw error;
  }
}

function jwksOf(options: NonNullable<AccessOptions['jwt']>): JwksCache {
  const url = httpsUrl(options.jwks);
  if (url === undefined) throw new ConfigError('access.jwt.jwks: expected an https URL');
  const ca = options.jwksCa === '' ? undefined : readKeyFile(options.jwksCa);
  const limits = { timeoutMs: options.jwksTimeoutMs, bytesMax: options.jwksBytesMax, ca };
  const times = { cacheMs: options.jwksCacheMs, cooldownMs: options.jwksCooldownMs, staleMs: options.jwksStaleMs };
  return new JwksCache(
    times,
    () => fetchLimited(url, limits),
    () => performance.now(),
  );
}

/** Where and how the server listens; for origins and for listeningFault(). */
export interface ServicePlace {
  host: string;
  tls: boolean;
}

/** Threads: one. */
export class AccessService {
  readonly control: AccessControl;
  readonly #audit: AuditLog;
  readonly #auditFile: AuditFile | undefined;
  readonly #watcher: TokenFileWatcher | undefined;
  readonly #jwks: JwksCache | undefined;
  #timer: NodeJS.Timeout | undefined;
  #told = new Map<string, string>();

  /** Throws ConfigError or TokenFileError: also where it would listen openly without being told to. */
  constructor(
    options: AccessOptions,
    { host, tls }: ServicePlace,
    private readonly events: AccessServiceEvents,
    private readonly now: () => Moment = systemMoment,
  ) {
    const { tokens, jwt, anonymous, hosts, origins, limits, audit, insecure } = options;
    const canLogIn = tokens !== '' || jwt !== null;
    const fault = listeningFault({ host, tls, auth: canLogIn && anonymous === null, insecure });
    if (fault !== undefined) throw new ConfigError(fault);
    this.#jwks = jwt === null || jwt.jwks === '' ? undefined : jwksOf(jwt);
    const getKey = jwt === null ? undefined : (this.#jwks?.getKey ?? fixedKeys(jwt.keys.map(keysOf)));
    this.#auditFile = audit === '' ? undefined : new AuditFile(audit);
    this.#audit = new AuditLog(this.#auditFile?.write ?? (() => true), now());
    this.control = new AccessControl(
      {
        limits,
        origin: { hosts, origins, bindHost: host, tls },
        anonymous: anonymous ?? (canLogIn ? undefined : all_entitlements),
        tokens: tokens !== '',
      },
      {
        jwt: jwt === null || getKey === undefined ? undefined : new JwtVerifier(jwt, getKey),
        audit: this.#audit,
        now,
        seed: randomInt(2 ** 32),
      },
    );
    if (tokens === '') return;
    this.#watcher = new TokenFileWatcher(
      { file: tokens, pollMs: options.tokensPollMs, debounceMs: debounce_ms },
      {
        changed: (content) => {
          this.#tell('tokens', '', `${tokens}: taken over, ${content.tokens.length} tokens`);
          this.#act(this.control.tokensChanged(content));
        },
        broken: (reason) => {
          this.#audit.record({ event: 'tokens_broken', detail: reason }, this.now());
          this.#tell('tokens', reason, '');
        },
      },
    );
  }

  /** From now on files are followed and time passes. Throws TokenFileError. */
  start(): void {
    if (this.#watcher !== undefined) this.control.tokensChanged(this.#watcher.start());
    this.#timer = setInterval(() => this.#tick(), tick_ms);
    this.#timer.unref();
  }

  /** Resolves when the audit log is written. Any number of times. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#watcher?.close();
    this.#audit.flush(this.now());
    await this.#auditFile?.close();
  }

  get counters() {
    const { connections, logins, ended, refused } = this.control.counters;
    const { addresses, tokens } = this.control.limits;
    return {
      connections,
      connectionsOpen: this.control.limits.connections,
      logins,
      ended,
      refused: { ...refused },
      accounts: addresses.size + tokens.size,
      accountsShared: addresses.counters.shared + tokens.counters.shared,
      audit: { ...this.#audit.counters },
      jwks: this.#jwks === undefined ? undefined : { ...this.#jwks.counters },
    };
  }

  #tick(): void {
    this.#act(this.control.tick());
    this.#auditFile?.reopenIfMoved();
    const { failure } = this.#auditFile ?? {};
    this.#tell(
      'audit',
      failure === undefined ? '' : `the audit log cannot be written: ${failure.message}`,
      'the audit log is written again',
    );
    const keys = this.#jwks?.lastFailure ?? '';
    this.#tell(
      'keys',
      keys === '' ? '' : `the issuer's keys cannot be had: ${keys}`,
      "the issuer's keys are there again",
    );
  }

  #act(actions: SessionAction[]): void {
    if (actions.length > 0) this.events.actions(actions);
  }

  /** A fault once, and once when it is over. */
  #tell(what: string, fault: string, over: string): void {
    const before = this.#told.get(what) ?? '';
    this.#told.set(what, fault);
    if (fault !== '' && fault !== before) this.events.notice(fault);
    else if (fault === '' && (before !== '' || what === 'tokens')) this.events.notice(over);
  }
}
