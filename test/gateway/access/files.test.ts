/** The token file on disk: permissions, commands on it, the watcher. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { listTokens, newToken, revokeToken } from '../../../src/gateway/access/token_admin.js';
import {
  changeTokenFile,
  readTokenFile,
  TokenFileError,
  writeTokenFile,
} from '../../../src/gateway/access/token_file.js';
import { type TokenFile, TokenTable } from '../../../src/gateway/access/token_table.js';
import { TokenFileWatcher } from '../../../src/gateway/access/token_watch.js';
import { until } from '../../channel.js';
import type { Test } from '../../data.js';
import { begin_ms, codeOf, entitlements, fileOf, held } from './parts.js';

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-access-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

t.test('aFileThatOthersCouldReadOrChangeIsRefusedWithTheCure', async (t) => {
  const file = join(folderOf(t), 'tokens.json');
  writeTokenFile(file, fileOf(held()));
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(readTokenFile(file).tokens.length, 1);
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o666]) {
    chmodSync(file, mode);
    t.throws(
      () => readTokenFile(file),
      new TokenFileError(
        `${file} has mode 0${mode.toString(8)}: others may read or change who is let in; cure: chmod 600 ${file}`,
      ),
    );
  }
  chmodSync(file, 0o400);
  t.equal(readTokenFile(file).tokens.length, 1);
});

t.test('whatIsNoFileIsRefusedWithoutWaiting', async (t) => {
  const folder = folderOf(t);
  t.throws(() => readTokenFile(join(folder, 'none')), /does not exist; cure/);
  t.throws(() => readTokenFile(folder), /no regular file/);
  t.throws(() => readTokenFile('/dev/zero'), /no regular file/);
  writeFileSync(join(folder, 'bad'), 'dct_secret', { mode: 0o600 });
  t.throws(() => readTokenFile(join(folder, 'bad')), /bad: not JSON/);
});

t.test('tokensAreMadeListedAndRevoked', async (t) => {
  const file = join(folderOf(t), 'new', 'tokens.json');
  const given = { name: 'desk', expires_ms: begin_ms + 1_000, entitlements: entitlements() };
  const made = [newToken(file, given, begin_ms), newToken(file, { ...given, expires_ms: undefined }, begin_ms)];
  const text = readFileSync(file, 'utf8');
  for (const one of made) {
    t.notOk(text.includes(one.text.slice(17)), 'the secret is not in the file');
    t.ok('principal' in new TokenTable(readTokenFile(file)).verify(one.text, begin_ms));
  }
  t.same(
    listTokens(file, begin_ms).map(({ id, state }) => [id, state]),
    made.map(({ id }) => [id, 'valid']),
  );
  t.notOk(JSON.stringify(listTokens(file, begin_ms)).includes('sha256'));
  t.same(revokeToken(file, made[1]?.text ?? '', begin_ms), { id: made[1]?.id, changed: true }, 'by the whole token');
  t.same(revokeToken(file, made[1]?.id ?? '', begin_ms + 1), { id: made[1]?.id, changed: false });
  t.same(
    listTokens(file, begin_ms + 1_000).map(({ state }) => state),
    ['expired', 'revoked'],
  );
  t.equal(codeOf(new TokenTable(readTokenFile(file)).verify(made[1]?.text ?? '', begin_ms)), 'token_revoked');
  t.throws(() => revokeToken(file, 'abcdefghijkm', begin_ms), /has no token abcdefghijkm/);
  t.throws(() => revokeToken(file, 'x'.repeat(50), begin_ms), /expected the id/);
  t.throws(() => newToken(file, { ...given, name: 'a\nb' }, begin_ms), /not written: tokens\[2\]\.name/);
  t.equal(listTokens(file, begin_ms).length, 2, 'and nothing was written');
  t.same(statSync(file).mode & 0o777, 0o600);
});

t.test('commandsAtTheSameTimeExcludeEachOther', async (t) => {
  const file = join(folderOf(t), 'tokens.json');
  writeTokenFile(file, fileOf());
  changeTokenFile(file, false, () => {
    t.throws(() => changeTokenFile(file, false, () => {}), /another command is changing it/);
  });
  t.throws(() =>
    changeTokenFile(file, false, () => {
      throw new Error('x');
    }),
  );
  t.notOk(existsSync(`${file}.lock`));
});

function watching(t: Test, file: string, pollMs: number) {
  const changes: TokenFile[] = [];
  const reasons: string[] = [];
  const watcher = new TokenFileWatcher(
    { file, pollMs, debounceMs: 10 },
    { changed: (content) => changes.push(content), broken: (reason) => reasons.push(reason) },
  );
  t.teardown(() => watcher.close());
  return { watcher, changes, reasons };
}

t.test('theWatcherTellsChangesKeepsTheOldOnABrokenFileAndSaysSoOnce', async (t) => {
  const file = join(folderOf(t), 'tokens.json');
  const [one, two] = [held(), held()];
  writeTokenFile(file, fileOf(one));
  const { watcher, changes, reasons } = watching(t, file, 3_600_000);
  t.equal(watcher.start().tokens.length, 1);
  writeTokenFile(file, fileOf(one, two));
  await until('changes', () => changes.length === 1);
  t.equal(changes[0]?.tokens.length, 2, 'noticed without polling');
  writeFileSync(file, '{"version":1,"tok');
  await until('reasons', () => reasons.length === 1);
  watcher.check();
  chmodSync(file, 0o644);
  watcher.check();
  rmSync(file);
  watcher.check();
  t.match(reasons, [/not JSON/, /mode 0644/, /does not exist/]);
  t.equal(changes.length, 1, 'the old one goes on');
  writeTokenFile(file, fileOf(one, two));
  await until('changes', () => changes.length === 2);
  t.equal(changes[1]?.tokens.length, 2, 'told again, since it is whole again');
});

t.test('theWatcherPollsWhereNoNoticeComes', async (t) => {
  const folder = folderOf(t);
  // As Kubernetes mounts secrets: a link to a folder that is replaced elsewhere.
  mkdirSync(join(folder, 'v1'));
  mkdirSync(join(folder, 'v2'));
  mkdirSync(join(folder, 'mount'));
  writeTokenFile(join(folder, 'v1', 'tokens.json'), fileOf(held()));
  writeTokenFile(join(folder, 'v2', 'tokens.json'), fileOf(held(), held()));
  symlinkSync(join(folder, 'v1'), join(folder, 'data'));
  symlinkSync(join(folder, 'data', 'tokens.json'), join(folder, 'mount', 'tokens.json'));
  const { watcher, changes } = watching(t, join(folder, 'mount', 'tokens.json'), 20);
  watcher.start();
  symlinkSync(join(folder, 'v2'), join(folder, 'data.new'));
  renameSync(join(folder, 'data.new'), join(folder, 'data'));
  await until('changes', () => changes.length === 1);
  t.equal(changes[0]?.tokens.length, 2);
});

t.test('aServerDoesNotStartOnABrokenFile', async (t) => {
  const file = join(folderOf(t), 'tokens.json');
  writeFileSync(file, 'x', { mode: 0o600 });
  t.throws(() => watching(t, file, 1_000).watcher.start(), TokenFileError);
});
