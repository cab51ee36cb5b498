/** One curve: what was measured, how, and the plot of it. Pure. */
import { median } from '../native_program.js';
import { type Axis, linearAxis, logAxis, shortMicroseconds, shortNumber, stepAxis } from '../plot/axis.js';
import { type PlotSeries, renderPlot } from '../plot/svg_plot.js';

export interface CurvePoint {
  x: number;
  /** One for each run. */
  values: number[];
}

export interface CurveSeries {
  name: string;
  points: CurvePoint[];
}

export type AxisKind = 'log' | 'linear' | 'steps';
export type UnitName = 'count' | 'us' | 'ns';

/** As kept in docs/plots/NAME.json, beside NAME.svg. */
export interface CurveData {
  curve: string;
  title: string;
  x: { label: string; axis: AxisKind };
  y: { label: string; axis: AxisKind; unit: UnitName };
  series: CurveSeries[];
  marks: { x: number; text: string }[];
  /** What each point was measured with, in words. */
  method: string;
  /** Where the curve breaks off, and what else a reader must know. */
  notes: string[];
  /** Figures that are not in the plot, by point. */
  details: Record<string, number | string>[];
  conditions: Record<string, number | string>;
  /** ISO 8601. */
  taken: string;
}

/** Points of a series in order of x; what is not a positive number cannot be drawn on a logarithmic axis, and is left out. */
export function drawable(series: CurveSeries, axis: AxisKind): PlotSeries {
  const points = series.points
    .map(({ x, values }) => ({
      x,
      values: values.filter((value) => Number.isFinite(value) && (axis !== 'log' || value > 0)),
    }))
    .filter(({ values }) => values.length > 0)
    .map(({ x, values }) => ({ x, median: median(values), least: Math.min(...values), most: Math.max(...values) }));
  return { name: series.name, points: points.sort((a, b) => a.x - b.x) };
}

const units: Record<UnitName, (value: number) => string> = {
  count: shortNumber,
  us: shortMicroseconds,
  ns: (value) => shortMicroseconds(value / 1e3),
};
const axes: Record<AxisKind, (values: number[], format: (value: number) => string) => Axis> = {
  log: logAxis,
  linear: linearAxis,
  steps: stepAxis,
};

export function renderCurve(data: CurveData): string {
  const series = data.series.map((each) => drawable(each, data.y.axis));
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const ys = series.flatMap(({ points }) => points.flatMap(({ least, most }) => [least, most]));
  const runs = data.series.flatMap(({ points }) => points.map(({ values }) => values.length));
  const count = Math.min(...runs) === Math.max(...runs) ? `${runs[0]}` : `${Math.min(...runs)} to ${Math.max(...runs)}`;
  return renderPlot({
    title: data.title,
    subtitle: `median of ${count} runs, bars from least to most; ${data.conditions.cores} cores of ${data.conditions.cpu}`,
    x: { label: data.x.label, axis: axes[data.x.axis](xs, shortNumber) },
    y: { label: data.y.label, axis: axes[data.y.axis](ys, units[data.y.unit]) },
    series,
    marks: data.marks,
  });
}

/** Of the section of docs/scaling.md: medians and spread of each point. */
export function renderCurveTable(data: CurveData): string {
  const xs = [...new Set(data.series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const format = units[data.y.unit];
  const lines = [
    `| ${[data.x.label, ...data.series.map(({ name }) => name)].join(' | ')} |`,
    `|${'---|'.repeat(data.series.length + 1)}`,
  ];
  for (const x of xs) {
    const cells = data.series.map(({ points }) => {
      const values = points.find((point) => point.x === x)?.values ?? [];
      if (values.length === 0) return '–';
      return `${format(median(values))} (${format(Math.min(...values))} to ${format(Math.max(...values))})`;
    });
    lines.push(`| ${[x.toLocaleString('en-US'), ...cells].join(' | ')} |`);
  }
  return lines.join('\n');
}
