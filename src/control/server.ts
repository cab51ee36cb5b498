/** The control service of a distributor: who follows, and what there is to follow. HTTP on loopback by default. */
import { EventEmitter } from 'node:events';
import { isMainThread } from 'node:worker_threads';
import type { HttpRequest, HttpResponse, TemplatedApp } from '../uws.js';
import { refusal } from './access.js';
import { type DirectoryChannel, joinRequest, lease_ms, subscriber_id_pattern } from './protocol.js';
import { SubscriberRegistry } from './registry.js';

const body_bytes_max = 4_096;
const subscribers_max = 10_000;
const expire_every_ms = 500;

const reasons: Record<number, string> = {
  200: '200 OK',
  400: '400 Bad Request',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  413: '413 Payload Too Large',
  415: '415 Unsupported Media Type',
  503: '503 Service Unavailable',
};

/** Requests answered and refused so far. */
export interface ControlCounters {
  requests: number;
  refused: number;
  joined: number;
  left: number;
}

/** Adds routes of its own before the service listens. `refused` says why a request may not come in, if it may not. */
export type AddRoutes = (app: TemplatedApp, refused: (request: HttpRequest) => string | undefined) => void;

interface ControlServerEvents {
  /** The number of subscribers changed. */
  subscribers: [count: number];
}

/**
 * Threads: one. In a worker thread, close() before worker.terminate(): uWebSockets.js leaves its sockets to the event
 * loop there, and Node aborts the process over them (uWebSockets.js #925). Other ends of a worker are safe.
 */
export class ControlServer extends EventEmitter<ControlServerEvents> {
  readonly counters: ControlCounters = { requests: 0, refused: 0, joined: 0, left: 0 };
  readonly #url: URL;
  readonly #channels: () => DirectoryChannel[];
  readonly #addRoutes: AddRoutes | undefined;
  readonly #registry = new SubscriberRegistry(lease_ms, subscribers_max);
  #app: TemplatedApp | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #onExit = () => this.close();
  #told = 0;
  #port = 0;

  /** `url`: where to listen; port 0 takes a free one. `channels` makes the directory; its first entry answers a join. */
  constructor(url: string, channels: () => DirectoryChannel[], addRoutes?: AddRoutes) {
    super();
    this.#addRoutes = addRoutes;
    this.#url = new URL(url);
    this.#channels = channels;
  }

  /** Base URL with the port it listens on. */
  get url(): string {
    return `http://${this.#url.hostname}:${this.#port || this.#url.port || 80}`;
  }

  get subscribers(): number {
    return this.#registry.count;
  }

  /** Listens. Rejects where the address is taken or cannot be had. */
  async start(): Promise<void> {
    const uws = await import('../uws.js');
    if (this.#closed) return;
    const app = uws.App();
    app.post('/subscribers/:id', (response, request) =>
      this.#handle(response, request, () => this.#join(response, request)),
    );
    app.del('/subscribers/:id', (response, request) =>
      this.#handle(response, request, () => this.#leave(response, request)),
    );
    app.get('/channels', (response, request) => this.#handle(response, request, () => this.#directory(response)));
    app.get('/health', (response, request) => this.#handle(response, request, () => this.#health(response)));
    this.#addRoutes?.(app, (request) => this.#refused(request));
    app.any('/*', (response, request) =>
      this.#handle(response, request, () => {
        const known = /^\/(subscribers\/[^/]+|channels|health)$/.test(request.getUrl());
        this.#refuse(response, known ? 405 : 404, known ? 'method not allowed' : 'not found');
      }),
    );
    const host = this.#url.hostname.replace(/^\[(.*)\]$/, '$1');
    const wanted = Number(this.#url.port || 80);
    this.#port = await uws.listenOn(app, 'the control service', host, wanted, false);
    this.#app = app;
    if (!isMainThread) process.once('exit', this.#onExit);
    this.#timer = setInterval(() => this.#expire(), expire_every_ms);
    this.#timer.unref();
  }

  /** Ends every connection. Any number of times. */
  close(): void {
    this.#closed = true;
    process.removeListener('exit', this.#onExit);
    clearInterval(this.#timer);
    this.#app?.close();
    this.#app = undefined;
  }

  #handle(response: HttpResponse, request: HttpRequest, act: () => void): void {
    const refused = this.#refused(request);
    if (refused === undefined) act();
    else this.#refuse(response, 403, refused);
  }

  #refused(request: HttpRequest): string | undefined {
    this.counters.requests++;
    const headers = {
      host: request.getHeader('host'),
      origin: request.getHeader('origin'),
      fetchSite: request.getHeader('sec-fetch-site'),
    };
    return refusal(headers, this.#url.hostname);
  }

  #join(response: HttpResponse, request: HttpRequest): void {
    const id = request.getParameter(0) ?? '';
    const typed = /^application\/json\b/i.test(request.getHeader('content-type'));
    if (!subscriber_id_pattern.test(id)) this.#refuse(response, 400, 'the id is 1 to 64 letters, digits, _ or -');
    else if (!typed) this.#refuse(response, 415, 'the body must be application/json');
    else readBody(response, (body) => this.#joinWith(response, id, body));
  }

  #joinWith(response: HttpResponse, id: string, body: Buffer | undefined): void {
    const joined = body === undefined ? undefined : joinRequest.safeParse(parseJson(body));
    const channel = this.#channels()[0];
    if (joined === undefined) this.#refuse(response, 413, `the body is longer than ${body_bytes_max} bytes`);
    else if (!joined.success) this.#refuse(response, 400, 'expected {"lines": ["A", "B"]}');
    else if (channel === undefined) this.#refuse(response, 503, 'there is no channel');
    else if (!this.#registry.join(id, joined.data.lines, performance.now()))
      this.#refuse(response, 503, `there are ${subscribers_max} subscribers already`);
    else {
      this.counters.joined++;
      this.#answer(response, 200, { channel: channel.channel, session: channel.session, leaseMs: lease_ms });
      this.#tell();
    }
  }

  #leave(response: HttpResponse, request: HttpRequest): void {
    if (!this.#registry.leave(request.getParameter(0) ?? '')) {
      this.#refuse(response, 404, 'no such subscriber');
      return;
    }
    this.counters.left++;
    this.#answer(response, 200, {});
    this.#tell();
  }

  #directory(response: HttpResponse): void {
    this.#answer(response, 200, { channels: this.#channels() });
  }

  #health(response: HttpResponse): void {
    const { count } = this.#registry;
    this.#answer(response, 200, { status: 'ok', subscribers: count, lines: this.#registry.lines(), ...this.counters });
  }

  #refuse(response: HttpResponse, status: number, error: string): void {
    this.counters.refused++;
    this.#answer(response, status, { error });
  }

  #answer(response: HttpResponse, status: number, body: object): void {
    response.cork(() => {
      response
        .writeStatus(reasons[status] ?? '500 Internal Server Error')
        .writeHeader('content-type', 'application/json')
        .writeHeader('cache-control', 'no-store')
        // What is left of a body that was refused must not be taken for the next request.
        .end(JSON.stringify(body), status === 413);
    });
  }

  #expire(): void {
    this.#registry.expire(performance.now());
    this.#tell();
  }

  #tell(): void {
    if (this.#registry.count === this.#told) return;
    this.#told = this.#registry.count;
    this.emit('subscribers', this.#told);
  }
}

/** Calls `done` once with the whole body, or with undefined where it is too long; not at all when it breaks off. */
function readBody(response: HttpResponse, done: (body: Buffer | undefined) => void): void {
  let parts: Buffer[] | undefined = [];
  let length = 0;
  response.onAborted(() => {
    parts = undefined;
  });
  response.onData((chunk, isLast) => {
    if (parts === undefined) return;
    length += chunk.byteLength;
    // The memory of a chunk is not ours after this call.
    if (length <= body_bytes_max) parts.push(Buffer.from(chunk.slice(0)));
    if (length <= body_bytes_max && !isLast) return;
    const body = length <= body_bytes_max ? Buffer.concat(parts) : undefined;
    parts = undefined;
    done(body);
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
