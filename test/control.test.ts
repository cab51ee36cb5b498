/** The control service and a subscriber's side of it, on free ports of loopback. */
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { refusal } from '../src/control/access.js';
import { ControlLink } from '../src/control/client.js';
import type { DirectoryChannel } from '../src/control/protocol.js';
import { SubscriberRegistry } from '../src/control/registry.js';
import { ControlServer } from '../src/control/server.js';
import { until } from './channel.js';
import type { Test } from './data.js';

const channel: DirectoryChannel = {
  channel: 7,
  session: '18446744073709551615',
  lineA: { group: '239.1.1.1', port: 1 },
  lineB: null,
  instruments: 3,
};

async function startServer(t: Test): Promise<ControlServer> {
  const server = new ControlServer('http://127.0.0.1:0', () => [channel]);
  t.teardown(() => server.close());
  await server.start();
  return server;
}

interface Answer {
  status: number;
  body: { [name: string]: unknown };
}

function ask(
  server: ControlServer,
  method: string,
  path: string,
  { body, headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(server.url + path, { method, headers: { ...json, ...headers }, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const both_lines = JSON.stringify({ lines: ['A', 'B'] });

t.test('registryForgetsWhoDoesNotRenew', async (t) => {
  const registry = new SubscriberRegistry(5_000, 10);
  registry.join('a', ['A'], 0);
  registry.join('b', ['A', 'B'], 1_000);
  registry.expire(4_999);
  t.same([registry.count, registry.lines()], [2, { A: 2, B: 1 }]);
  registry.join('a', ['B'], 4_999);
  registry.expire(6_000);
  t.same([registry.count, registry.lines()], [1, { A: 0, B: 1 }], 'b is gone, a has renewed and changed its lines');
  t.equal(registry.leave('a'), true);
  t.equal(registry.leave('a'), false);
});

t.test('registryIsBounded', async (t) => {
  const registry = new SubscriberRegistry(5_000, 2);
  t.same(
    ['a', 'b', 'c', 'a'].map((id) => registry.join(id, ['A'], 0)),
    [true, true, false, true],
    'those who are in may renew',
  );
});

t.test('accessIsForLoopbackNamesAndAddressesOnly', async (t) => {
  const plain = { origin: '', fetchSite: '' };
  for (const host of ['127.0.0.1:26400', 'localhost:1', 'LOCALHOST', '[::1]:80', '10.1.2.3:9', 'feed.example:80'])
    t.equal(refusal({ host, ...plain }, 'feed.example'), undefined, host);
  for (const host of ['', 'evil.example', 'evil.example:26400', '127.0.0.1.evil.example:1', 'localhost.evil.example'])
    t.match(refusal({ host, ...plain }, '127.0.0.1'), /is not this service/, `"${host}"`);
  t.match(refusal({ host: 'localhost', origin: 'http://localhost', fetchSite: '' }, 'x'), /web pages/);
  t.match(refusal({ host: 'localhost', origin: '', fetchSite: 'same-origin' }, 'x'), /web pages/);
});

t.test('subscribersJoinRenewAndLeave', async (t) => {
  const server = await startServer(t);
  const counts: number[] = [];
  server.on('subscribers', (count) => counts.push(count));
  const answer = { status: 200, body: { channel: 7, session: '18446744073709551615', leaseMs: 5_000 } };
  t.same(await ask(server, 'POST', '/subscribers/one', { body: both_lines }), answer);
  t.same(await ask(server, 'POST', '/subscribers/one', { body: both_lines }), answer);
  t.same(await ask(server, 'POST', '/subscribers/two', { body: '{"lines":["B"]}' }), answer);
  t.match(await ask(server, 'GET', '/health'), {
    status: 200,
    body: { status: 'ok', subscribers: 2, lines: { A: 1, B: 2 } },
  });
  t.same(await ask(server, 'DELETE', '/subscribers/one'), { status: 200, body: {} });
  t.same(await ask(server, 'DELETE', '/subscribers/one'), { status: 404, body: { error: 'no such subscriber' } });
  t.same(counts, [1, 2, 1], 'told at changes only');
});

t.test('directoryNamesChannelsAndLines', async (t) => {
  const server = await startServer(t);
  t.same(await ask(server, 'GET', '/channels'), { status: 200, body: { channels: [channel] } });
});

t.test('wrongRequestsAreRefusedInJson', async (t) => {
  const server = await startServer(t);
  const expected = 'expected {"lines": ["A", "B"]}';
  const cases: [
    method: string,
    path: string,
    options: Parameters<typeof ask>[3],
    status: number,
    error: string | RegExp,
  ][] = [
    ['POST', '/subscribers/a', { body: '{' }, 400, expected],
    ['POST', '/subscribers/a', { body: '{"lines":[]}' }, 400, expected],
    ['POST', '/subscribers/a', { body: '{"lines":["C"]}' }, 400, expected],
    ['POST', '/subscribers/a', { body: '{"lines":["A"],"more":1}' }, 400, expected],
    ['POST', `/subscribers/${'a'.repeat(65)}`, { body: both_lines }, 400, /the id is/],
    ['POST', '/subscribers/a%20b', { body: both_lines }, 400, /the id is/],
    [
      'POST',
      '/subscribers/a',
      { body: both_lines, headers: { 'content-type': 'text/plain' } },
      415,
      /application\/json/,
    ],
    ['POST', '/subscribers/a', { body: `"${'x'.repeat(5_000)}"` }, 413, /longer than 4096 bytes/],
    ['POST', '/subscribers/a', { body: both_lines, headers: { origin: 'http://evil.example' } }, 403, /web pages/],
    ['GET', '/health', { headers: { host: 'evil.example' } }, 403, /is not this service/],
    ['GET', '/', {}, 404, 'not found'],
    ['GET', '/subscribers/a', {}, 405, 'method not allowed'],
    ['POST', '/channels', { body: '{}' }, 405, 'method not allowed'],
  ];
  for (const [method, path, options, status, error] of cases)
    t.match(
      await ask(server, method, path, options),
      { status, body: { error } },
      `${method} ${path.slice(0, 20)} ${status}`,
    );
  t.equal(server.subscribers, 0);
  t.equal(server.counters.refused, cases.length);
});

t.test('aBrokenOffRequestIsForgotten', async (t) => {
  const server = await startServer(t);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(
    'POST /subscribers/a HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"li',
  );
  await until('the request', () => server.counters.requests === 1);
  socket.destroy();
  t.match(await ask(server, 'GET', '/health'), { status: 200 });
  t.equal(server.subscribers, 0);
});

t.test('anAddressThatIsTakenIsAnError', async (t) => {
  const server = await startServer(t);
  const second = new ControlServer(server.url, () => []);
  t.teardown(() => second.close());
  await t.rejects(second.start(), { message: /^the control service cannot listen on 127\.0\.0\.1:\d+: / });
  const elsewhere = new ControlServer('http://192.0.2.1:0', () => []);
  t.teardown(() => elsewhere.close());
  await t.rejects(elsewhere.start(), { message: /cannot listen on 192\.0\.2\.1:0/ });
});

t.test('closesTwiceAndBeforeItsStart', async (t) => {
  const server = new ControlServer('http://127.0.0.1:0', () => []);
  server.close();
  await server.start();
  t.match(server.url, /:0$/, 'it never listened');
  const open = await startServer(t);
  const { url } = open;
  open.close();
  open.close();
  await t.rejects(fetch(`${url}/health`));
});

t.test('aLinkJoinsAndWithdraws', async (t) => {
  const server = await startServer(t);
  const link = new ControlLink({ url: server.url, lines: ['A'], receiving: () => true });
  link.start();
  await until('the link', () => link.joined);
  t.equal(server.subscribers, 1);
  await link.close();
  await link.close();
  t.same([link.joined, server.subscribers], [false, 0]);
});

t.test('aLinkRetriesUntilTheServiceIsThere', async (t) => {
  const before = await startServer(t);
  const { url } = before;
  before.close();
  const link = new ControlLink({ url, lines: ['A'], receiving: () => false });
  t.teardown(() => link.close());
  link.start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(link.joined, false);
  const server = new ControlServer(url, () => [channel]);
  t.teardown(() => server.close());
  await server.start();
  await until('the link', () => link.joined);
  t.equal(server.subscribers, 1);
});

t.test('aLinkLeavesAServiceAloneThatNeverAnsweredOnceTheFeedArrives', async (t) => {
  let requests = 0;
  const deaf = createServer((_, response) => {
    requests++;
    response.statusCode = 500;
    response.end('no JSON');
  });
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  t.teardown(() => deaf.close());
  let receiving = false;
  const url = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  const link = new ControlLink({ url, lines: ['A'], receiving: () => receiving });
  link.start();
  await until('some attempts', () => requests >= 2);
  receiving = true;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const then = requests;
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.equal(requests, then);
  await link.close();
  t.equal(requests, then, 'and has nothing to withdraw');
});

t.test('aLinkClosesQuicklyThoughTheServiceHangs', async (t) => {
  let arrived = 0;
  const hanging = createServer(() => {
    arrived++;
  });
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    hanging.closeAllConnections();
    hanging.close();
  });
  const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`;
  const link = new ControlLink({ url, lines: ['A'], receiving: () => false });
  link.start();
  await until('the request', () => arrived === 1);
  const begin = Date.now();
  await link.close();
  t.ok(Date.now() - begin < 2_000);
  t.equal(link.joined, false);
});
