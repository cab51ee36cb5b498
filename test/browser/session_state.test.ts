/** The session of a client, with a clock, chance and a gateway of our own. */
import t from 'tap';
import type { Stream } from '../../src/browser/stream.js';
import { SnapshotWhy } from '../../src/generated/gateway.js';
import { bookPacket, heartbeatPacket } from '../faults/packets.js';
import { Random, seedsOf } from '../faults/random.js';
import {
  depthBlock,
  digestBlock,
  emptySnapshot,
  filteredBlock,
  markBlock,
  markedSnapshot,
  printBlock,
} from './frames.js';
import { full, instruments, order, Play, ready } from './play.js';

/** An exact subscription that stands at message 10. */
function exact(): { play: Play; stream: Stream } {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'exact' });
  play.flush();
  play.say({ type: 'subscribed', id: 1, channel: 1, mode: 'exact', sequence: '10', instruments });
  play.bytes(markedSnapshot(10n));
  return { play, stream };
}

t.test('saysHelloThenAsksForWhatWasSubscribedBefore', async (t) => {
  const play = new Play();
  const stream = play.subscribe({ channel: 1, mode: 'depth', instruments: ['A*'], levels: 3 });
  play.take(play.state.start(play.now));
  t.same(play.did, ['connect wss://a/feed']);
  play.take(play.state.opened(play.now));
  t.same(play.flush(), [{ type: 'hello', versions: [1], token: 'secret', client: 'test' }]);
  play.say({ type: 'welcome', version: 1, session: '1', channels: [], limits: {} });
  t.same(play.flush(), [{ type: 'subscribe', id: 1, channel: 1, mode: 'depth', instruments: ['A*'], levels: 3 }]);
  play.say({ type: 'subscribed', id: 1, channel: 1, mode: 'depth', sequence: '10', instruments });
  await stream.ready;
  t.equal(stream.state, 'recovering', 'full frames are on their way');
  play.bytes(depthBlock({ subscription: 1, sequence: 10n }, [full]));
  t.equal(stream.state, 'synchronized');
  t.same(play.fresh(), [
    'link true',
    'state #1 recovering connecting',
    'session #1 7',
    'state #1 synchronized recovering',
    'depth #1 1',
  ]);
});

t.test('tellsChannelsRoundTripAndTheGatewaysClock', async (t) => {
  const play = new Play();
  play.take(play.state.start(play.now));
  play.take(play.state.opened(play.now));
  const channel = { channel: 4, session: '18446744073709551615', sequence: '12', ready: true };
  play.say({ type: 'welcome', version: 1, channels: [channel], limits: { levels: 32 } });
  t.same(play.welcomes, [{ channels: [{ ...channel, session: 2n ** 64n - 1n, sequence: 12n }], levels: 32 }]);
  const stream = play.subscribe({ channel: 1, mode: 'depth' });
  play.say({ type: 'subscribed', id: 1, channel: 1, mode: 'depth', sequence: '0', instruments });
  play.now += 15_000.5;
  play.bytes(depthBlock({ subscription: 1, sequence: 9n, sendTime: 1_795_000_000_123_456_789n }, [full]));
  t.equal(stream.sendTimeMs, 1_795_000_000_123.4568);
  const ping = play.sent.find(({ type }) => type === 'ping');
  play.now += 7.25;
  play.say({ type: 'pong', time: 3 }, { type: 'pong' });
  t.equal(play.state.figures.pongs, 0, 'those are of no ping');
  play.say({ type: 'pong', time: ping?.time }, { type: 'pong', time: ping?.time });
  t.match(play.state.figures, { pongs: 1, roundTripMs: 7.25, faults: 0 });
});

t.test('whatIsSubscribedOnHearingOfTheWelcomeIsAskedForOnce', async (t) => {
  const play = new Play();
  play.subscribe({ channel: 1, mode: 'depth' });
  play.heard = () => play.subscribe({ channel: 1, mode: 'trades' });
  play.take(play.state.start(play.now));
  play.connect();
  t.same(
    play.flush().map(({ id, type }) => [type, id]),
    [
      ['hello', undefined],
      ['subscribe', 1],
      ['subscribe', 2],
    ],
  );
});

t.test('countsWhatCameAndComparesIt', async (t) => {
  const play = ready();
  const depth = play.subscribe({ channel: 1, mode: 'depth' });
  const trades = play.subscribe({ channel: 1, mode: 'trades' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments }, { type: 'subscribed', id: 2, sequence: '10' });
  play.bytes(
    depthBlock({ subscription: 1, sequence: 10n }, [full]),
    depthBlock({ subscription: 1, sequence: 19n }, [
      { ...full, full: false, first: 11n, last: 19n, levels: [], messages: 4 },
    ]),
    printBlock({ subscription: 2, sequence: 19n }, [12n, 15n], 2),
  );
  const asked = [play.ask(() => depth.count()), play.ask(() => trades.count())];
  t.same(play.flush().slice(-2), [
    { type: 'count', id: 1 },
    { type: 'count', id: 2 },
  ]);
  const told = { published: '5', conflated: '3', refused: '0', pending: '1', sequence: '20' };
  play.say({ type: 'counts', id: 1, sent: '1', ...told });
  play.say({ type: 'counts', id: 2, sent: '2', ...told, conflated: '2' });
  t.match(await Promise.all(asked), [
    { published: 5, sent: 1, conflated: 3 },
    { sent: 2, conflated: 2 },
  ]);
  t.same(
    play.fresh().filter((one) => /count|prints/.test(one)),
    ['prints #2 12,15'],
    'all agree',
  );
  const again = play.ask(() => depth.unsubscribe());
  play.say({ type: 'unsubscribed', id: 1, sent: '2', ...told });
  await again;
  t.match(play.fresh(), [/countMismatch #1 2 sent \+ 3/]);
  t.equal(play.state.streams.size, 1);
});

t.test('asksForFullFramesWhereAWindowIsWrongAndOnlyOnce', async (t) => {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'bbo' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments });
  play.bytes(depthBlock({ subscription: 1, sequence: 10n }, [full]));
  play.flush();
  const wrong = { ...full, full: false, first: 1n, last: 20n, messages: 1, base: 3n, levels: [] };
  play.bytes(depthBlock({ subscription: 1, sequence: 20n }, [wrong]));
  t.equal(stream.state, 'stale');
  t.same(play.flush(), [{ type: 'change', id: 1 }]);
  play.bytes(depthBlock({ subscription: 1, sequence: 20n }, [wrong]));
  t.same(play.flush(), [], 'once');
  play.say({ type: 'changed', id: 1, mode: 'bbo', sequence: '20' });
  play.bytes(depthBlock({ subscription: 1, sequence: 20n }, [{ ...full, last: 20n }]));
  t.equal(stream.state, 'synchronized');
  play.bytes(depthBlock({ subscription: 1, sequence: 20n }, [wrong]));
  t.same(play.flush(), [], 'the next time it waits');
  play.wait(200);
  t.same(play.flush(), [{ type: 'change', id: 1 }]);
});

t.test('exactAppliesAndTakesASnapshotByItselfWhereADigestDiffers', async (t) => {
  const { play, stream } = exact();
  t.equal(stream.state, 'synchronized');
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 11n, position: 11n }, [order(1n, 1), order(2n, 2)]));
  t.equal(stream.sequence, 12);
  t.equal(stream.replica?.book.liveOrders, 2);
  const digest = stream.replica?.book.digest() ?? 0n;
  const beat = (told: bigint) =>
    heartbeatPacket({ channel: 1, session: 7n, first: 13n, position: 12n }, { digest: told, digestValid: true });
  play.bytes(beat(digest));
  t.equal(stream.state, 'synchronized');
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 13n, position: 13n }, [order(3n, 3)]));
  play.flush();
  play.bytes(heartbeatPacket({ channel: 1, session: 7n, first: 14n, position: 13n }, { digest, digestValid: true }));
  t.equal(stream.state, 'stale');
  t.same(play.flush(), [{ type: 'change', id: 1 }]);
  t.ok(play.fresh().includes('mismatch #1 13'));
  play.say({ type: 'changed', id: 1, mode: 'exact', sequence: '20' });
  play.bytes(markedSnapshot(20n, { generation: 2n, why: SnapshotWhy.change, covered: 7n }));
  t.equal(stream.state, 'synchronized');
  t.equal(stream.sequence, 20);
  t.same([stream.counts.sent, stream.counts.conflated], [3, 7], 'the snapshot covers what it jumped over');
});

t.test('comesBackWithResumeAndSkipsWhatItHas', async (t) => {
  const { play, stream } = exact();
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 11n, position: 11n }, [order(1n, 1), order(2n, 2)]));
  play.did.length = 0;
  play.take(play.state.closed(1006, play.now));
  t.equal(stream.state, 'recovering');
  t.same(play.did, [], 'not at once');
  play.wait(99);
  t.same(play.did, []);
  play.wait(1);
  t.same(play.did, ['connect wss://a/feed']);
  play.flush();
  play.connect();
  t.match(play.flush().at(-1), { type: 'subscribe', id: 1, resume: { session: '7', sequence: '12' } });
  play.say({ type: 'subscribed', id: 1, sequence: '12', instruments });
  const resume = { generation: 0n, datagrams: 0, why: SnapshotWhy.resume };
  play.bytes(markBlock({ subscription: 1, sequence: 12n }, resume));
  t.equal(stream.state, 'synchronized');
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 12n, position: 12n }, [order(2n, 2), order(3n, 3)]));
  t.equal(stream.state, 'synchronized');
  t.equal(stream.sequence, 13);
  t.equal(stream.replica?.book.liveOrders, 3);
  t.same([stream.counts.sent, stream.counts.conflated], [1, 0]);

  play.take(play.state.closed(1006, play.now));
  play.wait(1_000);
  play.connect();
  play.say({ type: 'subscribed', id: 1, sequence: '30', instruments });
  play.bytes(markedSnapshot(30n, { session: 8n, generation: 3n }));
  t.equal(stream.session, 8n, 'another session, and a snapshot of it');
  t.equal(stream.sequence, 30);
  t.equal(stream.replica?.book.liveOrders, 0);
});

t.test('filteredNoticesWhatIsMissing', async (t) => {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'filtered' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments });
  play.bytes(markedSnapshot(10n));
  play.flush();
  const block = (previous: bigint, sequence: bigint, number: number) =>
    filteredBlock({ subscription: 1, sequence }, previous, [{ ...order(sequence, number), sequence }]);
  play.bytes(block(10n, 14n, 1), block(14n, 18n, 2));
  t.equal(stream.state, 'synchronized');
  t.same([stream.sequence, stream.counts.sent], [18, 2]);
  play.bytes(block(20n, 22n, 4));
  t.equal(stream.state, 'stale');
  t.same(play.flush(), [{ type: 'change', id: 1 }]);
});

t.test('filteredTakesASnapshotByItselfWhereADigestDiffers', async (t) => {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'filtered' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments });
  play.bytes(markedSnapshot(10n));
  play.flush();
  const block = (previous: bigint, sequence: bigint, number: number) =>
    filteredBlock({ subscription: 1, sequence }, previous, [{ ...order(sequence, number), sequence }]);
  const digests = (instrumentSequence: number, digest: bigint) =>
    digestBlock({ subscription: 1, sequence: 20n }, [{ instrument: 1, instrumentSequence, digest }]);
  play.bytes(block(10n, 14n, 1));
  const first = stream.replica?.book.digest() ?? 0n;
  play.bytes(digests(1, first));
  t.same([stream.state, stream.replica?.counters.digestsChecked], ['synchronized', 2]);
  // One that is ahead is compared when its message has come.
  play.bytes(digests(2, first), block(14n, 15n, 2));
  t.equal(stream.state, 'stale', 'another order has another digest');
  t.ok(play.fresh().includes('mismatch #1 15'));
  t.same(play.flush(), [{ type: 'change', id: 1 }]);
  play.say({ type: 'changed', id: 1, sequence: '15', instruments });
  play.bytes(markedSnapshot(15n, { generation: 2n, why: SnapshotWhy.change }));
  t.equal(stream.state, 'synchronized');
  play.bytes(digests(0, 5n));
  t.equal(stream.state, 'stale', 'nothing was ever sent of it, and it should have an order');
});

t.test('aSnapshotIsItsSubscriptionsAlone', async (t) => {
  const play = ready();
  const exact = play.subscribe({ channel: 1, mode: 'exact' });
  const filtered = play.subscribe({ channel: 1, mode: 'filtered' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments });
  play.say({ type: 'subscribed', id: 2, sequence: '10', instruments });
  play.bytes(markedSnapshot(10n, { subscription: 2 }));
  t.same([exact.state, filtered.state], ['recovering', 'synchronized']);
  play.bytes(markedSnapshot(12n, { generation: 2n }));
  t.same([exact.state, exact.sequence, filtered.sequence], ['synchronized', 12, 10]);
  play.fresh();
  play.bytes(emptySnapshot(14n, { generation: 3n }));
  play.bytes(markBlock({ subscription: 1, sequence: 14n }, { generation: 3n }));
  play.bytes(markBlock({ subscription: 2, sequence: 14n }, { generation: 4n, instruments: 1, datagrams: 0 }));
  t.same(
    play.fresh().filter((news) => !news.startsWith('state')),
    [
      'fault snapshot: without a mark',
      'fault snapshot: shorter than its mark says',
      'snapshotRefused #2 it is of other instruments',
    ],
  );
});

t.test('countsGoOnThroughAChange', async (t) => {
  const { play, stream } = exact();
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 11n, position: 11n }, [order(1n, 1), order(2n, 2)]));
  const counts = { published: '9', sent: '2', conflated: '7', refused: '0', pending: '0', sequence: '12' };
  play.fresh();
  play.say({ type: 'changed', id: 1, mode: 'depth', sequence: '19', instruments, counts });
  t.same([stream.counts.sent, stream.counts.conflated, stream.counts.comparable], [2, 7, true]);
  play.say({ type: 'changed', id: 1, mode: 'exact', sequence: '19', instruments, counts: { ...counts, sent: '3' } });
  t.match(play.fresh().join(), /countMismatch #1 3 sent, 7 conflated and 0 refused, but 2, 7 and 0 came/);
});

t.test('anotherSessionBeginsAnew', async (t) => {
  const { play, stream } = exact();
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 11n, position: 11n }, [order(1n, 1)]));
  play.say({ type: 'session', channel: 1, session: '9' });
  t.equal(stream.replica?.book.liveOrders, 0);
  play.bytes(bookPacket({ channel: 1, session: 7n, first: 12n, position: 12n }, [order(2n, 2)]));
  t.equal(stream.replica?.book.liveOrders, 0, 'of the old one nothing is applied');
  play.bytes(markedSnapshot(4n, { session: 9n }));
  t.same([stream.sequence, stream.state], [4, 'synchronized']);
});

t.test('goodbyeIsFollowedWithoutLeavingTls', async (t) => {
  for (const [url, next] of [
    ['wss://b/feed', 'wss://b/feed'],
    ['ws://b/feed', 'wss://a/feed'],
    ['nonsense', 'wss://a/feed'],
  ]) {
    const play = ready();
    play.say({ type: 'goodbye', code: 4010, reason: 'restart', reconnectMs: 700, url });
    t.equal(play.did.at(-1), 'disconnect 1000');
    play.wait(799);
    t.equal(play.did.at(-1), 'disconnect 1000', 'not before');
    play.wait(1);
    t.equal(play.did.at(-1), `connect ${next}`);
  }
});

t.test('errorsEndASubscriptionOrAreTriedAgain', async (t) => {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'exact' });
  const other = play.subscribe({ channel: 2, mode: 'exact' });
  play.flush();
  play.say({ type: 'error', id: 1, code: 'bad_message', message: 'no' }, { type: 'error', id: 2, code: 'unavailable' });
  await t.rejects(stream.ready, { code: 'bad_message', askedAgain: false });
  t.same([...play.state.streams.keys()], [other.id]);
  play.wait(100);
  t.match(play.flush(), [{ type: 'subscribe', id: 2 }]);
  play.take(play.state.closed(4003, play.now));
  play.wait(10_000);
  t.equal(play.state.deadline(), undefined, 'without a right token it does not come back');
});

t.test('leavesAGatewayThatIsSilentOrTalksNonsense', async (t) => {
  const silent = ready();
  silent.wait(15_000);
  t.match(silent.sent, [{ type: 'ping' }]);
  silent.wait(4_999);
  t.notOk(silent.did.includes('disconnect 4000'));
  silent.wait(1);
  t.ok(silent.did.includes('disconnect 4000'));
  const nonsense = ready();
  for (let count = 0; count < 16; count++) nonsense.say([]);
  t.ok(nonsense.did.includes('disconnect 4000'));
});

t.test('leavesAGatewayThatDoesNotAnswerARequest', async (t) => {
  const { play, stream } = exact();
  const counts = play.ask(() => stream.count());
  play.say({ type: 'error', id: 1, code: 'too_slow', message: 'the last number sent is 10' });
  play.wait(4_999);
  t.notOk(play.did.includes('disconnect 4000'), 'and that was no answer');
  play.wait(1);
  t.ok(play.did.includes('disconnect 4000'));
  await t.rejects(counts, /lost/);
});

t.test('slowConflatedBecomesDepth', async (t) => {
  const { play, stream } = exact();
  play.say({ type: 'slow', id: 1, did: 'conflated', sequence: '12' });
  t.match(stream.options, { mode: 'depth', levels: 10 });
  play.bytes(depthBlock({ subscription: 1, sequence: 20n }, [full]));
  t.equal(stream.state, 'synchronized');
  t.equal(stream.replica, undefined, 'its books are let go');
});

t.test('whatTheGatewayEndsIsNoLongerLive', async (t) => {
  const play = ready();
  const stream = play.subscribe({ channel: 1, mode: 'depth' });
  play.say({ type: 'subscribed', id: 1, sequence: '10', instruments });
  play.bytes(depthBlock({ subscription: 1, sequence: 10n }, [full]));
  t.equal(stream.state, 'synchronized');
  // Its entitlements were narrowed.
  play.say(
    { type: 'error', id: 1, code: 'forbidden', message: 'no' },
    { type: 'unsubscribed', id: 1, published: '0', sent: '0', conflated: '0', refused: '0', sequence: '10' },
  );
  t.equal(stream.state, 'connecting');
  t.same(play.fresh().slice(-2), ['refused GatewayError: forbidden: no #1', 'state #1 connecting synchronized']);
});

t.test('anyOrderOfAnythingThrowsNothing', async (t) => {
  const texts: object[] = [
    { type: 'welcome', version: 1 },
    { type: 'subscribed', id: 1, sequence: '10', instruments },
    { type: 'subscribed', id: 2, sequence: '10' },
    { type: 'changed', id: 1, sequence: '10' },
    { type: 'counts', id: 1, published: '1', sent: '1', conflated: '0', refused: '0', sequence: '1' },
    { type: 'unsubscribed', id: 2, published: '1', sent: '1', conflated: '0', refused: '0', sequence: '1' },
    { type: 'error', id: 1, code: 'unavailable' },
    { type: 'error', code: 'bad_message', message: 'x' },
    { type: 'session', channel: 1, session: '8' },
    { type: 'slow', id: 1, did: 'conflated', sequence: '1' },
    { type: 'slow', id: 1, did: 'resnapshot', sequence: '1' },
    { type: 'definitions', channel: 1, instruments },
    { type: 'goodbye', code: 4010, reason: '', reconnectMs: 0 },
    { type: 'later', id: 1 },
    { type: 'subscribed', id: '1' },
  ];
  const blocks = [
    emptySnapshot(10n),
    markedSnapshot(10n),
    markedSnapshot(12n, { subscription: 2, session: 8n }),
    markBlock({ subscription: 1, sequence: 11n }, { part: 1, datagrams: 2, why: SnapshotWhy.gap, last: false }),
    markBlock({ subscription: 2, sequence: 11n }, { generation: 0n, datagrams: 0, why: SnapshotWhy.resume }),
    digestBlock({ subscription: 1, sequence: 12n }, [{ instrument: 1, instrumentSequence: 1, digest: 5n }]),
    emptySnapshot(10n, { session: 8n, digest: 5n }),
    bookPacket({ channel: 1, session: 7n, first: 11n, position: 11n }, [order(1n, 1)]),
    heartbeatPacket({ channel: 1, session: 7n, first: 12n, position: 11n }, { digest: 1n, digestValid: true }),
    depthBlock({ subscription: 1, sequence: 10n }, [full]),
    printBlock({ subscription: 2, sequence: 19n }, [12n], 2),
    filteredBlock({ subscription: 2, sequence: 19n }, 10n, [{ ...order(1n, 1), sequence: 14n }]),
  ];
  const modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
  for (const seed of seedsOf(1, 2, 3, 4, 5, 6)) {
    const random = new Random(seed);
    const play = ready();
    for (const mode of [random.pick(modes), random.pick(modes)]) play.subscribe({ channel: 1, mode });
    for (let step = 0; step < 3_000; step++) {
      const draw = random.below(20);
      if (draw < 8) play.say(random.pick(texts));
      else if (draw < 16) play.bytes(random.pick(blocks));
      else if (draw === 16) play.take(play.state.closed(1006, play.now));
      else if (draw === 17) play.take(play.state.opened(play.now));
      else if (draw === 18 && play.state.streams.size < 3) play.subscribe({ channel: 1, mode: random.pick(modes) });
      else play.wait(random.between(1, 400));
      const stream = play.state.streams.get(1);
      if (stream !== undefined && play.state.connected && random.below(50) === 0)
        play.ask(() => stream.count()).catch(() => {});
      play.news.length = 0;
    }
    t.pass(`DEPTHCAST_SEED=${seed}`);
  }
});
