/** The other modes of a gateway: windows, prints, and books of chosen instruments, kept in JavaScript. */
import type { BookExport } from '../book_export.js';
import type { Bbo, Depth, InstrumentInfo } from '../book_types.js';
import { latency_values } from '../browser/latency.js';
import type { ChangeOptions, GatewayInstrument } from '../browser/protocol.js';
import type { DepthColumns } from '../depth_columns.js';
import type { InstrumentDirectory } from '../instruments.js';
import { LatencyRecorder } from '../latency.js';
import { depth_header_words } from '../native.js';
import { GatewayLink, type GatewayLinkOptions } from './gateway_link.js';
import { exportOf } from './subscription_export.js';

const exact_max = BigInt(Number.MAX_SAFE_INTEGER);
const status_numbers = { unknown: 0, trading: 1, halted: 2, paused: 3, quotation_only: 4, delisted: 5 } as const;

/** Threads: one. Everything is read as it stands after the last frame. */
export class WindowFeed {
  readonly link: GatewayLink;
  readonly latency: LatencyRecorder;
  /** There are no holes here: a gateway closes them, or covers them. */
  readonly repairTime = new LatencyRecorder(new BigUint64Array(0), () => {});
  readonly #directory: InstrumentDirectory;
  #known: readonly GatewayInstrument[] = [];

  constructor(options: GatewayLinkOptions, directory: InstrumentDirectory) {
    this.link = new GatewayLink(options);
    this.#directory = directory;
    const { counts } = this.link.subscription.latencyBuckets;
    this.latency = new LatencyRecorder(BigUint64Array.from(latency_values, BigInt), (out) => {
      for (const [bucket, count] of counts.entries()) out[bucket] = BigInt(count);
    });
    this.link.client.on('definitions', (instruments) => this.#define(instruments));
  }

  /** Messages that came, those that a window covers among them; since it was granted last. */
  get messages(): bigint {
    const { sent, conflated } = this.link.subscription.received();
    return BigInt(sent + conflated);
  }

  /** `instrument` undefined: all. Rejects where such books are not kept. */
  async snapshot(instrument: number | undefined, orders: boolean): Promise<BookExport> {
    const { subscription } = this.link;
    const { mode } = subscription.options;
    if (mode === 'trades') throw new Error('mode trades keeps no books');
    if (orders && mode !== 'filtered') throw new Error(`mode ${mode} keeps no books of every order`);
    const all = subscription.instruments();
    return exportOf(
      subscription,
      instrument === undefined ? all : all.filter((one) => one.instrument === instrument),
      orders,
    );
  }

  change(change: ChangeOptions): Promise<void> {
    return this.link.subscription.change(change);
  }

  depth(info: InstrumentInfo, levels?: number): Depth | undefined {
    return this.link.subscription.depth(info.instrument, levels);
  }

  bbo(info: InstrumentInfo): Bbo | undefined {
    return this.link.subscription.bbo(info.instrument);
  }

  readDepth(instrument: number, columns: DepthColumns): boolean {
    const depth = this.link.subscription.depth(instrument, columns.levels);
    if (depth === undefined) return false;
    const { numbers, levels } = columns;
    const { sequence, timeNs, instrumentSequence, status, bids, asks } = depth;
    let exact = sequence <= exact_max;
    numbers.set([
      Number(sequence),
      Number(timeNs),
      instrumentSequence,
      status_numbers[status],
      bids.length,
      asks.length,
    ]);
    for (const [side, list] of [bids, asks].entries()) {
      const first = depth_header_words + 3 * side * levels;
      for (const [row, { price, quantity, orders }] of list.entries()) {
        numbers[first + row] = Number(price);
        numbers[first + levels + row] = Number(quantity);
        numbers[first + 2 * levels + row] = orders;
        exact &&= price <= exact_max && -price <= exact_max && quantity <= exact_max;
      }
    }
    numbers[6] = exact ? 1 : 0;
    return true;
  }

  close(): void {
    this.link.close();
  }

  // A gateway tells what a reader of prices needs; lots and the source's codes are in packets only.
  #define(instruments: readonly GatewayInstrument[]): void {
    if (this.#known === instruments) return;
    this.#known = instruments;
    this.#directory.replace(instruments.map((one) => ({ ...one, sourceCode: 0, lotSize: 0 })));
  }
}
