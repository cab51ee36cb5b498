/** A SoupBinTCP 3.00/4.x server, written from Nasdaq's specification alone; it can misbehave where a test asks for it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface SoupLoginSeen {
  username: string;
  password: string;
  session: string;
  sequence: number;
  /** Version 4.x only. */
  heartbeatTimeout: number | undefined;
}

export function soupPacket(type: string, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload as string, 'latin1');
  const head = Buffer.alloc(3);
  head.writeUInt16BE(1 + body.length, 0);
  head.write(type, 2, 'latin1');
  return Buffer.concat([head, body]);
}

export class SoupServer {
  session = 'DAY1';
  password = 'secret';
  /** Of every session by its name. */
  readonly messages: Buffer[] = [];
  /** Messages beyond this one are held back. */
  released = Number.POSITIVE_INFINITY;
  /** Ends the session behind the last message. */
  complete = false;
  heartbeats = true;
  /** What a client gets instead of an answer to its login. */
  answer: Buffer | undefined;
  readonly logins: SoupLoginSeen[] = [];
  clientHeartbeats = 0;
  logouts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #next = new Map<Socket, number>();
  readonly #timer: NodeJS.Timeout;

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#timer = setInterval(() => this.#beat(), 1_000);
  }

  static async listen(port = 0): Promise<SoupServer> {
    const server = new SoupServer();
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get clients(): number {
    return this.#sockets.size;
  }

  /** Sends what may be sent now. */
  push(): void {
    for (const socket of this.#next.keys()) this.#feed(socket);
  }

  /** Cuts every connection. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  raw(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  close(): void {
    clearInterval(this.#timer);
    this.drop();
    this.#server.close();
  }

  #beat(): void {
    if (this.heartbeats) for (const socket of this.#next.keys()) socket.write(soupPacket('H'));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let pending = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#next.delete(socket);
    });
    socket.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0);
        this.#take(socket, pending.toString('latin1', 2, 3), pending.subarray(3, 2 + length));
        pending = pending.subarray(2 + length);
      }
    });
  }

  #take(socket: Socket, type: string, payload: Buffer): void {
    if (type === 'R') this.clientHeartbeats++;
    if (type === 'O') {
      this.logouts++;
      socket.end();
    }
    if (type === 'L') this.#login(socket, payload);
  }

  #login(socket: Socket, payload: Buffer): void {
    const field = (from: number, length: number) => payload.toString('latin1', from, from + length);
    const login: SoupLoginSeen = {
      username: field(0, 6).trimEnd(),
      password: field(6, 10).trimEnd(),
      session: field(16, 10).trimStart(),
      sequence: Number(field(26, 20)),
      heartbeatTimeout: payload.length > 46 ? Number(field(46, 5)) : undefined,
    };
    this.logins.push(login);
    if (this.answer !== undefined) {
      socket.write(this.answer);
      return;
    }
    if (login.password !== this.password) {
      socket.end(soupPacket('J', 'A'));
      return;
    }
    if (login.session !== '' && login.session !== this.session) {
      socket.end(soupPacket('J', 'S'));
      return;
    }
    const next = login.sequence === 0 ? this.messages.length + 1 : login.sequence;
    socket.write(soupPacket('A', this.session.padStart(10) + String(next).padStart(20)));
    this.#next.set(socket, next);
    this.#feed(socket);
  }

  #feed(socket: Socket): void {
    let next = this.#next.get(socket) ?? 1;
    const parts: Buffer[] = [];
    for (; next <= Math.min(this.messages.length, this.released); next++)
      parts.push(soupPacket('S', this.messages[next - 1] as Buffer));
    if (this.complete && next > this.messages.length) parts.push(soupPacket('Z'));
    this.#next.set(socket, next);
    if (parts.length > 0) socket.write(Buffer.concat(parts));
  }
}
