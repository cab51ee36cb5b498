/** The page as a browser sees it: Chromium, a server under a strict policy, and eyes for what goes wrong. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { TemplatedApp } from '../../src/uws.js';
import { pageFiles } from '../../tools/browser_bundle.mjs';
import type { Test } from '../data.js';

const executable = [process.env.DEPTHCAST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && path !== '' && existsSync(path),
);
/** In CI there is one. */
export const skip =
  executable === undefined && process.env.CI !== 'true' && 'no Chromium: set DEPTHCAST_CHROMIUM to its path';

let launched: Promise<Browser> | undefined;

/** One for all tests of a file, which ends it with closeBrowser(). */
function launch(): Promise<Browser> {
  if (executable === undefined) throw new Error('no Chromium: install the package chromium');
  launched ??= chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  return launched;
}

export async function closeBrowser(): Promise<void> {
  await (await launched)?.close();
}

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/** For a server without the route of its own. */
export async function pageRoute(): Promise<(app: TemplatedApp) => void> {
  const files = await pageFiles();
  return (app) => {
    for (const [name, content] of files)
      app.get(name === 'index.html' ? '/' : `/${name}`, (response) => {
        response
          .writeHeader('Content-Type', types[name.split('.').pop() ?? ''] ?? '')
          .writeHeader('Content-Security-Policy', policy)
          .end(content);
      });
  };
}

export interface Seen {
  page: Page;
  /** Violations of the policy, errors of the console and exceptions; a refused connection is none. */
  faults: string[];
}

/** A tab of its own, with storage of its own, until the test ends. */
export async function openPage(t: Test, url: string, options: BrowserContextOptions = {}): Promise<Seen> {
  const context = await (await launch()).newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(120_000);
  t.teardown(() => context.close());
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    const is_fault = ['error', 'warning'].includes(message.type());
    if (is_fault && !/WebSocket connection|ERR_CONNECTION/.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.exposeFunction('tellViolation', (text: string) => faults.push(text));
  await page.addInitScript(() => {
    const scope = globalThis as unknown as {
      addEventListener(name: string, heard: (event: Record<string, string>) => void): void;
      tellViolation(text: string): void;
    };
    scope.addEventListener('securitypolicyviolation', (event) =>
      scope.tellViolation(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(url);
  return { page, faults };
}

/** Until the book that is shown is live. */
export async function untilLive(page: Page, ms = 120_000): Promise<void> {
  await page.waitForSelector('html[data-fresh="yes"]', { timeout: ms });
}

export interface ShownLadder {
  sequence: string;
  instrumentSequence: number;
  symbol: string;
  isLive: boolean;
  /** Best first: price, quantity, orders as they are written. */
  bids: string[][];
  asks: string[][];
}

/** All of one moment. */
export async function readLadder(page: Page): Promise<ShownLadder> {
  return await page.evaluate(() => {
    interface Part {
      textContent: string;
      dataset: Record<string, string>;
      children: ArrayLike<Part>;
      querySelectorAll(selector: string): ArrayLike<Part>;
    }
    const { document } = globalThis as unknown as {
      document: { querySelector(selector: string): Part; documentElement: Part };
    };
    const table = document.querySelector('#ladder');
    const rows = (side: string, cells: number[]) =>
      Array.from(table.querySelectorAll(`tr.${side}`), (row) =>
        cells.map((cell) => row.children[cell]?.textContent ?? ''),
      ).filter(([price]) => price !== '');
    return {
      sequence: table.dataset.sequence ?? '',
      instrumentSequence: Number(table.dataset.instrumentSequence ?? -1),
      symbol: document.querySelector('#symbol').textContent,
      isLive: document.documentElement.dataset.fresh === 'yes',
      bids: rows('bid', [3, 2, 1]),
      asks: rows('ask', [3, 4, 5]).reverse(),
    };
  });
}
