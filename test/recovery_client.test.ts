/** A client that loses packets, comes late, was away, or meets no service, against a distributor: it gets back by itself. */

import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServeOptionsInput, SubscribeOptionsInput } from '../src/config.js';
import { Distributor } from '../src/distributor.js';
import type { FaultProfileInput } from '../src/faults/profile.js';
import { FaultRelay, type LinePair } from '../src/faults/relay.js';
import { FeedClient, type SnapshotInfo } from '../src/feed_client.js';
import { channelLines, serveOn, subscribeOn, until } from './channel.js';
import { forged_order } from './faults/hostile.js';
import { bookPacket } from './faults/packets.js';
import { openSender } from './faults/sockets.js';

const simulate = { symbols: 5, messages: 20_000, liveOrders: 500 };
const endless = { simulate: { symbols: 5, liveOrders: 500 }, rate: 20_000 };

const pairOf = (number: number): LinePair => {
  const { lineA, lineB } = channelLines(number);
  return { A: lineA, B: lineB };
};

/** A relay with faults between two channels' lines. */
async function relayOf(t: Test, from: number, to: number, profile: FaultProfileInput): Promise<FaultRelay> {
  const relay = await FaultRelay.open({ from: pairOf(from), to: pairOf(to), seed: 7, profile });
  t.teardown(() => relay.close());
  return relay;
}

async function distributorOf(t: Test, number: number, more: ServeOptionsInput): Promise<Distributor> {
  const distributor = new Distributor(serveOn(number, more));
  t.teardown(() => distributor.close());
  await distributor.start();
  return distributor;
}

/** A client that writes down what it is given. */
class Keeper {
  readonly client: FeedClient;
  /** First and last number of each run of updates. */
  readonly runs: [first: bigint, last: bigint][] = [];
  readonly snapshots: SnapshotInfo[] = [];
  readonly told: string[] = [];
  readonly wrong: string[] = [];

  constructor(t: Test, number: number, control: string | null, more: SubscribeOptionsInput = {}) {
    this.client = new FeedClient(
      subscribeOn(number, control, { delivery: { updates: true, capacity: 1 << 20 }, ...more }),
    );
    t.teardown(() => this.client.close());
    const { client } = this;
    client.on('updates', ({ sequence, count }) => {
      for (let row = 0; row < count; row++) this.#take(sequence[row] ?? 0n);
    });
    client.on('snapshot', (snapshot) => {
      this.snapshots.push(snapshot);
      this.told.push(`snapshot ${snapshot.reason}`);
    });
    client.on('state', (state) => this.told.push(state));
    client.on('resumed', () => this.told.push('resumed'));
    client.on('resumeFailed', (reason) => this.told.push(`resume failed: ${reason}`));
    client.on('givenUp', () => this.wrong.push('given up'));
    client.on('overrun', () => this.wrong.push('overrun'));
  }

  get last(): bigint {
    return this.runs.at(-1)?.[1] ?? 0n;
  }

  #take(sequence: bigint): void {
    const run = this.runs.at(-1);
    if (run !== undefined && sequence === run[1] + 1n) {
      run[1] = sequence;
      return;
    }
    // A run ends where a snapshot takes its place, which the keeper was told of before.
    const jumped = this.snapshots.at(-1);
    if (run !== undefined && jumped?.sequence !== sequence - 1n) this.wrong.push(`${sequence} after ${run[1]}`);
    this.runs.push([sequence, sequence]);
  }

  /** The source has ended: books and updates are the publisher's. */
  async compare(t: Test, distributor: Distributor): Promise<void> {
    await until('the end', () => this.client.state === 'ended');
    const books = await this.client.snapshot();
    t.equal(books.digest, distributor.stats().counters.digest, 'the digests are equal');
    t.equal(books.whole, true);
    await until('the last update', () => this.last === distributor.stats().sequence);
    t.same(this.wrong, []);
  }
}

t.test('getsBackWhatBothLinesLost', async (t) => {
  const profile = { phases: [{ drop: 0.1 }, { burst: { rate: 0.01, packets: 20 } }] };
  const distributor = await distributorOf(t, 70, { simulate, rate: 40_000, waitSubscribers: 1 });
  const relay = await relayOf(t, 70, 71, profile);
  const keeper = new Keeper(t, 71, distributor.control);
  await keeper.client.start();
  await keeper.compare(t, distributor);
  const stats = keeper.client.stats();
  t.ok(relay.lostOnBoth > 0, `${relay.lostOnBoth} messages were lost on both lines`);
  t.ok(stats.recoveredMessages.retransmission > 0n);
  t.ok(stats.recovery?.retransmitRequests);
  t.equal(stats.givenUpMessages, 0n);
  t.same(keeper.client.missing(), []);
  t.same(keeper.runs, [[1n, distributor.stats().sequence]], 'every update came once');
  t.ok(keeper.client.repairTime().totalCount > 0);
  t.match(keeper.told.slice(0, 1), ['connecting']);
  t.equal(keeper.told.at(-1), 'ended');
});

t.test('comesLateAndStartsWithASnapshot', async (t) => {
  const distributor = await distributorOf(t, 72, endless);
  await until('some messages', () => distributor.stats().sequence > 5_000n);
  const keeper = new Keeper(t, 72, distributor.control, { recovery: { retransmitMax: 1_000 } });
  await keeper.client.start();
  await until('synchronized', () => keeper.client.state === 'synchronized');
  t.equal(keeper.snapshots.length, 1);
  t.match(keeper.snapshots[0], { reason: 'behind' });
  await until('some updates', () => keeper.last > (keeper.snapshots[0]?.sequence ?? 0n) + 1_000n);
  t.equal(keeper.runs[0]?.[0], (keeper.snapshots[0]?.sequence ?? 0n) + 1n, 'updates go on behind it');
  t.same(keeper.wrong, []);
  t.same(keeper.told.slice(0, 4), ['connecting', 'recovering', 'snapshot behind', 'synchronized']);
  t.equal(keeper.client.stats().snapshots, 1);
  t.equal((await keeper.client.snapshot()).whole, true);
});

t.test('comesLateAndGetsEverythingWhereThatIsLittle', async (t) => {
  const distributor = await distributorOf(t, 73, endless);
  await until('some messages', () => distributor.stats().sequence > 2_000n);
  const keeper = new Keeper(t, 73, distributor.control);
  await keeper.client.start();
  await until('synchronized', () => keeper.client.state === 'synchronized');
  await until('some updates', () => keeper.last > 3_000n);
  t.equal(keeper.runs[0]?.[0], 1n);
  t.equal(keeper.runs.length, 1);
  t.same(keeper.snapshots, []);
});

t.test('goesOnWhereAnEarlierClientStopped', async (t) => {
  const distributor = await distributorOf(t, 74, endless);
  const first = new Keeper(t, 74, distributor.control);
  await first.client.start();
  await until('some updates', () => first.last > 2_000n);
  await first.client.close();
  const token = first.client.resumeToken();
  t.equal(token?.sequence, first.last);
  await until('more messages', () => distributor.stats().sequence > first.last + 2_000n);
  const second = new Keeper(t, 74, distributor.control, { resume: token ?? null });
  await second.client.start();
  await until('some updates', () => second.last > first.last + 3_000n);
  t.equal(second.runs[0]?.[0], first.last + 1n, 'with the next update');
  t.equal(second.runs.length, 1);
  t.ok(second.told.includes('resumed'));
  await until('synchronized', () => second.client.state === 'synchronized');
  await second.client.close();

  const wrong = { session: token?.session ?? 0n, sequence: token?.sequence ?? 0n, digest: 1n };
  const third = new Keeper(t, 74, distributor.control, { resume: wrong });
  await third.client.start();
  await until('its failure', () => third.told.includes('resume failed: digest differs'));
  await until('synchronized', () => third.client.state === 'synchronized');
  await third.client.close();
  const fourth = new Keeper(t, 74, distributor.control, { resume: { ...wrong, session: 1n } });
  await fourth.client.start();
  await until('its failure', () => fourth.told.includes('resume failed: session is over'));
  await until('synchronized', () => fourth.client.state === 'synchronized');
});

t.test('asksByUdpWhereTheServiceCannotBeReached', async (t) => {
  const port = 27_950;
  const distributor = await distributorOf(t, 75, {
    simulate,
    rate: 10_000,
    waitSubscribers: 1,
    recovery: { udpPort: port },
  });
  const relay = await relayOf(t, 75, 76, { phases: [{ drop: 0.05 }] });
  const recovery = { url: 'http://127.0.0.1:1', udp: `127.0.0.1:${port}` };
  const keeper = new Keeper(t, 76, distributor.control, { recovery });
  await keeper.client.start();
  await keeper.compare(t, distributor);
  t.ok(relay.lostOnBoth > 0);
  t.ok((keeper.client.stats().recovery?.rerequests ?? 0) > 0);
  t.same(keeper.runs, [[1n, distributor.stats().sequence]], 'every update came once');
});

t.test('listensToTheSnapshotLineWhereNobodyAnswers', async (t) => {
  const line = { group: '239.192.42.77', port: 27_951 };
  const distributor = await distributorOf(t, 77, { ...endless, snapshot: { line } });
  await until('some messages', () => distributor.stats().sequence > 2_000n);
  const recovery = { url: 'http://127.0.0.1:1', snapshotLine: line };
  const keeper = new Keeper(t, 77, distributor.control, { recovery });
  await keeper.client.start();
  await until('a snapshot', () => keeper.snapshots.length > 0);
  await until('synchronized', () => keeper.client.state === 'synchronized');
  await until('some updates', () => keeper.last > (keeper.snapshots[0]?.sequence ?? 0n) + 500n);
  t.same(keeper.wrong, []);
  t.ok((keeper.client.stats().counters.snapshotLineDatagrams ?? 0n) > 0n);
});

t.test('givesUpWhereNobodyIsLeftToAsk', async (t) => {
  const distributor = await distributorOf(t, 78, { simulate: { ...simulate, messages: 5_000 }, waitSubscribers: 1 });
  const relay = await relayOf(t, 78, 79, { phases: [{ fromSequence: 1_000, toSequence: 3_000, dead: true }] });
  const recovery = { url: 'http://127.0.0.1:1', timeoutMs: 200 };
  const client = new FeedClient(subscribeOn(79, distributor.control, { recovery }));
  t.teardown(() => client.close());
  const states: string[] = [];
  client.on('state', (state) => states.push(state));
  await client.start();
  const end = await client.ended;
  t.equal(end?.session, distributor.session);
  t.ok(relay.lostOnBoth > 0);
  t.ok(client.stats().givenUpMessages > 0n);
  t.equal((await client.snapshot()).whole, false, 'and it says so');
  t.notOk(states.slice(states.indexOf('recovering')).includes('synchronized'), states.join(' '));
});

t.test('givesUpWhereThePublisherHasNoService', async (t) => {
  const distributor = await distributorOf(t, 82, { ...endless, recovery: { enabled: false } });
  await until('some messages', () => distributor.stats().sequence > 500n);
  const client = new FeedClient(subscribeOn(82, distributor.control, { recovery: { timeoutMs: 100 } }));
  t.teardown(() => client.close());
  await client.start();
  await until('that it is stale', () => client.state === 'stale');
  await until('that it follows', () => client.sequence > 1_000n);
  t.equal(client.missing()[0]?.first, 1n);
});

/** Between client and service: connections that end at once or say nothing, damaged frames, frames that get lost. */
async function badService(t: Test, to: string, connections_bad: number) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const figures = { connections: 0, damaged: 0, lost: 0 };
  let state = 3;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  server.on('connection', (client) => {
    const count = ++figures.connections;
    client.on('error', () => {});
    if (count <= connections_bad) {
      client.send('{"type":"welcome"');
      client.send('{"type":"done","id":1,"sent":[["1","99999999999999999999"]],"refused":[]}');
      client.send(Buffer.alloc(1_000, 0x44));
      client.send(Buffer.alloc(3));
      if (count % 2 === 0) client.close(4_400);
      return;
    }
    const service = new WebSocket(`${to.replace('http', 'ws')}/recovery`, { perMessageDeflate: false });
    const waiting: Buffer[] = [];
    service.on('open', () => {
      for (const message of waiting) service.send(message.toString());
    });
    client.on('message', (data: Buffer) => {
      if (service.readyState === WebSocket.OPEN) service.send(data.toString());
      else waiting.push(data);
    });
    service.on('message', (data: Buffer, isBinary: boolean) => {
      const chance = isBinary ? random() : 1;
      if (chance < 0.1) {
        figures.lost++;
        return;
      }
      if (chance < 0.3) {
        figures.damaged++;
        for (let flips = 0; flips < 5; flips++) {
          const at = 8 + Math.floor(random() * (data.byteLength - 8));
          data[at] = (data[at] ?? 0) ^ 0x10;
        }
      }
      client.send(isBinary ? data : data.toString());
    });
    service.on('error', () => client.terminate());
    service.on('close', () => client.terminate());
    client.on('close', () => service.terminate());
  });
  return { url: `http://127.0.0.1:${port}`, figures };
}

t.test('getsBackOverAServiceThatDamagesAndLosesFrames', async (t) => {
  const distributor = await distributorOf(t, 83, { simulate, rate: 20_000, waitSubscribers: 1 });
  const relay = await relayOf(t, 83, 84, { phases: [{ drop: 0.1 }] });
  const bad = await badService(t, distributor.control ?? '', 3);
  const keeper = new Keeper(t, 84, distributor.control, { recovery: { url: bad.url, timeoutMs: 200 } });
  await keeper.client.start();
  await keeper.compare(t, distributor);
  t.ok(relay.lostOnBoth > 0);
  t.ok(bad.figures.connections > 3 && bad.figures.damaged > 0 && bad.figures.lost > 0, JSON.stringify(bad.figures));
  t.same(keeper.runs, [[1n, distributor.stats().sequence]], 'every update came once');
});

t.test('mendsAForgedOrderByASnapshot', async (t) => {
  const distributor = await distributorOf(t, 85, { ...endless, rate: 50 });
  const keeper = new Keeper(t, 85, distributor.control);
  const mismatches: bigint[] = [];
  keeper.client.on('digestMismatch', (sequence) => mismatches.push(sequence));
  await keeper.client.start();
  await until('synchronized', () => keeper.client.state === 'synchronized');
  const socket = await openSender(channelLines(85).lineA);
  t.teardown(() => socket.close());
  // A number that the publisher has not used yet: the first copy wins, and nothing but its content gives it away.
  for (let tries = 0; mismatches.length === 0 && tries < 600; tries++) {
    const books = await keeper.client.snapshot();
    const one = books.instrument(1);
    const first = books.sequence + 1n;
    const instrumentSequence = (one?.instrumentSequence ?? 0) + 1;
    const order = { ...forged_order, instrument: 1, instrumentSequence, orderId: 10n ** 15n + first };
    socket.send(bookPacket({ channel: 1, session: distributor.session, first, position: first }, [order]));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await until('a snapshot', () => keeper.snapshots.length > 0);
  await until('synchronized', () => keeper.client.state === 'synchronized');
  t.ok(mismatches.length > 0);
  t.equal(keeper.snapshots[0]?.reason, 'mismatch');
  t.ok(keeper.told.includes('stale'));
  t.same(keeper.wrong, []);
  t.equal(keeper.runs.length, 1, 'every number came once');
});

t.test('withoutRecoveryHolesAreNamedAndGivenUp', async (t) => {
  const distributor = await distributorOf(t, 80, { simulate: { ...simulate, messages: 5_000 }, waitSubscribers: 1 });
  await relayOf(t, 80, 81, { phases: [{ fromSequence: 1_000, toSequence: 3_000, dead: true }] });
  const client = new FeedClient(subscribeOn(81, distributor.control, { recovery: { enabled: false } }));
  t.teardown(() => client.close());
  const told = { missing: 0, givenUp: 0 };
  client.on('missing', () => told.missing++);
  client.on('givenUp', () => told.givenUp++);
  await client.start();
  await client.ended;
  t.ok(told.missing > 0);
  t.equal(told.givenUp, told.missing);
  t.equal(client.missing().length, told.missing);
  t.equal(client.stats().recovery, undefined);
});
