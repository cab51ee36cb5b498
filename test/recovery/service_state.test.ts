/** The recovery service's state without sockets or clocks: turns, buckets, bounds, sessions. */
import t from 'tap';
import type { NativeArchiveRead, NativeSnapshot } from '../../src/native.js';
import { frame_bytes_max, requests_open_max } from '../../src/recovery/protocol.js';
import { RangeCursor } from '../../src/recovery/range_cursor.js';
import {
  type ArchiveSource,
  type RecoveryClient,
  RecoveryState,
  type RecoveryStateOptions,
  socket_buffered_max,
} from '../../src/recovery/service_state.js';
import { ComeBackQueue, TokenBucket } from '../../src/recovery/token_bucket.js';

type Text = Record<string, unknown> & { type: string };

/** Every message is a datagram of 1,000 bytes; snapshots hold `snapshotBytes`. */
class FakeSource implements ArchiveSource {
  session = 7n;
  next = 1_000_001n;
  oldest = 1n;
  snapshotBytes = 1_000_000;
  readonly tickets: number[] = [];
  readonly held = new Set<number>();
  reads = 0;
  #handle = 0;

  state() {
    return { channel: 1, session: this.session, next: this.next, oldest: this.oldest, ended: false };
  }
  read(session: bigint, first: bigint, last: bigint, bytesMax: number, reserve: number): NativeArchiveRead {
    this.reads++;
    const answer = (status: NativeArchiveRead['status'], next: bigint, until: bigint, datagrams: number) => ({
      status,
      next,
      until,
      datagrams,
      frame: new Uint8Array(reserve + 1_000 * datagrams),
    });
    if (session !== this.session) return answer('wrong_session', first, last, 0);
    if (first >= this.next) return answer('too_high', first, last, 0);
    if (first < this.oldest) return answer('too_low', first, last < this.oldest ? last : this.oldest - 1n, 0);
    const end = last < this.next ? last : this.next - 1n;
    const datagrams = Math.min(Number(end - first) + 1, Math.max(1, Math.floor(bytesMax / 1_000)));
    const next = first + BigInt(datagrams);
    return answer(next > end && last > end ? 'too_high' : 'ok', next, last, datagrams);
  }
  requestSnapshot(ticket: number): boolean {
    this.tickets.push(ticket);
    return true;
  }
  give(state: RecoveryState, now_ms: number): void {
    for (const ticket of this.tickets.splice(0)) {
      const handle = ++this.#handle;
      this.held.add(handle);
      const snapshot: NativeSnapshot = { handle, session: this.session, sequence: 5n, bytes: this.snapshotBytes };
      state.snapshotReady(ticket, snapshot, 0, now_ms);
    }
  }
  sliceSnapshot(handle: number, offset: number, bytesMax: number, reserve: number): Uint8Array | undefined {
    if (!this.held.has(handle)) return undefined;
    return new Uint8Array(reserve + Math.min(bytesMax, this.snapshotBytes - offset));
  }
  releaseSnapshot(handle: number): void {
    this.held.delete(handle);
  }
}

class FakeSocket {
  readonly texts: Text[] = [];
  bytes = 0;
  frames = 0;
  waiting = 0;
  reading = true;
  ended: number | undefined;

  sendText(text: string): void {
    this.texts.push(JSON.parse(text) as Text);
  }
  sendFrame(frame: Uint8Array): void {
    if (frame.byteLength > frame_bytes_max) throw new Error('a frame is too long');
    this.bytes += frame.byteLength;
    this.frames++;
    if (!this.reading) this.waiting += frame.byteLength;
  }
  buffered(): number {
    return this.waiting;
  }
  end(code: number): void {
    this.ended = code;
  }
  get last(): Text | undefined {
    return this.texts.at(-1);
  }
}

const defaults: RecoveryStateOptions = {
  channel: 1,
  bytesPerSecond: 1e9,
  burstBytes: 1e8,
  totalBytesPerSecond: 1e9,
  snapshotBytesPerSecond: 1e9,
  snapshots: true,
  clientsMax: 10_000,
  token: '',
};

function make(more: Partial<RecoveryStateOptions> = {}) {
  const source = new FakeSource();
  const state = new RecoveryState({ ...defaults, ...more }, source, 0);
  return { source, state };
}

function join(state: RecoveryState): { client: RecoveryClient; socket: FakeSocket } {
  const socket = new FakeSocket();
  const client = state.opened(socket, 0) as RecoveryClient;
  state.message(client, JSON.stringify({ type: 'hello', version: 1, channel: 1 }), 0);
  return { client, socket };
}

function ask(state: RecoveryState, client: RecoveryClient, message: object, now_ms = 0): void {
  state.message(client, JSON.stringify({ id: 1, session: '7', ...message }), now_ms);
}

/** Turns until there is nothing to do for anyone; returns the time then. */
function work(state: RecoveryState, now_ms = 0, max = 100_000): number {
  for (let turn = 0; turn < max; turn++) {
    const again = state.turn(now_ms);
    if (again === undefined) return now_ms;
    now_ms += Math.max(again, 0.1);
  }
  throw new Error('it goes on for ever');
}

t.test('bucketGivesWhatHasComeInAndTellsTheWait', (t) => {
  const bucket = new TokenBucket(1_000, 500, 0);
  t.equal(bucket.available(0), 500);
  bucket.take(500, 0);
  t.equal(bucket.available(100), 100);
  t.equal(bucket.wait_ms(300, 100), 200);
  t.equal(bucket.wait_ms(1e9, 100), 400, 'more than the burst is not waited for');
  bucket.take(1_100, 100);
  t.equal(bucket.available(100), -1_000);
  t.equal(bucket.wait_ms(1, 100), 1_001);
  t.equal(bucket.available(1e9), 500, 'never more than the burst');
  t.equal(bucket.available(5), 500, 'time that goes back changes nothing');
  t.end();
});

t.test('comeBackQueueSpreadsThoseWhoAreRefused', (t) => {
  const queue = new ComeBackQueue(1_000_000, 1_000, 0);
  const waits = Array.from({ length: 5 }, () => queue.wait_ms(100_000, 0));
  t.same(waits, [100, 200, 300, 400, 500]);
  t.equal(queue.wait_ms(100_000, 450), 150, 'time passes for the queue, too');
  for (let index = 0; index < 1_000; index++) t.ok(queue.wait_ms(100_000, 450) <= 1_200);
  t.end();
});

t.test('cursorKeepsTheBooksOfOneRequest', (t) => {
  const cursor = new RangeCursor([
    [1n, 5n],
    [8n, 10n],
    [20n, 30n],
    [40n, 40n],
  ]);
  t.same(cursor.want(), [1n, 5n]);
  cursor.gave(3n);
  t.same(cursor.want(), [3n, 5n]);
  cursor.gave(9n);
  t.same(cursor.want(), [9n, 10n], 'a datagram may reach into the next range');
  cursor.refuse('unavailable', 9n);
  cursor.gave(11n);
  cursor.refuse('too_low', 22n);
  cursor.gave(25n);
  cursor.refuseRest('rate_limited', 50);
  t.equal(cursor.want(), undefined);
  t.same(cursor.sent, [
    [1n, 5n],
    [8n, 8n],
    [10n, 10n],
    [23n, 24n],
  ]);
  t.same(cursor.refused, [
    { first: 9n, last: 9n, code: 'unavailable' },
    { first: 20n, last: 22n, code: 'too_low' },
    { first: 25n, last: 30n, code: 'rate_limited', waitMs: 50 },
    { first: 40n, last: 40n, code: 'rate_limited', waitMs: 50 },
  ]);
  t.end();
});

t.test('servesAThousandWhoAskForEverythingAtOnceInTurnOrTellsThemWhen', (t) => {
  const { state } = make({ totalBytesPerSecond: 40e6, bytesPerSecond: 1e9, burstBytes: 64e6 });
  const all = Array.from({ length: 1_000 }, () => join(state));
  for (const { client } of all) ask(state, client, { type: 'retransmit', ranges: [['1', '100000']] });
  const answered = () => all.filter(({ socket }) => socket.last?.type !== 'welcome').length;
  const most = () => Math.max(...all.map(({ socket }) => socket.bytes));
  let now_ms = 0;
  let mostAtFirst: number | undefined;
  for (let turn = 0; ; turn++) {
    const again = state.turn(now_ms);
    if (answered() > 0) mostAtFirst ??= most();
    if (again === undefined) break;
    now_ms += Math.max(again, 0.5);
    if (turn > 100_000) throw new Error('it goes on for ever');
  }
  t.equal(answered(), 1_000, 'everyone has an answer');
  t.ok((mostAtFirst ?? 0) <= 4 * 131_072, 'as long as all are there, they go in turn');
  const waits = all.map(({ socket: { last } }) => {
    if (last?.type === 'refused') return last.waitMs as number;
    const rest = (last?.refused ?? []) as { waitMs: number }[];
    return rest[0]?.waitMs;
  });
  const told = waits.filter((wait) => wait !== undefined);
  t.ok(told.length > 900 && told.every((wait) => wait > 0), 'who was not served is told the wait');
  t.ok(new Set(told).size > 100, 'and not all the same');
  const total = all.reduce((sum, { socket }) => sum + socket.bytes, 0);
  t.ok(total <= 10e6 + (now_ms / 1_000) * 40e6 + 1e6, `${total} bytes in ${now_ms} ms`);
  t.ok(total > 9e6, 'the total is used');
  t.equal(state.counters.requestsOpen, 0);
  t.end();
});

t.test('carriesOnlySoManyLongAnswersAtATimeAndTellsTheOthersWhenToComeBack', (t) => {
  const { state } = make({ totalBytesPerSecond: 1e12, bytesPerSecond: 1e12, burstBytes: 1e12 });
  const all = Array.from({ length: 200 }, () => join(state));
  for (const { client } of all) ask(state, client, { type: 'retransmit', ranges: [['1', '10000']] });
  work(state);
  const waitOf = ({ socket }: { socket: FakeSocket }) =>
    ((socket.last?.refused ?? []) as { waitMs?: number }[])[0]?.waitMs;
  const whole = all.filter(({ socket }) => socket.last?.type === 'done' && socket.bytes > 10_000_000);
  const told = all.filter((one) => (waitOf(one) ?? 0) > 0);
  t.equal(whole.length, 64, 'so many go on to the end');
  t.equal(told.length, 200 - 64, 'the others have the beginning and a time');
  for (const { socket } of told)
    t.ok(socket.bytes >= 2 ** 20 && socket.bytes < 2 ** 20 + 2 ** 18, `${socket.bytes} bytes`);
  t.equal(state.counters.requestsOpen, 0);

  const [first] = told;
  if (first === undefined) throw new Error('nobody was told');
  const [rest] = (first.socket.last?.refused ?? []) as { first: string }[];
  ask(state, first.client, { type: 'retransmit', ranges: [[rest?.first, '10000']] });
  work(state);
  t.same(first.socket.last?.refused, [], 'and have the rest when they come back');
  t.end();
});

t.test('oneWhoAsksForMuchDoesNotHoldUpOneWhoAsksForLittle', (t) => {
  const { state } = make();
  const large = join(state);
  const small = join(state);
  ask(state, large.client, { type: 'retransmit', ranges: [['1', '1000000']] });
  state.turn(0);
  ask(state, small.client, { type: 'retransmit', ranges: [['5', '6']] });
  for (let turn = 0; turn < 3 && small.socket.last?.type !== 'done'; turn++) state.turn(0);
  t.same(small.socket.last, { type: 'done', id: 1, sent: [['5', '6']], refused: [] });
  t.not(large.socket.last?.type, 'done');
  t.end();
});

t.test('doesABoundedAmountInOneTurn', (t) => {
  const { source, state } = make();
  const all = Array.from({ length: 500 }, () => join(state));
  const many = Array.from({ length: 1_024 }, (_, index) => [String(10 * index + 1), String(10 * index + 2)]);
  for (const { client } of all) ask(state, client, { type: 'retransmit', ranges: many });
  let before = 0;
  while (state.turn(0) === 0 && source.reads < 50_000) {
    t.ok(source.reads - before <= 8 * 16) || t.bailout();
    before = source.reads;
  }
  t.end();
});

t.test('leavesASocketAloneUntilItHasDrained', (t) => {
  const { state } = make();
  const { client, socket } = join(state);
  socket.reading = false;
  ask(state, client, { type: 'retransmit', ranges: [['1', '1000000']] });
  work(state);
  t.equal(work(state), 0, 'nothing more to do');
  t.ok(socket.waiting > socket_buffered_max && socket.waiting <= 2 ** 20, `${socket.waiting} bytes wait`);
  t.equal(state.counters.bufferedBytes, socket.waiting);
  socket.waiting = 0;
  state.drained(client, 10);
  work(state, 10);
  t.ok(socket.waiting > socket_buffered_max && socket.waiting <= 2 ** 20);
  // One that takes nothing any more is let go, with all that it holds.
  state.tick(10 + 21_000);
  t.equal(socket.ended, 4_408);
  t.equal(state.counters.bufferedBytes, 0);
  t.equal(state.counters.clients, 0);
  t.equal(state.counters.requestsOpen, 0);
  t.end();
});

t.test('givesSnapshotsBackWhateverBecomesOfTheAsker', (t) => {
  const { source, state } = make();
  const done = join(state);
  const cancelled = join(state);
  const early = join(state);
  const gone = join(state);
  const slow = join(state);
  slow.socket.reading = false;
  for (const { client } of [done, cancelled, early, gone, slow]) ask(state, client, { type: 'snapshot' });
  state.message(early.client, JSON.stringify({ type: 'cancel', id: 1 }), 0);
  source.snapshotBytes = 3_000_000;
  source.give(state, 0);
  t.equal(source.held.size, 4, 'the one that was cancelled before is given back at once');
  state.turn(0);
  state.message(cancelled.client, JSON.stringify({ type: 'cancel', id: 1 }), 0);
  t.same(cancelled.socket.last, { type: 'done', id: 1, sent: [], refused: [] });
  state.closed(gone.client);
  work(state);
  t.same(done.socket.last, { type: 'done', id: 1, sent: [], sequence: '5', refused: [] });
  t.equal(done.socket.bytes, 3_000_000 + 8 * done.socket.frames);
  t.equal(source.held.size, 1);
  state.closed(slow.client);
  state.closed(slow.client);
  t.equal(source.held.size, 0);
  t.equal(state.counters.requestsOpen, 0);
  t.end();
});

t.test('takesOnOnlyAsManySnapshotsAsCanBeOutSoon', (t) => {
  const { source, state } = make({ snapshotBytesPerSecond: 10e6 });
  source.snapshotBytes = 1_000_000;
  const first = join(state);
  ask(state, first.client, { type: 'snapshot' });
  source.give(state, 0);
  const all = Array.from({ length: 1_000 }, () => join(state));
  for (const { client } of all) ask(state, client, { type: 'snapshot' });
  const refused = all.filter(({ socket }) => socket.last?.code === 'rate_limited');
  t.ok(refused.length > 900 && refused.length < 1_000, `${refused.length} are told to come back`);
  t.ok(refused.every(({ socket }) => (socket.last?.waitMs as number) > 0));
  t.ok(new Set(refused.map(({ socket }) => socket.last?.waitMs)).size > 100);
  source.give(state, 0);
  const end_ms = work(state);
  t.ok(end_ms < 3_000, `the others have theirs after ${end_ms} ms`);
  t.equal(state.counters.snapshots, 1_001 - refused.length);
  // Debt: none of them is let near it again at once.
  ask(state, first.client, { type: 'snapshot' }, end_ms);
  t.end();
});

t.test('tellsEveryoneOfAnotherSessionAndEndsWhatBelongedToTheOld', (t) => {
  const { source, state } = make();
  const a = join(state);
  const b = join(state);
  const silent = state.opened(new FakeSocket(), 0) as RecoveryClient;
  a.socket.reading = false;
  ask(state, a.client, { type: 'retransmit', ranges: [['1', '1000000']] });
  ask(state, b.client, { type: 'snapshot' });
  work(state);
  source.session = 8n;
  source.next = 4n;
  state.tick(100);
  t.same(a.socket.texts.at(-2), { type: 'session', session: '8', next: '4', oldest: '1' });
  const refused = a.socket.last?.refused as { code: string }[];
  t.equal(refused[0]?.code, 'wrong_session');
  t.same(b.socket.last, { type: 'refused', id: 1, code: 'wrong_session' });
  t.notOk(silent.greeted);
  source.give(state, 100);
  t.equal(source.held.size, 0, 'what comes too late is given back');
  ask(state, b.client, { type: 'retransmit', session: '8', ranges: [['1', '3']] }, 100);
  work(state, 100);
  t.same(b.socket.last, { type: 'done', id: 1, sent: [['1', '3']], refused: [] });
  t.end();
});

t.test('servesTheSessionThatAWelcomeNamesFromThatMomentOn', (t) => {
  const { source, state } = make();
  const before = join(state);
  source.session = 8n;
  const { client, socket } = join(state);
  t.match(socket.last, { type: 'welcome', session: '8' });
  t.match(before.socket.last, { type: 'session', session: '8' });
  ask(state, client, { type: 'retransmit', session: '8', ranges: [['1', '3']] });
  work(state);
  t.same(socket.last, { type: 'done', id: 1, sent: [['1', '3']], refused: [] });
  t.end();
});

t.test('givesNoSnapshotOfTheSessionBefore', (t) => {
  const { source, state } = make();
  source.session = 8n;
  const { client, socket } = join(state);
  ask(state, client, { type: 'snapshot', session: '8' });
  source.session = 7n; // what the replica still holds
  source.give(state, 0);
  t.match(socket.last, { type: 'refused', id: 1, code: 'no_snapshot', waitMs: 500 });
  t.equal(source.held.size, 0);
  t.end();
});

t.test('boundsRequestsOfOneClientAndThoseWhoSayNothing', (t) => {
  const { state } = make();
  const { client, socket } = join(state);
  socket.reading = false;
  socket.waiting = 2 ** 21;
  state.drained(client, 0);
  for (let id = 1; id <= requests_open_max + 1; id++)
    ask(state, client, { type: 'retransmit', id, ranges: [['1', '2']] });
  t.equal(socket.last?.code, 'rate_limited');
  t.equal(socket.last?.id, requests_open_max + 1);
  ask(state, client, { type: 'retransmit', id: 1, ranges: [['1', '2']] });
  t.equal(socket.last?.code, 'invalid');
  const silent = new FakeSocket();
  state.opened(silent, 0);
  state.tick(4_000);
  t.equal(silent.ended, undefined);
  state.tick(6_000);
  t.equal(silent.ended, 4_400);
  state.closeAll();
  t.equal(socket.ended, 1_001);
  t.equal(state.counters.clients, 0);
  t.end();
});
