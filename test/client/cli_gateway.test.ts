/** `subscribe` over a gateway, as a user runs it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../channel.js';
import { Cli, ensureBuilt, run, small } from '../cli_process.js';
import { gatewayOn } from '../gateway/gateway_on.js';
import { directoryOf } from './gateways.js';

t.before(ensureBuilt);

t.test('subscribeDumpsAndShowsWhatComesOverAGateway', async (t) => {
  const simulate = { seed: 5, symbols: 4, messages: 60_000, liveOrders: 200 };
  const { distributor, server } = await gatewayOn(t, 253, { simulate, rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const folder = t.testdir({});
  const [dump, token] = [join(folder, 'books.json'), join(folder, 'token')];
  writeFileSync(token, 'a-token\n');
  const gateway = [`--gateway=ws://127.0.0.1:${server.port}/feed`, `--token-file=${token}`, '--no-control', ...small];
  const directory = `--directory=${await directoryOf(t, { channels: [{ channel: 1, gateway: gateway[0]?.slice(10) }] })}`;
  const ladder = ['--mode=depth', '--view=ladder', '--symbol=AEMJ', '--interval-ms=50', ...small];
  const symbol = `--symbol=${distributor.instruments()[0]?.name}`;
  const following = run(t, ['subscribe', ...gateway, '--view=json', symbol, `--dump=${dump}`, '--l3']);
  const picture = new Cli(t, ['subscribe', directory, ...ladder.with(2, symbol)]);
  await picture.said(/\d+\.\d\d/);
  picture.kill('SIGTERM');
  const [whole, shown] = await Promise.all([following, picture.ended()]);
  t.match(whole, { end: 0, stderr: /snapshot as of \d+ \(behind\)/ });
  t.match(whole.stdout, /"price":/);
  t.equal(shown.end, 0);
  const { digest } = JSON.parse(readFileSync(dump, 'utf8')) as { digest: string };
  t.equal(BigInt(digest.startsWith('0x') ? digest : `0x${digest}`), distributor.stats().counters.digest);
});

t.test('subscribeSaysWhatDoesNotGoTogether', async (t) => {
  const gateway = '--gateway=ws://127.0.0.1:1/feed';
  const folder = t.testdir({ token: 'two words' });
  const wrong = await Promise.all([
    run(t, ['subscribe', gateway, '--mode=depth']),
    run(t, ['subscribe', gateway, '--mode=depth', '--view=none', `--dump=${join(folder, 'x')}`]),
    run(t, ['subscribe', gateway, `--token-file=${join(folder, 'token')}`]),
    run(t, ['subscribe', '--gateway=http://x']),
  ]);
  t.same(
    wrong.map(({ end }) => end),
    [2, 2, 2, 2],
  );
  t.match(wrong[0]?.stderr, /--view json shows every update: it needs --mode exact/);
  t.match(wrong[1]?.stderr, /--dump writes every order: it needs --mode exact/);
  t.match(wrong[2]?.stderr, /holds no token, expected one word/);
  t.notMatch(wrong[2]?.stderr, /two words/);
  t.match(wrong[3]?.stderr, /--gateway is "http:\/\/x", expected a URL such as "wss:/);
});
