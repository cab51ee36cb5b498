/**
 * One GET over https, bounded in time and size, from first byte to last. jose's own remote key set bounds no size and
 * follows no policy of ours, so keys are fetched here and handed to its local one.
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface FetchLimits {
  /** Ms for all of it: name, connection, headers, body. */
  timeoutMs: number;
  bytesMax: number;
  /** PEM of the authorities that are trusted instead of the system's. */
  ca?: string | undefined;
}

/** Why there is no body; without anything that the server sent. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}

type Request = (url: URL, options: RequestOptions, answered: (response: IncomingMessage) => void) => RequestLike;
interface RequestLike {
  on(event: 'error', listener: (error: Error) => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

/** https only, no user in it; undefined where it may not be fetched. */
export function httpsUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const plain = url.username === '' && url.password === '' && url.hash === '';
  return url.protocol === 'https:' && plain ? url : undefined;
}

/** Rejects with FetchError. Redirects are errors. `request`: node:https's but in tests. */
export function fetchLimited(
  url: URL,
  { timeoutMs, bytesMax, ca }: FetchLimits,
  request: Request = httpsRequest as Request,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/jwk-set+json, application/json', 'accept-encoding': 'identity' };
    const options: RequestOptions & { ca?: string } = { method: 'GET', headers, agent: false };
    if (ca !== undefined) options.ca = ca;
    let sent: RequestLike | undefined;
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(new FetchError(reason));
      sent?.destroy();
    };
    const timer = setTimeout(() => fail(`no whole answer within ${timeoutMs} ms`), timeoutMs);
    const finish = (body: string) => {
      clearTimeout(timer);
      resolve(body);
    };
    try {
      sent = request(url, options, (response) => readAnswer(response, bytesMax, finish, fail));
      sent.on('error', (error) => fail(`unreachable: ${(error as NodeJS.ErrnoException).code ?? 'connection error'}`));
      sent.end();
    } catch (error) {
      fail(`cannot be asked: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
    }
  });
}

function readAnswer(
  response: IncomingMessage,
  bytesMax: number,
  finish: (body: string) => void,
  fail: (reason: string) => void,
): void {
  const { statusCode = 0, headers } = response;
  // Also a 304 that nobody asked for.
  if (statusCode !== 200) {
    fail(statusCode >= 300 && statusCode < 400 ? `redirect refused (${statusCode})` : `status ${statusCode}`);
    return;
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    fail('compressed answer refused');
    return;
  }
  const parts: Buffer[] = [];
  let length = 0;
  response.on('data', (part: Buffer) => {
    length += part.length;
    if (length > bytesMax) fail(`longer than ${bytesMax} bytes`);
    else parts.push(part);
  });
  response.on('error', () => fail('broken off'));
  response.on('aborted', () => fail('broken off'));
  response.on('end', () => finish(Buffer.concat(parts).toString('utf8')));
}
