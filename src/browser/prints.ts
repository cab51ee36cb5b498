/** The tape of a `trades` subscription. */
import type { SideName } from '../book_types.js';
import { type FrameReader, print_bytes } from './frame_reader.js';
import { flags, sides } from './messages.js';

export interface Print {
  sequence: bigint;
  /** Of the source; 0 where it gives none. */
  tradeId: bigint;
  price: bigint;
  quantity: bigint;
  /** CLOCK_REALTIME ns. */
  timeNs: bigint;
  instrument: number;
  instrumentSequence: number;
  /** `execute`: of a book order. */
  kind: 'execute' | 'trade' | 'cross' | 'trade_break' | 'unknown';
  /** Of the resting order, where one is known. */
  side: SideName | undefined;
  /** To be counted in the tape's volume. */
  printable: boolean;
}

const kind_names: Record<number, Print['kind']> = { 4: 'execute', 16: 'trade', 17: 'cross', 18: 'trade_break' };

/** Those of a frame that was read. */
export function readPrints({ view, prints, printCount }: FrameReader): Print[] {
  return Array.from({ length: printCount }, (_, index) => {
    const at = prints + print_bytes * index;
    const side = view.getUint8(at + 49);
    return {
      sequence: view.getBigUint64(at, true),
      tradeId: view.getBigUint64(at + 8, true),
      price: view.getBigInt64(at + 16, true),
      quantity: view.getBigUint64(at + 24, true),
      timeNs: view.getBigInt64(at + 32, true),
      instrument: view.getUint32(at + 40, true),
      instrumentSequence: view.getUint32(at + 44, true),
      kind: kind_names[view.getUint8(at + 48)] ?? 'unknown',
      side: side === sides.bid ? 'bid' : side === sides.ask ? 'ask' : undefined,
      printable: (view.getUint16(at + 50, true) & flags.non_printable) === 0,
    };
  });
}
