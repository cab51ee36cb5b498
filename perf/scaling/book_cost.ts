/** Cost of a message in the book as shipped, one thread: book_replay of the native perf programs. */
import { runNative } from '../native_program.js';
import type { CurvePoint } from './curve.js';

export interface BookCase {
  symbols: number;
  liveOrders: number;
  messages: number;
}

export interface BookCost {
  /** ns, by the processor time of the thread. */
  cpu: CurvePoint;
  /** ns, by the clock. */
  wall: CurvePoint;
  details: Record<string, number>;
}

/** Room for the live orders, and some more; a power of two. */
export function ordersMax(liveOrders: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(liveOrders * 1.3, 65_536)));
}

export function measureBook(x: number, { symbols, liveOrders, messages }: BookCase, runs: number): BookCost {
  const parameters = { symbols, 'live-orders': liveOrders, messages, runs, 'orders-max': ordersMax(liveOrders) };
  const given = Object.entries(parameters).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const results = runNative('book_replay', given);
  const values = (key: string) => results.map((result) => Number(result[key]));
  const last = results[0] ?? {};
  return {
    cpu: { x, values: values('cpu_ns_per_message') },
    wall: { x, values: values('ns_per_message') },
    details: {
      x,
      symbols,
      messages,
      live_orders_at_end: Number(last.live_orders),
      book_bytes: Number(last.book_bytes),
      huge_page_bytes: Number(last.huge_page_bytes),
    },
  };
}
