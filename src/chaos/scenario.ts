/**
 * One whole run: a publisher as a process of its own, a recovery service, the faulty relay, a client; faults and blows as
 * planned; then the question whether the client has exactly what was published.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SubscribeOptionsInput } from '../config.js';
import { lengthOf } from '../faults/number_ranges.js';
import { FaultRelay } from '../faults/relay.js';
import { CommandProcess } from './command_process.js';
import { DeliveryCheck } from './delivery_check.js';
import { addJournal } from './journal_log.js';
import { MessageLog } from './message_log.js';
import type { ChaosAction, ChaosPlan } from './plan.js';
import { type ChaosAddresses, freeAddresses } from './ports.js';
import { Publication } from './publication.js';
import type { ChaosReport } from './report.js';
import { WatchedClient } from './watched_client.js';

// Generous: on a busy machine a process may take long to start.
const start_ms_max = 45_000;
const recover_ms_max = 45_000;
/** The source may run so much longer than planned: a session may begin anew, the machine may be slow. */
const source_factor_max = 3;
const source_ms_extra = 45_000;
const settle_ms = 300;
const settle_ms_max = 5_000;
const look_ms = 10;

export interface ScenarioOptions {
  plan: ChaosPlan;
  /** Said again by the report. */
  command: string;
  /** Where the state folder is made; the system's temporary folder unless given. */
  folder?: string;
  onProgress?: (text: string) => void;
}

/** Rejects only where the run could not be made; what was wrong with its result is in the report. */
export async function runScenario(options: ScenarioOptions): Promise<ChaosReport> {
  const state = await mkdtemp(join(options.folder ?? tmpdir(), 'depthcast-chaos-'));
  const scenario = new Scenario(options, state, await freeAddresses());
  // A signal in the middle: nothing may be left behind.
  const onExit = () => {
    scenario.killAll();
    rmSync(state, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', onExit);
  try {
    return await scenario.run();
  } finally {
    await scenario.close();
    process.off('exit', onExit);
    await rm(state, { recursive: true, force: true, maxRetries: 3 });
  }
}

class Scenario {
  readonly #plan: ChaosPlan;
  readonly #publication: Publication;
  readonly #check: DeliveryCheck;
  readonly #publisher: CommandProcess;
  readonly #recovery: CommandProcess | undefined;
  readonly #problems: string[] = [];
  readonly #begin_ms = performance.now();
  readonly #clients: WatchedClient[] = [];
  #relay: FaultRelay | undefined;
  #first_ms = 0;

  constructor(
    private readonly options: ScenarioOptions,
    private readonly state: string,
    private readonly addresses: ChaosAddresses,
  ) {
    this.#plan = options.plan;
    const log = new MessageLog();
    this.#publication = new Publication(log, () => {
      this.#first_ms ||= performance.now();
    });
    this.#check = new DeliveryCheck(log);
    this.#publisher = new CommandProcess('the publisher', publisherParameters(this.#plan, state, addresses));
    this.#recovery = this.#plan.recoveryApart
      ? new CommandProcess('the recovery service', recoveryParameters(state, addresses))
      : undefined;
  }

  async run(): Promise<ChaosReport> {
    const { plan } = { plan: this.#plan };
    const { from, to } = this.addresses;
    this.#relay = await FaultRelay.open({
      from,
      to,
      seed: plan.seed,
      profile: plan.profile,
      onDatagram: (line, _, head) => this.#publication.take(line, head),
    });
    this.#publisher.start(plan.lateJoin_ms === 0 ? ['--wait-subscribers=1', '--wait-timeout-ms=45000'] : []);
    this.#recovery?.start();
    if (plan.lateJoin_ms === 0) await this.#startClient(null);
    await this.#until('the first message', () => this.#first_ms > 0, start_ms_max);
    if (plan.lateJoin_ms > 0) await this.#lateJoin();
    for (const action of plan.actions) await this.#act(action);
    await this.#awaitEnd();
    return this.#report();
  }

  async close(): Promise<void> {
    for (const { client } of this.#clients) await client.close();
    this.#relay?.close();
    await Promise.all([this.#recovery?.kill(), this.#publisher.kill()]);
  }

  /** At once, without waiting for their end. */
  killAll(): void {
    this.#recovery?.signal('SIGKILL');
    this.#publisher.signal('SIGKILL');
  }

  get #watched(): WatchedClient {
    const watched = this.#clients.at(-1);
    if (watched === undefined) throw new Error('there is no client yet');
    return watched;
  }

  async #startClient(resume: SubscribeOptionsInput['resume']): Promise<void> {
    const watched = new WatchedClient(clientOptions(this.#plan, this.addresses, resume ?? null), this.#check);
    this.#clients.push(watched);
    await watched.client.start();
  }

  async #lateJoin(): Promise<void> {
    await delay(Math.max(0, this.#plan.lateJoin_ms - this.#elapsed()));
    this.#say('the client joins late');
    await this.#startClient(null);
  }

  #elapsed(): number {
    return this.#first_ms === 0 ? 0 : performance.now() - this.#first_ms;
  }

  async #act(action: ChaosAction): Promise<void> {
    await delay(Math.max(0, action.at_ms - this.#elapsed()));
    this.#say(`${action.type}, away for ${action.away_ms} ms`);
    if (action.type === 'restartClient') return this.#restartClient(action.away_ms);
    const target = action.type === 'killRecovery' ? this.#recovery : this.#publisher;
    if (target === undefined) return;
    if (!target.running) this.#problems.push(`${target.name} had ended by itself: ${target.how}`);
    await target.kill();
    if (action.type === 'powerCut') await rm(join(this.state, 'ring'), { force: true });
    await delay(action.away_ms);
    target.start();
  }

  async #restartClient(away_ms: number): Promise<void> {
    const { client } = this.#watched;
    const token = client.resumeToken();
    await client.close();
    await delay(away_ms);
    if (token === undefined) this.#problems.push('there was no resume token');
    await this.#startClient(token ?? null);
  }

  /** Until the source has ended and the client is where it ended; or until that is given up. */
  async #awaitEnd(): Promise<void> {
    const plan = this.#plan;
    const source_ms = source_factor_max * (plan.messages / plan.rate) * 1_000 + source_ms_extra;
    const ended = () => this.#publication.latest?.ended === true || !this.#publisher.running;
    await this.#until('the end of the source', ended, source_ms);
    if (!this.#publisher.running)
      this.#problems.push(`the publisher ended: ${this.#publisher.how}: ${this.#publisher.lines.at(-1)}`);
    if (this.#recovery?.running === false)
      this.#problems.push(`the recovery service ended: ${this.#recovery.how}: ${this.#recovery.lines.at(-1)}`);
    await this.#relay?.settle(settle_ms, settle_ms_max);
    const { client } = this.#watched;
    const arrived = () => {
      const { session = 0n, last = 0 } = this.#publication.latest ?? {};
      const there = client.session === session && Number(client.sequence) === last;
      return there && (client.state === 'synchronized' || client.state === 'ended') && this.#check.covered === last;
    };
    await this.#until('the client to be where the publisher is', arrived, recover_ms_max);
  }

  async #until(what: string, condition: () => boolean, ms: number): Promise<void> {
    for (const begin = performance.now(); !condition(); await delay(look_ms)) {
      if (performance.now() - begin <= ms) continue;
      this.#problems.push(`waited ${ms} ms for ${what}`);
      return;
    }
  }

  async #report(): Promise<ChaosReport> {
    const plan = this.#plan;
    const relay = this.#relay as FaultRelay;
    const { client } = this.#watched;
    const published = this.#publication.latest;
    const books = await client.snapshot();
    addJournal(join(this.state, 'journal'), this.#publication.log);
    this.#check.finish();
    const losses = relay.losses();
    const lines = {
      A: { ...relay.counters('A'), messagesLost: losses.reduce((sum, { lost }) => sum + lengthOf(lost.A), 0) },
      B: { ...relay.counters('B'), messagesLost: losses.reduce((sum, { lost }) => sum + lengthOf(lost.B), 0) },
    };
    this.#judge(books, published?.digest ?? 0n, lines.A.messagesLost + lines.B.messagesLost);
    const stats = client.stats();
    return {
      seed: plan.seed,
      ok: this.#problems.length === 0,
      problems: this.#problems,
      themes: plan.themes,
      actions: plan.actions,
      seconds: Math.round(performance.now() - this.#begin_ms) / 1_000,
      sessions: this.#publication.sessions().map(({ session, last }) => ({ session: String(session), messages: last })),
      client: {
        state: client.state,
        session: String(stats.session),
        sequence: String(books.sequence),
        digest: hexadecimal(books.digest),
      },
      publisher: {
        session: String(published?.session ?? 0n),
        sequence: published?.last ?? 0,
        digest: hexadecimal(published?.digest ?? 0n),
      },
      lines,
      lostOnBoth: relay.lostOnBoth,
      delivery: this.#check.totals,
      ways: this.#ways(),
      repair: this.#repairTimes(),
      command: this.options.command,
    };
  }

  #judge(books: { digest: bigint; whole: boolean; sequence: bigint }, digest: bigint, lost: number): void {
    const problems = this.#problems;
    const published = this.#publication.latest;
    for (const { problems: own } of this.#clients) problems.push(...own);
    problems.push(...this.#check.faults);
    problems.push(...(this.#relay?.errors ?? []));
    const { totals } = this.#check;
    if (totals.unknown > 0)
      problems.push(
        `${totals.unknown} delivered messages are neither in the journal nor came to the independent reader`,
      );
    if (totals.equal === 0) problems.push('nothing was delivered');
    if (published === undefined || published.digestSequence !== published.last)
      problems.push(
        `no digest of the last message (${published?.last}) was heard, only of ${published?.digestSequence}`,
      );
    if (books.digest !== digest) problems.push('the digests differ');
    if (!books.whole) problems.push("the client's books are not whole");
    if (lost === 0) problems.push('no message was lost on any line: nothing was tested');
    for (const { session } of this.#publication.sessions()) {
      const { conflicts, conflictFirst } = this.#publication.log.session(session);
      if (conflicts > 0)
        problems.push(`session ${session}: ${conflicts} numbers were given to two messages, ${conflictFirst} first`);
    }
  }

  #ways(): ChaosReport['ways'] {
    const sum = (name: string) => this.#clients.reduce((total, one) => total + Number(one.counter(name)), 0);
    return {
      otherLine: sum('repairsByLine'),
      retransmission: sum('repairsByRetransmission'),
      snapshot: this.#clients.reduce((total, { snapshots }) => total + snapshots, 0),
      sessionChange: Math.max(0, this.#check.totals.sessions - 1),
      resume: this.#clients.reduce((total, { resumed }) => total + resumed, 0),
    };
  }

  /** Of the client that lived to the end. */
  #repairTimes(): ChaosReport['repair'] {
    const histogram = this.#watched.client.repairTime();
    const ms = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1e6;
    return { count: histogram.totalCount, p50_ms: ms(50), p99_ms: ms(99), max_ms: histogram.maxValue / 1e6 };
  }

  #say(text: string): void {
    this.options.onProgress?.(`${(this.#elapsed() / 1_000).toFixed(1)} s: ${text}`);
  }
}

function hexadecimal(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

function publisherParameters(plan: ChaosPlan, state: string, { from, controlUrl }: ChaosAddresses): string[] {
  return [
    'serve',
    `--line-a-group=${from.A.group}`,
    `--line-a-port=${from.A.port}`,
    `--line-b-group=${from.B.group}`,
    `--line-b-port=${from.B.port}`,
    `--control=${controlUrl}`,
    '--no-gateway-port',
    `--state=${state}`,
    '--source=simulate',
    `--simulate-seed=${plan.seed}`,
    `--simulate-symbols=${plan.symbols}`,
    `--simulate-live-orders=${plan.liveOrders}`,
    `--simulate-messages=${plan.messages}`,
    `--rate=${plan.rate}`,
    `--digest-messages=${plan.digestMessages}`,
    '--limits-orders=131072',
    '--limits-instruments=1024',
    '--ring-bytes=8MiB',
    '--journal-fsync=never',
    '--journal-checkpoint-ms=1000',
    '--snapshot-age-ms=100',
    '--status-ms=0',
    ...(plan.recoveryApart ? ['--no-recovery-enabled'] : []),
  ];
}

function recoveryParameters(state: string, { recoveryUrl }: ChaosAddresses): string[] {
  return [
    'recovery',
    `--state=${state}`,
    `--control=${recoveryUrl}`,
    '--limits-orders=131072',
    '--limits-instruments=1024',
    '--snapshot-age-ms=100',
    '--status-ms=0',
  ];
}

function clientOptions(
  plan: ChaosPlan,
  { to, controlUrl, recoveryUrl }: ChaosAddresses,
  resume: SubscribeOptionsInput['resume'],
): SubscribeOptionsInput {
  return {
    lineA: to.A,
    lineB: to.B,
    control: controlUrl,
    limits: { orders: 131_072, instruments: 1_024 },
    receiveBufferBytes: '16MiB',
    gapWaitMs: plan.gapWait_ms,
    silenceMs: 1_000,
    delivery: { updates: true, capacity: 1 << 20 },
    recovery: { url: plan.recoveryApart ? recoveryUrl : null, retransmitMax: plan.retransmitMax },
    resume: resume ?? null,
  };
}
