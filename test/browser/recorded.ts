/**
 * Recordings for the conformance suite: the datagrams that the shipped publisher made of the simulated exchange, and the
 * books of the native replica at many points, order by order.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BookExport } from '../../src/book_export.js';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { FeedClient } from '../../src/feed_client.js';
import { serveOn, subscribeOn } from '../channel.js';
import type { Test } from '../data.js';
import type { ExpectedBooks, ExpectedInstrument, Recording } from './conformance.js';

const header_bytes = 128;
const record_header_bytes = 16;
const packet_record = 1;

/** The datagrams of a journal segment or a checkpoint (native/journal/record_format.h). */
export function datagramsOf(file: string): Uint8Array[] {
  const bytes = readFileSync(file);
  const datagrams: Uint8Array[] = [];
  for (let at = header_bytes; at + record_header_bytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const begin = at + record_header_bytes;
    if (bytes.readUInt8(at + 4) === packet_record)
      datagrams.push(new Uint8Array(bytes.subarray(begin, begin + length)));
    at = begin + Math.ceil(length / 8) * 8;
  }
  return datagrams;
}

export function filesOf(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));
}

function expectedInstrument(books: BookExport, instrument: number): ExpectedInstrument {
  const of = books.instrument(instrument);
  const side = (name: 'bid' | 'ask') =>
    Array.from(books.queues(instrument, name), ({ price, quantity, orders, queue }) =>
      [price, quantity, orders, ...queue.flatMap((order) => [order.id, order.quantity])].join(' '),
    );
  return {
    instrument,
    symbol: of?.symbol ?? '',
    digest: String(of?.digest),
    state: of?.state ?? 'stale',
    status: of?.status ?? 'unknown',
    instrumentSequence: of?.instrumentSequence ?? 0,
    bids: side('bid'),
    asks: side('ask'),
  };
}

export function expectedBooks(books: BookExport): ExpectedBooks {
  return {
    sequence: Number(books.sequence),
    digest: String(books.digest),
    instruments: books.instruments.map(({ instrument }) => expectedInstrument(books, instrument)),
  };
}

/** A run of a distributor from its start to its end, on a channel of its own (test/channel.ts). */
export async function recorded(
  t: Test,
  channel: number,
  { messages, points, ...more }: { messages: number; points: number } & ServeOptionsInput,
): Promise<Recording> {
  const state = join(t.testdir({}), 'state');
  const distributor = new Distributor(
    serveOn(channel, {
      state,
      source: 'simulate',
      simulate: { seed: 11, symbols: 6, messages, liveOrders: 400 },
      journal: { checkpointMs: 250 },
      rate: 20_000,
      waitSubscribers: 1,
      heartbeatMs: 20,
      digestMessages: 500,
      definitionsMs: 50,
      ...more,
    }),
  );
  t.teardown(() => distributor.close());
  await distributor.start();
  const positions = Array.from({ length: points }, (_, index) => Math.floor(((index + 1) * messages) / (points + 1)));
  const client = new FeedClient(
    subscribeOn(channel, distributor.control, { exportPositions: positions, exportOrders: true }),
  );
  t.teardown(() => client.close());
  const expected: ExpectedBooks[] = [];
  client.on('export', (books) => expected.push(expectedBooks(books)));
  await client.start();
  await client.ended;
  expected.push(expectedBooks(await client.snapshot({ orders: true })));
  await client.close();
  await distributor.close();
  const snapshots = filesOf(join(state, 'checkpoints'), '.dcc').map(datagramsOf);
  return { packets: filesOf(join(state, 'journal'), '.dcj').flatMap(datagramsOf), snapshots, expected };
}
