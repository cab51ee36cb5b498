/** What the events of an engine are made of: numbers of the wire, and checks of what they can hold. */

/** Whole number; a number must be a safe integer, beyond that a bigint is needed. */
export type Whole = number | bigint;

export const engineSide = { bid: 1, ask: 2 } as const;
export type EngineSide = (typeof engineSide)[keyof typeof engineSide];

/** Trading status of an instrument, as docs/protocol.md has it. */
export const engineStatus = { trading: 1, halted: 2, paused: 3, quotationOnly: 4 } as const;
export type EngineStatus = (typeof engineStatus)[keyof typeof engineStatus];

export const engineTradeKind = {
  trade: 16,
  cross: 17,
  break: 18,
  auction: 19,
  priceDiscovery: 20,
  retailInterest: 21,
} as const;
export type EngineTradeKind = (typeof engineTradeKind)[keyof typeof engineTradeKind];

/** What a reference event tells; its values: docs/protocol.md, "Reference messages". */
export const engineReference = {
  systemEvent: 1,
  shortSaleRestriction: 2,
  marketParticipant: 3,
  circuitBreakerLevels: 4,
  circuitBreakerBreach: 5,
  ipoQuotingPeriod: 6,
  priceBand: 7,
  operationalHalt: 8,
} as const;
export type EngineReference = (typeof engineReference)[keyof typeof engineReference];

export interface EngineDefinition {
  /** 1 to 16 printable ASCII characters without spaces. */
  symbol: string;
  /** Prices are whole numbers of 10 to the power of this. */
  priceExponent?: number;
  quantityExponent?: number;
  lotSize?: number;
  /** Prices are multiples of it; 0 or left out: of any. */
  priceIncrement?: number;
  /** The lowest and the highest price of an order. Left out: as told before, at first anywhere. */
  priceLow?: Whole;
  priceHigh?: Whole;
}

/** What a trade has beyond price and quantity; which of them count for which kind: docs/protocol.md, "Trade messages". */
export interface EngineTradeFields {
  side?: EngineSide;
  quantity2?: Whole;
  price2?: Whole;
  price3?: Whole;
  price4?: Whole;
  price5?: Whole;
}

export interface EngineAuction {
  reference: Whole;
  near?: Whole;
  far?: Whole;
  paired: Whole;
  imbalance?: Whole;
  /** Of the imbalance; left out: none. */
  side?: EngineSide;
  /** One character: of the auction, and of how far the price is from the reference. */
  type?: string;
  variation?: string;
}

function checkWhole(value: Whole, name: string): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${name} is ${value}, expected a whole number, beyond 2^53 as a bigint`);
}

/** Throws RangeError. */
export function checkSigned(value: Whole, name: string): void {
  checkWhole(value, name);
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value)
    throw new RangeError(`${name} is ${value}, expected a signed 64-bit number`);
}

/** Throws RangeError. */
export function checkUnsigned(value: Whole, name: string): void {
  checkWhole(value, name);
  if (value < 0 || (typeof value === 'bigint' && BigInt.asUintN(64, value) !== value))
    throw new RangeError(`${name} is ${value}, expected an unsigned 64-bit number`);
}

/** Throws RangeError. */
export function checkPart(value: number, name: string, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high)
    throw new RangeError(`${name} is ${value}, expected a whole number from ${low} to ${high}`);
}

/** Throws RangeError. */
export function checkRange(low: Whole, high: Whole): void {
  checkSigned(low, 'lowest price');
  checkSigned(high, 'highest price');
  if (low > high) throw new RangeError(`the lowest price is ${low}, above the highest, ${high}`);
}

/** Throws RangeError. */
export function checkFields(fields: EngineTradeFields): void {
  checkUnsigned(fields.quantity2 ?? 0, 'quantity 2');
  for (const price of [fields.price2, fields.price3, fields.price4, fields.price5]) checkSigned(price ?? 0, 'price');
}

/** As schemas/ingest.fbs lays TradeFields out; checked before. */
export function writeFields(view: DataView, fields: EngineTradeFields): void {
  view.setBigUint64(0, BigInt(fields.quantity2 ?? 0), true);
  [fields.price2, fields.price3, fields.price4, fields.price5].forEach((price, index) => {
    view.setBigInt64(8 + 8 * index, BigInt(price ?? 0), true);
  });
}

/** One byte for each; throws RangeError. */
export function letters(...each: string[]): number {
  return each.reduce((code, letter, index) => {
    if (!/^[ -~]$/.test(letter)) throw new RangeError(`${JSON.stringify(letter)} is not one printable character`);
    return code + letter.charCodeAt(0) * 256 ** index;
  }, 0);
}
