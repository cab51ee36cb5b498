/** Books of a subscription, copied as they stand: what a native thread's export holds. */
import { BookExport } from '../book_export.js';
import { instrument_state_names, type Level, type QueuedOrder, type SideName, status_names } from '../book_types.js';
import type { GatewayInstrument } from '../browser/protocol.js';
import type { Subscription } from '../browser/subscription.js';
import type { NativeExport, NativeExportInstrument } from '../native.js';

interface Columns {
  levelPrice: bigint[];
  levelQuantity: bigint[];
  levelOrders: number[];
  orderId: bigint[];
  orderQuantity: bigint[];
}

/** `orders`: with each level's orders in queue order, of mode filtered alone. */
export function exportOf(
  subscription: Subscription,
  chosen: readonly GatewayInstrument[],
  orders: boolean,
): BookExport {
  const columns: Columns = { levelPrice: [], levelQuantity: [], levelOrders: [], orderId: [], orderQuantity: [] };
  const instruments = chosen.map((one) => instrumentOf(subscription, one, columns, orders));
  const books: NativeExport = {
    session: subscription.session,
    sequence: subscription.sequence,
    position: 0n,
    digest: subscription.digest() ?? 0n,
    whole: subscription.state === 'synchronized',
    instruments,
    levelPrice: BigInt64Array.from(columns.levelPrice),
    levelQuantity: BigUint64Array.from(columns.levelQuantity),
    levelOrders: Uint32Array.from(columns.levelOrders),
    orderId: BigUint64Array.from(columns.orderId),
    orderQuantity: BigUint64Array.from(columns.orderQuantity),
  };
  return new BookExport(books, orders);
}

function instrumentOf(
  subscription: Subscription,
  one: GatewayInstrument,
  columns: Columns,
  orders: boolean,
): NativeExportInstrument {
  const { instrument } = one;
  const depth = subscription.depth(instrument);
  const count = (side: SideName) => {
    const levels: (Level & { queue?: QueuedOrder[] })[] = orders
      ? [...subscription.queues(instrument, side)]
      : (depth?.[`${side}s`] ?? []);
    for (const level of levels) {
      columns.levelPrice.push(level.price);
      columns.levelQuantity.push(level.quantity);
      columns.levelOrders.push(level.orders);
      for (const { id, quantity } of level.queue ?? []) {
        columns.orderId.push(id);
        columns.orderQuantity.push(quantity);
      }
    }
    return { levels: levels.length, orders: levels.reduce((sum, level) => sum + level.orders, 0) };
  };
  const [bid, ask] = [count('bid'), count('ask')];
  return {
    ...one,
    // In packets only: a gateway does not tell them.
    sourceCode: 0,
    lotSize: 0,
    state: instrument_state_names.indexOf(subscription.instrumentState(instrument) ?? 'stale'),
    status: status_names.indexOf(depth?.status ?? 'unknown'),
    digest: subscription.instrumentDigest(instrument) ?? 0n,
    instrumentSequence: depth?.instrumentSequence ?? 0,
    liveOrders: bid.orders + ask.orders,
    bidLevels: bid.levels,
    askLevels: ask.levels,
  };
}
