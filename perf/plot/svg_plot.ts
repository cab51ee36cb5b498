/**
 * A plot as one SVG: lines through medians, a bar from least to most at each point. It has a background of its own for
 * each of light and dark mode, so that it reads on any page. Pure.
 */
import type { Axis } from './axis.js';

export interface PlotPoint {
  x: number;
  median: number;
  least: number;
  most: number;
}

export interface PlotSeries {
  name: string;
  points: PlotPoint[];
}

export interface Plot {
  title: string;
  /** One line below the title: the conditions. */
  subtitle: string;
  x: { label: string; axis: Axis };
  y: { label: string; axis: Axis };
  series: PlotSeries[];
  /** A vertical line with words at its top. */
  marks?: { x: number; text: string }[];
}

const width = 760;
const height = 460;
const area = { left: 84, right: 736, top: 92, bottom: 396 };

/** Told apart by shape as well as by colour. */
const shapes = [circle, square, triangle, diamond];
const dashes = ['', '6 4', '2 3', '9 3 2 3'];

const style = `
  .paper { fill: #ffffff } .ink { fill: #1c2128 } .soft { fill: #57606a } .grid { stroke: #d8dee4 } .frame { stroke: #8c959f }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif } .title { font-size: 17px; font-weight: 600 }
  .s0 { stroke: #0b63ce; fill: #0b63ce } .s1 { stroke: #b35900; fill: #b35900 } .s2 { stroke: #a40e6f; fill: #a40e6f } .s3 { stroke: #1a7f37; fill: #1a7f37 }
  .line { fill: none; stroke-width: 2 } .bar { stroke-width: 1.2; stroke-opacity: 0.7 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9da7b3 } .grid { stroke: #262c34 } .frame { stroke: #6e7681 }
    .s0 { stroke: #6cb0ff; fill: #6cb0ff } .s1 { stroke: #f0a04b; fill: #f0a04b } .s2 { stroke: #f778ba; fill: #f778ba } .s3 { stroke: #56d364; fill: #56d364 }
    .line { fill: none }
  }`;

export function renderPlot(plot: Plot): string {
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${xmlText(plot.title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="6"/>`,
    text(24, 32, plot.title, 'ink title'),
    text(24, 52, plot.subtitle, 'soft'),
    ...xTicks(plot),
    ...yTicks(plot),
    `<rect class="frame" x="${area.left}" y="${area.top}" width="${area.right - area.left}" height="${area.bottom - area.top}" fill="none"/>`,
    text((area.left + area.right) / 2, height - 18, plot.x.label, 'soft', 'middle'),
    `<text class="soft" text-anchor="middle" transform="translate(22 ${(area.top + area.bottom) / 2}) rotate(-90)">${xmlText(plot.y.label)}</text>`,
    ...marks(plot),
    ...plot.series.flatMap((series, index) => drawSeries(plot, series, index)),
    ...legend(plot),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function across(plot: Plot, x: number): number {
  return round(area.left + plot.x.axis.place(x) * (area.right - area.left));
}

function down(plot: Plot, y: number): number {
  return round(area.bottom - plot.y.axis.place(y) * (area.bottom - area.top));
}

function xTicks(plot: Plot): string[] {
  return plot.x.axis.ticks.flatMap(({ value, text: words }) => {
    const x = across(plot, value);
    return [
      `<line class="grid" x1="${x}" y1="${area.top}" x2="${x}" y2="${area.bottom}"/>`,
      text(x, area.bottom + 20, words, 'soft', 'middle'),
    ];
  });
}

function yTicks(plot: Plot): string[] {
  return plot.y.axis.ticks.flatMap(({ value, text: words }) => {
    const y = down(plot, value);
    return [
      `<line class="grid" x1="${area.left}" y1="${y}" x2="${area.right}" y2="${y}"/>`,
      text(area.left - 8, y + 4, words, 'soft', 'end'),
    ];
  });
}

function marks(plot: Plot): string[] {
  return (plot.marks ?? []).flatMap(({ x, text: words }) => {
    const at = across(plot, x);
    return [
      `<line class="frame" stroke-dasharray="4 4" x1="${at}" y1="${area.top}" x2="${at}" y2="${area.bottom}"/>`,
      text(at - 6, area.top + 16, words, 'soft', 'end'),
    ];
  });
}

function drawSeries(plot: Plot, { points }: PlotSeries, index: number): string[] {
  const name = `s${index % shapes.length}`;
  const at = points.map((point) => `${across(plot, point.x)},${down(plot, point.median)}`);
  const dash = dashes[index % dashes.length];
  const drawn = [
    `<polyline class="${name} line" ${dash === '' ? '' : `stroke-dasharray="${dash}" `}points="${at.join(' ')}"/>`,
  ];
  for (const { x, median, least, most } of points) {
    const column = across(plot, x);
    if (most > least)
      drawn.push(
        `<line class="${name} bar" x1="${column}" y1="${down(plot, least)}" x2="${column}" y2="${down(plot, most)}"/>`,
      );
    drawn.push(shapes[index % shapes.length]?.(column, down(plot, median), name) ?? '');
  }
  return drawn;
}

function legend(plot: Plot): string[] {
  if (plot.series.length < 2) return [];
  let x = area.left;
  return plot.series.flatMap(({ name }, index) => {
    const begin = x;
    x += 34 + name.length * 7.2;
    const key = shapes[index % shapes.length]?.(begin + 6, 74, `s${index % shapes.length}`) ?? '';
    return [key, text(begin + 16, 78, name, 'ink')];
  });
}

function circle(x: number, y: number, name: string): string {
  return `<circle class="${name}" cx="${x}" cy="${y}" r="4"/>`;
}
function square(x: number, y: number, name: string): string {
  return `<rect class="${name}" x="${x - 3.5}" y="${y - 3.5}" width="7" height="7"/>`;
}
function triangle(x: number, y: number, name: string): string {
  return `<path class="${name}" d="M${x} ${round(y - 4.5)}l4.5 8h-9z"/>`;
}
function diamond(x: number, y: number, name: string): string {
  return `<path class="${name}" d="M${x} ${round(y - 5)}l5 5l-5 5l-5 -5z"/>`;
}

function text(x: number, y: number, words: string, names: string, anchor?: 'middle' | 'end'): string {
  const at = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${names}" x="${x}" y="${y}"${at}>${xmlText(words)}</text>`;
}

function xmlText(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
