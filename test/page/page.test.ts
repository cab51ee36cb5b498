/** The page in Chromium, on a live simulated feed. Skipped, by name, where there is no browser; in CI there is one. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import type { Grant } from '../../src/gateway/session_state.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { Random } from '../faults/random.js';
import { gatewayOn } from '../gateway/gateway_on.js';
import { DepthRecord, written } from './depth_record.js';
import { closeBrowser, openPage, pageRoute, readLadder, type ShownLadder, skip, untilLive } from './page_on.js';

t.teardown(closeBrowser);

const simulate = { symbols: 8, liveOrders: 800, seed: 3 };

/** A tab that shows a live book, and what is wrong with it. */
async function live(t: Test, number: number, given: ServeOptionsInput = {}) {
  const gateway = await gatewayOn(t, number, { rate: 500, simulate, ...given }, {}, await pageRoute());
  const url = `http://127.0.0.1:${gateway.server.port}/`;
  const seen = await openPage(t, url);
  await untilLive(seen.page);
  return { ...gateway, ...seen, url };
}

const textOf = (page: Page, selector: string) => page.locator(selector).innerText();
const symbolShown = (page: Page) => textOf(page, '#symbol');

async function untilSymbol(page: Page, symbol: string): Promise<void> {
  await page.locator('#symbol', { hasText: symbol }).waitFor();
  await untilLive(page);
}

t.test('theLadderIsTheServersDepthAtTheSameSequence', { skip }, async (t) => {
  const { distributor, faults, page } = await live(t, 240);
  await until('books', () => distributor.stats().sequence > 1_000n);
  const symbols = distributor.instruments().map(({ symbol }) => symbol);
  const random = new Random(11);
  const compared: ShownLadder[] = [];
  let unseen = 0;
  for (let moment = 0; compared.length < 20 && moment < 600; moment++) {
    const symbol = symbols[random.below(symbols.length)] as string;
    const record = new DepthRecord(distributor, symbol, 10);
    if ((await symbolShown(page)) !== symbol) {
      await page.evaluate(
        (hash) => Object.assign((globalThis as never as { location: object }).location, { hash }),
        `#1/${symbol}`,
      );
      await untilSymbol(page, symbol);
    }
    await delay(random.below(150));
    const shown = await readLadder(page);
    record.stop();
    const depth = record.depths.get(shown.instrumentSequence);
    // A page that waited for a processor says so, and is asked again.
    if (depth === undefined || !shown.isLive) {
      unseen++;
      continue;
    }
    compared.push(shown);
    const expected = { symbol, isLive: true, bids: written(depth.bids), asks: written(depth.asks) };
    t.match(shown, expected, `${symbol} at ${shown.instrumentSequence}`);
    t.ok(shown.bids.length + shown.asks.length > 2, 'there is something to compare');
  }
  t.equal(compared.length, 20, `${unseen} moments that the record had missed`);
  t.ok(new Set(compared.map(({ symbol }) => symbol)).size > 3, 'of several instruments');
  t.same(faults, []);
});

t.test('everythingCanBeDoneByKeyboard', { skip }, async (t) => {
  const { distributor, faults, page } = await live(t, 241);
  const symbols = distributor
    .instruments()
    .map(({ symbol }) => symbol)
    .sort();
  const [first, second, third] = symbols as [string, string, string];
  await untilSymbol(page, first);
  await page.keyboard.press(']');
  await untilSymbol(page, second);
  await page.keyboard.press('[');
  await untilSymbol(page, first);
  await page.keyboard.press('/');
  const search = page.locator('#search');
  t.equal(await search.getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  const active = page.locator('.row.active', { hasText: third });
  await active.waitFor();
  t.equal(
    await search.getAttribute('aria-activedescendant'),
    await active.getAttribute('id'),
    'the active one is told',
  );
  await page.keyboard.press('Enter');
  await untilSymbol(page, third);
  t.match(page.url(), new RegExp(`#1/${third}$`), 'the address tells what is looked at');
  await page.keyboard.press('/');
  await page.keyboard.type(second.toLowerCase());
  await page.keyboard.press('Enter');
  await untilSymbol(page, second);
  await page.keyboard.press('b');
  await page.locator('#announcer', { hasText: `${second}: bid ` }).waitFor();
  t.match(await textOf(page, '#announcer'), /: bid [\d,.]+ for [\d,]+, ask [\d,.]+ for [\d,]+\.$/);
  await page.keyboard.press('p');
  await page.locator('#asof', { hasText: 'PAUSED' }).waitFor();
  const before = await readLadder(page);
  await delay(300);
  t.same(await readLadder(page), before, 'nothing moves');
  t.equal(before.isLive, false, 'what is stopped is not shown as live');
  await page.keyboard.press('p');
  await untilLive(page);
  await page.keyboard.press('?');
  t.match(await textOf(page, '#help-dialog'), /next instrument/);
  t.match(await textOf(page, '#help-dialog'), /two clocks cannot be compared/, 'what a latency means is said');
  await page.keyboard.press('Escape');
  const reached: string[] = [];
  await page.evaluate('document.activeElement?.blur()');
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press('Tab');
    reached.push(
      (await page.evaluate(
        'document.activeElement.id + (getComputedStyle(document.activeElement).outlineStyle === "none" ? " unseen" : "")',
      )) as string,
    );
  }
  for (const id of ['interval', 'pause', 'theme', 'help', 'search'])
    t.ok(reached.includes(id), `Tab reaches ${id}, and it is seen: ${reached}`);
  t.same(faults, []);
});

/** A colour with another one, that lets it through, over it. */
function blend(ground: string, over: string): string {
  const [below, above] = [ground, over].map((colour) => (colour.match(/[\d.]+/g) ?? []).map(Number)) as [
    number[],
    number[],
  ];
  const share = above[3] ?? 1;
  return `rgb(${below.map((part, index) => part * (1 - share) + (above[index] ?? 0) * share).join(', ')})`;
}

/** WCAG's contrast of two colours as rgb(r, g, b). */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

t.test('fitsAPhoneInDarkAndLight', { skip }, async (t) => {
  const { page: desk, url } = await live(t, 165);
  for (const width of [1600, 1200, 1199, 760, 759, 320]) {
    await desk.setViewportSize({ width, height: 700 });
    t.equal(await desk.evaluate('document.documentElement.scrollWidth'), width, 'nothing lies beyond the edge');
  }
  const grounds = new Set<string>();
  for (const colorScheme of ['dark', 'light'] as const) {
    const { faults, page } = await openPage(t, url, {
      colorScheme,
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      isMobile: true,
      reducedMotion: 'reduce',
    });
    await untilLive(page);
    const width = () => page.evaluate('document.documentElement.scrollWidth');
    t.equal(await width(), 360, 'nothing lies beyond the edge');
    const before = await symbolShown(page);
    await page.locator('#search').tap();
    t.equal(await width(), 360);
    await page.locator('[role="option"]:not([hidden])').nth(3).tap();
    await page.locator('#symbol').filter({ hasNotText: before }).waitFor();
    await untilLive(page);
    t.equal(await page.locator('#list-scroll').isVisible(), false, 'the list has gone');
    const colours = (await page.evaluate(`(() => {
      const style = (selector) => getComputedStyle(document.querySelector(selector));
      const ground = style('main > section').backgroundColor;
      const texts = ['#ladder tr.bid .price', '#ladder tr.ask .price', '#ladder .figure', '#ladder td:nth-child(2)', '#asof',
        '.pill', '#feed dt', '#feed dd', '#tape .time', 'h2', '.list .row .bid'];
      const bars = ['bid', 'ask'].map((side) => style('#ladder tr.' + side + ' .bar').backgroundColor);
      return { bars, ground, raised: style('button').backgroundColor, texts: texts.map((name) => [name, style(name).color]) };
    })()`)) as { bars: string[]; ground: string; raised: string; texts: [string, string][] };
    grounds.add(colours.ground);
    for (const [name, colour] of colours.texts)
      for (const ground of [colours.ground, colours.raised])
        t.ok(contrast(colour, ground) >= 4.5, `${colorScheme}: ${name} ${contrast(colour, ground).toFixed(1)}`);
    const over_bars = colours.texts.filter(([name]) => /figure|nth-child/.test(name));
    for (const [name, colour] of over_bars)
      for (const bar of colours.bars) {
        const told = contrast(colour, blend(colours.ground, bar));
        t.ok(told >= 4.5, `${colorScheme}: ${name} on a bar ${told.toFixed(1)}`);
      }
    await page.locator('#theme').tap();
    await page.locator('#theme').tap();
    const switched = await page.evaluate('getComputedStyle(document.querySelector("main > section")).backgroundColor');
    t.equal(switched === colours.ground, colorScheme === 'light', 'the switch wins over the system');
    t.same(faults, []);
    await page.context().close();
  }
  t.equal(grounds.size, 2);
});

t.test('aTokenIsAskedForAndNeverInTheAddress', { skip }, async (t) => {
  const verdict = (token?: string) =>
    token === 'sesame'
      ? { grant: { refuse: () => undefined } }
      : {
          code: 'unauthorised' as const,
          message: token === undefined ? 'a token is needed' : 'the token is not valid',
        };
  const { server } = await gatewayOn(t, 243, { rate: 500, simulate }, { verdict }, await pageRoute());
  const asked: string[] = [];
  const { faults, page } = await openPage(t, `http://127.0.0.1:${server.port}/`);
  page.on('websocket', (socket) => asked.push(socket.url()));
  page.on('request', (request) => asked.push(request.url()));
  await page.locator('#token-dialog[open]').waitFor();
  t.equal(await textOf(page, '#token-why'), 'a token is needed');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.locator('#token-why', { hasText: 'not valid' }).waitFor();
  await page.keyboard.type('sesame');
  await page.keyboard.press('Enter');
  await untilLive(page);
  await page.reload();
  await untilLive(page);
  await page.locator('#token-open').click();
  await page.keyboard.press('Escape');
  t.ok(asked.length > 2);
  t.notMatch([page.url(), ...asked].join(' '), /sesame|wrong/);
  t.equal(await page.evaluate('localStorage.length'), 0);
  const other = await openPage(t, `http://127.0.0.1:${server.port}/`);
  await other.page.locator('#token-dialog[open]').waitFor();
  t.same([...faults, ...other.faults], []);
});

t.test('aTokenThatAllowsLittleShowsWhatItAllows', { skip }, async (t) => {
  const symbols: string[] = [];
  const grant: Grant = {
    refuse: ({ instruments, levels, mode }) => {
      const is_allowed = instruments !== 'all' && instruments.every((one) => symbols.includes(one));
      if (is_allowed && mode === 'depth' && levels <= 5) return undefined;
      return { code: 'forbidden', message: `not in mode ${mode} with ${levels} levels` };
    },
  };
  const { distributor, server } = await gatewayOn(t, 240, { rate: 500, simulate }, { grant }, await pageRoute());
  await until('the definitions', () => distributor.instruments().length === simulate.symbols);
  const [first = '', second = ''] = distributor.instruments().map(({ symbol }) => symbol);
  symbols.push(first, second);
  const { faults, page } = await openPage(t, `http://127.0.0.1:${server.port}/#1/${first}`);
  await untilSymbol(page, first);
  // That the tape is not allowed is said when the gateway has said so.
  await page.locator('#notice', { hasText: 'forbidden' }).waitFor();
  t.match(await textOf(page, '#trading-status'), '5 levels');
  t.equal((await readLadder(page)).bids.length, 5);
  await page.locator('#search[placeholder^="Type a symbol"]').fill(second);
  await page.keyboard.press('Enter');
  await untilSymbol(page, second);
  t.same(faults, []);
});

t.test('whatIsWrongIsSaidWithItsCure', { skip }, async (t) => {
  const { distributor, page, url } = await live(t, 241, { rate: 2_000 });
  const [{ symbol } = { symbol: '' }] = distributor.instruments();
  const notice = page.locator('#notice');
  const go = (hash: string) =>
    page.evaluate((to) => Object.assign((globalThis as never as { location: object }).location, { hash: to }), hash);
  await go('#1/NOSUCH');
  await notice.filter({ hasText: 'unknown_instrument' }).filter({ hasText: 'choose another one' }).waitFor();
  t.match(
    await readLadder(page),
    { symbol: 'NOSUCH', isLive: false, bids: [], asks: [] },
    'nothing of another one is shown',
  );
  await go('#9/X');
  await notice.filter({ hasText: 'unknown_channel' }).waitFor();
  await go('#1/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E');
  await page.locator('#symbol', { hasText: '<img src=x onerror=alert(1)>' }).waitFor();
  t.equal(await page.locator('#symbol img').count(), 0);
  await go(`#1/${symbol}`);
  await untilSymbol(page, symbol);
  await notice.waitFor({ state: 'hidden' });
  const shared = await openPage(t, `${url}#1/${symbol}`);
  await untilSymbol(shared.page, symbol);
  await page.locator('#interval').selectOption('250');
  await untilLive(page);
  await page.locator('#feed [data-name="accounts"]', { hasText: 'yes' }).waitFor();
  for (const [name, expected] of [
    ['digest', /^equal$/],
    ['sequence', /^[\d,]+$/],
    ['ping', /^[\d.]+ ms$/],
    ['missing', /^0$/],
    ['faults', /^0$/],
  ] as const)
    t.match(await textOf(page, `#feed [data-name="${name}"]`), expected, name);
  t.same(shared.faults, []);
});
