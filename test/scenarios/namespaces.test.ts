/**
 * A publisher and three subscribers on hosts of their own, with single packets lost by nftables on the way into the
 * subscribers: each gets every message once and ends with the publisher's books.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ensureBuilt } from '../cli_process.js';
import { Hosts, whyNoHosts } from './hosts.js';

const messages = 60_000;
/** The first shares the publisher's host, and loses nothing: the yardstick. */
const subscribers = [
  { host: 1, percent: 0 },
  { host: 2, percent: 1 },
  { host: 3, percent: 5 },
  { host: 4, percent: 20 },
];
const ports = [28_901, 28_902] as const;
const lines = [
  '--line-a-group=239.192.91.1',
  `--line-a-port=${ports[0]}`,
  '--line-b-group=239.192.91.2',
  `--line-b-port=${ports[1]}`,
  '--limits-orders=131072',
  '--limits-instruments=1024',
];
const ms_max = 45_000;
const no_hosts = whyNoHosts();

t.before(ensureBuilt);

interface Update {
  sequence: number;
}

t.test('threeHostsThatLosePacketsGetEveryMessageOnce', { skip: no_hosts ?? false, timeout: 300_000 }, async (t) => {
  const folder = t.testdir({});
  const hosts = new Hosts(1);
  t.teardown(() => hosts.remove());
  hosts.make(4);
  const control = `http://${hosts.address(1)}:28900`;
  const publisher = hosts.start(
    1,
    [
      'serve',
      ...lines,
      `--interface=${hosts.address(1)}`,
      `--control=${control}`,
      '--no-gateway-port',
      '--ttl=1',
      '--no-segmentation',
      `--state=${join(folder, 'state')}`,
      '--journal-fsync=never',
      '--rate=15000',
      `--simulate-messages=${messages}`,
      '--simulate-symbols=20',
      '--simulate-live-orders=1000',
      `--wait-subscribers=${subscribers.length}`,
      '--wait-timeout-ms=20000',
      '--status-ms=0',
    ],
    ms_max,
  );
  await delay(700);
  const running = subscribers.map(({ host, percent }) => {
    if (percent > 0) hosts.lose(host, percent, ports);
    const dump = join(folder, `books${host}.json`);
    const parameters = [
      'subscribe',
      ...lines,
      `--interface=${hosts.address(host)}`,
      `--control=${control}`,
      '--no-coalescing',
      '--view=json',
      `--dump=${dump}`,
      '--l3',
    ];
    return { host, percent, dump, ended: hosts.start(host, parameters, ms_max).ended };
  });
  const books: string[] = [];
  for (const { host, percent, dump, ended } of running) {
    const { end, stdout, stderr } = await ended;
    t.equal(end, 0, `host ${host}: ${stderr.slice(-1_000)}`);
    const sequences = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Update).sequence);
    const last = sequences.at(-1) ?? 0;
    const wrong = sequences.findIndex((sequence, index) => sequence !== index + 1);
    t.equal(wrong, -1, `host ${host}: message ${sequences[wrong]} came in place ${wrong + 1}`);
    t.ok(last >= messages, `host ${host}: ${last} messages`);
    const dropped = hosts.dropped(host);
    if (percent > 0) t.ok(dropped > 50, `host ${host} lost ${dropped} datagrams at ${percent} %`);
    const { digest, sequence, instruments, missing } = JSON.parse(readFileSync(dump, 'utf8'));
    t.equal(sequence, String(last));
    t.same(missing, []);
    books.push(JSON.stringify({ digest, instruments }));
  }
  t.equal(new Set(books).size, 1, 'the same books on every host');
  publisher.process.kill('SIGTERM');
  const { stderr } = await publisher.ended;
  t.match(stderr, /ended: /);
});
