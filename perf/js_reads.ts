/**
 * What it costs JavaScript to read a book: ten levels of each side as objects, into columns that are used again, and out of
 * a FlatBuffers message by accessors; in alternation.
 */
import { parseArgs } from 'node:util';
import { DepthColumns, OrderBooks } from 'depthcast';
import * as flatbuffers from 'flatbuffers';
import { BookMessage } from '../src/generated/wire/book-message.js';
import { BookMessages } from '../src/generated/wire/book-messages.js';
import { conditions } from './conditions.js';
import { joinRuns } from './native_program.js';
import { printResult } from './print_result.js';

const help = `perf js_reads [--option value]…
  --reads N        of each way in one run   (200000)
  --runs N         runs                     (10)
  --instruments N  read in turn             (100)
  --levels N       of each side             (10)`;

function fillBooks(instruments: number, levels: number): OrderBooks {
  const books = new OrderBooks({ orders: 2 * instruments * levels, instruments, depthLevels: levels });
  for (let instrument = 1, id = 1n; instrument <= instruments; instrument++)
    for (let level = 0; level < levels; level++) {
      const distance = BigInt(level * 100);
      books.add({ instrument, side: 'bid', id: id++, price: 1_000_000n - distance, quantity: 100n });
      books.add({ instrument, side: 'ask', id: id++, price: 1_000_100n + distance, quantity: 100n });
    }
  books.endEvent(1n);
  return books;
}

/** The same levels as one FlatBuffers message: bids, then asks. */
function encodeLevels(books: OrderBooks, instrument: number, levels: number): BookMessages {
  const builder = new flatbuffers.Builder(4_096);
  BookMessages.startMessagesVector(builder, 2 * levels);
  const rows = [...books.levels(instrument, 'bid', levels), ...books.levels(instrument, 'ask', levels)];
  for (const { price, quantity } of rows.reverse())
    BookMessage.createBookMessage(builder, 0n, price, quantity, 0, instrument, 0, 1, 1, 0);
  builder.finish(BookMessages.createBookMessages(builder, builder.endVector(), 0));
  return BookMessages.getRootAsBookMessages(new flatbuffers.ByteBuffer(builder.asUint8Array().slice()));
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const options = {
    help: { type: 'boolean' },
    reads: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '10' },
    instruments: { type: 'string', default: '100' },
    levels: { type: 'string', default: '10' },
  } as const;
  const { values } = parseArgs({ args: parameters, options });
  if (values.help) return console.log(help);
  const [reads, instruments, levels] = [Number(values.reads), Number(values.instruments), Number(values.levels)];
  const books = fillBooks(instruments, levels);
  const encoded = Array.from({ length: instruments }, (_, index) => encodeLevels(books, index + 1, levels));
  const columns = new DepthColumns(levels);
  const message = new BookMessage();

  const ways: Record<string, (instrument: number) => number> = {
    columns: (instrument) => {
      books.readDepth(instrument, columns);
      const { bidPrice, bidQuantity, askPrice, askQuantity, bidCount, askCount } = columns;
      let sum = 0;
      for (let level = 0; level < bidCount; level++)
        sum += (bidPrice[level] as number) + (bidQuantity[level] as number);
      for (let level = 0; level < askCount; level++)
        sum += (askPrice[level] as number) + (askQuantity[level] as number);
      return sum;
    },
    objects: (instrument) => {
      let sum = 0n;
      const depth = books.depth(instrument, levels);
      for (const { price, quantity } of depth?.bids ?? []) sum += price + quantity;
      for (const { price, quantity } of depth?.asks ?? []) sum += price + quantity;
      return Number(sum);
    },
    flatbuffers: (instrument) => {
      let sum = 0n;
      const messages = encoded[instrument - 1] as BookMessages;
      for (let row = 0; row < 2 * levels; row++) {
        messages.messages(row, message);
        sum += message.price() + message.quantity();
      }
      return Number(sum);
    },
  };
  const measure = (read: (instrument: number) => number) => {
    let sum = 0;
    const start = process.hrtime.bigint();
    for (let index = 0; index < reads; index++) sum += read(1 + (index % instruments));
    return { ns: Number(process.hrtime.bigint() - start) / reads, sum };
  };
  const around = { ...conditions() };
  for (const read of Object.values(ways)) measure(read); // compiles them
  const runs = Array.from({ length: Number(values.runs) }, () => {
    const figures: Record<string, number | string> = {};
    const sums = new Set<number>();
    for (const [name, read] of Object.entries(ways)) {
      const { ns, sum } = measure(read);
      figures[`${name}_ns`] = Number(ns.toFixed(1));
      sums.add(sum);
    }
    return { ...figures, equal: sums.size === 1 ? 'yes' : 'no' };
  });
  printResult({ ...joinRuns('js_reads', runs), reads, instruments, levels, ...around }, json);
}
