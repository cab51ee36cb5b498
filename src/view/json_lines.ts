/** Updates as JSON, one line each. Pure; no object is made per message. */
import { statusName } from '../book_types.js';
import { formatDecimal as decimal } from '../decimal.js';
import type { UpdateColumns } from '../native.js';
import { Kind, message_flags, Side } from '../updates.js';

/** What a line needs to know of an instrument. */
export interface InstrumentName {
  /** Its symbol, or what stands for it. */
  name: string;
  priceExponent: number;
  quantityExponent: number;
}

export type InstrumentLookup = (instrument: number) => InstrumentName | undefined;

const flag_names = Object.keys(message_flags) as (keyof typeof message_flags)[];

const reference_names = [
  'unknown',
  'system_event',
  'short_sale_restriction',
  'market_participant',
  'circuit_breaker_levels',
  'circuit_breaker_breach',
  'ipo_quoting_period',
  'price_band',
  'operational_halt',
] as const;

export function kindName(kind: number): string {
  return Kind[kind] ?? `kind ${kind}`;
}

export function endsEvent(flags: number): boolean {
  return (flags & message_flags.end_of_event) !== 0;
}

/** The JSON text of the list of flag names; one text for each combination. */
const flag_texts: string[] = Array.from({ length: 1 << flag_names.length }, (_, bits) =>
  JSON.stringify(flag_names.filter((name) => (bits & message_flags[name]) !== 0)),
);

function flagText(flags: number): string {
  return flag_texts[flags] ?? `["bits ${flags}"]`;
}

/** The channel itself: its messages carry no prices. */
const channel_name: InstrumentName = { name: '', priceExponent: 0, quantityExponent: 0 };

function sideText(side: number): string {
  return side === Side.bid ? '"bid"' : side === Side.ask ? '"ask"' : 'null';
}

/** As JSON; control characters beyond ASCII's are escaped too, since a terminal may obey them. */
function jsonText(text: string): string {
  return JSON.stringify(text).replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Characters that a source packed into a number, the first one lowest. */
function packedText(value: bigint): string {
  let text = '';
  for (let rest = value; rest > 0n; rest >>= 8n) text += String.fromCharCode(Number(rest & 0xffn));
  return jsonText(text.trimEnd());
}

/** `"bid":["20.5400","100"],"ask":null`: best prices, and quantities of their levels. */
function bestText(columns: UpdateColumns, row: number, name: InstrumentName): string {
  const one = (price: bigint, quantity: bigint) =>
    quantity === 0n
      ? 'null'
      : `["${decimal(price, name.priceExponent)}","${decimal(quantity, name.quantityExponent)}"]`;
  const bid = one(columns.bidPrice[row] as bigint, columns.bidQuantity[row] as bigint);
  const ask = one(columns.askPrice[row] as bigint, columns.askQuantity[row] as bigint);
  return `"bid":${bid},"ask":${ask}`;
}

function orderText(columns: UpdateColumns, row: number, name: InstrumentName): string {
  const price = decimal(columns.price[row] as bigint, name.priceExponent);
  const quantity = decimal(columns.quantity[row] as bigint, name.quantityExponent);
  const text = `"side":${sideText(columns.side[row] as number)},"price":"${price}","quantity":"${quantity}","order_id":"${columns.orderId[row]}"`;
  const detail = (columns.flags[row] as number) & message_flags.detail ? `,"detail":"${columns.detail[row]}"` : '';
  return text + detail;
}

function tradeText(columns: UpdateColumns, row: number, name: InstrumentName): string {
  const price = (value: bigint) => `"${decimal(value, name.priceExponent)}"`;
  const quantity = (value: bigint) => `"${decimal(value, name.quantityExponent)}"`;
  let text = `"side":${sideText(columns.side[row] as number)},"price":${price(columns.price[row] as bigint)}`;
  text += `,"quantity":${quantity(columns.quantity[row] as bigint)},"trade_id":"${columns.orderId[row]}"`;
  text += `,"code":${columns.code[row]}`;
  if ((columns.kind[row] as number) < Kind.auction) return text;
  text += `,"quantity_2":${quantity(columns.quantity2[row] as bigint)}`;
  for (const number of [2, 3, 4, 5] as const)
    text += `,"price_${number}":${price(columns[`price${number}`][row] as bigint)}`;
  return text;
}

/** Values of a reference message are the source's own: they stay numbers without a scale. */
function referenceText(columns: UpdateColumns, row: number): string {
  const what = columns.side[row] as number;
  const name = reference_names[what] ?? `reference ${what}`;
  const values = `"values":["${columns.orderId[row]}","${columns.price[row]}","${columns.quantity[row]}"]`;
  const detail = (columns.flags[row] as number) & message_flags.detail ? `,"detail":"${columns.detail[row]}"` : '';
  return `"reference":"${name}",${values}${detail}`;
}

function definitionText(instrument: number, name: InstrumentName): string {
  return `"instrument":${instrument},"price_exponent":${name.priceExponent},"quantity_exponent":${name.quantityExponent}`;
}

function bodyText(columns: UpdateColumns, row: number, name: InstrumentName): string {
  const kind = columns.kind[row] as number;
  if (kind === Kind.status) {
    const status = statusName(Number(columns.quantity[row]));
    return `"status":"${status}","reason":${packedText(columns.detail[row] as bigint)}`;
  }
  if (kind === Kind.reference) return referenceText(columns, row);
  if (kind === Kind.definition) return definitionText(columns.instrument[row] as number, name);
  if (kind >= Kind.trade && kind <= Kind.retail_interest) return tradeText(columns, row, name);
  return orderText(columns, row, name);
}

/** Without a definition nobody knows the scale: the plain integers go by other names, so that none is taken for a price. */
function unscaledText(columns: UpdateColumns, row: number): string {
  const side = `"side":${sideText(columns.side[row] as number)},"price":null,"quantity":null`;
  const raw = `"raw_price":"${columns.price[row]}","raw_quantity":"${columns.quantity[row]}"`;
  return `${side},${raw},"order_id":"${columns.orderId[row]}","bid":null,"ask":null`;
}

/**
 * The line of one update, with its line feed. Numbers of 64 bits other than sequence and position are text, prices and
 * quantities exact decimals. Until the definition of an instrument has come, symbol and prices are null.
 */
export function updateLine(columns: UpdateColumns, row: number, lookup: InstrumentLookup): string {
  const instrument = columns.instrument[row] as number;
  const name = instrument === 0 ? channel_name : lookup(instrument);
  const kind = jsonText(kindName(columns.kind[row] as number));
  const head = `{"sequence":${columns.sequence[row]},"position":${columns.position[row]},"time":"${columns.time[row]}"`;
  const flags = flagText(columns.flags[row] as number);
  if (name === undefined)
    return `${head},"symbol":null,"instrument":${instrument},"kind":${kind},${unscaledText(columns, row)},"flags":${flags}}\n`;
  const symbol = instrument === 0 ? 'null' : jsonText(name.name);
  const best = instrument === 0 ? '"bid":null,"ask":null' : bestText(columns, row, name);
  return `${head},"symbol":${symbol},"kind":${kind},${bodyText(columns, row, name)},${best},"flags":${flags}}\n`;
}

/** Updates that could not be delivered in time, or not be written. */
export function overrunLine(lost: bigint): string {
  return `{"overrun":${lost}}\n`;
}
