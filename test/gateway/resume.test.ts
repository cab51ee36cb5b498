/** Where a client left off: numbers at the edges, and those of another session. */
import t from 'tap';
import { until } from '../channel.js';
import { packetHead } from '../faults/packets.js';
import { gatewayOn } from './gateway_on.js';
import { RawGatewayClient } from './raw_client.js';

async function resumed(port: number, session: string, sequence: bigint) {
  const client = await RawGatewayClient.open(port);
  t.teardown(() => client.close());
  const resume = { session, sequence: String(sequence) };
  const answer = await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact', resume }, 'subscribed');
  await until('packets', () => client.packets.length > 2, 30_000);
  return { answer, client, why: client.marks[0]?.[1] };
}

t.test('whatCannotBeResumedBeginsAnewAndSaysSo', { timeout: 120_000 }, async (t) => {
  const { distributor, server } = await gatewayOn(t, 196, { rate: 2_000 });
  const session = String(distributor.session);
  await until('messages', () => distributor.stats().sequence > 200n, 30_000);
  const first = await resumed(server.port, session, 100n);
  t.equal(first.why, 'resume');
  t.equal(packetHead(first.client.packets[0] as Buffer).packet.firstSequence() <= 101n, true);
  const beyond = 2n ** 64n;
  for (const [from, sequence, why] of [
    [session, 0n, 'begin'],
    [session, 10n ** 12n, 'gap'],
    [session, 2n ** 63n, 'gap'],
    [session, beyond - 2n, 'gap'],
    [session, beyond - 1n, 'gap'],
    [String(beyond - 1n), 100n, 'gap'],
    ['0', beyond - 1n, 'gap'],
  ] as const) {
    const { answer, client, why: said } = await resumed(server.port, from, sequence);
    t.equal(said, why, `${from} ${sequence}`);
    t.match(answer, { type: 'subscribed', session }, 'with the session that it is now');
    t.ok(client.snapshots.length > 0, 'a snapshot');
    t.same(client.faults, []);
    const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
    await until('what was counted', () => client.sent + client.conflated >= BigInt(counts.sent as string));
    t.equal(BigInt(counts.published as string), BigInt(counts.sent as string) + BigInt(counts.pending as string));
    client.close();
  }
  // Of a gateway that was begun anew without its state: another session.
  const again = await gatewayOn(t, 197, { rate: 2_000 });
  await until('messages', () => again.distributor.stats().sequence > 200n, 30_000);
  const { answer, why } = await resumed(again.server.port, session, 100n);
  t.equal(why, 'gap');
  t.not(answer.session, session);
});
