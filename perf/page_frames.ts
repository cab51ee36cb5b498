/**
 * The page in a browser beside `depthcast serve`: how many of the screen's frames it draws, and how long that takes. The
 * browser counts its own animation frames; the page says what it drew.
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium, type Page } from 'playwright-core';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf page_frames [--option value]…
  --rate N         source messages a second                 (10000)
  --symbols N      instruments among which they fall        (10)
  --seconds N      of measuring, after as many of warming up (10)
  --runs N         the page is loaded anew for each         (3)
  --port N         of the gateway                           (27420)
  --chromium PATH  the browser                              (/usr/bin/chromium)`;

const end_ms_max = 5_000;

/** In the page: what its animation frames were like. Text, so that no types of a browser are needed here. */
const count_frames = (ms: number) => `new Promise((resolve) => {
  const ladder = document.getElementById('ladder');
  const gaps = [];
  let [books, last, shown, begin] = [0, 0, '', 0];
  const frame = (now) => {
    if (begin === 0) begin = now;
    else gaps.push(now - last);
    last = now;
    const sequence = ladder.dataset.sequence;
    if (sequence !== shown) books++;
    shown = sequence;
    if (now - begin < ${ms}) requestAnimationFrame(frame);
    else resolve({ gaps, books, ms: now - begin });
  };
  requestAnimationFrame(frame);
})`;

const figureOf = async (page: Page, name: string) =>
  Number((await page.locator(`#feed [data-name="${name}"]`).innerText()).replace(/[^\d.]/g, ''));

async function measure(page: Page, ms: number): Promise<Figures> {
  const {
    books,
    gaps,
    ms: took,
  } = (await page.evaluate(count_frames(ms))) as {
    books: number;
    gaps: number[];
    ms: number;
  };
  gaps.sort((a, b) => a - b);
  const at = (share: number) => Math.round((gaps[Math.floor((gaps.length - 1) * share)] ?? 0) * 10) / 10;
  const latency = page.locator('#feed .latency tbody tr').nth(1).locator('td');
  const [p50, , p99] = await latency.allInnerTexts();
  return {
    animation_frames_per_s: Math.round((gaps.length * 10_000) / took) / 10,
    books_drawn_per_s: Math.round((books * 10_000) / took) / 10,
    frame_gap_ms_p50: at(0.5),
    frame_gap_ms_p99: at(0.99),
    messages_per_s: await figureOf(page, 'rate'),
    gateway_frames_per_s: await figureOf(page, 'frames'),
    arrival_to_drawn_ms_p50: Number(p50),
    arrival_to_drawn_ms_p99: Number(p99),
    mismatches: (await page.locator('#feed [data-name="digest"]').innerText()) === 'equal' ? 0 : 1,
  };
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      rate: { type: 'string', default: '10000' },
      symbols: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '10' },
      runs: { type: 'string', default: '3' },
      port: { type: 'string', default: '27420' },
      chromium: { type: 'string', default: process.env.DEPTHCAST_CHROMIUM ?? '/usr/bin/chromium' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const { port, rate, runs, seconds, symbols } = values;
  const around = conditions();
  const channel = ['--line-a-group=239.192.77.21', '--line-b-group=239.192.77.22', '--line-a-port=27421'];
  const flow = [
    `--rate=${rate}`,
    `--simulate-symbols=${symbols}`,
    '--line-b-port=27422',
    '--control=http://127.0.0.1:0',
  ];
  const server = spawn(process.execPath, ['dist/cli/main.js', 'serve', ...channel, ...flow, `--gateway-port=${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const browser = await chromium.launch({ executablePath: values.chromium, args: ['--no-sandbox'] });
  try {
    while (!said.includes('page: ')) {
      if (server.exitCode !== null) throw new Error(said);
      await delay(20);
    }
    const results: Figures[] = [];
    for (let run = 0; run < Number(runs); run++) {
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForSelector('html[data-fresh="yes"]');
      await delay(1_000 * Number(seconds));
      results.push(await measure(page, 1_000 * Number(seconds)));
      await page.close();
    }
    const browser_name = `Chromium ${browser.version()}, headless`;
    printResult(
      {
        ...joinRuns('page_frames', results),
        rate: Number(rate),
        symbols: Number(symbols),
        browser: browser_name,
        ...around,
      },
      json,
    );
  } finally {
    await browser.close();
    server.kill('SIGTERM');
    await Promise.race([ended, delay(end_ms_max)]);
    server.kill('SIGKILL');
  }
}
