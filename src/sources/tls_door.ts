/**
 * TLS in front of the native listener, which speaks plain bytes on a Unix socket in a folder that only this user can
 * enter. Bytes pass the event loop here; plain TCP and Unix sockets never do.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { IngestOptions } from '../config_ingest.js';

const connections_max = 16;

interface Caller {
  raw: Socket;
  /** The listener has said something to it: an engine that is logged in, or one that is being refused. */
  answered: boolean;
}

function farEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Threads: one. */
export class TlsDoor {
  /** Where the native listener is to listen. */
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket | TLSSocket>();
  /** All that are connected, the oldest first, by their far end. */
  readonly #callers = new Map<string, Caller>();

  private constructor(server: Server) {
    this.#folder = mkdtempSync(join(tmpdir(), 'depthcast-ingest-'));
    this.path = join(this.#folder, 'plain');
    this.#server = server;
    server.on('connection', (raw: Socket) => this.#admit(raw));
    server.on('secureConnection', (outer) => this.#join(outer));
    // Who speaks no TLS: the connection is closed, and that is all.
    server.on('tlsClientError', (_, socket) => socket.destroy());
  }

  /** Rejects where certificate and key cannot be used, or the address cannot be listened on. */
  static async open(address: string, port: number, { tls, loginMs }: IngestOptions): Promise<TlsDoor> {
    const server = createServer({
      cert: readFileSync(tls.cert),
      key: readFileSync(tls.key),
      minVersion: 'TLSv1.2',
      handshakeTimeout: loginMs,
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    return new TlsDoor(server);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    for (const { raw } of this.#callers.values()) raw.destroy();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  // Who connects and says nothing may not keep the engine out: one more takes the place of the oldest of those.
  #admit(raw: Socket): void {
    if (this.#callers.size >= connections_max)
      [...this.#callers.values()].find(({ answered }) => !answered)?.raw.destroy();
    const key = farEnd(raw);
    const caller: Caller = { raw, answered: false };
    this.#callers.set(key, caller);
    raw.on('close', () => {
      if (this.#callers.get(key) === caller) this.#callers.delete(key);
    });
  }

  #join(outer: TLSSocket): void {
    const inner = connect(this.path);
    const caller = this.#callers.get(farEnd(outer));
    inner.once('data', () => {
      if (caller !== undefined) caller.answered = true;
    });
    outer.setNoDelay(true);
    for (const socket of [outer, inner]) {
      this.#sockets.add(socket);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        outer.destroy();
        inner.destroy();
      });
      // 'close' follows.
      socket.on('error', () => {});
    }
    // Waits for the slower one: backpressure reaches the engine.
    outer.pipe(inner);
    inner.pipe(outer);
  }
}
