/** Answers of a session in the order of its requests, also where a token is checked meanwhile; over no socket. */
import t from 'tap';
import { refuse } from '../../src/gateway/access/codes.js';
import { type GatewayAccess, type GatewaySession, GatewayState } from '../../src/gateway/session_state.js';
import type { NativeGateway } from '../../src/native.js';
import { everything } from './gateway_on.js';

const options = { sessionsMax: 10, subscriptionsMax: 8, levels: 10, bufferedBytes: 65_536, requestsPerSecond: 1_000 };

function opened(access: Partial<GatewayAccess>, channels = new Map<number, NativeGateway>()) {
  const said: string[] = [];
  const state: GatewayState = new GatewayState(
    options,
    { login: (session) => state.loggedIn(session, { grant: everything }), ...access },
    channels,
  );
  const socket = {
    sendText: (text: string) => {
      const { code, time, type } = JSON.parse(text);
      said.push([type, code ?? time].filter((part) => part !== undefined).join(' '));
    },
    sendFrame: () => {},
    buffered: () => 0,
    join: () => {},
    leave: () => {},
    end: (code: number, reason: string) => said.push(`end ${code} ${reason}`),
  };
  const session = state.opened(socket, '127.0.0.1', 0) as GatewaySession;
  const send = (message: object) => state.message(session, JSON.stringify(message), 0);
  return { said, state, session, send };
}

t.test('requestsAfterARenewalWaitForIt', async (t) => {
  const { said, send, session, state } = opened({ renew: () => {} });
  send({ type: 'hello', versions: [1] });
  send({ type: 'ping', time: 1 });
  send({ type: 'renew', token: 'x' });
  send({ type: 'ping', time: 2 });
  send({ type: 'renew', token: 'y' });
  send({ type: 'ping', time: 3 });
  t.same(said, ['welcome', 'pong 1']);
  state.renewed(session, { grant: everything });
  t.same(said.slice(2), ['renewed', 'entitlements', 'pong 2']);
  state.renewed(session, { refusal: refuse('token_revoked') });
  t.same(said.slice(5), ['error unauthorised', 'pong 3']);
});

t.test('whoeverIsTurnedAwayOrEndedIsToldWhyFirst', async (t) => {
  const { said, send, state } = opened({ login: () => {} });
  send({ type: 'hello', versions: [1] });
  for (let count = 0; count < 65; count++) send({ type: 'ping' });
  t.same(said, ['error bad_message', 'end 4016 too many messages before the welcome']);
  const others = opened({});
  const heard: string[] = [];
  const socket = {
    sendText: (text: string) => heard.push(JSON.parse(text).code),
    sendFrame: () => {},
    buffered: () => 0,
    join: () => {},
    leave: () => {},
    end: (code: number) => heard.push(String(code)),
  };
  others.state.turnAway(socket, refuse('server_full'));
  t.same(heard.splice(0), ['unavailable', '4503']);
  for (let count = 0; count < 9; count++) others.state.opened(socket, '', 0);
  t.equal(others.state.opened(socket, '', 0), undefined);
  t.same(heard, ['too_many', '4029']);
  t.equal(state.counters.errors.bad_message, 1);
});

t.test('aRequestWithManyPatternsOverManyInstrumentsCountsForMany', (t) => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({
    instrument: index + 1,
    symbol: `S${index}`,
    priceExponent: 0,
    quantityExponent: 0,
  }));
  const native = {
    state: () => ({ session: 1n, sequence: 1n, ready: true, definitionsVersion: 1 }),
    definitions: () => many,
    step: () => false,
    openClient: () => 1,
    subscribe: () => true,
    change: () => true,
    counts: () => undefined,
    compose: () => 0,
    takeSlow: () => [],
  };
  const costs: number[] = [];
  const request: GatewayAccess['request'] = (_session, _bytes, _holds, cost) => costs.push(cost);
  const { said, send, session, state } = opened({ request }, new Map([[1, native as unknown as NativeGateway]]));
  state.turn(0);
  send({ type: 'hello', versions: [1] });
  const patterns = Array.from({ length: 64 }, (_, index) => `*${index}*9`);
  const subscribe = { type: 'subscribe', channel: 1, mode: 'bbo' };
  send({ ...subscribe, id: 1, instruments: ['S1', 2] });
  send({ ...subscribe, id: 2 });
  send({ ...subscribe, id: 3, instruments: patterns });
  for (let judged = 0; judged < 3; judged++) state.judged(session, undefined);
  send({ type: 'change', id: 3, levels: 5 });
  t.same(costs, [1, 2, 65, 65]);
  state.judged(session, undefined);
  t.same(said, ['welcome', 'subscribed', 'subscribed', 'subscribed', 'changed']);
  // At once: what is changed is not there yet. The last one is refused before anything is compared.
  send({ ...subscribe, id: 4, instruments: ['S1'] });
  send({ type: 'change', id: 4, instruments: patterns });
  send({ type: 'change', id: 4, levels: 5 });
  send({ ...subscribe, id: 5, instruments: [...patterns, 'T*'] });
  t.same(costs.splice(4), [1, 65, 65, 1]);
  for (let judged = 0; judged < 4; judged++) state.judged(session, undefined);
  t.same(said.slice(5), ['subscribed', 'changed', 'changed', 'error bad_message']);
  for (let asked = 0; asked < 20; asked++) send({ type: 'change', id: 3 });
  t.ok(costs.length < 20, 'the session’s own allowance is used up');
  t.end();
});

t.test('whatHasEndedIsNotSetOffAgainstWhatIsSentNext', (t) => {
  const sent = new Map<number, bigint>();
  let frames = 0;
  const counts = (_client: number, id: number) => {
    const count = sent.get(id) ?? 0n;
    return { published: count, sent: count, conflated: 0n, refused: 0n, pending: 0n, sequence: 0n };
  };
  const native = {
    state: () => ({ session: 1n, sequence: 1n, ready: true, definitionsVersion: 1 }),
    definitions: () => [],
    step: () => false,
    openClient: () => 1,
    subscribe: (_client: number, id: number) => sent.set(id, 0n).has(id),
    unsubscribe: (client: number, id: number) => {
      const ended = counts(client, id);
      sent.delete(id);
      return ended;
    },
    counts,
    compose: () => {
      if (sent.size > 0) frames++;
      for (const id of sent.keys()) sent.set(id, 100n);
      return sent.size > 0 ? 1 : 0;
    },
    takeSlow: () => [],
  };
  const channels = new Map([[1, native as unknown as NativeGateway]]);
  const { send, session, state } = opened({ login: () => {} }, channels);
  send({ type: 'hello', versions: [1] });
  state.loggedIn(session, { grant: { ...everything, messagesPerSecondMax: 100 } });
  state.turn(0);
  send({ type: 'subscribe', id: 1, channel: 1, mode: 'trades' });
  state.turn(0);
  t.equal(frames, 1, 'all that was saved');
  send({ type: 'unsubscribe', id: 1 });
  send({ type: 'subscribe', id: 2, channel: 1, mode: 'trades' });
  state.turn(10);
  t.equal(frames, 2);
  state.turn(990);
  t.equal(frames, 2, 'it has yet to be paid for');
  state.turn(1_010);
  t.equal(frames, 3);
  t.end();
});
