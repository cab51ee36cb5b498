/**
 * Properties of order flows, real or simulated, side by side: the table of docs/simulated-exchange.md. They are read by
 * the reference of the tests, which shares no code with the simulated exchange.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { type Order, ReferenceBooks } from '../test/reference/book.js';
import { type ItchMessage, ItchReader, increment, type Side, type Tally } from '../test/reference/itch_reader.js';
import { type LobsterMessage, readLobsterSample } from '../test/reference/lobster.js';

const help = `perf simulated_mix [--json] [NAME=]FILE[@SKIP]…   properties of order flows, one column for each
  FILE  an ITCH 5.0 file below 2 GiB (each message behind its length), or the folder of a LOBSTER sample
  NAME  title of the column                                                  (name of the file)
  SKIP  messages at the start that only build the books and do not count     (0)
Prints a Markdown table, or with --json one object. For example:
  npm run perf -- simulated_mix all=day.itch50 later=day.itch50@1000000`;

type OrderMessage = ItchMessage<'A' | 'F' | 'D' | 'X' | 'U' | 'E' | 'C' | 'P'>;
const order_types = 'AFDXUECP';

/** What is seen of each message that counts, as the books are before it. */
interface Seen {
  message: OrderMessage;
  /** The live order that D, X, U, E or C names. */
  order: Order | undefined;
  best: { readonly [side in Side]: number | undefined };
}

/** One line of the table. */
interface Row {
  label: string;
  values: number[];
  format: (value: number) => string;
}

interface Facet {
  see(seen: Seen): void;
  rows(): Row[];
}

function row(label: string, format: Row['format'], ...values: number[]): Row {
  return { label, values, format };
}

const whole = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const tenths = (value: number): string => value.toFixed(1);
const hundredths = (value: number): string => value.toFixed(2);
const two_digits = (value: number): string => String(Number(value.toPrecision(2)));

const percent = (part: number, all: number): number => (100 * part) / all;
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const mean = (values: readonly number[]): number => total(values) / values.length;

function quantiles(values: readonly number[], ...percents: number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return percents.map((share) => sorted[Math.floor((sorted.length * share) / 100)] ?? Number.NaN);
}

/** The percentages of `values` in [b0, b1), [b1, b2), … of these bounds. */
function shares(values: readonly number[], ...bounds: number[]): number[] {
  return bounds.slice(1).map((high, index) => {
    const low = bounds[index] as number;
    return percent(values.filter((value) => value >= low && value < high).length, values.length);
  });
}

function isAdd(message: OrderMessage): message is ItchMessage<'A' | 'F'> {
  return message.type === 'A' || message.type === 'F';
}

class Types implements Facet {
  readonly #counts: Tally = {};

  see({ message }: Seen): void {
    increment(this.#counts, message.type);
  }

  rows(): Row[] {
    const count = (types: string) => total([...types].map((type) => this.#counts[type] ?? 0));
    const all = count(order_types);
    return [
      row('order messages', whole, all),
      row('A + F, %', hundredths, percent(count('AF'), all)),
      row('F, of A + F, %', hundredths, percent(count('F'), count('AF'))),
      ...[...'DUXECP'].map((type) => row(`${type}, %`, hundredths, percent(count(type), all))),
    ];
  }
}

/** Sizes of orders; and where they are put and taken away, in cents behind the best price of their side. */
class Places implements Facet {
  readonly #sizes: number[] = [];
  readonly #adds: number[] = [];
  readonly #deletes: number[] = [];
  readonly #spreads: number[] = [];

  see({ message, order, best }: Seen): void {
    if (best.B !== undefined && best.S !== undefined) this.#spreads.push((best.S - best.B) / 100);
    if (isAdd(message)) {
      this.#sizes.push(message.shares);
      this.#put(this.#adds, message, best);
    } else if (message.type === 'D' && order !== undefined) this.#put(this.#deletes, order, best);
  }

  #put(distances: number[], { side, price }: { side: Side; price: number }, best: Seen['best']): void {
    const reference = best[side];
    if (reference !== undefined)
      distances.push(Math.round((side === 'B' ? reference - price : price - reference) / 100));
  }

  rows(): Row[] {
    const end = Number.POSITIVE_INFINITY;
    const sizes = shares(this.#sizes, 1, 100, 101, 500, 1_000, end);
    return [
      row('size of adds: below 100 / 100 / 101–499 / 500–999 / 1,000 and more, %', whole, ...sizes),
      row('adds that improve the best price / join it, %', whole, ...shares(this.#adds, -end, 0, 1)),
      row('adds 1–3 / 4–19 / 20–49 / 50 and more cents behind it, %', whole, ...shares(this.#adds, 1, 4, 20, 50, end)),
      row('deletes at the best price / 1–3 cents behind it, %', whole, ...shares(this.#deletes, 0, 1, 4)),
      row('spread in cents: 25 / 50 / 75 % quantile', whole, ...quantiles(this.#spreads, 25, 50, 75)),
    ];
  }
}

/** How orders end, of those whose add or replace counted. */
class Lives implements Facet {
  /** Messages of each symbol so far. */
  readonly #clock = new Map<number, number>();
  /** For each live order the clock of its symbol when it came. */
  readonly #born = new Map<number, number>();
  readonly #ages: number[] = [];
  #executed = 0;

  see({ message, order }: Seen): void {
    const now = (this.#clock.get(message.locate) ?? 0) + 1;
    this.#clock.set(message.locate, now);
    if (isAdd(message)) this.#born.set(message.reference, now);
    if (order === undefined) return;
    if (message.type === 'U') {
      this.#born.delete(order.reference);
      this.#born.set(message.new_reference, now);
    } else if (message.type === 'D') this.#end(order, (born) => this.#ages.push(now - born));
    else if ((message.type === 'E' || message.type === 'C') && message.shares >= order.shares)
      this.#end(order, () => this.#executed++);
  }

  #end({ reference }: Order, count: (born: number) => void): void {
    const born = this.#born.get(reference);
    if (this.#born.delete(reference) && born !== undefined) count(born);
  }

  rows(): Row[] {
    const ages = quantiles(this.#ages, 25, 50, 75, 90);
    const ended = this.#ages.length + this.#executed;
    return [
      row('age of deleted orders in messages of their symbol: 25 / 50 / 75 / 90 % quantile', whole, ...ages),
      row('orders whose add and end were seen', whole, ended),
      row('executed fully, of them, %', tenths, percent(this.#executed, ended)),
    ];
  }
}

/** Executions of one order that came in: successive E or C of one symbol at one time. */
class Matches implements Facet {
  readonly #lengths: number[] = [];
  #previous: OrderMessage | undefined;

  see({ message }: Seen): void {
    const previous = this.#previous;
    this.#previous = message.type === 'E' || message.type === 'C' ? message : undefined;
    if (this.#previous === undefined) return;
    const goes_on = previous?.locate === message.locate && previous.timestamp_ns === message.timestamp_ns;
    this.#lengths.push(goes_on ? (this.#lengths.pop() ?? 0) + 1 : 1);
  }

  rows(): Row[] {
    const most = this.#lengths.reduce((longest, length) => Math.max(longest, length), 0);
    return [
      row('executions per order: 1 / 2 / 3 / more, %', whole, ...shares(this.#lengths, 1, 2, 3, 4, most + 1)),
      row('executions per order: mean', hundredths, mean(this.#lengths)),
      row('executions per order: most', whole, most),
    ];
  }
}

class Times implements Facet {
  readonly #gaps: number[] = [];
  #previous: OrderMessage | undefined;
  #adds = 0;
  #pairs = 0;

  see({ message }: Seen): void {
    const previous = this.#previous;
    this.#previous = message;
    if (isAdd(message)) this.#adds++;
    if (previous === undefined) return;
    const gap = message.timestamp_ns - previous.timestamp_ns;
    this.#gaps.push(gap);
    const both_sides = isAdd(message) && isAdd(previous) && message.side !== previous.side;
    if (both_sides && gap === 0 && message.locate === previous.locate) this.#pairs++;
  }

  rows(): Row[] {
    const mean_gap = mean(this.#gaps);
    const same = this.#gaps.filter((gap) => gap === 0).length;
    const gaps = quantiles(this.#gaps, 10, 25, 50, 75, 90, 99).map((gap) => gap / mean_gap);
    return [
      row('mean gap in ns', whole, mean_gap),
      row('gap / mean gap: 10 / 25 / 50 / 75 / 90 / 99 % quantile', two_digits, ...gaps),
      row('same time as the message before, %', tenths, percent(same, this.#gaps.length)),
      row('adds that complete a quote pair, %', whole, percent(this.#pairs, this.#adds)),
    ];
  }
}

const distances = [1, 5, 20, 50] as const;
const tops = [1, 5, 10, 50] as const;
const window_messages = 950;

/** How the messages are spread over the symbols. */
class Symbols implements Facet {
  readonly #recent: number[] = []; // the latest last
  readonly #returns: number[] = []; // how many messages back the symbol came, where it did
  readonly #tops: number[][] = tops.map(() => []); // for each full window
  readonly #different: number[] = [];
  #window = new Map<number, number>();
  #messages = 0;

  see({ message: { locate } }: Seen): void {
    const last = this.#recent.lastIndexOf(locate);
    if (last >= 0) this.#returns.push(this.#recent.length - last);
    this.#recent.push(locate);
    if (this.#recent.length > 50) this.#recent.shift();
    this.#window.set(locate, (this.#window.get(locate) ?? 0) + 1);
    if (++this.#messages % window_messages === 0) this.#closeWindow();
  }

  #closeWindow(): void {
    const counts = [...this.#window.values()].sort((a, b) => b - a);
    for (const [index, top] of tops.entries())
      this.#tops[index]?.push(percent(total(counts.slice(0, top)), window_messages));
    this.#different.push(counts.length);
    this.#window = new Map();
  }

  rows(): Row[] {
    const within = (distance: number) => this.#returns.filter((back) => back <= distance).length;
    const returns = distances.map((distance) => percent(within(distance), this.#messages));
    return [
      row('symbol among the 1 / 5 / 20 / 50 messages before, %', whole, ...returns),
      row('busiest 1 / 5 / 10 / 50 symbols of 950 messages, %', whole, ...this.#tops.map(mean)),
      row('symbols in 950 messages', whole, mean(this.#different)),
    ];
  }
}

/** A message, and the best prices before it where the file itself tells them. */
type Step = [message: ItchMessage, best?: Seen['best']];

function* itchSteps(file: string): Generator<Step> {
  const reader = new ItchReader(readFileSync(file));
  for (const message of reader.messages()) yield [message];
  if (reader.framing_error !== null) throw new Error(`${file}: ${reader.framing_error}`);
}

function asItch({ timestamp_ns, kind, order_id: reference, shares, price, side }: LobsterMessage): ItchMessage {
  const header = { locate: 1, tracking: 0, timestamp_ns };
  if (kind === 1) return { type: 'A', ...header, reference, side, shares, stock: '', price };
  if (kind === 2) return { type: 'X', ...header, reference, shares };
  if (kind === 3) return { type: 'D', ...header, reference };
  if (kind === 4) return { type: 'E', ...header, reference, shares, match_number: 0 };
  return { type: 'P', ...header, reference: 0, side, shares, stock: '', price, match_number: 0 };
}

function* lobsterSteps(folder: string): Generator<Step> {
  const { messages, rows } = readLobsterSample(folder);
  for (const [index, message] of messages.entries()) {
    const before = rows[index - 1];
    yield [asItch(message), { B: before?.B[0]?.[0], S: before?.S[0]?.[0] }];
  }
}

function isOrderMessage(message: ItchMessage): message is OrderMessage {
  return order_types.includes(message.type);
}

function measure(file: string, skip: number): Row[] {
  const facets: Facet[] = [new Types(), new Places(), new Lives(), new Matches(), new Times(), new Symbols()];
  const books = new ReferenceBooks();
  let messages = 0;
  for (const [message, told] of statSync(file).isDirectory() ? lobsterSteps(file) : itchSteps(file)) {
    if (++messages > skip && isOrderMessage(message)) {
      const book = books.byLocate(message.locate);
      const best = told ?? { B: book?.best('B')?.[0], S: book?.best('S')?.[0] };
      const order = isAdd(message) ? undefined : books.order(message.reference);
      for (const facet of facets) facet.see({ message, order, best });
    }
    books.apply(message);
  }
  return facets.flatMap((facet) => facet.rows());
}

/** [NAME=]FILE[@SKIP] */
function parseColumn(parameter: string): { name: string; file: string; skip: number } {
  const match = /^(?:([^=/]*)=)?(.+?)(?:@(\d+))?$/s.exec(parameter);
  const file = match?.[2];
  if (file === undefined) throw new Error(`simulated_mix: expected [NAME=]FILE[@SKIP], not "${parameter}"`);
  return { name: match?.[1] ?? basename(file), file, skip: Number(match?.[3] ?? 0) };
}

function cell({ values, format }: Row): string {
  return values.map((value) => (Number.isFinite(value) ? format(value) : '–')).join(' / ');
}

/** The columns have the same rows. */
function printTable(columns: readonly { name: string; rows: Row[] }[]): void {
  console.log(`| | ${columns.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|${columns.map(() => '---|').join('')}`);
  for (const [index, { label }] of (columns[0]?.rows ?? []).entries())
    console.log(`| ${label} | ${columns.map(({ rows }) => cell(rows[index] as Row)).join(' | ')} |`);
}

/** Rejects where a file cannot be read or breaks off inside a message. */
export async function run(parameters: string[], json: boolean): Promise<void> {
  const options = { help: { type: 'boolean', short: 'h' } } as const;
  const { values, positionals } = parseArgs({ args: parameters, options, allowPositionals: true });
  if (values.help === true) {
    console.log(help);
    return;
  }
  if (positionals.length === 0) throw new Error('simulated_mix: expected a file; --help explains');
  const columns = positionals
    .map(parseColumn)
    .map((column) => ({ ...column, rows: measure(column.file, column.skip) }));
  if (!json) printTable(columns);
  else {
    const flows = columns.map(({ name, skip, rows }) => {
      return { name, skip, properties: Object.fromEntries(rows.map(({ label, values }) => [label, values])) };
    });
    console.log(JSON.stringify({ name: 'simulated_mix', flows }));
  }
}
