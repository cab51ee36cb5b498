/**
 * How many events a second an engine in TypeScript pushes by the publisher SDK: over TCP on loopback, the distributor a
 * process of its own, and in process. Timed from the first push until the last event is acknowledged, events written into
 * the batch one by one included; what the distributor took and made of them is compared with what was pushed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connectPublisher, Distributor, EventBatch, type EventPublisher, engineSide, publisherInto } from 'depthcast';
import { conditions } from './conditions.js';
import { joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf publisher_sdk [--option value]…
  --events N   in each run   (3000000)
  --runs N     of each form  (5)
  --batch N    events        (512)
  --live N     orders        (1000)`;

interface Sizes {
  events: number;
  batch: number;
  live: number;
}

const options = (source: string) => ({
  source,
  control: null,
  lineA: { group: '239.192.40.109', port: 27_218 },
  lineB: null,
  limits: { orders: 65_536, instruments: 16 },
});

/** Orders come and go: half the events are adds, half delete the order that was added `live` adds ago. */
async function push(publisher: EventPublisher, { events, batch: capacity, live }: Sizes) {
  const batch = new EventBatch(capacity);
  batch.define(1, { symbol: 'PERF' });
  let [pushed, full, id] = [0, 0, 0];
  const begin = process.hrtime.bigint();
  for (let written = 1; pushed < events; ) {
    for (; written < events && !batch.full; written++) {
      if (written % 2 === 1 || id <= live) {
        id++;
        batch.add(
          1,
          id,
          id % 2 === 0 ? engineSide.bid : engineSide.ask,
          id % 2 === 0 ? 1_000 - (id % 50) : 1_001 + (id % 50),
          100,
        );
      } else batch.delete(1, id - live);
    }
    const taken = publisher.push(batch);
    pushed += taken;
    if (taken > 0) continue;
    full++;
    await publisher.drain();
  }
  const pushed_s = Number(process.hrtime.bigint() - begin) / 1e9;
  await publisher.flushed();
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  return { pushed_s, seconds, full };
}

/** The distributor's process: prints its address, and at the end of the day the events it took. */
async function serve(): Promise<void> {
  const distributor = new Distributor(options('tcp:127.0.0.1:0'));
  await distributor.start();
  console.log(distributor.sourceAddress);
  const { position } = await distributor.ended;
  console.log(JSON.stringify({ position: Number(position), sequence: Number(distributor.stats().sequence) }));
  await distributor.close();
}

async function overTcp(sizes: Sizes) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const to = String((await lines.next()).value);
  const publisher = await connectPublisher({ to, engine: 'perf' });
  const times = await push(publisher, sizes);
  await publisher.endOfDay();
  const took = JSON.parse(String((await lines.next()).value)) as { position: number; sequence: number };
  publisher.close();
  if (child.exitCode === null) await once(child, 'exit');
  return { ...times, ...took };
}

async function inProcess(sizes: Sizes) {
  const distributor = new Distributor(options('push'));
  await distributor.start();
  const publisher = publisherInto(distributor);
  await publisher.drain();
  const times = await push(publisher, sizes);
  await publisher.endOfDay();
  const { position } = await distributor.ended;
  const sequence = Number(distributor.stats().sequence);
  await distributor.close();
  return { ...times, position: Number(position), sequence };
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      events: { type: 'string', default: '3000000' },
      runs: { type: 'string', default: '5' },
      batch: { type: 'string', default: '512' },
      live: { type: 'string', default: '1000' },
    },
  });
  if (values.help) return console.log(help);
  const sizes = { events: Number(values.events), batch: Number(values.batch), live: Number(values.live) };
  const around = { ...conditions() };
  const runs: Record<string, number | string>[] = [];
  for (let left = Number(values.runs); left > 0; left--) {
    const figures: Record<string, number | string> = { complete: 'yes' };
    for (const [name, form] of [
      ['tcp', overTcp],
      ['in_process', inProcess],
    ] as const) {
      const { seconds, pushed_s, full, position, sequence } = await form(sizes);
      figures[`${name}_events_per_second`] = Math.round(sizes.events / seconds);
      figures[`${name}_pushed_per_second`] = Math.round(sizes.events / pushed_s);
      figures[`${name}_full`] = full;
      if (position !== sizes.events || sequence !== sizes.events) figures.complete = 'no';
    }
    runs.push(figures);
  }
  printResult({ ...joinRuns('publisher_sdk', runs), ...sizes, ...around }, json);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
