/** The structs of the wire as they are read in place: an object that is filled again and again, 64-bit numbers in halves. */

export const kinds = {
  add: 1,
  modify: 2,
  delete_order: 3,
  execute: 4,
  clear: 5,
  status: 6,
  reference: 7,
  trade: 16,
  retail_interest: 21,
  definition: 32,
} as const;

export const flags = {
  end_of_event: 1,
  book_affecting: 2,
  priority_kept: 4,
  detail: 8,
  non_printable: 16,
  at_price: 32,
} as const;

export const sides = { none: 0, bid: 1, ask: 2 } as const;

export const book_message_bytes = 40;
export const trade_message_bytes = 88;
export const snapshot_order_bytes = 40;
export const instrument_digest_bytes = 16;

export class BookMessage {
  idHigh = 0;
  idLow = 0;
  /** Of a signed number. */
  priceHigh = 0;
  priceLow = 0;
  quantityHigh = 0;
  quantityLow = 0;
  timeOffset = 0;
  instrument = 0;
  instrumentSequence = 0;
  kind = 0;
  side = 0;
  flags = 0;
  detailHigh = 0;
  detailLow = 0;

  read(view: DataView, at: number): void {
    this.idLow = view.getUint32(at, true);
    this.idHigh = view.getUint32(at + 4, true);
    this.priceLow = view.getUint32(at + 8, true);
    this.priceHigh = view.getInt32(at + 12, true);
    this.quantityLow = view.getUint32(at + 16, true);
    this.quantityHigh = view.getUint32(at + 20, true);
    this.timeOffset = view.getUint32(at + 24, true);
    this.instrument = view.getUint32(at + 28, true);
    this.instrumentSequence = view.getUint32(at + 32, true);
    this.kind = view.getUint8(at + 36);
    this.side = view.getUint8(at + 37);
    this.flags = view.getUint16(at + 38, true);
    this.detailHigh = 0;
    this.detailLow = 0;
  }
}

/** What the books need of a trade; the rest is read through `view` by whoever wants it. */
export class TradeMessage {
  view: DataView = new DataView(new ArrayBuffer(0));
  at = 0;
  timeOffset = 0;
  instrument = 0;
  instrumentSequence = 0;
  kind = 0;
  side = 0;
  flags = 0;
  code = 0;

  read(view: DataView, at: number): void {
    this.view = view;
    this.at = at;
    this.timeOffset = view.getUint32(at + 64, true);
    this.instrument = view.getUint32(at + 68, true);
    this.instrumentSequence = view.getUint32(at + 72, true);
    this.kind = view.getUint8(at + 76);
    this.side = view.getUint8(at + 77);
    this.flags = view.getUint16(at + 78, true);
    this.code = view.getUint32(at + 80, true);
  }

  /** Halves of a 64-bit field by its offset. */
  high(offset: number): number {
    return this.view.getUint32(this.at + offset + 4, true);
  }

  low(offset: number): number {
    return this.view.getUint32(this.at + offset, true);
  }
}

/** An instrument as its definition names it. */
export interface Definition {
  instrument: number;
  /** 0 where it is repeated without a number. */
  instrumentSequence: number;
  timeOffset: number;
  symbol: string;
  priceExponent: number;
  quantityExponent: number;
  sourceCode: number;
  lotSize: number;
}

export function isBookKind(kind: number): boolean {
  return kind >= kinds.add && kind <= kinds.reference;
}

export function isTradeKind(kind: number): boolean {
  return kind >= kinds.trade && kind <= kinds.retail_interest;
}

/** Of a later version: the book decides by the message's flags. */
export function isLaterKind(kind: number): boolean {
  return kind > kinds.definition;
}
