/** `subscribe` over a gateway, as a user runs it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { authorityIn } from '../certificates.js';
import { until } from '../channel.js';
import { Cli, ensureBuilt, run, small } from '../cli_process.js';
import { endAfter, everything, gatewayOn } from '../gateway/gateway_on.js';
import { cuttable, directoryOf } from './gateways.js';

t.before(ensureBuilt);

t.test('subscribeDumpsAndShowsWhatComesOverAGateway', async (t) => {
  const simulate = { seed: 5, symbols: 4, liveOrders: 200 };
  const { distributor, server } = await gatewayOn(t, 253, { simulate, rate: 5_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const folder = t.testdir({});
  const [dump, token] = [join(folder, 'books.json'), join(folder, 'token')];
  writeFileSync(token, 'a-token\n');
  const gateway = [`--gateway=ws://127.0.0.1:${server.port}/feed`, `--token-file=${token}`, '--no-control', ...small];
  const directory = `--directory=${await directoryOf(t, { channels: [{ channel: 1, gateway: gateway[0]?.slice(10) }] })}`;
  const ladder = ['--mode=depth', '--view=ladder', '--symbol=AEMJ', '--interval-ms=50', ...small];
  const symbol = `--symbol=${distributor.instruments()[0]?.name}`;
  const following = new Cli(t, ['subscribe', ...gateway, '--view=json', symbol, `--dump=${dump}`, '--l3']);
  const picture = new Cli(t, ['subscribe', directory, ...ladder.with(2, symbol)]);
  await picture.said(/\d+\.\d\d/);
  picture.kill('SIGTERM');
  await following.said(/"price":/);
  await endAfter(distributor, 5_000);
  const [whole, shown] = await Promise.all([following.ended(), picture.ended()]);
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

t.test('subscribeSaysWhyThereIsNoFeed', async (t) => {
  const folder = t.testdir({ ca: {}, token: 'wrong' });
  const { caFile, certificate } = authorityIn(join(folder, 'ca'));
  const simulate = { seed: 5, symbols: 4, liveOrders: 200 };
  const { server } = await gatewayOn(
    t,
    235,
    { simulate, rate: 2_000 },
    {
      tls: certificate('ours', 'IP:127.0.0.1'),
      verdict: (token) =>
        token === 'right' ? { grant: everything } : { code: 'unauthorised', message: 'no such token' },
    },
  );
  const between = await cuttable(t, server.port);
  const gateway = [`--gateway=wss://127.0.0.1:${between.port}/feed`, '--view=none', ...small];
  const trusted = { NODE_EXTRA_CA_CERTS: caFile };
  const right = { ...trusted, DEPTHCAST_TOKEN: 'right' };
  const follows = new Cli(t, ['subscribe', ...gateway, '--symbol=NOSUCH', '--backoff-ms-max=200'], { env: right });
  const wrong = Promise.all([
    run(t, ['subscribe', ...gateway, `--token-file=${join(folder, 'token')}`], { env: trusted }),
    run(t, ['subscribe', ...gateway], { env: { DEPTHCAST_TOKEN: 'right' } }),
    run(t, ['subscribe', ...gateway, '--channel=7'], { env: right }),
    run(t, ['subscribe', ...gateway, '--mode=bbo', '--symbol=NOSUCH'], { env: right }),
    run(t, ['subscribe', ...gateway, '--token=right']),
    run(t, ['subscribe', ...gateway, `--token-file=${join(folder, 'none')}`]),
  ]);
  await follows.said(/NOSUCH: no such symbol was seen on this channel/);
  await follows.said(/synchronized/);
  between.to(1);
  between.cut();
  await follows.said(/no connection to the gateway: .*; trying again/);
  between.to(server.port);
  await follows.said(/trying again[\s\S]*synchronized/);
  follows.kill('SIGTERM');
  t.match(await follows.ended(), { end: 0, stdout: '' });
  const ends = await wrong;
  t.same(
    ends.map(({ end }) => end),
    [1, 1, 1, 1, 2, 2],
  );
  const texts = [
    /depthcast: unauthorised: no such token/,
    /depthcast: certificate: its certificate is of an authority that is not known here/,
    /depthcast: unknown_channel: there is no such channel/,
    /depthcast: unknown_instrument: unknown: NOSUCH/,
    /unknown option '--token'/,
    /--token-file .*none cannot be read: ENOENT/,
  ];
  for (const [index, text] of texts.entries()) t.match(ends[index]?.stderr, text);
});
