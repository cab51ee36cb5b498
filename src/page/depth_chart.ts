/**
 * Cumulative depth as two stairs. A canvas of our own: two paths and five labels, 200 lines, drawn in a fraction of a
 * millisecond. uPlot (50 kB) draws series over one shared x-axis of floating-point numbers; here both sides have their own
 * prices, and the labels are exact.
 */
import type { Depth, GatewayInstrument, Level } from '../browser/index.js';
import { element, setAttribute } from './dom.js';
import { decimalText } from './format.js';

interface Colours {
  bid: string;
  ask: string;
  grid: string;
  text: string;
}

interface Point {
  price: bigint;
  sum: bigint;
}

interface Frame {
  /** Between them lie the stairs. */
  left: number;
  right: number;
  width: number;
  height: number;
  x(price: bigint): number;
  y(sum: bigint): number;
}

const foot = 20;
const head = 8;
/** For the labels of the sums, and for the last step of each stair. */
const side = 54;
const step_px = 14;
const label_every_ms = 5_000;

function cumulated(levels: readonly Level[]): Point[] {
  let sum = 0n;
  return levels.map(({ price, quantity }) => {
    sum += quantity;
    return { price, sum };
  });
}

/** 1, 2 or 5 times a power of ten, so that there are at most `most` lines. */
function gridStep(top: bigint, most: bigint): bigint {
  for (let power = 1n; ; power *= 10n)
    for (const factor of [1n, 2n, 5n]) if (top / (power * factor) <= most) return power * factor;
}

/** Threads: the page's. */
export class DepthChart {
  readonly #canvas = element('chart', HTMLCanvasElement);
  readonly #context = this.#canvas.getContext('2d') as CanvasRenderingContext2D;
  #width = 0;
  #height = 0;
  #colours: Colours = { bid: '', ask: '', grid: '', text: '' };
  #pointer: number | undefined;
  /** What the picture shows: nothing is drawn that stands there. */
  #drawn = '';
  #labelled_ms = Number.NEGATIVE_INFINITY;

  constructor(wake: () => void) {
    // The only place where the size is asked for: no layout while drawing.
    new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      this.#width = width;
      this.#height = height;
      wake();
    }).observe(this.#canvas.parentElement as HTMLElement);
    this.#canvas.addEventListener('pointermove', (event) => {
      this.#pointer = event.offsetX;
      wake();
    });
    this.#canvas.addEventListener('pointerleave', () => {
      this.#pointer = undefined;
      wake();
    });
    this.recolour();
  }

  /** The colours of the page have changed. */
  recolour(): void {
    this.#drawn = '';
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    this.#colours = { bid: colour('--bid'), ask: colour('--ask'), grid: colour('--line'), text: colour('--muted') };
  }

  draw(depth: Depth | undefined, instrument: GatewayInstrument | undefined, is_live: boolean, now: number): void {
    const [width, height] = [this.#width, this.#height];
    const { instrumentSequence = -1, sequence = -1n } = depth ?? {};
    const state = `${instrument?.symbol} ${sequence} ${instrumentSequence} ${is_live} ${width} ${height} ${this.#pointer}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    this.#fit(width, height);
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    if (depth === undefined || instrument === undefined || width < 40 || height < 40) return;
    const [bids, asks] = [cumulated(depth.bids), cumulated(depth.asks)];
    const prices = [...bids, ...asks].map(({ price }) => price);
    if (prices.length === 0) return;
    const frame = frameOf(width, height, prices, bids, asks);
    this.#drawGrid(frame, bids, asks, instrument);
    const colours = is_live ? this.#colours : { ...this.#colours, bid: this.#colours.text, ask: this.#colours.text };
    this.#drawStairs(frame, bids, frame.left, colours.bid);
    this.#drawStairs(frame, asks, frame.right, colours.ask);
    this.#drawPointer(frame, bids, asks, instrument);
    if (now - this.#labelled_ms > label_every_ms) {
      this.#labelled_ms = now;
      setAttribute(this.#canvas, 'aria-label', describe(bids, asks, instrument));
    }
  }

  #fit(width: number, height: number): void {
    const ratio = globalThis.devicePixelRatio;
    const [pixels, lines] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width === pixels && this.#canvas.height === lines) return;
    this.#canvas.width = pixels;
    this.#canvas.height = lines;
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.font = `11px ${getComputedStyle(document.documentElement).getPropertyValue('--figures')}`;
  }

  #drawGrid(frame: Frame, bids: Point[], asks: Point[], { priceExponent, quantityExponent }: GatewayInstrument): void {
    const context = this.#context;
    const { width, height } = frame;
    const top = topOf(bids, asks);
    context.strokeStyle = this.#colours.grid;
    context.fillStyle = this.#colours.text;
    context.lineWidth = 1;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const step = gridStep(top, 4n);
    context.beginPath();
    for (let sum = 0n; sum <= top; sum += step) {
      const y = Math.round(frame.y(sum)) + 0.5;
      context.moveTo(frame.left, y);
      context.lineTo(width, y);
      context.fillText(decimalText(sum, quantityExponent), frame.left - 6, y);
    }
    context.stroke();
    context.textBaseline = 'alphabetic';
    context.textAlign = 'left';
    const lowest = bids.at(-1)?.price ?? asks[0]?.price;
    const highest = asks.at(-1)?.price ?? bids[0]?.price;
    if (lowest !== undefined) context.fillText(decimalText(lowest, priceExponent), frame.left, height - 5);
    context.textAlign = 'right';
    if (highest !== undefined && highest !== lowest)
      context.fillText(decimalText(highest, priceExponent), width, height - 5);
  }

  // From the best price outwards: each level lifts the stair.
  #drawStairs(frame: Frame, points: readonly Point[], edge: number, colour: string): void {
    const [best] = points;
    if (best === undefined) return;
    const context = this.#context;
    const ground = frame.y(0n);
    context.beginPath();
    context.moveTo(frame.x(best.price), ground);
    let y = ground;
    for (const { price, sum } of points) {
      const x = frame.x(price);
      context.lineTo(x, y);
      y = frame.y(sum);
      context.lineTo(x, y);
    }
    context.lineTo(edge, y);
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.stroke();
    context.lineTo(edge, ground);
    context.closePath();
    context.fillStyle = colour;
    context.globalAlpha = 0.18;
    context.fill();
    context.globalAlpha = 1;
  }

  // The level under the pointer: what could be had up to there.
  #drawPointer(frame: Frame, bids: Point[], asks: Point[], instrument: GatewayInstrument): void {
    const at = this.#pointer;
    if (at === undefined) return;
    const reached = [...bids.filter(({ price }) => frame.x(price) >= at).slice(-1)];
    const [point] = reached.length > 0 ? reached : asks.filter(({ price }) => frame.x(price) <= at).slice(-1);
    if (point === undefined) return;
    const context = this.#context;
    const x = Math.round(frame.x(point.price)) + 0.5;
    context.strokeStyle = this.#colours.text;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, head);
    context.lineTo(x, frame.y(0n));
    context.stroke();
    const { priceExponent, quantityExponent } = instrument;
    const text = `${decimalText(point.sum, quantityExponent)} to ${decimalText(point.price, priceExponent)}`;
    context.fillStyle = this.#colours.text;
    context.textAlign = x < frame.width / 2 ? 'left' : 'right';
    context.fillText(text, x + (x < frame.width / 2 ? 5 : -5), head + 10);
  }
}

function topOf(bids: readonly Point[], asks: readonly Point[]): bigint {
  const [bid, ask] = [bids.at(-1)?.sum ?? 0n, asks.at(-1)?.sum ?? 0n];
  return bid > ask ? bid : ask;
}

/** Rounded to pixels, which is all that a picture can tell. */
function frameOf(width: number, height: number, prices: bigint[], bids: Point[], asks: Point[]): Frame {
  let [lowest, highest] = [prices[0] as bigint, prices[0] as bigint];
  for (const price of prices) {
    if (price < lowest) lowest = price;
    if (price > highest) highest = price;
  }
  const span = Number(highest - lowest) || 1;
  const top = Number(topOf(bids, asks)) || 1;
  const ground = height - foot;
  const [left, right] = [side, width];
  const [first, last] = [left + step_px, right - step_px];
  return {
    left,
    right,
    width,
    height,
    x: (price) => first + (Number(price - lowest) / span) * (last - first),
    y: (sum) => ground - (Number(sum) / top) * (ground - head),
  };
}

function describe(bids: Point[], asks: Point[], { symbol, priceExponent, quantityExponent }: GatewayInstrument) {
  const told = (name: string, last: Point | undefined) =>
    last === undefined
      ? `no ${name}s`
      : `${name}s for ${decimalText(last.sum, quantityExponent)} to ${decimalText(last.price, priceExponent)}`;
  return `Cumulative depth of ${symbol}: ${told('bid', bids.at(-1))}, ${told('ask', asks.at(-1))}`;
}
