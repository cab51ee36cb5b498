/** Access with its files and timers, its options, and its page in the documentation. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseOptions } from '../../../src/config.js';
import type { SessionAction } from '../../../src/gateway/access/access_control.js';
import { AccessService } from '../../../src/gateway/access/access_service.js';
import { type AccessOptionsInput, accessOptions } from '../../../src/gateway/access/options.js';
import { newToken, revokeToken } from '../../../src/gateway/access/token_admin.js';
import { until } from '../../channel.js';
import type { Test } from '../../data.js';
import { connected, entitlements } from './parts.js';

const loopback = { host: '127.0.0.1', tls: false };

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-access-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function service(t: Test, given: AccessOptionsInput, place = loopback) {
  const actions: SessionAction[] = [];
  const notices: string[] = [];
  const options = parseOptions(accessOptions, given, 'access');
  const made = new AccessService(options, place, {
    actions: (some) => actions.push(...some),
    notice: (text) => notices.push(text),
  });
  t.teardown(() => made.close());
  return { made, actions, notices };
}

t.test('aRevokedTokenEndsItsSessionWithoutRestart', async (t) => {
  const folder = folderOf(t);
  const [tokens, audit] = [join(folder, 'tokens.json'), join(folder, 'audit.log')];
  const { id, text } = newToken(
    tokens,
    { name: 'desk', expires_ms: undefined, entitlements: entitlements() },
    Date.now(),
  );
  const { made, actions, notices } = service(t, { tokens, audit, tokensPollMs: 100 });
  made.start();
  const connection = connected(made.control);
  t.match(await made.control.login(connection, { kind: 'token', text }), { principal: { id } });
  writeFileSync(tokens, 'broken');
  await until('notice', () => notices.length === 1);
  t.match(notices, [/not JSON/]);
  t.equal(connection.ended, undefined, 'a broken file ends nobody');
  rmSync(tokens);
  newToken(tokens, { name: 'other', expires_ms: undefined, entitlements: entitlements() }, Date.now());
  await until('actions', () => actions.length === 1);
  t.match(actions, [{ connection: { id: connection.id }, act: 'close', refusal: { code: 'token_unknown' } }]);
  made.control.close(connection);
  await made.close();
  const events = readFileSync(audit, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(events.map(({ event }) => event).slice(0, 2), ['tokens_loaded', 'login']);
  t.match(
    events.find(({ event }) => event === 'ended'),
    { code: 'token_unknown', id, address: '10.0.0.1' },
  );
  t.equal(made.counters.connectionsOpen, 0);
});

t.test('revokingByCommandIsNoticed', async (t) => {
  const tokens = join(folderOf(t), 'tokens.json');
  const { id, text } = newToken(
    tokens,
    { name: 'desk', expires_ms: undefined, entitlements: entitlements() },
    Date.now(),
  );
  const { made, actions } = service(t, { tokens });
  made.start();
  const connection = connected(made.control);
  await made.control.login(connection, { kind: 'token', text });
  revokeToken(tokens, id, Date.now());
  await until('actions', () => actions.length === 1);
  t.match(actions, [{ refusal: { code: 'token_revoked' } }]);
});

t.test('optionsAndFilesAreCheckedAtStart', async (t) => {
  const folder = folderOf(t);
  const pem = join(folder, 'private.pem');
  const pair = generateKeyPairSync('ed25519');
  writeFileSync(pem, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const jwt = { issuer: 'i', audience: 'a' };
  const bad: [AccessOptionsInput, RegExp][] = [
    [{ jwt: { ...jwt } }, /jwt\.keys is missing, expected either keys or jwks/],
    [{ jwt: { ...jwt, keys: ['x'], jwks: 'https://a.example' } }, /expected either keys or jwks/],
    [{ jwt: { ...jwt, jwks: 'http://a.example' } }, /expected an https URL/],
    [{ jwt: { ...jwt, keys: ['x'], algorithms: ['HS256'] as never } }, /algorithms/],
    [{ jwt: { ...jwt, keys: ['x'], algorithms: ['none'] as never } }, /algorithms/],
    [{ jwt: { ...jwt, keys: [pem] } }, /private\.pem: a private key: give the public one/],
    [{ jwt: { ...jwt, keys: [join(folder, 'none')] } }, /cannot be read: ENOENT/],
    [{ limits: { connectionsMax: 100, accountsMax: 10 } }, /expected at least connectionsMax/],
    [{ origins: ['*'] }, /expected an origin/],
    [{ audit: folder }, /EISDIR/],
  ];
  for (const [given, message] of bad) t.throws(() => service(t, given), { message });
  t.throws(() => service(t, {}, { host: '0.0.0.0', tls: true }), /authentication is missing/);
  t.throws(
    () => service(t, { tokens: 'x', anonymous: entitlements() }, { host: '0.0.0.0', tls: true }),
    /authentication/,
  );
  t.doesNotThrow(() => service(t, { insecure: true }, { host: '0.0.0.0', tls: false }));
  t.doesNotThrow(() => service(t, { tokens: 'x' }, { host: '0.0.0.0', tls: true }));
  t.throws(() => service(t, { tokens: join(folder, 'none') }).made.start(), /does not exist; cure/);
});
