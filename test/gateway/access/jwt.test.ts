/** JWTs: good ones, and every kind of wrong one. */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import t from 'tap';
import { SeededRandom } from '../../../src/faults/random.js';
import { fixedKeys } from '../../../src/gateway/access/jwks.js';
import { type JwtOptions, JwtVerifier } from '../../../src/gateway/access/jwt.js';
import { KeyError, keysOfFile, keysOfSet } from '../../../src/gateway/access/jwt_keys.js';
import { begin_ms, codeOf, entitlements } from './parts.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const begin_s = begin_ms / 1_000;

const options: JwtOptions = {
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  issuer: 'https://issuer.example',
  audience: 'depthcast',
  toleranceSeconds: 30,
  ageSecondsMax: 0,
  claim: 'depthcast',
};

function verifier(change: Partial<JwtOptions> = {}, keys = [rsa, ec, ed]): JwtVerifier {
  const sets = keys.map(({ publicKey }) => keysOfFile(pem(publicKey)));
  return new JwtVerifier({ ...options, ...change }, fixedKeys(sets));
}

const good = {
  iss: options.issuer,
  aud: options.audience,
  sub: 'desk-4',
  exp: begin_s + 60,
  depthcast: entitlements(),
};

/** Without jose's own care for claims. */
function sign(claims: object, header: object = {}, key: KeyObject = rsa.privateKey): Promise<string> {
  const payload = Buffer.from(JSON.stringify(claims));
  return new CompactSign(payload).setProtectedHeader({ alg: 'RS256', ...header }).sign(key);
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

t.test('aGoodOneGivesSubjectExpiryAndEntitlements', async (t) => {
  const answer = await verifier().verify(await sign({ ...good, jti: 'j1' }), begin_ms);
  t.same(answer, {
    principal: {
      kind: 'jwt',
      id: 'desk-4',
      name: '',
      jti: 'j1',
      expires_ms: begin_ms + 90_000,
      entitlements: entitlements(),
    },
  });
  t.equal(codeOf(await verifier().verify(await sign(good, { alg: 'ES256' }, ec.privateKey), begin_ms)), 'ok');
  t.equal(
    codeOf(await verifier().verify(await sign(good, { alg: 'EdDSA', kid: 'any' }, ed.privateKey), begin_ms)),
    'ok',
  );
  t.equal(codeOf(await verifier().verify(await sign({ ...good, aud: ['x', 'depthcast'] }), begin_ms)), 'ok');
});

t.test('wrongClaimsHaveTheirCodes', async (t) => {
  const cases: [object, string][] = [
    [{ exp: begin_s - 31 }, 'jwt_expired'],
    [{ exp: begin_s - 29 }, 'ok'],
    [{ exp: undefined }, 'jwt_claims'],
    [{ exp: '9999999999' }, 'jwt_claims'],
    [{ nbf: begin_s + 31 }, 'jwt_not_yet'],
    [{ nbf: begin_s + 29 }, 'ok'],
    [{ nbf: 'soon' }, 'jwt_claims'],
    [{ aud: 'other' }, 'jwt_audience'],
    [{ aud: undefined }, 'jwt_audience'],
    [{ aud: [] }, 'jwt_audience'],
    [{ iss: 'https://issuer.example/' }, 'jwt_issuer'],
    [{ iss: undefined }, 'jwt_issuer'],
    [{ sub: undefined }, 'jwt_claims'],
    [{ sub: '' }, 'jwt_claims'],
    [{ sub: 7 }, 'jwt_claims'],
    [{ sub: 'a\nb' }, 'jwt_claims'],
    [{ sub: 'a\u2028b' }, 'jwt_claims'],
    [{ sub: 'x'.repeat(129) }, 'jwt_claims'],
    [{ jti: 'a\u0007' }, 'jwt_claims'],
    [{ depthcast: undefined }, 'jwt_entitlements'],
    [{ depthcast: 'all' }, 'jwt_entitlements'],
    [{ depthcast: { ...entitlements(), admin: true } }, 'jwt_entitlements'],
  ];
  for (const [change, code] of cases)
    t.equal(
      codeOf(await verifier().verify(await sign({ ...good, ...change }), begin_ms)),
      code,
      `${Object.keys(change)}, ${code}`,
    );
});

t.test('anExpiryThatIsNoFiniteNumberIsNone', async (t) => {
  const text = JSON.stringify({ ...good, exp: 'EXP' }).replace('"EXP"', '1e400');
  const signed = new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
  t.equal(codeOf(await verifier().verify(await signed, begin_ms)), 'jwt_claims');
});

t.test('ageIsLimitedWhereConfigured', async (t) => {
  const strict = verifier({ ageSecondsMax: 100 });
  const aged = async (iat: number | undefined) => codeOf(await strict.verify(await sign({ ...good, iat }), begin_ms));
  t.equal(await aged(begin_s - 100), 'ok');
  t.equal(await aged(begin_s - 200), 'jwt_expired');
  t.equal(await aged(begin_s + 60), 'jwt_not_yet');
  t.equal(await aged(undefined), 'jwt_claims');
});

t.test('algorithmsArePinned', async (t) => {
  const code = async (text: string, which = verifier()) => codeOf(await which.verify(text, begin_ms));
  const unsigned = `${encode({ alg: 'none' })}.${encode(good)}.`;
  t.equal(await code(unsigned), 'jwt_algorithm');
  for (const alg of ['None', 'nOnE', 'NONE', 'HS256', 'RS1', 'dir', ''])
    t.not(await code(`${encode({ alg })}.${encode(good)}.AAAA`), 'ok', alg);
  // The public key as the secret of an HMAC: the classic confusion.
  for (const secret of [
    pem(rsa.publicKey),
    pem(rsa.publicKey).trim(),
    rsa.publicKey.export({ type: 'spki', format: 'der' }),
  ])
    for (const alg of ['HS256', 'RS256']) {
      const body = `${encode({ alg })}.${encode(good)}`;
      const text = `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
      t.equal(await code(text), alg === 'HS256' ? 'jwt_algorithm' : 'jwt_signature');
    }
  t.equal(await code(await sign(good, { alg: 'PS256' })), 'jwt_algorithm', 'good, but not in our list');
  t.equal(await code(await sign(good, { alg: 'ES256' }, ec.privateKey), verifier({}, [rsa])), 'jwt_key');
});

t.test('keysInTheTokenItselfCountForNothing', async (t) => {
  const evil = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const jwk = evil.publicKey.export({ format: 'jwk' });
  const headers = [{ jwk }, { jku: 'https://evil.example/jwks' }, { x5u: 'https://evil.example/x' }, { x5c: ['AAAA'] }];
  for (const header of [...headers, { kid: '../../dev/null' }, { kid: "' OR 1=1" }])
    t.equal(codeOf(await verifier().verify(await sign(good, header, evil.privateKey), begin_ms)), 'jwt_signature');
});

t.test('anotherKeyOrAChangedByteIsAWrongSignature', async (t) => {
  const text = await sign(good);
  const [head = '', body = '', signature = ''] = text.split('.');
  const other = encode({ ...good, sub: 'root' });
  t.equal(codeOf(await verifier().verify(`${head}.${other}.${signature}`, begin_ms)), 'jwt_signature');
  t.equal(codeOf(await verifier().verify(`${head}.${body}.${'A'.repeat(342)}`, begin_ms)), 'jwt_signature');
  t.equal(codeOf(await verifier().verify(`${head}.${body}.`, begin_ms)), 'jwt_signature');
});

t.test('malformedOnesAreRefused', async (t) => {
  const text = await sign(good);
  const crit = `${encode({ alg: 'RS256', crit: ['x'], x: 1 })}.${text.split('.').slice(1).join('.')}`;
  const cases = [
    '',
    '.',
    '..',
    'a.b',
    'a.b.c.d',
    `${text}.x`,
    ` ${text}`,
    `${text}\n`,
    '{"alg":"none"}',
    crit,
    `${'A'.repeat(9_000)}.A.A`,
    'é.é.é',
  ];
  for (const one of cases) t.equal(codeOf(await verifier().verify(one, begin_ms)), 'jwt_malformed', one.slice(0, 30));
});

t.test('whereSeveralKeysFitEachIsTried', async (t) => {
  const [first, second] = [rsa, generateKeyPairSync('rsa', { modulusLength: 2_048 })];
  const both = verifier({}, [first, second] as never);
  t.equal(codeOf(await both.verify(await sign(good, {}, first.privateKey), begin_ms)), 'ok');
  t.equal(codeOf(await both.verify(await sign(good, {}, second.privateKey), begin_ms)), 'ok');
  const third = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  t.equal(codeOf(await both.verify(await sign(good, {}, third.privateKey), begin_ms)), 'jwt_signature');
});

t.test('keyFilesMustBePublicAndStrongEnough', async (t) => {
  const jwk = rsa.publicKey.export({ format: 'jwk' });
  t.match(keysOfFile(pem(rsa.publicKey)), { keys: [{ kty: 'RSA' }] });
  t.match(keysOfFile(JSON.stringify(jwk)), { keys: [{ kty: 'RSA' }] });
  t.match(keysOfFile(JSON.stringify({ keys: [jwk] })), { keys: [{ kty: 'RSA' }] });
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const bad = [
    rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    JSON.stringify(rsa.privateKey.export({ format: 'jwk' })),
    JSON.stringify({ kty: 'oct', k: 'AAAA' }),
    pem(rsa.publicKey) + pem(ec.publicKey),
    pem(weak.publicKey),
    JSON.stringify({ ...jwk, n: 'A'.repeat(4_000) }),
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    '{}',
    '[]',
    'null',
    'hello',
    '',
  ];
  for (const text of bad) t.throws(() => keysOfFile(text), KeyError, text.slice(0, 30));
});

t.test('keySetsKeepOnlyWhatCanBeUsed', async (t) => {
  const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'a', x5u: 'https://x.example' };
  const junk = [{ kty: 'oct', k: 'AAAA' }, { kty: 'X' }, { ...jwk, use: 'enc' }, { ...jwk, d: 'AAAA' }, {}];
  const { keys } = keysOfSet(JSON.stringify({ keys: [...junk, jwk] }));
  t.same(
    keys.map(({ kid }) => kid),
    ['a'],
  );
  t.notOk('x5u' in (keys[0] as object));
  for (const bad of ['', '{', '[]', '{"keys":1}', '{"keys":[1]}', '{"keys":[]}', JSON.stringify({ keys: junk })])
    t.throws(() => keysOfSet(bad), KeyError, bad.slice(0, 30));
  t.throws(() => keysOfSet(JSON.stringify({ keys: new Array(65).fill(jwk) })), /more than 64/);
});

t.test('mutatedTokensNeverThrowNorLetIn', async (t) => {
  const seed = Number(process.env.SEED ?? 99);
  t.comment(`SEED=${seed}`);
  const random = new SeededRandom(seed);
  const text = await sign(good, { alg: 'EdDSA' }, ed.privateKey);
  const which = verifier({}, [ed] as never);
  const [head = '', body = '', signature = ''] = text.split('.');
  const values: unknown[] = [null, 0, -1, 1e308, 'x', '', [], {}, true, '\u0000', [[]], { a: {} }];
  const keys = ['alg', 'typ', 'cty', 'kid', 'crit', 'b64', 'zip', 'jwk', 'enc', '__proto__', 'constructor'];
  for (let run = 0; run < 300; run++) {
    const at = random.between(0, text.length - 1);
    const flipped = text.slice(0, at) + random.pick([...'AZaz09-_.']) + text.slice(at + 1);
    const header = encode({ alg: 'EdDSA', [random.pick(keys)]: random.pick(values) });
    for (const mutated of [
      flipped,
      `${header}.${body}.${signature}`,
      `${head}.${encode(random.pick(values))}.${signature}`,
    ]) {
      const same = mutated.slice(0, -2) === text.slice(0, -2); // the last character carries bits that do not count
      if (codeOf(await which.verify(mutated, begin_ms)) === 'ok' && !same) t.fail(`let in: ${mutated}`);
    }
  }
});
