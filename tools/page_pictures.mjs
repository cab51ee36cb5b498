// The pictures of docs/page.md, of the built command:
//   npm run build && node tools/page_pictures.mjs [FOLDER] && pngquant --ext .png --force 64 docs/page/*.png
// FOLDER is docs/page unless given; DEPTHCAST_CHROMIUM: the browser.
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = process.argv[2] ?? join(root, 'docs/page');
const port = 26_489;
const lines = [
  '--line-a-group=239.192.60.243',
  '--line-b-group=239.192.61.243',
  '--line-a-port=28486',
  '--line-b-port=28487',
];
const flow = ['--rate=10000', '--simulate-symbols=40', '--simulate-live-orders=20000'];
const desktop = { width: 1440, height: 900 };
const phone = { width: 360, height: 800 };

/** @type {{ name: string, options: import('playwright-core').BrowserContextOptions, lost?: boolean }[]} */
const pictures = [
  { name: 'desktop-dark', options: { viewport: desktop, colorScheme: 'dark' } },
  { name: 'desktop-light', options: { viewport: desktop, colorScheme: 'light' } },
  { name: 'phone-dark', options: { viewport: phone, colorScheme: 'dark', deviceScaleFactor: 2 } },
  { name: 'phone-light', options: { viewport: phone, colorScheme: 'light', deviceScaleFactor: 2 } },
  { name: 'desktop-lost', options: { viewport: desktop, colorScheme: 'dark' }, lost: true },
];

const server = spawn(
  process.execPath,
  [
    join(root, 'dist/cli/main.js'),
    'serve',
    ...lines,
    ...flow,
    '--control=http://127.0.0.1:0',
    `--gateway-port=${port}`,
  ],
  { stdio: ['ignore', 'ignore', 'pipe'] },
);
const said = new Promise((resolve, reject) => {
  let text = '';
  server.stderr.setEncoding('utf8').on('data', (part) => {
    text += part;
    if (text.includes('page: ')) resolve(undefined);
  });
  server.on('exit', () => reject(new Error(text)));
});
const browser = await chromium.launch({
  executablePath: process.env.DEPTHCAST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
try {
  await said;
  await mkdir(folder, { recursive: true });
  for (const { lost = false, name, options } of pictures) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.waitForSelector('html[data-fresh="yes"]');
    // Until there is something on the tape, and figures of ten seconds.
    await delay(12_000);
    if (lost) {
      server.removeAllListeners('exit');
      server.kill('SIGKILL');
      await page.waitForSelector('#notice:not([hidden])');
    }
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: options.viewport === phone });
    await context.close();
  }
} finally {
  server.removeAllListeners('exit');
  server.kill('SIGKILL');
  await browser.close();
}
