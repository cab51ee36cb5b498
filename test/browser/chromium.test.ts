/** The conformance suite, and the bundle, in a real browser. Skipped, by name, where there is no Chromium. */
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import t from 'tap';
import { browserBundle, published } from '../../tools/browser_bundle.mjs';
import type { ConformanceResult, ExpectedBooks } from './conformance.js';
import { recorded } from './recorded.js';

const executable = [process.env.DEPTHCAST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && path !== '' && existsSync(path),
);
const skip = executable === undefined && 'no Chromium: set DEPTHCAST_CHROMIUM to its path';

/** What crosses over to the page. */
interface Parcel {
  packets: string[];
  snapshots: string[][];
  expected: ExpectedBooks[];
}

t.test('conformanceInChromium', { skip }, async (t) => {
  const browser = await chromium.launch({ executablePath: executable as string, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const recording = await recorded(t, 94, { messages: 10_000, points: 12 });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const parcel: Parcel = {
    packets: recording.packets.map(text),
    snapshots: recording.snapshots.map((datagrams) => datagrams.map(text)),
    expected: recording.expected,
  };
  const suite = { entry: 'test/browser/conformance.ts', outfile: 'suite.js', write: false, minify: false };
  await page.addScriptTag({ content: (await browserBundle({ ...suite, globalName: 'suite' })).text });
  const [stream, snapshots] = (await page.evaluate(({ packets, snapshots, expected }) => {
    const bytes = (one: string) => Uint8Array.from(atob(one), (character) => character.charCodeAt(0));
    const { suite } = globalThis as unknown as { suite: typeof import('./conformance.js') };
    const recording = { packets: packets.map(bytes), snapshots: snapshots.map((all) => all.map(bytes)), expected };
    return [suite.runStream(recording), suite.runSnapshots(recording)];
  }, parcel)) as [ConformanceResult, ConformanceResult];
  t.comment(browser.version(), JSON.stringify(stream), JSON.stringify(snapshots));
  t.equal(stream.points, 13);
  t.ok(stream.digestsChecked > 10);
  t.ok(snapshots.snapshots > 0);
});

t.test('theBundleLoadsInChromium', { skip }, async (t) => {
  const browser = await chromium.launch({ executablePath: executable as string, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const { text } = await browserBundle({ ...published, write: false });
  const told = await page.evaluate(async (text) => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    const { GatewayClient } = (await import(url)) as typeof import('../../src/browser/index.js');
    const client = new GatewayClient({ url: 'ws://127.0.0.1:9/feed', backoffMs: 50 });
    const states: string[] = [];
    client.on('state', (state) => states.push(state));
    const subscription = client.subscribe({ channel: 1, mode: 'bbo' });
    client.start();
    for (let tries = 0; client.figures().connects < 2 && tries < 600; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    const { connects } = client.figures();
    client.close();
    const refused = await subscription.ready.then(
      () => false,
      () => true,
    );
    return { states, again: connects > 1, refused };
  }, text);
  t.same(told, { states: ['connecting', 'closed'], again: true, refused: true }, 'it goes on trying until closed');
});
