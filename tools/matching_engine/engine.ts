/**
 * A matching engine that feeds `depthcast serve --source tcp:HOST:PORT` or `unix:PATH`. It may be killed at any moment and
 * started again: it makes the same events from the same seed, and the distributor says which of them it has.
 *
 *   node dist/matching_engine/engine.js --to tcp:127.0.0.1:26500 [--token TOKEN] [--seed N] [--instruments N]
 *        [--live-orders N] [--rate EVENTS_PER_SECOND] [--events N] [--from NS] [--end]
 *
 * An event that was not acknowledged must come again as it was, with its time. --from: times count from there, a
 * microsecond for each event, so that an engine that was killed says the very same; without it they are the clock's, and
 * where the distributor is killed before it took anything new, it finds another time and ends the session.
 * Runs until SIGTERM or SIGINT, or until about event N; then, when all is acknowledged, it prints one line of JSON: its
 * events, the messages that they make, and a hash of its books. --end: the day is over, there will be no more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectPublisher, EventBatch, type EventPublisher } from 'depthcast';
import { Flow } from './flow.js';
import { MatchingEngine } from './matching.js';

const batch_events = 1_024;
/** For the last acknowledgements. */
const end_ms_max = 30_000;
/** The same where `depthcast start` ends all processes at once: the distributor may be gone before. */
const end_together_ms = 500;
/** Between two looks at the clock where a rate is asked for. */
const pace_ms = 1;
/** A whole batch at once keeps timers and signals waiting for less than a millisecond. */
const batches_between_pauses = 8;

function settings() {
  const { values } = parseArgs({
    options: {
      to: { type: 'string' },
      token: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      instruments: { type: 'string', default: '10' },
      'live-orders': { type: 'string', default: '2000' },
      rate: { type: 'string', default: '0' },
      events: { type: 'string', default: '0' },
      from: { type: 'string', default: '0' },
      end: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'seed' | 'instruments' | 'live-orders' | 'rate' | 'events', min: number, max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new RangeError(`--${name} is ${values[name]}, expected a whole number from ${min} to ${max}`);
    return value;
  };
  if (values.to === undefined) throw new RangeError('--to is missing, expected tcp:HOST:PORT or unix:PATH');
  if (!/^\d{1,19}$/.test(values.from))
    throw new RangeError(`--from is ${values.from}, expected nanoseconds since 1970`);
  return {
    to: values.to,
    from_ns: BigInt(values.from),
    token: values.token,
    end: values.end,
    seed: number('seed', 0, 2 ** 32 - 1),
    instruments: number('instruments', 1, 1_000),
    liveOrders: number('live-orders', 10, 1_000_000),
    rate: number('rate', 0, 1e9),
    events: number('events', 0, Number.MAX_SAFE_INTEGER),
  };
}

type Settings = ReturnType<typeof settings>;

class Life {
  readonly #engine: MatchingEngine;
  readonly #flow: Flow;
  readonly #batch = new EventBatch(batch_events);
  #pushed = 0;
  #full = 0;
  #stopped = false;

  constructor(
    private readonly options: Settings,
    private readonly publisher: EventPublisher,
  ) {
    this.#engine = new MatchingEngine(options.instruments, 2 * options.liveOrders);
    this.#flow = new Flow(this.#engine, options.seed, options.liveOrders);
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        this.#stopped = true;
      });
  }

  async run(): Promise<void> {
    const { rate, events } = this.options;
    const begin_ms = performance.now();
    for (let round = 1; !this.#stopped && (events === 0 || this.#engine.events < events); round++) {
      const behind = this.#engine.events + 1 < Number(this.publisher.next);
      const due = rate === 0 ? batch_events : (rate * (performance.now() - begin_ms)) / 1_000 - this.#pushed;
      if (behind || due >= 1) await this.#step(behind ? batch_events : due);
      if (!behind && rate > 0 && due < batch_events) await delay(pace_ms);
      else if (round % batches_between_pauses === 0) await new Promise(setImmediate);
    }
    const ended = this.options.end ? this.publisher.endOfDay() : this.publisher.flushed();
    const together = this.#stopped && process.connected;
    const late = delay(together ? end_together_ms : end_ms_max, undefined, { ref: false }).then(() => {
      if (!together) throw new Error(`not all was acknowledged within ${end_ms_max} ms`);
    });
    await Promise.race([ended, late]);
  }

  /** Makes events, leaves out those that the distributor has, and pushes the rest. */
  async #step(events: number): Promise<void> {
    const batch = this.#batch;
    const first = this.#engine.events + 1;
    const { from_ns } = this.options;
    if (from_ns === 0n) batch.setTime(BigInt(Date.now()) * 1_000_000n);
    this.#flow.fill(batch, Math.ceil(events), () => {
      if (from_ns !== 0n) batch.setTime(from_ns + BigInt(this.#engine.events) * 1_000n);
    });
    batch.skip(Math.min(batch.count, Math.max(0, Number(this.publisher.next) - first)));
    while (batch.count > 0) {
      const taken = this.publisher.push(batch);
      this.#pushed += taken;
      if (taken > 0) continue;
      this.#full++;
      await this.publisher.drain();
    }
  }

  report(): string {
    const { events, messages, orders } = this.#engine;
    const [pushed, full] = [this.#pushed, this.#full];
    return JSON.stringify({
      events,
      messages,
      live_orders: orders.liveCount,
      books: this.#engine.hash(),
      pushed,
      full,
    });
  }
}

async function main(): Promise<void> {
  const options = settings();
  const { to, token } = options;
  const publisher = await connectPublisher({ to, token, engine: 'example' });
  const life = new Life(options, publisher);
  await life.run();
  publisher.close();
  console.log(life.report());
}

/** To `depthcast start`, where that started it. */
function tell(exitCode: number, reason: 'signal' | 'failed', detail: string): void {
  process.exitCode = exitCode;
  const end = { exitCode, reason, detail };
  if (process.connected) process.send?.({ type: 'end', end }, () => process.exit());
}

// Whoever started it is gone.
process.on('disconnect', () => process.exit());
main().then(
  () => tell(0, 'signal', ''),
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`matching engine: ${message}`);
    tell(1, 'failed', message);
  },
);
