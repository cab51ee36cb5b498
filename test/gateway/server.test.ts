/** The gateway end to end: a distributor, the gateway's server in this thread, and a client that knows the document. */
import t from 'tap';
import type { Grant } from '../../src/gateway/session_state.js';
import { until } from '../channel.js';
import { linePair } from '../faults/lines.js';
import { packetHead } from '../faults/packets.js';
import { endAfter, gatewayOn } from './gateway_on.js';
import { LineRecorder } from './line_recorder.js';
import { compareWithLine, levelsOf, RawGatewayClient } from './raw_client.js';

async function open(...given: Parameters<typeof gatewayOn>) {
  const made = await gatewayOn(...given);
  const connect = async () => {
    const client = await RawGatewayClient.open(made.server.port);
    given[0].teardown(() => client.close());
    return client;
  };
  return { ...made, connect };
}

t.test('exactIsTheMulticastByteForByte', async (t) => {
  const recorder = await LineRecorder.open(linePair(150).A);
  t.teardown(() => recorder.close());
  const { connect, distributor } = await open(t, 150, { rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const client = await connect();
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact' }, 'subscribed');
  await until('packets', () => client.packets.length > 100);
  await distributor.stop();
  const { sequence } = distributor.stats();
  const last = () => client.packets.at(-1);
  await until('the last packet', () => {
    const packet = last();
    return packet !== undefined && packetHead(packet).first + packetHead(packet).count - 1 === Number(sequence);
  });
  const { compared, differing } = compareWithLine(client.packets, await recorder.stop());
  t.equal(differing, 0, `${compared} of ${client.packets.length} packets are those of the line`);
  t.ok(compared > 10);
  t.ok(client.snapshots.length > 0 && client.packets.length > 100);
  const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
  t.equal(counts.sent, String(client.sent));
  t.equal(counts.published, counts.sent, 'nothing was conflated');
  t.equal(counts.pending, '0');
  t.same(client.faults, []);
});

t.test('windowsAreTheDistributorsDepthAndEveryMessageIsAccountedFor', async (t) => {
  const { connect, distributor, native } = await open(t, 151, {
    rate: 40_000,
  });
  await until('the first messages', () => distributor.stats().sequence > 1_000n);
  const client = await connect();
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', levels: 5, intervalMs: 20 }, 'subscribed');
  const chosen = await connect();
  const answer = await chosen.ask(
    { type: 'subscribe', id: 7, channel: 1, mode: 'bbo', instruments: [1, 2], intervalMs: 0 },
    'subscribed',
  );
  t.equal((answer.instruments as unknown[]).length, 2);
  await endAfter(distributor, 30_000);
  await until('the end', () => native.state().sequence === distributor.stats().sequence, 60_000);
  await until('windows', () => client.windows.size > 0 && chosen.windows.size > 0, 60_000);
  const counts = await client.ask({ type: 'count', id: 1 }, 'counts');
  t.equal(counts.sent, String(client.sent));
  t.equal(counts.conflated, String(client.conflated));
  t.equal(BigInt(counts.published as string), client.sent + client.conflated);
  t.equal(counts.pending, '0');
  for (const { instrument, symbol } of distributor.instruments()) {
    const window = client.windows.get(instrument);
    const depth = distributor.depth(symbol, 5);
    if (window === undefined || depth === undefined) {
      t.fail(`no window of ${symbol}`);
      continue;
    }
    const levels = (side: { price: bigint; quantity: bigint; orders: number }[]) =>
      side.map(({ orders, price, quantity }) => [price, quantity, Number(orders)]);
    t.same(levelsOf(window), { bids: levels(depth.bids as never), asks: levels(depth.asks as never) }, symbol);
  }
  t.same([...chosen.windows.keys()].sort(), [1, 2]);
  const ended = await chosen.ask({ type: 'unsubscribe', id: 7 }, 'unsubscribed');
  t.equal(BigInt(ended.published as string), chosen.sent + chosen.conflated);
  t.same([...client.faults, ...chosen.faults], []);
  t.ok(client.conflated > 0n);
});

t.test('filteredAndTradesComeInOrderAndAreCounted', async (t) => {
  const { connect, distributor, native } = await open(t, 152, { rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const client = await connect();
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'filtered', instruments: [3] }, 'subscribed');
  const trades = await connect();
  await trades.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'trades' }, 'subscribed');
  await endAfter(distributor, 15_000);
  await until('the end', () => native.state().sequence === distributor.stats().sequence, 60_000);
  for (const one of [client, trades]) {
    const counts = await one.ask({ type: 'count', id: 1 }, 'counts');
    t.equal(counts.sent, String(one.sent));
    t.equal(counts.pending, '0');
    t.equal(
      BigInt(counts.published as string),
      BigInt(counts.sent as string) + BigInt(counts.conflated as string) + BigInt(counts.refused as string),
    );
  }
  const ascending = (numbers: bigint[]) =>
    numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0n));
  t.ok(ascending(client.numbers) && client.numbers.length > 100);
  t.ok(ascending(trades.prints) && trades.prints.length > 10);
});

t.test('theModeChangesInFlight', async (t) => {
  const { connect, distributor } = await open(t, 153, { rate: 20_000 });
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const client = await connect();
  await client.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'bbo' }, 'subscribed');
  await until('windows', () => client.windows.size === 8);
  await client.ask({ type: 'change', id: 1, mode: 'exact' }, 'changed');
  await until('packets behind a snapshot', () => client.packets.length > 20);
  t.ok(client.snapshots.length > 0);
  const heads = client.packets.map((packet) => packetHead(packet));
  t.ok(
    heads.every(({ first }, index) => {
      const before = heads[index - 1];
      return before === undefined || before.first + before.count === first;
    }),
    'without a hole',
  );
});

t.test('whatIsWrongIsNamed', async (t) => {
  const grant: Grant = {
    refuse: ({ mode }) => (mode === 'exact' ? { code: 'forbidden', message: 'not yours' } : undefined),
  };
  const { connect, distributor, server } = await open(t, 154, { rate: 5_000 }, { grant });
  await until('the first messages', () => distributor.stats().sequence > 200n);
  const client = await connect();
  const subscribe = { type: 'subscribe', id: 1, channel: 1, mode: 'bbo' };
  const cases: [object | string, string][] = [
    ['{', 'bad_message'],
    [{ ...subscribe, levls: 3 }, 'bad_message'],
    [{ ...subscribe, levels: 65 }, 'bad_message'],
    [{ ...subscribe, id: 0 }, 'bad_message'],
    [{ ...subscribe, channel: 2 }, 'unknown_channel'],
    [{ ...subscribe, instruments: ['NOSUCH'] }, 'unknown_instrument'],
    [{ ...subscribe, instruments: ['*a*b*c*d*'] }, 'bad_message'],
    [{ ...subscribe, mode: 'exact' }, 'forbidden'],
    [{ type: 'unsubscribe', id: 9 }, 'unknown_id'],
    [{ type: 'hello', versions: [1] }, 'bad_message'],
  ];
  for (const [message, code] of cases) {
    const answer = await client.ask(message, 'nothing');
    t.equal(answer.code, code, JSON.stringify(message));
    t.equal(answer.id, (message as { id?: number }).id, 'whoever asked learns that it is answered');
  }
  t.equal((await client.ask(subscribe, 'subscribed')).type, 'subscribed');
  t.equal((await client.ask(subscribe, 'subscribed')).code, 'id_in_use');
  t.same(await client.ask({ type: 'ping', time: 5 }, 'pong'), { type: 'pong', time: 5 });

  const impatient = await RawGatewayClient.connect(server.port);
  t.teardown(() => impatient.close());
  t.equal((await impatient.ask(subscribe, 'nothing')).code, 'hello_first');
  await until('the close', () => impatient.closed !== undefined);
  t.equal(impatient.closed?.code, 4_001);
  const older = await RawGatewayClient.connect(server.port);
  t.teardown(() => older.close());
  t.equal((await older.ask({ type: 'hello', versions: [2] }, 'nothing')).code, 'bad_version');
});

t.test('oneWhoDoesNotReadIsClosedWithTheLastNumberAndNobodyElseNoticesIt', async (t) => {
  const { connect, distributor, server } = await open(
    t,
    155,
    { rate: 100_000, ring: { bytes: '16MiB' } },
    { bufferedBytes: 65_536 },
  );
  await until('the first messages', () => distributor.stats().sequence > 500n);
  const reader = await connect();
  await reader.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact' }, 'subscribed');
  const slow = await connect();
  await slow.ask({ type: 'subscribe', id: 1, channel: 1, mode: 'exact', onSlow: 'disconnect' }, 'subscribed');
  slow.socket.pause();
  await until('the policy', () => server.figures.slowDisconnected === 1, 60_000);
  slow.socket.resume();
  await until('the close', () => slow.closed !== undefined);
  t.equal(slow.closed?.code, 4_008);
  t.match(slow.closed?.reason, /^too slow: \d+$/);
  const before = reader.packets.length;
  await until('the other goes on', () => reader.packets.length > before + 50);
  t.notOk(reader.closed);
});

t.test('goodbyeIsSaidAtTheEnd', async (t) => {
  const { connect, server } = await open(t, 156, { rate: 1_000 });
  const client = await connect();
  server.close(250, 'wss://elsewhere.example/feed');
  await until('the close', () => client.closed !== undefined);
  const goodbye = client.texts.find(({ type }) => type === 'goodbye');
  t.match(goodbye, { reconnectMs: 250, url: 'wss://elsewhere.example/feed' });
  t.equal(client.closed?.code, 4_010);
});
