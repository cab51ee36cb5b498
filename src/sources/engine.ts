/** `tcp:HOST:PORT`, `unix:PATH` or both: an engine connects and pushes. docs/ingest.md, "Socket". */
import { lookup } from 'node:dns/promises';
import { EventEmitter } from 'node:events';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServeOptions } from '../config.js';
import { ConfigError } from '../config_parse.js';
import { describeEnd, type SourceEnd } from '../distributor_end.js';
import { listeningFault } from '../gateway/access/listening.js';
import { addon, type NativeEngineNews, type NativePublisher, type NativeSourceEnd } from '../native.js';
import { refusalName } from '../publisher/refusals.js';
import { EngineTokens } from './engine_tokens.js';
import type { EngineNews, Source, SourceEvents } from './source.js';
import { TlsDoor } from './tls_door.js';

export interface EngineAddress {
  tcp: { host: string; port: number } | undefined;
  path: string;
}

/** The parts of a source that kinds.ts has let through. */
export function engineAddress(source: string): EngineAddress {
  const [, tcp, path = ''] = /^(?:tcp:([^,]+))?,?(?:unix:(.+))?$/s.exec(source) ?? [];
  if (tcp === undefined) return { tcp: undefined, path };
  const at = tcp.lastIndexOf(':');
  return { tcp: { host: tcp.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(tcp.slice(at + 1)) }, path };
}

class EngineSource extends EventEmitter<SourceEvents> implements Source {
  readonly identity: string;
  readonly repeats = false;
  readonly #listener;
  readonly #tokens: EngineTokens | undefined;
  readonly #door: TlsDoor | undefined;
  readonly #host: string | undefined;
  readonly #path: string;
  #closed = false;

  constructor(options: ServeOptions, address: string, port: number, door: TlsDoor | undefined) {
    super();
    const { ingest, channel, source, state } = options;
    const { tcp, path } = engineAddress(source);
    // Where it listens is no part of what it gives.
    this.identity = 'engine';
    this.#tokens = ingest.tokens === '' ? undefined : new EngineTokens(ingest.tokens);
    this.#door = door;
    this.#host = tcp?.host;
    this.#path = path === '' ? '' : resolve(path);
    this.#listener = new addon.EngineListener(
      {
        address,
        port,
        paths: [...(path === '' ? [] : [this.#path]), ...(door === undefined ? [] : [door.path])],
        channel,
        acknowledge: acknowledgePolicy(ingest.acknowledge, state),
        takeover: ingest.takeover,
        loginMs: ingest.loginMs,
        heartbeatMs: ingest.heartbeatMs,
        idleMs: ingest.idleMs,
        frameBytesMax: ingest.frameBytesMax,
        batchEventsMax: ingest.batchEventsMax,
      },
      (news) => this.#hear(news),
    );
  }

  get address(): string {
    const port = this.#door?.port ?? this.#listener.port();
    return this.#host === undefined ? '' : `tcp:${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${port}`;
  }

  attach(native: NativePublisher): void {
    native.source({ kind: 'socket', listener: this.#listener, session: native.begin().session });
  }

  describeEnd(native: NativeSourceEnd): SourceEnd {
    return describeEnd(native, undefined, undefined);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#door?.close();
    this.#listener.close();
    // Once: another distributor may listen there afterwards.
    if (this.#path !== '') rmSync(this.#path, { force: true });
  }

  #hear({ kind, connection, engine, token, refusal, detail }: NativeEngineNews): void {
    if (kind === 'login') {
      const fault = this.#tokens?.fault(token);
      this.#listener.decide({ connection, accepted: fault === undefined, detail: fault ?? '' });
      return;
    }
    const news: EngineNews = {
      kind: kind === 'accepted' ? 'connected' : 'closed',
      engine,
      refusal: refusal === 0 ? '' : refusalName(refusal),
      detail,
    };
    this.emit('engine', news);
  }
}

export function acknowledgePolicy(
  acknowledge: ServeOptions['ingest']['acknowledge'],
  state: string,
): 'committed' | 'journaled' | 'durable' {
  if (acknowledge !== 'auto') return acknowledge;
  return state === '' ? 'committed' : 'journaled';
}

/** Rejects with ConfigError where it would be open to others, with another Error where it cannot listen. */
export async function openEngineSource(options: ServeOptions): Promise<Source> {
  const { source, ingest } = options;
  const { tcp } = engineAddress(source);
  if (tcp === undefined) return new EngineSource(options, '', 0, undefined);
  const tls = ingest.tls.cert !== '';
  const place = { host: tcp.host, tls, auth: ingest.tokens !== '', insecure: ingest.insecure };
  const fault = listeningFault(place, '--ingest-insecure');
  if (fault !== undefined) throw new ConfigError(`serve options: source: ${fault}`);
  const { address } = await lookup(tcp.host);
  if (!tls) return new EngineSource(options, address, tcp.port, undefined);
  const door = await TlsDoor.open(address, tcp.port, ingest);
  try {
    return new EngineSource(options, '', 0, door);
  } catch (error) {
    door.close();
    throw error;
  }
}
