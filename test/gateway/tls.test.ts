/** HTTPS and wss, and files that cannot be used. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import WebSocket from 'ws';
import { Distributor } from '../../src/distributor.js';
import { checkTlsFiles } from '../../src/gateway/tls_files.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';
import { raw } from './http/http_on.js';

function certificate(folder: string, name: string) {
  const files = { keyFile: join(folder, `${name}.key`), certificateFile: join(folder, `${name}.pem`) };
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', [...request, ...subject, '-keyout', files.keyFile, '-out', files.certificateFile], {
    stdio: 'ignore',
  });
  return files;
}

function made(t: Test) {
  const folder = t.testdir();
  return { folder, ours: certificate(folder, 'ours'), others: certificate(folder, 'others') };
}

t.test('theSamePortSpeaksHttpsAndWss', async (t) => {
  const { ours } = made(t);
  const { A: lineA } = linePair(229);
  const distributor = new Distributor({
    lineA,
    lineB: null,
    control: null,
    limits,
    simulate: { symbols: 4, liveOrders: 100 },
    rate: 1_000,
    gateway: { port: 0, tls: ours },
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  const url = new URL(distributor.gateway ?? '');
  t.equal(url.protocol, 'https:');
  const ca = readFileSync(ours.certificateFile);
  const port = Number(url.port);
  const status = (path: string) =>
    new Promise<{ status: number | undefined; type: string | undefined }>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, ca }, (response) => {
        response.resume();
        resolve({ status: response.statusCode, type: response.headers['content-type'] });
      }).on('error', reject);
    });
  t.same(await status('/channels'), { status: 200, type: 'application/json' });
  const socket = new WebSocket(`wss://127.0.0.1:${port}/feed`, { ca });
  t.teardown(() => socket.terminate());
  const texts: { type: string }[] = [];
  let binaries = 0;
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) binaries++;
    else texts.push(JSON.parse(data.toString('utf8')) as { type: string });
  });
  socket.on('open', () => socket.send('{"type":"hello","versions":[1]}'));
  await until('the welcome', () => texts.some(({ type }) => type === 'welcome'));
  await until('the channel', () => distributor.stats().sequence > 100n);
  for (let tries = 0; tries < 1_200 && binaries === 0; tries++) {
    socket.send('{"type":"subscribe","id":1,"channel":1,"mode":"bbo"}');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.ok(binaries > 0, 'data over TLS');
  t.equal(await raw(port, `GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`, 1_000), '', 'nothing in the clear');
});

t.test('filesThatCannotBeUsedAreNamed', async (t) => {
  const { folder, ours, others } = made(t);
  const junk = join(folder, 'junk.pem');
  writeFileSync(junk, 'junk');
  const locked = join(folder, 'locked.key');
  execFileSync('openssl', ['pkey', '-in', ours.keyFile, '-aes256', '-passout', 'pass:word', '-out', locked]);
  t.doesNotThrow(() => checkTlsFiles(ours));
  const bad: [Partial<typeof ours>, RegExp][] = [
    [{ keyFile: join(folder, 'none') }, /none cannot be read: ENOENT/],
    [{ certificateFile: folder }, /cannot be read: EISDIR/],
    [{ keyFile: junk }, /junk.pem holds no private key/],
    [{ keyFile: ours.certificateFile }, /holds no private key/],
    [{ keyFile: locked }, /is encrypted/],
    [{ certificateFile: junk }, /junk.pem holds no certificate/],
    [{ certificateFile: others.certificateFile }, /is not for the key in/],
  ];
  for (const [change, message] of bad) t.throws(() => checkTlsFiles({ ...ours, ...change }), { message });
  const distributor = new Distributor({
    lineA: linePair(229).A,
    lineB: null,
    control: null,
    limits,
    gateway: { port: 0, tls: { ...ours, keyFile: others.keyFile } },
  });
  await t.rejects(distributor.start(), { message: /is not for the key in/ });
});
