/**
 * What a delivered update costs the JavaScript thread: a publisher in another process, a client here whose listener reads
 * price, quantity and best prices of every update: as BigInts, or as numbers from the same memory.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Distributor, FeedClient, NumberColumn, type UpdateBatch } from 'depthcast';
import { conditions } from './conditions.js';
import { type Figures, joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf js_delivery [--option value]…
  --messages N  of the source, in each run of each way   (1000000)
  --rate N      messages a second                        (400000)
  --runs N      runs                                     (5)`;

const lines = { lineA: { group: '239.192.77.41', port: 27_561 }, lineB: null };
const limits = { orders: 1 << 18, instruments: 1_024 };

interface Load {
  messages: number;
  rate: number;
}

/** The child's side. */
process.on('message', async ({ messages, rate }: Load) => {
  const simulate = { messages: BigInt(messages), symbols: 100 };
  const distributor = new Distributor({ ...lines, limits, control: null, simulate, rate, exitAtEnd: true });
  await distributor.start();
  await distributor.ended;
  await distributor.close();
  process.disconnect();
});

type Sum = (batch: UpdateBatch) => number;

function asBigInts({ price, quantity, bidPrice, askPrice, count }: UpdateBatch): number {
  let sum = 0n;
  for (let row = 0; row < count; row++)
    sum += (price[row] as bigint) + (quantity[row] as bigint) + (bidPrice[row] as bigint) + (askPrice[row] as bigint);
  return Number(sum);
}

function asNumbers(): Sum {
  let columns: NumberColumn[] | undefined;
  return (batch) => {
    columns ??= [batch.price, batch.quantity, batch.bidPrice, batch.askPrice].map((column) => new NumberColumn(column));
    const [price, quantity, bid, ask] = columns as [NumberColumn, NumberColumn, NumberColumn, NumberColumn];
    let sum = 0;
    for (let row = 0; row < batch.count; row++) sum += price.at(row) + quantity.at(row) + bid.at(row) + ask.at(row);
    return sum;
  };
}

/** Rejects when it ends badly: then nothing comes any more. */
async function failureOf(child: ChildProcess): Promise<never> {
  return await new Promise((_, reject) => {
    child.on('exit', (code, signal) => {
      if (code !== 0) reject(new Error(`the publisher ended: ${signal ?? `exit code ${code}`}`));
    });
  });
}

async function runOnce(load: Load, read: Sum): Promise<Figures> {
  const client = new FeedClient({ ...lines, limits, control: null, delivery: { updates: true, capacity: 1 << 18 } });
  const figures = { updates: 0, batches: 0, sum: 0, listener: 0 };
  client.on('updates', (batch) => {
    const start = process.hrtime();
    figures.sum += read(batch);
    const [seconds, ns] = process.hrtime(start);
    figures.listener += seconds * 1e9 + ns;
    figures.updates += batch.count;
    figures.batches++;
  });
  await client.start();
  const child: ChildProcess = fork(fileURLToPath(import.meta.url));
  try {
    const before = performance.eventLoopUtilization();
    child.send(load);
    await Promise.race([client.ended, failureOf(child)]);
    const { active } = performance.eventLoopUtilization(before);
    const { updates, batches, sum, listener } = figures;
    const lost = Number(client.stats().updatesLost);
    return { updates, batches, lost, sum, ns: (active * 1e6) / updates, listener_ns: listener / updates };
  } finally {
    await client.close();
    child.kill();
  }
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const options = {
    help: { type: 'boolean' },
    messages: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '400000' },
    runs: { type: 'string', default: '5' },
  } as const;
  const { values } = parseArgs({ args: parameters, options });
  if (values.help) return console.log(help);
  const load = { messages: Number(values.messages), rate: Number(values.rate) };
  const around = { ...conditions() };
  const runs: Figures[] = [];
  for (let index = 0; index < Number(values.runs); index++) {
    const big = await runOnce(load, asBigInts);
    const numbers = await runOnce(load, asNumbers());
    runs.push({
      numbers_ns: Number(numbers.ns),
      numbers_listener_ns: Number(numbers.listener_ns),
      bigints_ns: Number(big.ns),
      bigints_listener_ns: Number(big.listener_ns),
      updates_per_batch: Number(numbers.updates) / Number(numbers.batches),
      updates: Number(numbers.updates),
      lost: Number(numbers.lost) + Number(big.lost),
      equal: numbers.sum === big.sum || Number(numbers.lost) + Number(big.lost) > 0 ? 'yes' : 'no',
    });
  }
  printResult({ ...joinRuns('js_delivery', runs), ...load, ...around }, json);
}
