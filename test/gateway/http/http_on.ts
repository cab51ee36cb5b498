/** The routes on a server of their own, with a page, a directory and tokens of the test's making. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { admitHttp } from '../../../src/gateway/http/admission.js';
import type { RouteContext } from '../../../src/gateway/http/context.js';
import { addRoutes } from '../../../src/gateway/http/routes.js';
import { App, listenOn } from '../../../src/uws.js';
import type { Test } from '../../data.js';
import { type Setup, setup } from '../access/parts.js';

/** What stands beside the page's folder: nobody must ever get it. */
export const secret = 'nobody must read this';

function makePage(t: Test): string {
  const base = t.testdir();
  const folder = join(base, 'page');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(base, 'secret.txt'), secret);
  writeFileSync(join(folder, 'index.html'), `<!doctype html><title>depthcast</title>${'<p>'.repeat(200)}`);
  writeFileSync(join(folder, 'assets', 'page.js'), 'export {};');
  writeFileSync(join(folder, 'assets', 'icon.png'), 'png');
  writeFileSync(join(folder, 'page.js.map'), secret);
  writeFileSync(join(folder, '.env'), secret);
  symlinkSync(join(base, 'secret.txt'), join(folder, 'link.txt'));
  return folder;
}

const instruments = ['AAPL', 'AMZN', 'MSFT'].map((symbol, index) => ({
  instrument: index + 1,
  symbol,
  priceExponent: -4,
  quantityExponent: 0,
}));

export async function httpOn(
  t: Test,
  given: Parameters<typeof setup>[0] & { origins?: string[] } & Partial<RouteContext> = {},
): Promise<{ port: number } & Setup> {
  const made = setup(given);
  const context: RouteContext = {
    pageFolder: makePage(t),
    metrics: async () => ({ gateway: {}, parts: {} }),
    channels: () => [
      {
        channel: 1,
        session: '18446744073709551615',
        lineA: { group: '239.1.1.1', port: 5_000 },
        lineB: null,
        instruments: instruments.length,
        recovery: '/recovery',
        recoveryUrl: 'ws://127.0.0.1:9/recovery',
        recoveryUdpPort: 5_001,
        snapshotLine: null,
      },
    ],
    instruments: () => instruments,
    health: () => ({ status: 'ok', channels: [{ channel: 1, ready: true }] }),
    admit: (ask) => admitHttp(made.control, ask),
    ...given,
  };
  const app = App();
  addRoutes(app, context);
  const port = await listenOn(app, 'the test', '127.0.0.1', 0, false);
  t.teardown(() => app.close());
  return { port, ...made };
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A bare request, sent as it stands; resolves when the server has ended the connection, or `ms` are over. */
export function raw(port: number, request: string | Buffer, ms = 2_000): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket: Socket = connect(port, '127.0.0.1', () => void socket.write(request));
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (data) => {
      got += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(got);
    });
  });
}

/** One request; the path goes out as it is given. */
export async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const given = { host: `127.0.0.1:${port}`, ...headers };
  const lines = Object.entries(given).map(([name, value]) => `${name}: ${value}`);
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    });
    const done = (answer: Answer) => {
      socket.destroy();
      resolve(answer);
    };
    const look = (ended: boolean) => {
      const end = got.indexOf('\r\n\r\n');
      if (end < 0) return ended ? reject(new Error(`no answer to ${method} ${path}`)) : undefined;
      const [first = '', ...rest] = got.toString('latin1', 0, end).split('\r\n');
      const found = Object.fromEntries(
        rest.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      );
      const body = got.subarray(end + 4);
      const status = Number(first.split(' ')[1]);
      const length = method === 'HEAD' || status === 304 || status === 204 ? 0 : Number(found['content-length'] ?? 0);
      if (body.length >= length || ended) done({ status, headers: found, body: body.toString('utf8') });
    };
    socket.on('data', (data) => {
      got = Buffer.concat([got, data]);
      look(false);
    });
    socket.on('error', reject);
    socket.on('close', () => look(true));
  });
}
