/** `depthcast token ...` as its users run it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readTokenFile } from '../../../src/gateway/access/token_file.js';
import { TokenTable } from '../../../src/gateway/access/token_table.js';
import { ensureBuilt, main } from '../../cli_process.js';

t.test('tokensAreMadeListedAndRevokedByCommand', async (t) => {
  await ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-token-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  const run = (command: string, ...rest: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'token', command, '--file', file, ...rest], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const made = run('new', '--name', 'desk 4', '--channels', '1,2', '--instruments', 'ES*', '--depth-levels-max', '10');
  t.equal(made.status, 0, made.stderr);
  const text = made.stdout.trim();
  t.match(made.stdout, /^dct_[a-z2-9]{12}_[A-Za-z0-9_-]{43}\n$/, 'the token, and nothing else');
  t.notOk(made.stderr.includes(text.slice(17)), 'it is printed once');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.match(new TokenTable(readTokenFile(file)).verify(text, Date.now()), {
    principal: {
      name: 'desk 4',
      entitlements: { grants: [{ channels: [1, 2], instruments: ['ES*'], depthLevelsMax: 10 }] },
    },
  });
  const listed = JSON.parse(run('list', '--json').stdout).tokens[0];
  t.match(listed, { state: 'valid', name: 'desk 4' });
  t.notOk('hash' in listed);
  t.match(run('list').stdout, /valid.*desk 4.*depth,bbo,trades of ES\* on 1,2 10 levels/);
  t.match(run('revoke', listed.id), { status: 0, stderr: /revoked/ });
  t.match(run('list').stdout, /revoked/);

  t.match(run('new', '--name', 'x', '--modes', 'exact', '--instruments', 'A'), {
    status: 2,
    stdout: '',
    stderr: /whole channel/,
  });
  t.match(run('new'), { status: 2, stdout: '' });
  t.match(run('revoke', 'abcdefghijkm'), { status: 1, stderr: /has no token/ });
  const whole = join(folder, 'entitlements.json');
  writeFileSync(whole, '{"grants":[{"channels":"*","instruments":["*"],"modes":["exact"]}]}');
  t.match(run('new', '--name', 'x', '--entitlements', whole, '--modes', 'bbo'), {
    status: 2,
    stderr: /says everything/,
  });
  t.match(run('new', '--name', 'mirror', '--entitlements', whole, '--expires-days', '0'), { status: 0 });
  t.equal(readTokenFile(file).tokens[1]?.expires, null);
  const before = readFileSync(file, 'utf8');
  chmodSync(file, 0o644);
  t.match(run('list'), { status: 1, stdout: '', stderr: /cure: chmod 600/ });
  t.match(run('new', '--name', 'x'), { status: 1, stdout: '', stderr: /cure: chmod 600/ });
  t.equal(readFileSync(file, 'utf8'), before);
});
