/** What connections mean for an engine's numbers, without a socket. */
import t from 'tap';
import { EventBatch } from '../../src/publisher/event_batch.js';
import type { DistributorFrame } from '../../src/publisher/frames.js';
import { PublisherState } from '../../src/publisher/publisher_state.js';
import { writeEvent } from './push.js';

function accepted(next: bigint, session = 7n): Extract<DistributorFrame, { kind: 'accepted' }> {
  const limits = { frameBytesMax: 65_536, batchEventsMax: 1_000, heartbeatMs: 100, idleMs: 500 };
  return { kind: 'accepted', channel: 1, session, next, ...limits };
}

function push(state: PublisherState, events: number): number {
  const batch = new EventBatch(events);
  for (let index = 0; index < events; index++) writeEvent(batch, Number(state.next) + index);
  return state.push(batch);
}

function sentBy(state: PublisherState): bigint[] {
  const firsts: bigint[] = [];
  for (let frame = state.takeFrame(); frame !== undefined; frame = state.takeFrame()) {
    firsts.push(frame.first);
    state.written(frame.last);
  }
  return firsts;
}

t.test('goesOnWhereTheDistributorExpectsIt', async (t) => {
  const state = new PublisherState(65_536, false);
  t.equal(state.oldest, 0n, 'an engine that has just started can give all');
  t.same(state.accepted(accepted(41n)), { act: 'stream' });
  t.equal(state.next, 41n);
  for (let batch = 0; batch < 5; batch++) t.equal(push(state, 10), 10);
  t.same(sentBy(state), [41n, 51n, 61n, 71n, 81n]);
  state.ack(55n);
  t.equal(state.oldest, 51n);
  t.notOk(state.allAcknowledged);
  // Cut off: the frame that holds what is expected, and all after it.
  t.same(state.accepted(accepted(66n)), { act: 'stream' });
  t.same(sentBy(state), [61n, 71n, 81n]);
  state.ack(90n);
  t.ok(state.allAcknowledged && state.allSent);
  t.same(state.accepted(accepted(91n)), { act: 'stream' });
  t.same(sentBy(state), []);
});

t.test('takesNothingWhereMemoryIsFull', async (t) => {
  const state = new PublisherState(4_096, false);
  state.accepted(accepted(1n));
  let taken = 0;
  for (let batch = 0; batch < 100; batch++) taken += push(state, 10);
  t.ok(taken > 0 && taken < 100);
  t.equal(state.next, BigInt(taken + 1));
  sentBy(state);
  state.ack(BigInt(taken));
  t.equal(push(state, 10), 10);
});

t.test('keepsWhatIsAcknowledgedWhileItWaitsInTheSocket', async (t) => {
  const state = new PublisherState(4_096, false);
  state.accepted(accepted(1n));
  while (push(state, 10) !== 0);
  const events = Number(state.next - 1n);
  sentBy(state);
  // Cut off; an acknowledgement of what the last connection brought overtakes this one's frames.
  t.same(state.accepted(accepted(1n)), { act: 'stream' });
  const first = state.takeFrame();
  const bytes = Uint8Array.from(first?.bytes ?? []);
  state.ack(BigInt(events));
  t.ok(state.allAcknowledged);
  t.equal(push(state, 10), 0, 'its memory is not free yet');
  t.same(first?.bytes, bytes);
  state.written(10n);
  t.equal(push(state, 10), 10);
  t.equal(sentBy(state).at(-1), BigInt(events + 1));
});

t.test('failsWhereNumbersCannotAgree', async (t) => {
  const state = new PublisherState(65_536, false);
  state.accepted(accepted(1n));
  push(state, 10);
  sentBy(state);
  t.match(state.accepted(accepted(12n)), { act: 'fail', error: { code: 'numbers_ahead', expected: 12n } });
  state.ack(10n);
  t.match(state.accepted(accepted(4n)), { act: 'fail', error: { code: 'events_lost', expected: 4n } });
  t.match(state.accepted(accepted(4n, 8n)), { act: 'fail', error: { code: 'restate_needed' } });
  const refused = { kind: 'refused', message: 'x' } as const;
  t.match(state.refused({ ...refused, name: 'hole', expected: 5n }), { act: 'fail', error: { code: 'hole' } });
});

t.test('statesItsBooksAnewInANewSession', async (t) => {
  const state = new PublisherState(65_536, true);
  state.accepted(accepted(1n));
  push(state, 10);
  // All of it is still there: a new session gets it as it was.
  t.same(state.accepted(accepted(1n, 8n)), { act: 'stream' });
  t.same(sentBy(state), [1n]);
  state.ack(10n);
  t.same(state.accepted(accepted(1n, 9n)), { act: 'restate' });
  t.same([state.next, state.acknowledged, state.session], [1n, 0n, 9n]);
  push(state, 10);
  sentBy(state);
  state.ack(10n);
  const refused = { kind: 'refused', name: 'events_unavailable', expected: 1n, message: '' } as const;
  t.same(state.refused(refused), { act: 'again' });
  t.equal(state.oldest, 1n, 'the next login is one that can be accepted');
  push(state, 10);
  t.same(state.accepted(accepted(1n, 10n)), { act: 'restate' });
  t.same(sentBy(state), [], 'what was pushed since is no part of the restatement');
  push(state, 5);
  t.same(sentBy(state), [1n]);
  t.same(state.accepted(accepted(1n, 10n)), { act: 'stream' });
});
