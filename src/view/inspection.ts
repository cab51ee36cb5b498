/** What an ITCH 5.0 file holds, as a table or as JSON. Pure. */
import { grouped, left, printable, right, timeOfDay } from './format.js';

export interface Inspection {
  file: string;
  messages: bigint;
  /** Messages by type, indexed by the type's character code. */
  types: ArrayLike<bigint>;
  symbols: readonly string[];
  /** ns since midnight. */
  firstTimeNs: bigint;
  lastTimeNs: bigint;
  bytes: bigint;
  timesGoingBack: bigint;
  /** Where it breaks: offset in unpacked bytes, and what was expected there. */
  fault: { offset: bigint; expected: string } | undefined;
}

/** Nasdaq TotalView-ITCH 5.0. */
const type_names: Record<string, string> = {
  S: 'system event',
  R: 'stock directory',
  H: 'trading action',
  Y: 'short sale restriction',
  L: 'market participant position',
  V: 'circuit breaker levels',
  W: 'circuit breaker status',
  K: 'IPO quoting period',
  J: 'auction collar',
  h: 'operational halt',
  A: 'add order',
  F: 'add order with attribution',
  E: 'order executed',
  C: 'order executed with price',
  X: 'order cancel',
  D: 'order delete',
  U: 'order replace',
  P: 'trade',
  Q: 'cross trade',
  B: 'broken trade',
  I: 'net order imbalance',
  N: 'retail price improvement',
  O: 'direct listing price discovery',
};

const line_columns = 100;

function countsByType({ types }: Inspection): [type: string, count: bigint][] {
  const counts: [string, bigint][] = [];
  for (let code = 0; code < types.length; code++) {
    const count = types[code] ?? 0n;
    if (count > 0n) counts.push([String.fromCharCode(code), count]);
  }
  return counts;
}

/** Words in lines of at most 100 columns. */
function wrap(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= line_columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function jsonLine(inspection: Inspection): string {
  const { file, messages, bytes, symbols, firstTimeNs, lastTimeNs, timesGoingBack, fault } = inspection;
  return JSON.stringify({
    file,
    messages: Number(messages),
    bytes: Number(bytes),
    types: Object.fromEntries(countsByType(inspection).map(([type, count]) => [type, Number(count)])),
    symbols,
    first_time_ns: messages > 0n ? String(firstTimeNs) : null,
    last_time_ns: messages > 0n ? String(lastTimeNs) : null,
    times_going_back: Number(timesGoingBack),
    fault: fault === undefined ? null : { offset: Number(fault.offset), expected: fault.expected },
  });
}

/** The lines of the report; with `json` a single one. */
export function inspectionLines(inspection: Inspection, json: boolean): string[] {
  if (json) return [jsonLine(inspection)];
  const { file, messages, bytes, symbols, firstTimeNs, lastTimeNs, timesGoingBack, fault } = inspection;
  const counts = countsByType(inspection);
  const width = Math.max(1, ...counts.map(([, count]) => grouped(count).length));
  const lines = [`${file}: ${grouped(messages)} messages, ${grouped(bytes)} bytes`];
  if (messages > 0n) lines.push(`time    ${timeOfDay(firstTimeNs)} to ${timeOfDay(lastTimeNs)}, of the exchange's day`);
  if (timesGoingBack > 0n) lines.push(`        ${grouped(timesGoingBack)} messages are earlier than the one before`);
  lines.push(
    'types',
    ...counts.map(([type, count]) =>
      `  ${left(printable(type), 3)} ${right(grouped(count), width)}  ${type_names[type] ?? ''}`.trimEnd(),
    ),
    `symbols ${grouped(symbols.length)}`,
    ...wrap(symbols.map(printable)).map((line) => `  ${line}`),
  );
  lines.push(
    fault === undefined
      ? 'whole   yes'
      : `whole   no: breaks at byte ${grouped(fault.offset)}, expected ${fault.expected}`,
  );
  return lines;
}
