/** The perf programs of the gateway on tiny inputs, so that they cannot rot. What they measure is not judged here. */
import t from 'tap';
import { perf } from '../perf_process.js';

t.setTimeout(900_000);

t.test('fanoutDeliversFromEverySystem', async (t) => {
  const small = ['--clients', '3', '--rounds', '1', '--seconds', '1', '--rate', '2000'];
  const result = await perf('fanout', ...small);
  for (const name of ['gateway', 'bare', 'uws', 'uws_joined', 'ws', 'ws_joined']) {
    t.ok(Number(result[`${name}_3_deliveries_per_second`]) > 0, name);
    t.equal(result[`${name}_3_slow`], 0, name);
  }
  // On a busy machine it may round to 0.
  t.ok(Number.isFinite(result.ratio_3_bare));
});

t.test('gatewayClientsAreServedWhileSomeStopReading', async (t) => {
  const small = ['--exact', '1', '--bbo', '1', '--depth', '2', '--silent', '0,0,1', '--rate', '5000'];
  const feed = ['--symbols', '5', '--live-orders', '200', '--instruments', '3', '--wait', 'park', '--port', '28508'];
  const result = await perf(
    'gateway_clients',
    ...small,
    ...feed,
    '--rounds',
    '1',
    '--phase-ms',
    '400',
    '--silent-ms',
    '300',
  );
  t.match(result, { exact_reading_before: 1, depth_reading_before: 2, depth_reading_after: 1 });
  for (const name of ['exact', 'bbo', 'depth']) t.ok(Number(result[`${name}_messages_per_second_after`]) > 0, name);
  t.ok(Number(result.datagrams_with) > 0 && Number(result.datagrams_without) > 0);
  t.match(result, { silent_counted: 1, silent_counted_equal: 1, silent_closed: 0 });
  const long = await perf('gateway_clients', ...small, ...feed, '--minutes', '0.01');
  t.equal(long.memory_verdict, 'too few samples');
  t.ok(Number(long.memory_mib_most) > 0 && Number(long.messages) > 0);
});
