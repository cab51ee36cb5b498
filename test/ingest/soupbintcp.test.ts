/** SoupBinTCP against a server of its own: logins, refusals, heartbeats, reconnects, resumption, and hostile bytes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ServeOptionsInput } from '../../src/config.js';
import { until } from '../channel.js';
import type { Test } from '../data.js';
import { cutOff } from './cut_off.js';
import { feedDistributor, outcomeOf, runSource } from './feeds.js';
import { simulatedDay } from './itch_day.js';
import { SoupServer, soupPacket } from './soup_server.js';

const line = 240;
const passwordFile = join(t.testdir({ password: 'secret\n' }), 'password');

async function serverOf(t: Test, messages: readonly Buffer[]): Promise<SoupServer> {
  const server = await SoupServer.listen();
  server.messages.push(...messages);
  t.teardown(() => server.close());
  return server;
}

function sourceOn(server: SoupServer, more: ServeOptionsInput = {}): ServeOptionsInput {
  const { soupbintcp, ...rest } = more;
  return {
    source: `soupbintcp:127.0.0.1:${server.port}`,
    soupbintcp: { username: 'DEPTH', passwordFile, backoffMs: 5, backoffMsMax: 20, ...soupbintcp },
    ...rest,
  };
}

t.test('givesWhatTheFileGives', async (t) => {
  const { file, messages } = await simulatedDay(t, 5_000n);
  const expected = await runSource(t, line, { source: `itch:${file}` });
  const server = await serverOf(t, messages);
  server.complete = true;
  const outcome = await runSource(t, line, sourceOn(server, { soupbintcp: { heartbeatTimeoutMs: 2_000 } }));
  t.same(outcome, expected);
  t.same(server.logins, [{ username: 'DEPTH', password: 'secret', session: '', sequence: 1, heartbeatTimeout: 2_000 }]);
});

t.test('comesBackBehindTheLastMessageThatItHas', async (t) => {
  const { file, messages } = await simulatedDay(t, 4_000n);
  const expected = await runSource(t, line, { source: `itch:${file}` });
  const server = await serverOf(t, messages);
  const made = feedDistributor(t, line, sourceOn(server));
  server.released = 1_000;
  await made.start();
  for (const released of [1_000, 2_000, 3_000]) {
    server.released = released;
    server.push();
    await until(`message ${released}`, () => made.stats().position === BigInt(released));
    server.drop();
    await until('another login', () => server.logins.length > released / 1_000);
    t.match(server.logins.at(-1), { session: 'DAY1', sequence: released + 1 });
  }
  server.released = messages.length;
  server.complete = true;
  await until('the last login', () => server.clients === 1);
  server.push();
  t.same(outcomeOf(made, await made.ended), expected);
  t.match(made.stats().source, { feedConnects: 4n, feedDisconnects: 3n });
});

t.test('aRestartAsksForTheMessageAtWhichItWasCutOff', async (t) => {
  const { file, messages } = await simulatedDay(t, 3_000n);
  const expected = await runSource(t, line, { source: `itch:${file}` });
  const server = await serverOf(t, messages);
  const state = join(t.testdir({}), 'state');
  server.released = 2_000;
  const seen = await cutOff(t, { ...sourceOn(server, { state }) }, line, 2_000n);
  t.equal(seen, 2_000n);
  server.released = messages.length;
  server.complete = true;
  const made = feedDistributor(t, line, sourceOn(server, { state }));
  await made.start();
  t.ok(made.begin.continued, made.begin.reason);
  const outcome = outcomeOf(made, await made.ended);
  t.match(outcome, { end: expected.end, sequence: expected.sequence, digest: expected.digest });
  t.match(server.logins.at(-1), { session: 'DAY1' });
  t.ok((server.logins.at(-1)?.sequence ?? 0) >= 1_990 && (server.logins.at(-1)?.sequence ?? 0) <= 2_001);
  t.equal(readFileSync(join(state, 'input-session'), 'utf8'), 'DAY1\n');
});

t.test('refusedLoginsEndTheSourceAndNameTheReason', async (t) => {
  const server = await serverOf(t, []);
  server.password = 'another';
  const wrong = await runSource(t, line, sourceOn(server));
  t.match(wrong.end, { reason: 'fault', message: /refused: not authorised \(A\)/ });
  t.notMatch(
    JSON.stringify(wrong.end, (_, value) => String(value)),
    /secret/,
  );
  server.password = 'secret';
  const other = await runSource(t, line, sourceOn(server, { soupbintcp: { session: 'DAY9' } }));
  t.match(other.end, { reason: 'fault', message: /session is not available \(S\)/ });
  server.answer = soupPacket('A', `${'DAY2'.padStart(10)}${'1'.padStart(20)}`);
  const lied = await runSource(t, line, sourceOn(server, { soupbintcp: { session: 'DAY1' } }));
  t.match(lied.end, { reason: 'fault', message: /another one was accepted/ });
});

t.test('hostileBytesCostTheConnectionAndNothingElse', async (t) => {
  const { file, messages } = await simulatedDay(t, 500n);
  const expected = await runSource(t, line, { source: `itch:${file}` });
  const server = await serverOf(t, messages);
  server.released = 200;
  const made = feedDistributor(t, line, sourceOn(server));
  await made.start();
  const hostile = [
    Buffer.from([0, 0]),
    soupPacket('?'),
    soupPacket('H', 'x'),
    soupPacket('L', 'x'),
    soupPacket('A', 'x'),
    Buffer.from([0xff, 0xff, 0x00]),
    soupPacket('J', 'Ax'),
  ];
  for (const [index, bytes] of hostile.entries()) {
    await until('a login', () => made.stats().source.feedConnects === BigInt(index + 1));
    server.raw(bytes);
  }
  await until('the last of them', () => server.logins.length === hostile.length + 1);
  server.released = messages.length;
  server.complete = true;
  await until('a login', () => made.stats().source.feedConnects === BigInt(hostile.length + 1));
  server.push();
  t.same(outcomeOf(made, await made.ended), expected);
});

t.test('keepsTheConnectionAliveAndLogsOut', async (t) => {
  const server = await serverOf(t, (await simulatedDay(t, 50n)).messages);
  const made = feedDistributor(t, line, sourceOn(server));
  await made.start();
  await until('two heartbeats', () => server.clientHeartbeats >= 2);
  await until('heartbeats of the server', () => (made.stats().source.feedHeartbeats ?? 0n) >= 1n);
  server.raw(soupPacket('+', 'hello'));
  server.raw(soupPacket('U', 'aside'));
  await made.stop();
  await until('a logout', () => server.logouts === 1);
  t.equal(server.logins.length, 1);
});

t.test('aServerThatIsNotThereIsTriedAgain', async (t) => {
  const { messages } = await simulatedDay(t, 50n);
  const first = await SoupServer.listen();
  const { port } = first;
  first.close();
  const made = feedDistributor(t, line, {
    source: `soupbintcp:127.0.0.1:${port}`,
    soupbintcp: { username: 'DEPTH', passwordFile, backoffMs: 5, backoffMsMax: 20 },
  });
  await made.start();
  await until('attempts', () => (made.stats().source.feedDisconnects ?? 0n) >= 3n);
  const server = await SoupServer.listen(port);
  t.teardown(() => server.close());
  server.messages.push(...messages);
  server.complete = true;
  t.match(await made.ended, { reason: 'end', position: 50n });
});

t.test('passwordsComeFromAFileThatCanBeRead', async (t) => {
  const missing = feedDistributor(t, line, { source: 'soupbintcp:127.0.0.1:9', soupbintcp: { passwordFile: '/none' } });
  await t.rejects(missing.start(), /passwordFile: \/none cannot be read \(ENOENT\)/);
  const file = join(t.testdir({}), 'long');
  writeFileSync(file, 'elevenchars');
  const long = feedDistributor(t, line, { source: 'soupbintcp:127.0.0.1:9', soupbintcp: { passwordFile: file } });
  const error = await long.start().catch((reason: Error) => reason);
  t.match(error, { message: /1 to 10 printable/ });
  t.notMatch(String(error), /eleven/);
});
