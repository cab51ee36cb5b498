/**
 * What the gateway's port answers over HTTP: health, metrics, the directory, the page. Nothing here changes anything,
 * and no path reaches the file system. docs/gateway.md, "HTTP".
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from '../../uws.js';
import { refuse } from '../access/codes.js';
import { requestFactsOf } from '../access/connect_request.js';
import type { BrowserUse } from '../access/origin.js';
import { gateway_path } from '../protocol.js';
import type { Admission, HttpAsk, RouteContext } from './context.js';
import { Directory } from './directory.js';
import type { MetricPart } from './metric_help.js';
import { type Figures, metrics_type, metricsText } from './metrics.js';
import { type PageFile, readPage } from './page_files.js';
import {
  emptyReply,
  errorReply,
  jsonReply,
  type Reply,
  refusalReply,
  sendReply,
  taggedReply,
  upgradeReply,
} from './reply.js';

/** What is read of a request, since it is gone after the first await. Absent headers are empty. */
interface Asked extends Omit<HttpAsk, 'use' | 'login'> {
  method: string;
  ifNoneMatch: string;
  acceptEncoding: string;
}

type Admitted = Exclude<Admission, { refusal: unknown }>;

interface Route {
  use: BrowserUse;
  /** Its data are for who may have them. */
  login: boolean;
  answer: (asked: Asked, admitted: Admitted) => Reply | Promise<Reply>;
}

const preflight_seconds = 600;

function askedOf(response: HttpResponse, request: HttpRequest): Asked {
  return {
    ...requestFactsOf(response, request),
    method: request.getMethod(),
    ifNoneMatch: request.getHeader('if-none-match'),
    acceptEncoding: request.getHeader('accept-encoding'),
  };
}

/** Inline scripts and styles, other hosts, frames and forms are out: what gets into the page's text cannot act. */
function pagePolicy(host: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    // 'self' does not mean WebSockets in every browser. The host was checked: it holds nothing but a name and a port.
    `connect-src 'self' ws://${host} wss://${host}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

function pageReply(file: PageFile, { acceptEncoding, host, ifNoneMatch }: Asked): Reply {
  const packed = file.gzip !== undefined && /(^|[\s,])gzip($|[\s,;])(?!\s*q=0(\.0*)?($|[\s,]))/i.test(acceptEncoding);
  const headers: Record<string, string> = {
    'content-type': file.type,
    'content-security-policy': pagePolicy(host),
    vary: 'accept-encoding',
  };
  if (packed) headers['content-encoding'] = 'gzip';
  return taggedReply(ifNoneMatch, packed ? `${file.tag}-gzip` : file.tag, headers, (packed && file.gzip) || file.bytes);
}

/** Which other site may read the answer. */
function sharingHeaders(crossOrigin: string | undefined): Record<string, string> {
  const vary = { vary: 'origin, authorization' };
  if (crossOrigin === undefined) return vary;
  return { ...vary, 'access-control-allow-origin': crossOrigin, 'access-control-expose-headers': 'etag' };
}

class Routes {
  readonly #context: RouteContext;
  readonly #directory = new Directory();
  readonly #known: ReadonlyMap<string, Route>;

  constructor(context: RouteContext) {
    this.#context = context;
    this.#known = new Map<string, Route>([
      ['/health', { use: 'data', login: false, answer: () => this.#health() }],
      ['/metrics', { use: 'data', login: true, answer: (_asked, admitted) => this.#metrics(admitted) }],
      ['/channels', { use: 'data', login: true, answer: (asked, admitted) => this.#channels(asked, admitted) }],
      [gateway_path, { use: 'page', login: false, answer: () => upgradeReply() }],
      ...[...readPage(context.pageFolder)].map(([path, file]): [string, Route] => [
        path,
        { use: 'page', login: false, answer: (asked) => pageReply(file, asked) },
      ]),
    ]);
  }

  /** Never rejects. */
  async reply(asked: Asked): Promise<Reply> {
    const { method, ifNoneMatch: _1, acceptEncoding: _2, ...ask } = asked;
    const route = this.#known.get(asked.path);
    const reads = method === 'get' || method === 'head';
    try {
      const login = route?.login === true && reads;
      const admission = await this.#context.admit({ ...ask, use: route?.use ?? 'page', login });
      const reply =
        'refusal' in admission ? refusalReply(admission.refusal) : await this.#admitted(asked, route, admission);
      if (route?.use === 'data') reply.headers = { ...sharingHeaders(admission.crossOrigin), ...reply.headers };
      // What is left of a body must not be taken for the next request.
      return reads ? reply : { ...reply, close: true };
    } catch {
      return errorReply('internal');
    }
  }

  async #admitted(asked: Asked, route: Route | undefined, admitted: Admitted): Promise<Reply> {
    if (route === undefined) return errorReply('not_found');
    if (asked.method === 'get' || asked.method === 'head') return route.answer(asked, admitted);
    const shared = route.use === 'data';
    if (asked.method === 'options' && shared)
      return emptyReply(204, {
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': 'authorization, if-none-match',
        'access-control-max-age': String(preflight_seconds),
      });
    return errorReply('method_not_allowed', { allow: shared ? 'GET, HEAD, OPTIONS' : 'GET, HEAD' });
  }

  #health(): Reply {
    const { channels, status } = this.#context.health();
    const ready = status === 'ok' && channels.length > 0 && channels.every((one) => one.ready);
    // Anybody may ask: which channels there are is told to tokens that may have them.
    return jsonReply(ready ? 200 : 503, { ready, status });
  }

  async #metrics({ entitlements }: Admitted): Promise<Reply> {
    if (entitlements?.metrics !== true) return refusalReply(refuse('metrics_denied'));
    const { gateway, parts } = await this.#context.metrics();
    const [only, ...others] = this.#context.channels();
    const labels = only === undefined || others.length > 0 ? {} : { channel: String(only.channel) };
    const sources = (Object.entries({ ...parts, gateway }) as [MetricPart, Figures][]).map(([part, figures]) => ({
      part,
      labels,
      figures,
    }));
    return {
      status: 200,
      headers: { 'content-type': metrics_type, 'cache-control': 'no-store' },
      body: Buffer.from(metricsText(sources)),
    };
  }

  #channels({ ifNoneMatch }: Asked, { entitlements }: Admitted): Reply {
    if (entitlements === undefined) return errorReply('internal');
    const entries = this.#context
      .channels()
      .map((channel) => ({ channel, instruments: this.#context.instruments(channel.channel) }));
    const { bytes, tag } = this.#directory.body(entries, entitlements);
    const headers = { 'content-type': 'application/json', 'cache-control': 'private, no-cache' };
    return taggedReply(ifNoneMatch, tag, headers, bytes);
  }
}

/** Once for each app, before it listens. Threads: the app's. */
export function addRoutes(app: TemplatedApp, context: RouteContext): void {
  const routes = new Routes(context);
  app.any('/*', (response, request) => {
    let gone = false;
    response.onAborted(() => {
      gone = true;
    });
    const asked = askedOf(response, request);
    void routes.reply(asked).then((reply) => {
      if (!gone) sendReply(response, reply, asked.method !== 'head');
    });
  });
}
