/** FeedClient when a gateway refuses what may pass: it is told, and asked again. */
import t from 'tap';
import type { Grant } from '../../src/gateway/session_state.js';
import { until } from '../channel.js';
import { everything, gatewayOn } from '../gateway/gateway_on.js';
import { cuttable, followOn } from './gateways.js';

const nothing: Grant = { refuse: () => ({ code: 'forbidden', message: 'not yours' }) };
const simulate = { seed: 5, symbols: 4, liveOrders: 200 };

t.test('anEntitlementThatComesBackIsTakenUpAgain', async (t) => {
  const { server, sessions } = await gatewayOn(t, 217, { simulate, rate: 5_000 });
  const clients = (['exact', 'depth'] as const).map((mode) => followOn(t, server.port, { mode }));
  const told: string[] = [];
  for (const client of clients) {
    client.on('refused', ({ code, askedAgain }) => told.push(`${code} ${askedAgain}`));
    await client.start();
    await until('the books', () => client.state === 'synchronized');
  }
  t.equal(sessions.length, 2);
  for (const session of sessions) server.state.regrant(session, nothing);
  await until('the refusals', () => told.length === 2);
  await until('what is known of it', () => clients.every(({ state }) => state !== 'synchronized'));
  t.same(told, ['forbidden true', 'forbidden true']);
  for (const session of sessions) server.state.regrant(session, everything);
  await until('the books again', () => clients.every(({ state }) => state === 'synchronized'));
  t.equal(told.length, 2);
  t.same(
    clients.map((client) => client.stats().gateway?.connects),
    [1, 1],
    'over the same connection',
  );
});

t.test('anInstrumentThatIsGoneAndComesBack', async (t) => {
  const first = await gatewayOn(t, 218, { simulate, rate: 5_000 });
  const other = await gatewayOn(t, 219, { simulate: { ...simulate, symbols: 2 }, rate: 5_000 });
  await until('the first messages', () => [first, other].every((one) => one.distributor.stats().sequence > 500n));
  const names = new Set(other.distributor.instruments().map(({ name }) => name));
  const name = first.distributor.instruments().find((one) => !names.has(one.name))?.name ?? '';
  t.not(name, '', 'the two exchanges differ');
  const between = await cuttable(t, first.server.port);
  const client = followOn(t, between.port, { mode: 'depth', instruments: [name] });
  const told: string[] = [];
  client.on('refused', ({ code }) => told.push(code));
  client.on('disconnected', () => told.push('disconnected'));
  await client.start();
  await until('the book', () => client.state === 'synchronized');
  between.to(other.server.port);
  between.cut();
  await until('the refusal', () => told.includes('unknown_instrument'));
  t.equal(client.state, 'connecting');
  between.to(first.server.port);
  between.cut();
  await until('the book again', () => client.state === 'synchronized');
  t.same(
    told.filter((one) => one !== 'disconnected'),
    ['unknown_instrument'],
  );
});

t.test('aStartThatIsRefusedLeavesNothingBehind', async (t) => {
  const { server } = await gatewayOn(t, 164, { simulate, rate: 5_000 });
  const client = followOn(t, server.port, { mode: 'bbo', instruments: ['NOSUCH'] });
  await t.rejects(client.start(), { code: 'unknown_instrument', message: /NOSUCH/, askedAgain: true });
  t.equal(client.state, 'closed');
  await until('its end', () => server.figures.sessions === 0);
});
