/** What books are made of, as callers see them. Prices and quantities are integers scaled by the instrument's exponents. */
import type { NativeDefinition } from './native.js';

export type SideName = 'bid' | 'ask';

/** Wire numbers of the sides. */
export const side_numbers = { bid: 1, ask: 2 } as const satisfies Record<SideName, number>;

/** Trading status by its wire number. */
export const status_names = ['unknown', 'trading', 'halted', 'paused', 'quotation_only', 'delisted'] as const;
export type StatusName = (typeof status_names)[number];

export function statusName(status: number): StatusName {
  return status_names[status] ?? 'unknown';
}

/** How far an instrument's book can be trusted, by its number. */
export const instrument_state_names = ['live', 'unconfirmed', 'stale'] as const;
export type InstrumentStateName = (typeof instrument_state_names)[number];

export interface InstrumentInfo extends NativeDefinition {
  /**
   * The symbol; "SYMBOL#instrument" where an instrument of a higher number has the same symbol; "#instrument" where
   * there is no symbol.
   */
  name: string;
}

export interface Level {
  price: bigint;
  quantity: bigint;
  orders: number;
}

/** An order in its level's queue. */
export interface QueuedOrder {
  id: bigint;
  quantity: bigint;
}

/** An order with its place. */
export interface PlacedOrder extends QueuedOrder {
  side: SideName;
  price: bigint;
  /** Orders and quantity ahead of it in its level's queue. */
  ordersAhead: number;
  quantityAhead: bigint;
}

/** The best levels at the end of one event: one whole state. */
export interface Depth {
  sequence: bigint;
  /** Time of that event, CLOCK_REALTIME ns. */
  timeNs: bigint;
  instrumentSequence: number;
  status: StatusName;
  /** Best first. */
  bids: Level[];
  asks: Level[];
}

export interface Bbo {
  sequence: bigint;
  timeNs: bigint;
  bid: Level | undefined;
  ask: Level | undefined;
}

/** Sequence numbers, both included. */
export interface SequenceRange {
  first: bigint;
  last: bigint;
}
