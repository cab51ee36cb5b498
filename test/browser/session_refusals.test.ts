/** What a gateway refuses: which of it is asked for again, when, and what is told of it. */
import t from 'tap';
import { depthBlock } from './frames.js';
import { full, instruments, ready } from './play.js';

const refusal = (code: string, id: number | null = 1, more: object = {}) => ({
  type: 'error',
  ...(id !== null && { id }),
  code,
  message: 'why',
  ...more,
});
const granted = { type: 'subscribed', id: 1, sequence: '10', instruments };
const ask = [{ type: 'subscribe', id: 1 }];

function refused(code: string) {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'depth', instruments: ['AAA'] });
  play.flush();
  play.say(refusal(code));
  return { play, stream };
}

t.test('anInstrumentThatIsUnknownIsAskedForAgainWhenThereIsNews', async (t) => {
  const { play, stream } = refused('unknown_instrument');
  await t.rejects(stream.ready, { code: 'unknown_instrument', askedAgain: true });
  const told = 'refused GatewayError: unknown_instrument: why #1';
  t.same(play.fresh(), ['error GatewayError: unknown_instrument: why #1', told]);
  play.wait(10_000);
  t.same(play.flush(), [], 'not for time that passes');
  play.say({ type: 'session', channel: 2, session: '9' });
  play.wait(1_000);
  t.same(play.flush(), [], "nor for another channel's news");
  play.say({ type: 'session', channel: 1, session: '9' });
  t.same(play.flush(), [], 'all clients hear of it at once: not all come at once');
  play.wait(100);
  t.match(play.flush(), ask);
  play.say(refusal('unknown_instrument'));
  t.notOk(play.fresh().includes(told), 'the same is not told twice');
  play.say({ type: 'definitions', channel: 1, instruments: [] });
  play.wait(199);
  t.same(play.flush(), [], 'longer from time to time');
  play.wait(1);
  t.match(play.flush(), ask);
  play.say(granted);
  play.bytes(depthBlock({ subscription: 1, sequence: 10n }, [full]));
  t.same([stream.state, stream.refusal], ['synchronized', undefined]);
  play.say({ type: 'definitions', channel: 1, instruments: [] });
  play.wait(1_000);
  t.same(play.flush(), [], 'what is granted is not asked for');
});

t.test('whatIsNotAllowedIsAskedForAgainWithOtherEntitlements', (t) => {
  const { play, stream } = refused('forbidden');
  play.say({ type: 'entitlements' });
  play.wait(100);
  t.match(play.flush(), ask);
  play.say(granted);
  play.bytes(depthBlock({ subscription: 1, sequence: 10n }, [full]));
  play.fresh();
  // It ends, since they are narrower; and comes back.
  const ended = { type: 'unsubscribed', id: 1, published: '0', sent: '0', conflated: '0', refused: '0', sequence: '1' };
  play.say(refusal('forbidden'), ended, { type: 'entitlements' });
  t.match(stream.refusal, { code: 'forbidden', askedAgain: true });
  t.equal(stream.state, 'connecting');
  play.wait(100);
  t.match(play.flush(), ask);
  play.say(refusal('forbidden'));
  t.equal(play.fresh().filter((told) => told.startsWith('refused')).length, 1);
  play.say({ type: 'entitlements' });
  play.wait(200);
  t.match(play.flush(), ask);
  play.say(granted);
  play.bytes(depthBlock({ subscription: 1, sequence: 12n }, [full]));
  t.equal(stream.state, 'synchronized');
  t.end();
});

t.test('newsBeforeTheAnswerAreNoReasonToAskTwice', (t) => {
  const { play, stream } = refused('unknown_instrument');
  const news = { type: 'definitions', channel: 1, instruments: [] };
  play.say(news);
  play.wait(100);
  t.match(play.flush(), ask);
  play.say(news);
  play.wait(1_000);
  t.same(play.flush(), [], 'what comes before the answer is in it');
  play.say(refusal('unknown_instrument'), news);
  play.wait(1_000);
  t.match(play.flush(), ask);
  play.say(news, granted);
  play.wait(2_000);
  t.same(play.flush(), []);
  t.equal(play.state.streams.get(1), stream);
  t.end();
});

t.test('aNewConnectionAsksForAllThatMayHavePassed', (t) => {
  const { play } = refused('unknown_channel');
  play.subscribe({ channel: 1, mode: 'trades' });
  play.say(refusal('not_in_json', 2));
  play.flush();
  play.take(play.state.closed(1006, play.now));
  play.wait(1_000);
  play.connect();
  t.match(
    play.flush().map(({ type, id }) => [type, id]),
    [
      ['hello', undefined],
      ['subscribe', 1],
    ],
    'what is final is not asked for',
  );
  t.equal(play.state.streams.size, 1);
  t.end();
});

t.test('aLimitIsTriedAgainWithLongerAndLongerWaits', (t) => {
  const { play } = refused('too_many');
  for (const wait_ms of [100, 200, 400, 800, 1_000, 1_000]) {
    play.wait(wait_ms - 1);
    t.same(play.flush(), []);
    play.wait(1);
    t.match(play.flush(), ask);
    play.say({ type: 'pong', time: 0 }, refusal('too_many'));
  }
  t.equal(play.fresh().filter((told) => told.startsWith('refused')).length, 1);
  play.wait(1_000);
  play.flush();
  play.say(refusal('rate_limited', 1, { waitMs: 500 }));
  play.wait(1_499);
  t.same(play.flush(), []);
  play.wait(1);
  t.match(play.flush(), ask, 'and as long as the gateway says');
  t.end();
});

t.test('aLoginThatIsRefusedEndsItAll', async (t) => {
  const { play, stream } = refused('unavailable');
  play.fresh();
  play.say(refusal('unauthorised', null));
  play.take(play.state.closed(4401, play.now));
  t.same(
    play.fresh().filter((told) => /^(error|refused)/.test(told)),
    ['error GatewayError: unauthorised: why undefined', 'refused GatewayError: unauthorised: why undefined'],
  );
  await t.rejects(stream.ready, { code: 'unauthorised' });
  play.wait(100_000);
  t.same([play.flush(), play.state.deadline()], [[], undefined]);
});
