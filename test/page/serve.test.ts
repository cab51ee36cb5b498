/** The page as `depthcast serve` shows it: the built command, killed and begun again, and a reader of the multicast beside it. */
import { execFileSync } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { FeedClient } from '../../src/feed_client.js';
import { limits } from '../channel.js';
import { Cli, ensureBuilt, root, small, until } from '../cli_process.js';
import { lineFlags, linePair } from '../faults/lines.js';
import { DepthRecord, written } from './depth_record.js';
import { closeBrowser, openPage, readLadder, skip, untilLive } from './page_on.js';

t.teardown(closeBrowser);
const lines = linePair(244);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

t.test('comesBackToAServerThatWasKilled', { skip }, async (t) => {
  await ensureBuilt();
  execFileSync(process.execPath, [join(root, 'tools/browser_bundle.mjs')]);
  const serve = async (port: number) => {
    const flags = ['--rate=500', '--simulate-symbols=4', '--simulate-live-orders=400', '--control=http://127.0.0.1:0'];
    const server = new Cli(t, ['serve', ...flags, ...small, ...lineFlags(lines), `--gateway-port=${port}`]);
    await server.said(/page: http\S+/);
    const found = (pattern: RegExp) => pattern.exec(server.stderr)?.[1] ?? '';
    return { server, url: found(/page: (http\S+)/), control: found(/control (http\S+)/) };
  };
  const { server, url } = await serve(await freePort());
  const { faults, page } = await openPage(t, url);
  await untilLive(page);
  const before = await readLadder(page);
  const session = await page.locator('#feed [data-name="session"]').innerText();
  await page.evaluate('globalThis.neverLoadedAgain = true');

  server.kill('SIGKILL');
  await page.waitForSelector('html[data-fresh="no"]');
  await page.locator('#asof', { hasText: 'NOT LIVE' }).waitFor();
  await page.locator('#state', { hasText: 'reconnecting' }).waitFor();
  await page.locator('#notice', { hasText: 'cannot be reached' }).waitFor();
  await page.locator('#announcer', { hasText: /reconnecting|cannot be reached/ }).waitFor();
  t.match(await page.title(), '(not live)');
  const lost = await readLadder(page);
  t.match(lost, { symbol: before.symbol, isLive: false }, 'what is shown is told to be old');
  t.ok(lost.bids.length > 0, 'and still there to be read');

  const again = await serve(Number(new URL(url).port));
  t.equal(again.url, url);
  await untilLive(page);
  t.equal(await page.evaluate('globalThis.neverLoadedAgain'), true);
  await page.locator('#feed [data-name="session"]').filter({ hasNotText: session }).waitFor();
  await page.locator('#notice').waitFor({ state: 'hidden' });

  // What the multicast brings to somebody else at the same time.
  const { A: lineA, B: lineB } = lines;
  const client = new FeedClient({ lineA, lineB, control: again.control, limits, receiveBufferBytes: '8MiB' });
  t.teardown(() => client.close());
  await client.start();
  await until('the client', () => client.state === 'synchronized');
  const record = new DepthRecord(client, before.symbol, 10);
  t.teardown(() => record.stop());
  let compared = 0;
  for (let moment = 0; compared < 5 && moment < 600; moment++) {
    await delay(100);
    const shown = await readLadder(page);
    const depth = record.depths.get(shown.instrumentSequence);
    if (depth === undefined) continue;
    compared++;
    const expected = { isLive: true, bids: written(depth.bids), asks: written(depth.asks) };
    t.match(shown, expected, `at ${shown.instrumentSequence}`);
  }
  t.equal(compared, 5);
  t.same(faults, []);
});
