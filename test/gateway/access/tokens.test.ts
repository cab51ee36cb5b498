/** API tokens: their text, the table, the file's format. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import { parseTokenFile, TokenTable } from '../../../src/gateway/access/token_table.js';
import { hashOfSecret, hashText, isWeakSecret, makeToken, tokenParts } from '../../../src/gateway/access/token_text.js';
import { begin_ms, codeOf, fileOf, type Held, held } from './parts.js';

function textOf(id: string, secret: Buffer): string {
  return `dct_${id}_${secret.toString('base64url')}`;
}

t.test('newTokensAreWellFormedRandomAndDiffer', async (t) => {
  const texts = new Set<string>();
  for (let count = 0; count < 2_000; count++) {
    const { id, text, hash } = makeToken();
    const parts = tokenParts(text);
    if (parts?.id !== id || hashText(hashOfSecret(parts.secret)) !== hash) t.fail('not what was made');
    texts.add(text);
  }
  t.equal(texts.size, 2_000);
});

t.test('aGeneratorThatDoesNotGiveRandomBytesIsFoundOut', async (t) => {
  t.throws(() => makeToken((bytes) => Buffer.alloc(bytes, 7)), /does not give random bytes/);
});

t.test('secretsThatSomebodyMadeUpAreWeak', async (t) => {
  const made_up = [
    Buffer.alloc(32),
    Buffer.from(Array.from({ length: 32 }, (_, index) => index)),
    Buffer.from('correct horse battery staple 123'),
    Buffer.from('correcthorsebatterystaplecorrecthorsebatter', 'base64url'),
    Buffer.from('0123456789abcdef0123456789abcdef0123456789A', 'base64url'),
    Buffer.concat([randomBytes(8), randomBytes(8)].flatMap((half) => [half, half]))
      .subarray(0, 32)
      .fill(9, 16),
  ];
  for (const secret of made_up) {
    t.equal(isWeakSecret(secret), true, secret.toString('hex'));
    const table = new TokenTable(fileOf({ ...held(), text: '' }));
    t.equal(codeOf(table.verify(textOf('abcdefghijkm', secret), begin_ms)), 'token_weak');
  }
});

t.test('everyTokenIsComparedOnceInConstantTimeWhetherKnownOrNot', async (t) => {
  const compared: number[][] = [];
  const [one, other] = [held(), held()];
  const table = new TokenTable(fileOf(one), (left, right) => {
    compared.push([left.length, right.length]);
    return timingSafeEqual(left, right);
  });
  const wrong = `${one.text.slice(0, 17)}${other.text.slice(17)}`;
  t.same(
    [one.text, other.text, wrong].map((text) => codeOf(table.verify(text, begin_ms))),
    ['ok', 'token_unknown', 'token_unknown'],
  );
  t.same(compared, [
    [32, 32],
    [32, 32],
    [32, 32],
  ]);
});

t.test('expiryAndRevocationAreToldOnlyToWhoHasTheSecret', async (t) => {
  const revoked = held({ revoked: '2026-01-01T00:00:00Z' });
  const expired = held({ expires: '2026-01-01T00:00:01Z' });
  const table = new TokenTable(fileOf(revoked, expired));
  const stranger = (one: Held) => `${one.text.slice(0, 17)}${held().text.slice(17)}`;
  t.equal(codeOf(table.verify(revoked.text, begin_ms)), 'token_revoked');
  t.equal(codeOf(table.verify(stranger(revoked), begin_ms)), 'token_unknown');
  t.equal(codeOf(table.verify(expired.text, begin_ms + 999)), 'ok');
  t.equal(codeOf(table.verify(expired.text, begin_ms + 1_000)), 'token_expired');
  t.equal(codeOf(table.verify(stranger(expired), begin_ms + 1_000)), 'token_unknown');
});

t.test('onlyOneSpellingOfATokenIsRight', async (t) => {
  const { text } = held();
  t.ok(tokenParts(text));
  const last = text.at(-1) as string;
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  // The last character carries 4 bits of 6.
  const twin = letters[letters.indexOf(last) ^ 1] as string;
  const spellings = [
    `${text.slice(0, -1)}${twin}`,
    `${text}=`,
    `${text} `,
    ` ${text}`,
    text.toUpperCase(),
    `${text}\n`,
  ];
  for (const spelling of spellings) t.equal(tokenParts(spelling), undefined, JSON.stringify(spelling));
});

t.test('theFileIsReadStrictlyAndFaultsShowNoSecret', async (t) => {
  const { entry, text } = held();
  const good = { version: 1, tokens: [entry], denied: [{ sub: 'a' }, { jti: 'b' }] };
  t.match(parseTokenFile(JSON.stringify(good)), { value: good });
  const bad: [unknown, RegExp][] = [
    ['{', /^not JSON/],
    [`{"version":1,"tokens":[{"id":"${text}`, /^not JSON/],
    [[], /expected/],
    [null, /expected/],
    [{ version: 2, tokens: [] }, /^version: expected 1$/],
    [{ version: 1 }, /^tokens: expected array$/],
    [{ ...good, token: text }, /^unknown "token"$/],
    [{ ...good, tokens: [{ ...entry, hash: text }] }, /^tokens\[0\]\.hash: expected "sha256:"/],
    [{ ...good, tokens: [{ ...entry, id: text }] }, /^tokens\[0\]\.id: expected the 12/],
    [{ ...good, tokens: [{ ...entry, [text]: 1 }] }, /^tokens\[0\]: unknown/],
    [{ ...good, tokens: [entry, entry] }, /^tokens: expected every id once$/],
    [{ ...good, tokens: [{ ...entry, expires: '2027-02-31' }] }, /expires: expected a time/],
    [{ ...good, tokens: [{ ...entry, expires: '2027-13-01T00:00:00Z' }] }, /expires: expected a time/],
    [{ ...good, tokens: [{ ...entry, name: 'a\u001b[2J' }] }, /name: expected 1 to 128 printable/],
    [{ ...good, tokens: [{ ...entry, name: 'a\u202eb' }] }, /name: expected 1 to 128 printable/],
    [{ ...good, tokens: [{ ...entry, entitlements: {} }] }, /entitlements\.grants: expected array/],
    [{ ...good, tokens: [text] }, /^tokens\[0\]: expected object$/],
    [{ ...good, denied: [{ sub: 'a', jti: 'b' }] }, /^denied\[0\]: expected \{"sub"/],
  ];
  for (const [value, fault] of bad) {
    const parsed = parseTokenFile(typeof value === 'string' ? value : JSON.stringify(value));
    t.match(parsed, { fault }, JSON.stringify(value).slice(0, 60));
    t.notOk(JSON.stringify(parsed).includes(text.slice(25)), 'nothing of the token is shown');
  }
  t.match(parseTokenFile('{"version":1,"tokens":[],"__proto__":{"a":1}}'), { fault: /unknown/ });
  t.match(parseTokenFile('['.repeat(500_000)), { fault: /^not JSON/ });
});

t.test('mutatedFilesAndTokensNeverThrowNorLetIn', async (t) => {
  const seed = Number(process.env.SEED ?? 20_261_123);
  t.comment(`SEED=${seed}`);
  const random = new SeededRandom(seed);
  const { entry, text } = held();
  const whole = JSON.stringify({ version: 1, tokens: [entry], denied: [] });
  const table = new TokenTable(fileOf({ entry, text }));
  const letters = [...'{}[]",:0aZ_-.\\\u0000\u202e\ud800é ', '"a"', 'null', '1e999'];
  const mutate = (source: string) => {
    let result = source;
    for (let edits = random.between(1, 4); edits > 0; edits--) {
      const at = random.between(0, result.length);
      const dropped = random.between(0, 3);
      result = result.slice(0, at) + (random.between(0, 1) ? random.pick(letters) : '') + result.slice(at + dropped);
    }
    return result;
  };
  let accepted = 0;
  for (let run = 0; run < 5_000; run++) {
    const parsed = parseTokenFile(mutate(whole));
    if ('value' in parsed) {
      accepted++;
      new TokenTable(parsed.value);
    }
    const mutated = mutate(text);
    const answer = table.verify(mutated, begin_ms);
    if (mutated !== text && !('refusal' in answer)) t.fail(`let in: ${JSON.stringify(mutated)}`);
  }
  t.comment(`${accepted} of 5000 mutated files were still good`);
});
