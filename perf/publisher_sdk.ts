/**
 * How many events a second an engine in TypeScript pushes by the publisher SDK: over TCP on loopback, the distributor a
 * process of its own, and in process. Timed from the first push until the last event is acknowledged, events written into
 * the batch one by one included; what the distributor took and made of them is compared with what was pushed.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
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
  --live N     orders        (1000)
  --samples N  of latency    (500)`;

interface Sizes {
  /** Of latency. */
  samples: number;
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

/** From push() to the packet on line A, as a plain UDP socket of this process hears it: single events, 1 ms apart. */
async function latency(publisher: EventPublisher, samples: number): Promise<number[]> {
  const { lineA } = options('');
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(lineA.port, lineA.group);
  await once(socket, 'listening');
  socket.addMembership(lineA.group, '127.0.0.1');
  const batch = new EventBatch(1);
  const took_us: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    let heard = (_: Buffer) => {};
    const packet = new Promise<void>((resolve) => {
      heard = (datagram) => {
        if (datagram.includes(marker)) resolve();
      };
    });
    socket.on('message', heard);
    const id = 0x7265_7066_0000 + sample;
    const marker = Buffer.alloc(8);
    marker.writeBigUInt64LE(BigInt(id));
    batch.add(1, id, engineSide.bid, 500, 1);
    const begin = performance.now();
    publisher.push(batch);
    await packet;
    took_us.push((performance.now() - begin) * 1_000);
    socket.off('message', heard);
  }
  socket.close();
  return took_us.sort((a, b) => a - b);
}

async function overTcp(sizes: Sizes) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const to = String((await lines.next()).value);
  const publisher = await connectPublisher({ to, engine: 'perf' });
  const times = await push(publisher, sizes);
  const took_us = await latency(publisher, sizes.samples);
  const at = (share: number) => Math.round(took_us[Math.floor(share * (took_us.length - 1))] ?? 0);
  await publisher.endOfDay();
  const took = JSON.parse(String((await lines.next()).value)) as { position: number; sequence: number };
  publisher.close();
  if (child.exitCode === null) await once(child, 'exit');
  return { ...times, ...took, latency_us_p50: at(0.5), latency_us_p99: at(0.99) };
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
      samples: { type: 'string', default: '500' },
    },
  });
  if (values.help) return console.log(help);
  const number = (name: 'events' | 'batch' | 'live' | 'samples') => Number(values[name]);
  const sizes = { events: number('events'), batch: number('batch'), live: number('live'), samples: number('samples') };
  const around = { ...conditions() };
  const runs: Record<string, number | string>[] = [];
  for (let left = Number(values.runs); left > 0; left--) {
    const figures: Record<string, number | string> = { complete: 'yes' };
    const tcp = await overTcp(sizes);
    const inside = await inProcess(sizes);
    for (const [name, { seconds, pushed_s, full }] of [
      ['tcp', tcp],
      ['in_process', inside],
    ] as const) {
      figures[`${name}_events_per_second`] = Math.round(sizes.events / seconds);
      figures[`${name}_pushed_per_second`] = Math.round(sizes.events / pushed_s);
      figures[`${name}_full`] = full;
    }
    figures.tcp_latency_us_p50 = tcp.latency_us_p50;
    figures.tcp_latency_us_p99 = tcp.latency_us_p99;
    const pushed = sizes.events + sizes.samples;
    if (tcp.position !== pushed || tcp.sequence !== pushed) figures.complete = 'no';
    if (inside.position !== sizes.events || inside.sequence !== sizes.events) figures.complete = 'no';
    runs.push(figures);
  }
  printResult({ ...joinRuns('publisher_sdk', runs), ...sizes, ...around }, json);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
