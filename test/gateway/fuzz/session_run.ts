/** One run of the gateway's session state: clients, logins, sockets and channels do what a seed says. */

import { SeededRandom } from '../../../src/faults/random.js';
import { refuse } from '../../../src/gateway/access/codes.js';
import { modes, slow_policies } from '../../../src/gateway/protocol.js';
import {
  type GatewaySession,
  GatewayState,
  type Grant,
  type LoginVerdict,
} from '../../../src/gateway/session_state.js';
import { FakeChannel } from './fake_channel.js';
import { buffered_max, FakeClient, FakeTopics } from './fake_client.js';

export const subscriptions_max = 4;
const clients_max = 8;
const steps = 400;
/** More messages than may wait for a login. */
const flood = 70;

const malformed = [
  '',
  '{',
  'null',
  '[]',
  '7',
  '"hello"',
  '{"type":"subscribe"}',
  '{"type":"nothing"}',
  '{"__proto__":{"type":"ping"}}',
  '{"type":"ping","time":"1"}',
  '{"type":"count","id":0}',
  '{"type":"count","id":65536}',
  '{"type":"count","id":1.5}',
  '{"type":"ping","extra":1}',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  '{"type":"subscribe","id":1,"channel":1,"mode":"depth","levels":1e999}',
  `{"type":"hello","versions":[1],"client":"${'x'.repeat(30_000)}"}`,
  `{"type":"ping"}${' '.repeat(70_000)}`,
];

export class SessionRun {
  readonly faults: string[] = [];
  readonly log: string[] = [];
  readonly #topics = new FakeTopics();
  readonly #random: SeededRandom;
  readonly #channels: FakeChannel[];
  readonly #state: GatewayState;
  readonly #clients: FakeClient[] = [];
  readonly #checking: GatewaySession[] = [];
  /** Requests whose judgement is still to come, in their order. */
  readonly #judging: GatewaySession[] = [];
  readonly #gone = new Set<GatewaySession>();
  #all: FakeClient[] = [];
  #doing = '';
  #now_ms = 0;
  /** The main thread answers nothing for a while. */
  #stalled = false;
  #numberLast = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#channels = [1, 2].map((channel) => new FakeChannel(channel, this.#random));
    this.#state = new GatewayState(
      {
        sessionsMax: clients_max,
        subscriptionsMax: subscriptions_max,
        levels: 10,
        bufferedBytes: buffered_max,
        requestsPerSecond: this.#random.pick([20, 1_000_000]),
      },
      {
        login: (session) => this.#login(session),
        request: (session) => this.#judging.push(session),
        held: (session) => this.#goneAlready(session, 'holds something'),
        closed: (session) => {
          this.#goneAlready(session, 'is closed');
          this.#gone.add(session);
        },
      },
      new Map(this.#channels.map((channel) => [channel.channel, channel])),
      this.#topics,
    );
  }

  /** Frames that were for a group. */
  get published(): number {
    return this.#topics.published;
  }

  /** What must hold is looked at after every step. */
  run(): void {
    for (let step = 0; step < steps && this.faults.length === 0; step++) {
      this.#step();
      this.#check();
    }
    this.#do('end', () => this.#state.closeAll(1_000));
    for (const client of this.#all) this.#closed(client);
    this.#check();
    for (const channel of this.#channels)
      if (channel.open.size > 0) this.faults.push(`${channel.open.size} native clients are left open`);
    const { sessions, subscriptions } = this.#state.counters;
    if (sessions !== 0 || subscriptions !== 0) this.faults.push(`${sessions} sessions, ${subscriptions} subscriptions`);
  }

  #step(): void {
    const random = this.#random;
    this.#now_ms += random.pick([0, 1, 10, 100, 1_000]);
    const client = this.#clients.length === 0 ? undefined : random.pick(this.#clients);
    const act = random.between(0, 99);
    if (act < 6 || client === undefined) this.#open();
    else if (act < 50) this.#ask(client);
    else if (act < 70) this.#do('turn', () => this.#state.turn());
    else if (act < 75) this.#do('tick', () => this.#state.tick(this.#now_ms));
    else if (act < 77) this.#answerLogin();
    else if (act < 80) this.#judge(this.#stalled ? 0 : random.between(1, 8));
    else if (act < 84) client.reads = !client.reads;
    else if (act < 88) this.#drain(client);
    else if (act < 91) random.pick(this.#channels).defines();
    else if (act < 93) random.pick(this.#channels).begins();
    else if (act < 95) this.#regrant(client);
    else if (act < 97) this.#closed(client);
    else if (act < 98) for (let count = 0; count < flood; count++) this.#ask(client);
    else if (act < 99) this.#stalled = !this.#stalled;
    else if (client.ended !== undefined) this.#closed(client);
  }

  #do(what: string, act: () => void): void {
    this.#doing = what;
    this.log.push(what);
    act();
    this.#doing = '';
  }

  #open(): void {
    const client = new FakeClient(
      ++this.#numberLast,
      () => this.#channels.map(({ lastCounts }) => lastCounts),
      () => this.#doing,
      this.#topics,
    );
    this.#do(`open ${client.number}`, () => {
      client.session = this.#state.opened(client, '127.0.0.1', this.#now_ms);
    });
    const open = this.#clients.filter(({ ended }) => ended === undefined).length;
    if ((client.session === undefined) !== open >= clients_max)
      this.faults.push(`a session is ${client.session === undefined ? 'refused' : 'let in'} beside ${open}`);
    if (client.session === undefined) return;
    this.#clients.push(client);
    this.#all.push(client);
  }

  /** The network says that it is gone; that may be said late, and again. */
  #closed(client: FakeClient): void {
    if (client.session !== undefined) this.#state.closed(client.session);
    client.ended ??= { code: 1_006, reason: '' };
    this.#topics.gone(client);
    client.expected.length = 0;
    client.subscriptions.clear();
    const place = this.#clients.indexOf(client);
    if (place >= 0) this.#clients.splice(place, 1);
    if (client.session !== undefined && this.#random.between(0, 3) === 0) this.#state.closed(client.session);
  }

  #drain(client: FakeClient): void {
    client.drain();
    if (client.session !== undefined && client.ended === undefined) this.#state.drained(client.session);
  }

  #login(session: GatewaySession): void {
    if (this.#random.between(0, 1) === 0) this.#state.loggedIn(session, this.#verdict());
    else this.#checking.push(session);
  }

  #verdict(): LoginVerdict {
    return this.#random.between(0, 4) === 0 ? { code: 'unauthorised', message: 'no' } : { grant: this.#grant() };
  }

  #grant(): Grant {
    const refused = this.#random.between(0, 2) === 0 ? this.#random.pick(modes) : undefined;
    const hidden = this.#random.pick(['', 'A', 'AA1', 'ES']);
    return {
      refuse: ({ mode }) => (mode === refused ? { code: 'forbidden', message: 'not yours' } : undefined),
      permits: (_channel, _mode, _levels, symbol) => hidden === '' || !symbol.startsWith(hidden),
    };
  }

  /** Late, perhaps for one who is gone, perhaps twice. */
  #answerLogin(): void {
    if (this.#checking.length === 0) return;
    const session = this.#random.pick(this.#checking);
    if (this.#random.between(0, 3) > 0) this.#checking.splice(this.#checking.indexOf(session), 1);
    this.#do('login', () => this.#state.loggedIn(session, this.#verdict()));
  }

  #regrant({ session }: FakeClient): void {
    if (session !== undefined) this.#do('regrant', () => this.#state.regrant(session, this.#grant()));
  }

  #ask(client: FakeClient): void {
    const { session } = client;
    if (session === undefined) return;
    const random = this.#random;
    const first = !client.loggedIn && client.expected.length === 0 && random.between(0, 9) > 0;
    const kind = first ? 'hello' : random.pick([...asks, ...asks, ...asks, 'hello', 'malformed', 'binary']);
    const [text, fits] = this.#request(client, kind);
    this.#do(`${client.number} asks ${text?.slice(0, 200)}`, () => {
      if (client.ended === undefined)
        client.expect(kind, (answer) => (answer.type === 'error' && answer.code === 'rate_limited') || fits(answer));
      this.#state.message(session, text, this.#now_ms);
      if (!this.#stalled && random.between(0, 4) > 0) this.#judge(this.#judging.length);
    });
  }

  /** The main thread's answers, late or at once; sometimes they find nobody. */
  #judge(count: number): void {
    for (const session of this.#judging.splice(0, count)) {
      const refused = this.#random.between(0, 19) === 0;
      this.#state.judged(session, refused ? refuse('requests_exceeded', '', 10) : undefined);
    }
  }

  #goneAlready(session: GatewaySession, what: string): void {
    if (this.#gone.has(session)) this.faults.push(`a session that was closed before ${what}`);
  }

  #request(client: FakeClient, kind: string): [text: string | undefined, fits: FakeClient['expected'][0]['fits']] {
    const random = this.#random;
    const id = random.between(1, 6);
    const known = () => client.subscriptions.has(id);
    const send = (message: object) => JSON.stringify(message);
    const isError = (answer: { type: string; code?: string }, ...codes: string[]) =>
      answer.type === 'error' && codes.includes(answer.code ?? '');
    switch (kind) {
      case 'hello':
        return [
          send({ type: 'hello', versions: [random.pick([1, 1, 1, 2])] }),
          (answer) =>
            answer.type === 'welcome'
              ? !client.loggedIn
              : isError(answer, 'bad_version', 'unauthorised') || (isError(answer, 'bad_message') && client.loggedIn),
        ];
      case 'subscribe':
        return [
          send({
            type: 'subscribe',
            id,
            channel: random.pick([1, 1, 2, 3]),
            mode: random.pick(modes),
            ...this.#wishes(),
          }),
          (answer) => {
            if (isError(answer, 'hello_first')) return !client.loggedIn;
            if (answer.id !== id || !client.loggedIn) return false;
            if (known()) return isError(answer, 'id_in_use');
            if (client.subscriptions.size >= subscriptions_max) return isError(answer, 'too_many');
            const refusals = ['unknown_channel', 'unknown_instrument', 'bad_message', 'forbidden', 'unavailable'];
            return answer.type === 'subscribed' || isError(answer, ...refusals);
          },
        ];
      case 'change':
        return [
          send({ type: 'change', id, mode: random.pick(modes), ...this.#wishes() }),
          (answer) => {
            if (isError(answer, 'hello_first')) return !client.loggedIn;
            if (answer.id !== id || !client.loggedIn) return false;
            if (!known()) return isError(answer, 'unknown_id');
            const refusals = ['unknown_instrument', 'bad_message', 'forbidden', 'unavailable'];
            return answer.type === 'changed' || isError(answer, ...refusals);
          },
        ];
      case 'count':
      case 'unsubscribe':
        return [
          send({ type: kind, id }),
          (answer) => {
            if (isError(answer, 'hello_first')) return !client.loggedIn;
            if (answer.id !== id || !client.loggedIn) return false;
            return known()
              ? answer.type === (kind === 'count' ? 'counts' : 'unsubscribed')
              : isError(answer, 'unknown_id');
          },
        ];
      case 'ping': {
        const time = random.between(0, 1_000_000);
        return [
          send({ type: 'ping', time }),
          (answer) =>
            (answer.type === 'pong' && answer.time === time && client.loggedIn) || isError(answer, 'hello_first'),
        ];
      }
      default: {
        const text = kind === 'binary' ? undefined : random.pick(malformed);
        return [text, (answer) => isError(answer, 'bad_message')];
      }
    }
  }

  #wishes(): object {
    const random = this.#random;
    const wishes: Record<string, unknown> = {};
    if (random.between(0, 1) === 0)
      wishes.instruments = Array.from({ length: random.between(1, 3) }, () =>
        random.pick(['A*', '*', 'ES?', 'AA1', 'NONE', 1, 2, 999, '*a*b*c*d*e', '\\']),
      );
    if (random.between(0, 1) === 0) wishes.levels = random.between(1, 12);
    if (random.between(0, 1) === 0) wishes.intervalMs = random.pick([0, 1, 100, 3_600_000]);
    if (random.between(0, 1) === 0) wishes.onSlow = random.pick(slow_policies);
    return wishes;
  }

  #check(): void {
    const open = this.#clients.filter(({ ended }) => ended === undefined);
    const { sessions, subscriptions } = this.#state.counters;
    if (sessions !== open.length) this.faults.push(`${sessions} sessions counted, ${open.length} are open`);
    const theirs = open.reduce((sum, client) => sum + client.subscriptions.size, 0);
    if (subscriptions !== theirs) this.faults.push(`${subscriptions} subscriptions counted, ${theirs} are there`);
    for (const client of open) {
      const { session, number, expected, subscriptions: held } = client;
      if (held.size > subscriptions_max) this.faults.push(`client ${number} has ${held.size} subscriptions`);
      const waiting = session?.waiting ?? [];
      const length = waiting.reduce((sum, { text }) => sum + (text?.length ?? 0), 0);
      if (waiting.length > 64 || length > 65_536) this.faults.push(`client ${number}: ${waiting.length} wait`);
      if ((session?.queue.length ?? 0) > 512) this.faults.push(`client ${number}: ${session?.queue.length} queued`);
      const waits = session !== undefined && (session.phase === 'checking' || this.#judging.includes(session));
      if (!waits && expected.length > 0)
        this.faults.push(`client ${number} has no answer to ${expected.map(({ what }) => what).join(', ')}`);
    }
    for (const { faults } of [...this.#all, ...this.#channels]) this.faults.push(...faults.splice(0));
    this.#all = this.#all.filter((client) => this.#clients.includes(client) || this.#random.between(0, 3) > 0);
  }
}

const asks = ['subscribe', 'subscribe', 'change', 'count', 'unsubscribe', 'ping'];
