/** The client's decisions, step by step: everything that it does, in order. */
import t from 'tap';
import {
  type Action,
  ClientState,
  type ClientStateOptions,
  type FeedView,
  type Range,
  without,
} from '../../src/recovery/client_state.js';
import type { ServiceMessage } from '../../src/recovery/protocol.js';

const session = 9n;
const range = (first: number, last: number): Range => ({ first: BigInt(first), last: BigInt(last) });

function optionsOf(more: Partial<ClientStateOptions> = {}): ClientStateOptions {
  return {
    channel: 1,
    token: '',
    timeoutMs: 1_000,
    backoffMs: 20,
    backoffMsMax: 320,
    retransmitMax: 1_000,
    resume: null,
    hasService: true,
    hasUdp: false,
    hasSnapshotLine: false,
    random: () => 1,
    ...more,
  };
}

function viewOf(overdue: Range[] = [], more: Partial<FeedView> = {}): FeedView {
  const missing = overdue.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  const knownEnd = (overdue.at(-1)?.last ?? 99n) + 1n;
  const next = overdue[0]?.first ?? 100n;
  const synchronized = overdue.length === 0 && (more.whole ?? true);
  return {
    session,
    next,
    knownEnd,
    parkedFirst: 0n,
    missing,
    synchronized,
    whole: true,
    endAnnounced: false,
    overdue,
    ...more,
  };
}

/** Actions as short texts. */
function told(actions: Action[]): string[] {
  return actions.map((action) => {
    switch (action.do) {
      case 'send': {
        const { message } = action;
        if (message.type === 'retransmit')
          return `#${message.id} ${message.ranges.map(([first, last]) => `${first}-${last}`).join(' ')}`;
        if (message.type !== 'snapshot') return message.type;
        const of = message.before === undefined ? `from ${message.from}` : `before ${message.before}`;
        return `#${message.id} snapshot ${of}`;
      }
      case 'confirmSession':
        return `session ${action.session}`;
      case 'cancelResume':
        return `resume failed: ${action.reason}`;
      case 'giveUp':
        return `give up below ${action.end}`;
      case 'rerequest':
        return `rerequest ${action.ranges.map(({ first }) => first).join(' ')}`;
      case 'joinSnapshotLine':
        return action.joined ? 'join' : 'leave';
      default:
        return action.do;
    }
  });
}

const welcome = (more: object = {}): ServiceMessage =>
  ({
    type: 'welcome',
    version: 1,
    channel: 1,
    session,
    next: 100n,
    oldest: 1n,
    snapshots: true,
    ended: false,
    ...more,
  }) as ServiceMessage;
const done = (id: number, more: object = {}): ServiceMessage =>
  ({ type: 'done', id, sent: [], refused: [], ...more }) as ServiceMessage;
const refused = (id: number, code: string, waitMs?: number): ServiceMessage =>
  ({ type: 'refused', id, code, ...(waitMs === undefined ? {} : { waitMs }) }) as ServiceMessage;
const refusedRange = (first: bigint, last: bigint, code: string, waitMs?: number) => ({ first, last, code, waitMs });

/** Connected and synchronized at `now` 0. */
function ready(more: Partial<ClientStateOptions> = {}, service: object = {}): ClientState {
  const state = new ClientState(optionsOf(more));
  state.start(0);
  state.opened(0);
  state.message(welcome(service), 0);
  return state;
}

t.test('greetsAndAsksForManyRangesAtOnce', async (t) => {
  const state = new ClientState(optionsOf());
  t.same(told(state.start(0)), ['connect']);
  t.same(told(state.opened(1)), ['hello']);
  t.same(told(state.feed(viewOf([range(5, 7), range(10, 10)]), 2)), [], 'not before it is welcome');
  t.same(told(state.message(welcome(), 3)), ['#1 5-7 10-10']);
  t.same(told(state.feed(viewOf([range(5, 7), range(10, 10), range(20, 29)]), 4)), ['#2 20-29'], 'what is new');
  t.same(told(state.message(done(1), 5)), []);
  t.same(told(state.feed(viewOf([range(6, 6), range(20, 29)]), 6)), [], 'what came is on its way to the books');
  t.same(told(state.feed(viewOf([range(6, 6), range(20, 29)]), 26)), ['#3 6-6'], 'or was damaged');
  t.same(told(state.message(done(3), 27)), []);
  t.same(told(state.feed(viewOf(), 28)), []);
});

t.test('reconnectsLaterAndLaterWithJitter', async (t) => {
  const state = new ClientState(optionsOf({ random: () => 0.5 }));
  state.start(0);
  const times: number[] = [];
  for (let now = 0, round = 0; round < 7; round++) {
    state.closed(now);
    const due = state.deadline(now) ?? 0;
    times.push(due - now);
    t.same(told(state.tick(due - 1)), []);
    t.same(told(state.tick(due)), ['connect']);
    now = due;
  }
  t.same(times, [15, 30, 60, 120, 240, 240, 240]);
});

t.test('waitsAsLongAsTheServiceSays', async (t) => {
  const state = ready({ random: () => 0 });
  const view = viewOf([range(5, 7), range(10, 30)]);
  t.same(told(state.feed(view, 1)), ['#1 5-7 10-30']);
  const part = done(1, { sent: [[5n, 7n]], refused: [refusedRange(10n, 30n, 'rate_limited', 50)] });
  t.same(told(state.message(part, 2)), []);
  t.same(told(state.feed(view, 51)), []);
  t.same(told(state.feed(viewOf([range(10, 30)]), 52)), ['#2 10-30']);
  t.same(told(state.message(refused(2, 'rate_limited', 100), 60)), []);
  t.same(told(state.feed(viewOf([range(10, 30)]), 159)), []);
  t.same(told(state.feed(viewOf([range(10, 30)]), 160)), ['#3 10-30']);
});

t.test('asksForASnapshotWhereRetransmissionCannotHelp', async (t) => {
  for (const code of ['too_low', 'unavailable']) {
    const state = ready();
    const view = viewOf([range(5, 7), range(50, 60)], { parkedFirst: 8n });
    t.same(told(state.feed(view, 1)), ['#1 5-7 50-60']);
    t.same(told(state.message(done(1, { refused: [refusedRange(5n, 7n, code)] }), 2)), [
      'wantSnapshot',
      '#2 snapshot from 8',
    ]);
    t.equal(state.snapshotReason, 'unavailable');
    t.same(
      told(state.feed({ ...view, overdue: [...view.overdue, range(70, 71)], knownEnd: 80n }, 3)),
      ['#3 70-71'],
      'what it cannot hold',
    );
    state.progress(2, 500);
    t.same(told(state.message(done(2, { sequence: 60n }), 900)), []);
    t.same(told(state.snapshotTaken(901)), []);
    t.same(told(state.feed(viewOf(), 902)), []);
  }
});

t.test('asksForASnapshotWhenFarBehindOrWrong', async (t) => {
  const behind = ready();
  t.same(told(behind.feed(viewOf([range(1, 1_001)], { parkedFirst: 1_002n }), 1)), [
    'wantSnapshot',
    '#1 snapshot from 1002',
  ]);
  t.equal(behind.snapshotReason, 'behind');
  const wrong = ready();
  t.same(told(wrong.feed(viewOf([], { whole: false }), 1)), ['wantSnapshot', '#1 snapshot from 100']);
  t.equal(wrong.snapshotReason, 'mismatch');
  wrong.message(done(1), 2);
  t.same(told(wrong.snapshotTaken(3)), []);
  t.same(told(wrong.feed(viewOf(), 4)), []);
  t.same(
    told(wrong.feed(viewOf([], { whole: false }), 5)),
    [],
    'one that does not help is not asked for at once again',
  );
  t.same(told(wrong.feed(viewOf([], { whole: false }), 43)), ['wantSnapshot', '#2 snapshot from 100']);
});

t.test('asksAgainForASnapshotThatDoesNotCome', async (t) => {
  const state = ready();
  const view = viewOf([range(1, 5_000)]);
  t.same(told(state.feed(view, 0)), ['wantSnapshot', '#1 snapshot from 1']);
  t.same(told(state.message(refused(1, 'no_snapshot', 70), 10)), []);
  t.same(told(state.feed(view, 79)), []);
  t.same(told(state.feed(view, 80)), ['wantSnapshot', '#2 snapshot from 1']);
  t.same(told(state.message(done(2), 90)), [], 'all was sent, and some of it lost');
  t.same(told(state.tick(1_089)), []);
  t.same(told(state.tick(1_090)), []);
  t.same(told(state.tick(1_500)), ['wantSnapshot', '#3 snapshot from 1']);
  t.same(told(state.snapshotRefused(1_600)), []);
  t.same(told(state.tick(2_000)), ['wantSnapshot', '#4 snapshot from 1']);
});

t.test('triesAnotherConnectionWhereNothingIsAnswered', async (t) => {
  const state = ready();
  t.same(told(state.feed(viewOf([range(5, 7)]), 0)), ['#1 5-7']);
  state.progress(1, 600);
  t.same(told(state.tick(1_500)), [], 'the answer goes on');
  t.same(told(state.tick(1_600)), ['disconnect']);
  t.same(told(state.tick(1_620)), ['connect']);
  t.same(told(state.opened(1_621)), ['hello']);
  t.same(told(state.message(welcome(), 1_622)), ['#2 5-7']);
});

t.test('followsTheServiceToANewSession', async (t) => {
  const state = new ClientState(optionsOf());
  state.start(0);
  state.opened(0);
  t.same(told(state.message(welcome({ session: 10n }), 1)), []);
  t.same(told(state.feed(viewOf([range(5, 7)]), 2)), ['session 10'], 'and asks nothing of the old one');
  t.same(told(state.feed(viewOf([range(1, 3)], { session: 10n }), 3)), ['#1 1-3']);
  t.same(told(state.message({ type: 'session', session: 11n, next: 1n, oldest: 1n }, 4)), ['session 11']);
  t.same(
    told(state.feed(viewOf([range(1, 3)], { session: 11n }), 5)),
    ['#2 1-3'],
    'what was asked for before is forgotten',
  );
  t.same(told(state.message({ type: 'session', session: 10n, next: 1n, oldest: 1n }, 6)), []);
  t.same(told(state.feed(viewOf([range(1, 4)], { session: 11n }), 7)), [], 'a service that is behind cannot help');
});

t.test('resumesByACheckpointThenEveryMessage', async (t) => {
  const state = ready({ resume: { session, sequence: 5_000n } });
  const view = viewOf([range(1, 9_000)]);
  t.same(told(state.feed(view, 1)), ['wantSnapshot', '#1 snapshot before 5000']);
  t.equal(state.snapshotReason, 'resume');
  state.message(done(1, { sequence: 4_000n }), 2);
  t.same(told(state.snapshotTaken(3)), []);
  t.same(told(state.feed(viewOf([range(4_001, 9_000)]), 4)), ['#2 4001-9000'], 'however much that is');
  t.same(told(state.resumed(true, 5)), []);
  state.message(done(2), 6);
  t.same(told(state.feed(viewOf(), 7)), []);
  t.same(
    told(state.feed(viewOf([range(9_100, 19_000)]), 60)),
    ['wantSnapshot', '#3 snapshot from 9100'],
    'as ever from then on',
  );
});

t.test('resumesFromTheFirstMessageWhereThereIsNoCheckpoint', async (t) => {
  const kept = ready({ resume: { session, sequence: 5_000n } });
  kept.feed(viewOf([range(1, 9_000)]), 1);
  t.same(told(kept.message(refused(1, 'too_low'), 2)), ['#2 1-9000']);
  const gone = ready({ resume: { session, sequence: 5_000n } }, { oldest: 3_000n });
  gone.feed(viewOf([range(1, 9_000)]), 1);
  t.same(told(gone.message(refused(1, 'too_low'), 2)), ['resume failed: no checkpoint (too_low)']);
  t.same(told(gone.tick(60)), ['wantSnapshot', '#2 snapshot from 1']);
  const over = ready({ resume: { session: 3n, sequence: 5_000n } });
  t.same(told(over.feed(viewOf(), 1)), ['resume failed: session is over']);
  const other = ready({ resume: { session, sequence: 5_000n } });
  other.feed(viewOf([range(1, 9_000)]), 1);
  other.snapshotTaken(2);
  t.same(told(other.resumed(false, 3)), ['resume failed: digest differs']);
});

t.test('helpsItselfWithoutTheService', async (t) => {
  const alone = new ClientState(optionsOf({ hasService: false, hasUdp: true, hasSnapshotLine: true }));
  alone.start(0);
  t.same(told(alone.feed(viewOf([range(5, 7), range(9, 9)]), 1)), ['rerequest 5 9']);
  t.same(told(alone.feed(viewOf([range(6, 7)]), 5)), []);
  t.same(told(alone.feed(viewOf([range(6, 7)]), 6)), ['rerequest 6']);
  t.same(told(alone.rerequestRefused(7)), ['join', 'wantSnapshot']);
  t.same(told(alone.snapshotTaken(8)), ['leave']);
  t.same(told(alone.feed(viewOf([], { whole: false }), 100)), ['join', 'wantSnapshot']);

  const both = new ClientState(optionsOf({ hasUdp: true }));
  both.start(0);
  t.same(told(both.feed(viewOf([range(5, 7)]), 1)), [], 'the service is looked for first');
  t.same(told(both.closed(2)), ['rerequest 5']);
});

t.test('givesUpWhatNobodyCanBringWhenTheSessionIsOver', async (t) => {
  const state = new ClientState(optionsOf());
  const view = viewOf([range(5, 7)], { endAnnounced: true });
  state.start(0);
  state.closed(1);
  t.same(told(state.feed(view, 2)), []);
  t.same(
    told(state.feed(view, 1_001)).filter((one) => one !== 'connect'),
    [],
  );
  state.closed(1_001);
  t.same(
    told(state.feed(view, 1_002)).filter((one) => one !== 'connect'),
    ['give up below 8'],
  );
});

t.test('aServiceThatWasThereIsWaitedForWhenTheSessionIsOver', async (t) => {
  const state = ready({});
  const view = viewOf([range(5, 7)], { endAnnounced: true });
  state.closed(1);
  t.same(told(state.feed(view, 2)), []);
  const others = (now: number) => told(state.tick(now)).filter((one) => one !== 'connect');
  t.same(others(14_000), [], 'it may be starting again');
  state.closed(14_001);
  t.same(others(15_001), ['give up below 8']);
});

t.test('givesUpWhereThereIsNoSuchService', async (t) => {
  const state = new ClientState(optionsOf());
  const view = viewOf([range(5, 7)]);
  state.start(0);
  state.closed(1, true);
  t.same(told(state.feed(view, 2)), []);
  state.tick(30);
  state.closed(1_001, true);
  t.same(told(state.feed(view, 1_002)), ['give up below 8']);
});

t.test('subtractsRanges', async (t) => {
  const all = [range(1, 10), range(20, 30), range(40, 40)];
  t.same(without(all, []), all);
  t.same(without(all, [range(3, 4), range(8, 22), range(40, 99)]), [range(1, 2), range(5, 7), range(23, 30)]);
  t.same(without(all, [range(1, 100)]), []);
  t.same(without([range(5, 6)], [range(1, 5), range(6, 6)]), []);
});
