/** The bundle that is published: small, and nothing of Node in it. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { browserBundle, published } from '../../tools/browser_bundle.mjs';

const bytes_max = 61_440;

t.test('isSmallAndNeedsNothingOfNode', async (t) => {
  const { text, imports } = await browserBundle({ ...published, write: false });
  const bytes = gzipSync(text, { level: 9 }).length;
  t.comment(`${text.length} characters, ${bytes} bytes gzipped`);
  t.ok(bytes < bytes_max, `${bytes} bytes gzipped`);
  t.same(imports, [], 'it imports nothing');
  t.notMatch(text, /["']node:|\brequire\(|\bprocess\.|\bBuffer\b|\bsetImmediate\b/, 'no name of Node occurs');
  const module = (await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)) as object;
  t.same(Object.keys(module).sort(), [
    'GatewayClient',
    'GatewayError',
    'Subscription',
    'formatDecimal',
    'parseDecimal',
  ]);
});
