/** FeedClient over TLS: an authority of our own, and certificates that must not be trusted. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { FeedClient } from '../../src/feed_client.js';
import { authorityIn, type CertificateFiles } from '../certificates.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { gatewayOn } from '../gateway/gateway_on.js';
import { followOn } from './gateways.js';

const simulate = { seed: 5, symbols: 4, liveOrders: 200 };

/** Serves a directory, and no gateway. */
async function httpsOn(t: Test, { keyFile, certificateFile }: CertificateFiles, answer: unknown): Promise<number> {
  const files = { key: readFileSync(keyFile), cert: readFileSync(certificateFile) };
  const server = createServer(files, (_, response) => void response.end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

t.test('anAuthorityOfOurOwnVouchesForGatewayAndDirectory', async (t) => {
  const { caFile, certificate } = authorityIn(t.testdir({}));
  const ours = certificate('ours', 'IP:127.0.0.1,DNS:localhost');
  const { server } = await gatewayOn(t, 226, { simulate, rate: 5_000 }, { tls: ours });
  const gateway = `wss://127.0.0.1:${server.port}/feed`;
  const tls = { caFile };
  for (const mode of ['exact', 'depth'] as const) {
    const client = followOn(t, 0, { gateway, mode, tls });
    await client.start();
    await until(`the books in mode ${mode}`, () => client.state === 'synchronized');
  }
  const port = await httpsOn(t, ours, { channels: [{ channel: 1, gateway }] });
  const found = new FeedClient({ directory: `https://localhost:${port}/channels`, mode: 'bbo', tls, limits });
  t.teardown(() => found.close());
  await found.start();
  await until('the best prices', () => found.state === 'synchronized');
  t.equal(found.transport, 'gateway');
});

t.test('whatCannotBeTrustedIsNamedAndEndsTheStart', async (t) => {
  const folder = t.testdir({ ca: {}, other: {} });
  const { caFile, certificate } = authorityIn(join(folder, 'ca'));
  const other = authorityIn(join(folder, 'other'));
  const elsewhere = certificate('elsewhere', 'DNS:feed.example.com');
  const expired = certificate('expired', 'IP:127.0.0.1', -1);
  const unknown = other.certificate('unknown', 'IP:127.0.0.1');
  const cases: [CertificateFiles, string, RegExp][] = [
    [unknown, caFile, /of an authority that is not known here: name its file in tls.caFile or NODE_EXTRA_CA_CERTS/],
    [unknown, '', /of an authority that is not known here/],
    [elsewhere, caFile, /for another host: .*127\.0\.0\.1 is not in the cert's list/],
    [expired, caFile, /has expired/],
  ];
  for (const [files, ca, message] of cases) {
    const port = await httpsOn(t, files, { channels: [] });
    const client = followOn(t, 0, { gateway: `wss://127.0.0.1:${port}/feed`, tls: { caFile: ca } });
    await t.rejects(client.start(), { name: 'GatewayError', code: 'certificate', message });
    t.equal(client.state, 'closed');
    const found = new FeedClient({ directory: `https://127.0.0.1:${port}/channels`, tls: { caFile: ca } });
    await t.rejects(found.start(), { name: 'DirectoryError', message });
    await found.close();
  }
  await t.rejects(
    followOn(t, 0, { gateway: 'wss://127.0.0.1:9/feed', tls: { caFile: join(folder, 'none') } }).start(),
    {
      code: 'ENOENT',
    },
  );
});

t.test('whatAnswersButIsNoGatewayIsSaid', async (t) => {
  const { caFile, certificate } = authorityIn(t.testdir({}));
  const ours = certificate('ours', 'IP:127.0.0.1');
  const port = await httpsOn(t, ours, { hello: 1 });
  const { server } = await gatewayOn(t, 227, { simulate, rate: 5_000 });
  const said: string[] = [];
  const reaches = async (gateway: string) => {
    const client = followOn(t, 0, { gateway, tls: { caFile }, timeoutMs: 2_000 });
    client.on('disconnected', (reason) => said.push(reason));
    await client.start();
    await client.close();
  };
  await t.rejects(reaches(`wss://127.0.0.1:${port}/feed`), {
    code: 'no_gateway',
    message: /it answered 200, which is no/,
  });
  await t.rejects(reaches(`ws://127.0.0.1:${server.port}/nothing`), { code: 'no_gateway', message: /it answered 404/ });
  await reaches(`wss://127.0.0.1:${server.port}/feed`);
  t.match(said.at(-1), /does not speak TLS|broke the connection off/);
  await reaches(`ws://127.0.0.1:${port}/feed`);
  t.match(said.at(-1), /broke the connection off|it answered 400/);
  await reaches('ws://127.0.0.1:1/feed');
  t.match(said.at(-1), /nobody listens there \(ECONNREFUSED\)/);
});
