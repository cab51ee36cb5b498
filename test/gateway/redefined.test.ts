/** Instrument numbers that mean other instruments, in a new session or by a definition: what is served follows the names. */
import t from 'tap';
import { GatewaySession, GatewayState, type Grant } from '../../src/gateway/session_state.js';
import type { NativeDefinition, NativeGateway, NativeGatewayRequest } from '../../src/native.js';

const definition = (instrument: number, symbol: string): NativeDefinition => ({
  ...{ instrument, symbol, priceExponent: -4, quantityExponent: 0, sourceCode: 0, lotSize: 1 },
});
const counts = { published: 5n, sent: 3n, conflated: 0n, refused: 2n, pending: 0n, sequence: 9n };

/** A channel whose definitions the test changes, and what the gateway asked of it. */
function channelOf(first: NativeDefinition[]) {
  const now = { session: 1n, definitions: first, version: 1 };
  const asked: (readonly number[] | 'ended')[] = [];
  const note = (_client: number, _id: number, { instruments }: NativeGatewayRequest) => {
    asked.push([...(instruments ?? [])]);
    return true;
  };
  let composed = 0;
  const native = {
    step: () => true,
    state: () => ({
      ...{ session: now.session, sequence: 9n, ready: true, ended: false, definitionsVersion: now.version },
    }),
    definitions: () => now.definitions,
    openClient: () => 1,
    closeClient: () => {},
    subscribe: note,
    change: note,
    counts: () => counts,
    unsubscribe: () => {
      asked.push('ended');
      return counts;
    },
    compose: () => {
      composed++;
      return 0;
    },
    takeSlow: () => [],
    check: () => false,
    counters: () => ({}),
    close: () => {},
  } as unknown as NativeGateway;
  const become = (definitions: NativeDefinition[], session = now.session) => {
    Object.assign(now, { definitions, session, version: now.version + 1 });
  };
  return { asked, become, native, composed: () => composed };
}

/** Somebody who may have AAPL alone. */
const onlyApple: Grant = {
  refuse: ({ instruments }) =>
    instruments !== 'all' && instruments.every((name) => name === 'AAPL')
      ? undefined
      : { code: 'forbidden', message: 'not yours' },
  permits: (_channel, _mode, _levels, name) => name === 'AAPL',
};

function sessionOn(native: NativeGateway, grant: Grant) {
  const options = {
    sessionsMax: 9,
    subscriptionsMax: 9,
    levels: 10,
    bufferedBytes: 1_000_000,
    requestsPerSecond: 1_000,
  };
  const state: GatewayState = new GatewayState(
    options,
    { login: (session) => state.loggedIn(session, { grant }) },
    new Map([[1, native]]),
  );
  const texts: { type: string; code?: string; instruments?: { instrument: number; symbol: string }[] }[] = [];
  const socket = {
    sendText: (text: string) => void texts.push(JSON.parse(text)),
    sendFrame: () => {},
    buffered: () => 0,
    end: () => {},
    join: () => {},
    leave: () => {},
  };
  state.turn(0);
  const session = state.opened(socket, '127.0.0.1', 0);
  if (!(session instanceof GatewaySession)) throw new Error('no session');
  const say = (message: object) => state.message(session, JSON.stringify(message), 0);
  say({ type: 'hello', versions: [1] });
  return { say, state, texts };
}

t.test('aNameIsFollowedToItsNumberInTheNextSession', async (t) => {
  const channel = channelOf([definition(1, 'AAPL'), definition(2, 'MSFT')]);
  const { say, state, texts } = sessionOn(channel.native, onlyApple);
  say({ type: 'subscribe', id: 1, channel: 1, mode: 'filtered', instruments: ['AAPL'] });
  t.same(channel.asked, [[1]]);
  channel.become([], 2n);
  state.turn(1);
  t.same(channel.asked, [[1]], 'nothing is defined yet');
  channel.become([definition(1, 'MSFT')]);
  state.turn(2);
  t.same(channel.asked[1], [], 'its old number is not its own any more');
  channel.become([definition(1, 'MSFT'), definition(2, 'AAPL')]);
  state.turn(3);
  t.same(channel.asked[2], [2]);
  t.match(texts.at(-1), { type: 'changed', instruments: [{ instrument: 2, symbol: 'AAPL' }] });
  t.notMatch(JSON.stringify(texts), /MSFT/, 'and nothing is said of what is not theirs');
});

t.test('aNumberThatMeansWhatIsNotTheirsEndsTheSubscriptionAtOnce', async (t) => {
  const channel = channelOf([definition(1, 'AAPL')]);
  const { say, state, texts } = sessionOn(channel.native, onlyApple);
  say({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', instruments: [1] });
  t.same(channel.asked, [[1]]);
  const before = channel.composed();
  channel.become([definition(1, 'MSFT')]);
  state.turn(1);
  t.same(channel.asked.at(-1), 'ended');
  t.equal(channel.composed() - before, 1, 'composed in the turn behind it, and not to empty what is left');
  t.match(texts.slice(-2), [{ type: 'error', code: 'forbidden' }, { type: 'unsubscribed' }]);
});

t.test('aPatternLetsGoOfWhatItMeansNoMore', async (t) => {
  const channel = channelOf([definition(1, 'AAPL'), definition(2, 'ABC'), definition(3, 'X')]);
  const { say, state } = sessionOn(channel.native, { refuse: () => undefined });
  say({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', instruments: ['A*'] });
  t.same(channel.asked, [[1, 2]]);
  channel.become([definition(1, 'AAPL'), definition(2, 'OTHER'), definition(3, 'X')]);
  state.turn(1);
  t.same(channel.asked.at(-1), [1]);
  state.turn(2);
  t.equal(channel.asked.length, 2, 'and is not changed again');
});

t.test('whoAsksForANameThatMeansNothingHearsWhenToAskAgain', async (t) => {
  const channel = channelOf([definition(1, 'MSFT')]);
  const { say, state, texts } = sessionOn(channel.native, onlyApple);
  say({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', instruments: ['AAPL'] });
  t.match(texts.at(-1), { type: 'error', code: 'unknown_instrument' });
  channel.become([definition(1, 'MSFT'), definition(2, 'IBM')]);
  state.turn(1);
  t.same(texts.at(-1), { type: 'definitions', channel: 1, instruments: [] }, 'that there are others, not which');
  channel.become([definition(2, 'AAPL')], 2n);
  state.turn(2);
  t.match(texts.slice(-2), [{ type: 'session', session: '2' }, { type: 'definitions' }]);
  say({ type: 'subscribe', id: 1, channel: 1, mode: 'depth', instruments: ['AAPL'] });
  t.match(texts.at(-1), { type: 'subscribed' });
});
