/** Updates as CSV (RFC 4180), one row each. Pure. */
import { statusName } from '../book_types.js';
import { formatDecimal as decimal } from '../decimal.js';
import { Kind, message_flags, Side, type UpdateBatch } from '../updates.js';
import { type InstrumentLookup, kindName } from './json_lines.js';

export const csv_head =
  'sequence,position,time,symbol,instrument,instrument_sequence,kind,side,price,quantity,id,status,detail,code,flags,bid_price,bid_quantity,ask_price,ask_quantity,quantity_2,price_2,price_3,price_4,price_5\r\n';

const flag_names = Object.keys(message_flags) as (keyof typeof message_flags)[];

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function sideText(side: number): string {
  return side === Side.bid ? 'bid' : side === Side.ask ? 'ask' : '';
}

/** Prices and quantities are exact decimals; empty where a message has none, or where no definition gives the scale. */
export function csvLine(columns: UpdateBatch, row: number, lookup: InstrumentLookup): string {
  const instrument = columns.instrument[row] as number;
  const kind = columns.kind[row] as number;
  const name = instrument === 0 ? undefined : lookup(instrument);
  const price = (value: bigint | undefined) => (name === undefined ? '' : decimal(value ?? 0n, name.priceExponent));
  const quantity = (value: bigint | undefined) =>
    name === undefined ? '' : decimal(value ?? 0n, name.quantityExponent);
  const isTrade = kind >= Kind.trade && kind <= Kind.retail_interest;
  const isAuction = kind >= Kind.auction && kind <= Kind.retail_interest;
  const isOrder = kind >= Kind.add && kind <= Kind.execute;
  const flags = columns.flags[row] as number;
  const best = (value: bigint | undefined, amount: bigint | undefined) =>
    amount === 0n ? ['', ''] : [price(value), quantity(amount)];
  const plain = kind === Kind.reference;
  const cells = [
    columns.sequence[row],
    columns.position[row],
    columns.time[row],
    quoted(name?.name ?? ''),
    instrument,
    columns.instrumentSequence[row],
    kindName(kind),
    plain ? columns.side[row] : sideText(columns.side[row] as number),
    plain ? columns.price[row] : isOrder || isTrade ? price(columns.price[row]) : '',
    plain ? columns.quantity[row] : isOrder || isTrade ? quantity(columns.quantity[row]) : '',
    isOrder || isTrade || plain ? columns.orderId[row] : '',
    kind === Kind.status ? statusName(Number(columns.quantity[row])) : '',
    flags & message_flags.detail ? columns.detail[row] : '',
    isTrade ? columns.code[row] : '',
    flag_names.filter((flag) => (flags & message_flags[flag]) !== 0).join(' '),
    ...best(columns.bidPrice[row], columns.bidQuantity[row]),
    ...best(columns.askPrice[row], columns.askQuantity[row]),
    isAuction ? quantity(columns.quantity2[row]) : '',
    ...([2, 3, 4, 5] as const).map((number) => (isAuction ? price(columns[`price${number}`][row]) : '')),
  ];
  return `${cells.join(',')}\r\n`;
}
