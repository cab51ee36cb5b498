/** The dump document: every book of a channel as exact decimal text, in JSON. */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { parse } from 'node:path';
import type { BookExport, ExportedInstrument } from './book_export.js';
import type { SequenceRange, SideName, StatusName } from './book_types.js';
import { formatDecimal } from './decimal.js';

export type DumpOrder = [id: string, quantity: string];
/** With its orders in queue order where the dump was made from an export with orders. */
export type DumpLevel =
  | [price: string, quantity: string, orders: number]
  | [price: string, quantity: string, orders: number, queue: DumpOrder[]];

export interface DumpInstrument {
  live_orders: number;
  status: StatusName;
  /** 16 hexadecimal digits. */
  digest: string;
  /** Every level, best first. */
  bids: DumpLevel[];
  asks: DumpLevel[];
}

export interface Dump {
  channel: number;
  /** Decimal, as is the sequence. */
  session: string;
  sequence: string;
  /** 16 hexadecimal digits. */
  digest: string;
  /** Numbers, or decimal text where a number would not be exact. */
  counters: Record<string, number | string>;
  /** Sequence numbers that were received on no line. */
  missing: [first: string, last: string][];
  /** By name: the symbol, or what InstrumentInfo.name says. */
  instruments: Record<string, DumpInstrument>;
}

/** What a dump says besides the books. */
export interface DumpExtras {
  channel: number;
  counters: Readonly<Record<string, bigint | number>>;
  missing: readonly SequenceRange[];
}

function hexadecimal(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

function exactNumber(value: bigint | number): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function dumpSide(books: BookExport, instrument: ExportedInstrument, side: SideName): DumpLevel[] {
  const price_text = (price: bigint) => formatDecimal(price, instrument.priceExponent);
  const quantity_text = (quantity: bigint) => formatDecimal(quantity, instrument.quantityExponent);
  const key = instrument.instrument;
  if (!books.withOrders)
    return books
      .levels(key, side)
      .map(({ price, quantity, orders }) => [price_text(price), quantity_text(quantity), orders]);
  return Array.from(books.queues(key, side), ({ price, quantity, orders, queue }) => [
    price_text(price),
    quantity_text(quantity),
    orders,
    queue.map((order): DumpOrder => [String(order.id), quantity_text(order.quantity)]),
  ]);
}

function dumpInstrument(books: BookExport, instrument: ExportedInstrument): DumpInstrument {
  return {
    live_orders: instrument.liveOrders,
    status: instrument.status,
    digest: hexadecimal(instrument.digest),
    bids: dumpSide(books, instrument, 'bid'),
    asks: dumpSide(books, instrument, 'ask'),
  };
}

function dumpHead(books: BookExport, { channel, counters, missing }: DumpExtras): Omit<Dump, 'instruments'> {
  return {
    channel,
    session: String(books.session),
    sequence: String(books.sequence),
    digest: hexadecimal(books.digest),
    counters: Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, exactNumber(value)])),
    missing: missing.map(({ first, last }) => [String(first), String(last)]),
  };
}

/** The whole document in memory. */
export function makeDump(books: BookExport, extras: DumpExtras): Dump {
  // Object.fromEntries defines properties, so that no symbol can be mistaken for a setter ("__proto__").
  const instruments = Object.fromEntries(books.instruments.map((one) => [one.name, dumpInstrument(books, one)]));
  return { ...dumpHead(books, extras), instruments };
}

/** The document as text in pieces, one instrument on each line: all books together may be longer than a string can be. */
export function* dumpText(books: BookExport, extras: DumpExtras): Generator<string> {
  yield `${JSON.stringify(dumpHead(books, extras)).slice(0, -1)},"instruments":{`;
  let separator = '\n';
  for (const instrument of books.instruments) {
    yield `${separator}${JSON.stringify(instrument.name)}:${JSON.stringify(dumpInstrument(books, instrument))}`;
    separator = ',\n';
  }
  yield '\n}}\n';
}

async function writeText(handle: FileHandle, books: BookExport, extras: DumpExtras): Promise<void> {
  for (const text of dumpText(books, extras)) await handle.writeFile(text);
}

/** Where to write: the file behind a link; `plain` unless it is a device or a pipe. */
async function destination(file: string): Promise<{ path: string; plain: boolean }> {
  try {
    // First what it is: /dev/stdout may be a pipe, which has no real path, and whose link must not be replaced.
    if (!(await stat(file)).isFile()) return { path: file, plain: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { path: file, plain: true };
  }
  return { path: await realpath(file), plain: true };
}

/**
 * Writes the document beside `file` and renames it, so that `file` is never half a dump; a device or a pipe is written
 * to as it is. Rejects where that cannot be done; nothing is left behind then.
 */
export async function writeDump(file: string, books: BookExport, extras: DumpExtras): Promise<void> {
  const { path, plain } = await destination(file);
  const target = plain ? `${path}.${randomUUID()}.tmp` : path;
  const handle = await open(target, plain ? 'wx' : 'w');
  try {
    await writeText(handle, books, extras);
    await handle.close();
    if (plain) await rename(target, path);
  } catch (error) {
    await handle.close().catch(() => {});
    if (plain) await rm(target, { force: true });
    throw error;
  }
}

/** The file of the dump after a source position: dumpFileAt("out.json", 1000n) is "out.1000.json". */
export function dumpFileAt(file: string, position: bigint): string {
  const { dir, name, ext, root } = parse(file);
  const base = `${name}.${position}${ext}`;
  if (dir === '') return base;
  return dir === root ? `${dir}${base}` : `${dir}/${base}`;
}
