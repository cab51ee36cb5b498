/** `depthcast recovery` beside a distributor: serves its past, outlives it, and follows the next one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { newToken, revokeToken } from '../src/gateway/access/token_admin.js';
import { Cli, channelFlags, ensureBuilt, small } from './cli_process.js';
import { entitlements } from './gateway/access/parts.js';
import { RawClient } from './recovery/raw_client.js';
import { readSnapshot } from './recovery/snapshot_check.js';

t.before(ensureBuilt);

const control = 'http://127.0.0.1:29420';

async function greeted(): Promise<{ client: RawClient; session: string }> {
  const { client, welcome } = await RawClient.open(control);
  return { client, session: String(welcome.session) };
}

/** A replica that is just catching up says when to come back. */
async function snapshotOf(client: RawClient, session: string): Promise<Buffer[]> {
  for (const end = Date.now() + 60_000; ; ) {
    const { done, datagrams } = await client.ask({ type: 'snapshot', session });
    if (done.type === 'done' || done.code !== 'no_snapshot' || Date.now() > end) return datagrams;
    await delay(Number(done.waitMs));
  }
}

t.test('servesThePastOfAnotherProcessThatIsKilledAndStartedAgain', async (t) => {
  const state = t.testdir({});
  const serve = (seed: number) =>
    new Cli(t, [
      'serve',
      '--no-gateway-port',
      `--state=${state}`,
      '--no-recovery-enabled',
      '--no-snapshot-enabled',
      '--ring-bytes=1MiB',
      `--simulate-seed=${seed}`,
      '--simulate-symbols=5',
      '--simulate-live-orders=200',
      '--rate=20000',
      ...channelFlags(60),
      ...small,
    ]);
  const service = new Cli(t, [
    'recovery',
    `--state=${state}`,
    `--control=${control}`,
    '--checkpoint-ms=300',
    '--status-ms=100',
    ...small,
  ]);
  await service.said(/waiting for the distributor/);
  const first = serve(1);
  await service.said(/replica at [1-9]\d{3,}/);

  const { client, session } = await greeted();
  t.teardown(() => client.close());
  const snapshot = readSnapshot(await snapshotOf(client, session));
  // One that was taken for a checkpoint may be somewhat older than what the status line says.
  t.ok(snapshot.sequence > 0n);
  t.equal(snapshot.digest, snapshot.channelDigest);

  first.kill('SIGKILL');
  await first.ended();
  const beginning = await client.retransmit(session, [[1, 1_000]]);
  t.same(beginning.done.sent, [['1', '1000']], 'what was published can be had, though nobody publishes');
  t.ok((await snapshotOf(client, session)).length > 0);

  // Another source: that cannot be the same session.
  const second = serve(2);
  const told = await client.text(({ type }) => type === 'session');
  t.ok(BigInt(String(told.session)) > BigInt(session));
  const old = await client.retransmit(session, [[1, 2]]);
  t.equal(old.done.code, 'wrong_session');
  const next = await client.retransmit(String(told.session), [[1, 2]]);
  t.same(next.done.sent, [['1', '2']]);

  // Killed in the middle and started again with the same source: the session goes on under the same numbers.
  const { client: follower, session: kept } = await greeted();
  t.teardown(() => follower.close());
  second.kill('SIGKILL');
  await second.ended();
  const third = serve(2);
  await third.said(/goes on/);
  const { next: reached } = follower.texts[0] as unknown as { next: string };
  const later = BigInt(reached) + 20_000n;
  let answer = await follower.retransmit(kept, [[1n, later]]);
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const { refused } = answer.done as { refused?: { code: string }[] };
    if (refused?.length === 0) break;
    t.ok(refused?.every(({ code }) => code === 'too_high') ?? true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer = await follower.retransmit(kept, [[1n, later]]);
  }
  t.same(answer.done.sent, [['1', String(later)]], 'one run of numbers over both lives');
  t.notOk(
    follower.texts.some(({ type }) => type === 'session'),
    'the session is the same',
  );
  const after = readSnapshot(await snapshotOf(follower, kept));
  t.equal(after.digest, after.channelDigest);

  service.kill('SIGTERM');
  const { end, stderr } = await service.ended();
  t.equal(end, 0);
  t.notMatch(stderr, /DIFFERED/);
  await follower.until(() => follower.closed !== undefined, 'the end');
  third.kill('SIGTERM');
  t.equal((await third.ended()).end, 0);
});

t.test('asksForTheTokensOfTheGatewayAndEndsWhatWasRevoked', async (t) => {
  const state = t.testdir({});
  const file = join(state, 'tokens.json');
  const make = (name: string, grant: object) =>
    newToken(file, { name, expires_ms: undefined, entitlements: entitlements({ grants: [grant] }) }, Date.now());
  const whole = make('whole', { channels: [1], instruments: ['*'], modes: ['exact'] });
  const some = make('some', { channels: [1], instruments: ['DCJH'], modes: ['filtered'] });
  const flags = [`--state=${state}`, ...small];
  const source = ['--simulate-symbols=5', '--simulate-live-orders=200', '--rate=5000', '--ring-bytes=1MiB'];
  const publisher = new Cli(t, [
    ...['serve', '--no-gateway-port', '--no-recovery-enabled', '--no-snapshot-enabled', ...source],
    ...channelFlags(61),
    ...flags,
  ]);
  const url = 'http://127.0.0.1:28390';
  const access = [`--access-tokens=${file}`, '--access-tokens-poll-ms=100', `--access-audit=${state}/audit.log`];
  const service = new Cli(t, ['recovery', `--control=${url}`, '--status-ms=100', ...access, ...flags]);
  await service.said(/replica at [1-9]\d{2,}/);
  const { welcome: stranger } = await RawClient.open(url);
  t.match(stranger, { type: 'refused', code: 'unauthorised', message: /^credential_missing/ });
  const { client, welcome } = await RawClient.open(url, 1, whole.text);
  t.teardown(() => client.close());
  const session = String(welcome.session);
  t.match((await client.retransmit(session, [[1, 10]])).done, { type: 'done', sent: [['1', '10']] });
  const { client: narrow } = await RawClient.open(url, 1, some.text);
  t.teardown(() => narrow.close());
  const denied = { type: 'refused', code: 'unauthorised' };
  t.match((await narrow.retransmit(session, [[1, 10]])).done, { ...denied, message: /^mode_denied/ });
  t.match((await narrow.ask({ type: 'snapshot', session })).done, denied);
  const symbols = await Promise.all(
    [1, 2, 3, 4, 5].map(async (instrument) => {
      const { done } = await narrow.ask({ type: 'snapshot', session, instruments: [instrument] });
      return done.type === 'done' || done.code === 'no_snapshot';
    }),
  );
  t.same(symbols, [true, false, false, false, false], 'by the names of the replica');
  revokeToken(file, whole.id, Date.now());
  await client.until(() => client.closed !== undefined, 'its end');
  t.match(client.closed, { code: 4_401, reason: 'token_revoked' });
  service.kill('SIGTERM');
  t.equal((await service.ended()).end, 0);
  const audit = readFileSync(`${state}/audit.log`, 'utf8');
  for (const event of ['login', 'refused', 'ended']) t.match(audit, `"event":"${event}"`);
  const wrong = await new Cli(t, ['recovery', ...flags, ...access, '--recovery-token=x']).ended();
  t.match([wrong.end, wrong.stderr], [2, /expected nothing, since access says/]);
  const open = await new Cli(t, ['recovery', ...flags, ...access, '--control=http://0.0.0.0:28391']).ended();
  t.not(open.end, 0);
  t.match(open.stderr, /TLS is missing/);
  publisher.kill('SIGTERM');
  await publisher.ended();
});

t.test('complainsOfWrongOptionsAndOfAnAddressThatIsTaken', async (t) => {
  const without = await new Cli(t, ['recovery']).ended();
  t.equal(without.end, 2);
  t.match(without.stderr, /state/);
  const state = t.testdir({});
  const one = new Cli(t, ['recovery', `--state=${state}`, `--control=${control}`]);
  await one.said(/recovery of channel 1/);
  const other = await new Cli(t, ['recovery', `--state=${state}`, `--control=${control}`]).ended();
  t.equal(other.end, 1);
  t.match(other.stderr, /taken/);
  one.kill('SIGINT');
  t.equal((await one.ended()).end, 0);
});
