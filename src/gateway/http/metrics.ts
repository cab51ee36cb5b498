/**
 * Figures in the text format of Prometheus (0.0.4). Own code and no library: a client library keeps figures of its own
 * that one has to feed; ours are kept already, in native memory and in other threads, 64 bits wide, and are only
 * written down here. Pure.
 */
import { type Help, type MetricPart, metric_help } from './metric_help.js';

export const metrics_type = 'text/plain; version=0.0.4; charset=utf-8';

/** A figure, or figures by code: `refused: {token_unknown: 3}`. */
export type Figure = number | bigint | boolean | Readonly<Partial<Record<string, number>>>;

/** By name. Plain data: it may cross threads. */
export type Figures = Readonly<Record<string, Figure | undefined>>;

/** Figures of one part, e.g. of one channel. */
export interface MetricSource {
  part: MetricPart;
  labels: Readonly<Record<string, string>>;
  figures: Figures;
}

interface Family {
  help: string;
  type: string;
  lines: string[];
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** datagramsA: figure `datagrams` of line A; refused.unknown_order: figure `refused` with that code. */
function split(name: string): { figure: string; labels: Record<string, string> } {
  const [, lineFigure, line] = /^(.*[a-z])([AB])$/.exec(name) ?? [];
  if (lineFigure !== undefined && line !== undefined) return { figure: lineFigure, labels: { line } };
  const [figure = name, code] = name.split('.', 2);
  return { figure, labels: code === undefined ? {} : { code } };
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const escaped = (value: string) => value.replace(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`));
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Seconds are the format's unit of time. */
const units = [
  { suffix: /Ns(?=$|Max$)/, perSecond: 1e9 },
  { suffix: /Ms(?=$|Max$)/, perSecond: 1e3 },
];

function metricName(
  part: MetricPart,
  figure: string,
  counter: boolean,
): { name: string; perSecond: number | undefined } {
  const unit = units.find(({ suffix }) => suffix.test(figure));
  const base = unit === undefined ? figure : figure.replace(unit.suffix, 'Seconds');
  return { name: `depthcast_${part}_${snake(base)}${counter ? '_total' : ''}`, perSecond: unit?.perSecond };
}

function valueText(value: number | bigint | boolean, perSecond: number | undefined): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return perSecond === undefined ? String(value) : String(Number(value) / perSecond);
}

/** A figure that nobody has described yet is told all the same. */
function helpOf(part: MetricPart, figure: string): Help {
  const known = metric_help[part];
  return (Object.hasOwn(known, figure) ? known[figure] : undefined) ?? ['g', `${figure} of ${part}.`];
}

function add(families: Map<string, Family>, { part, labels }: MetricSource, given: string, value: Figure): void {
  if (typeof value === 'object') {
    for (const [code, count] of Object.entries(value))
      add(families, { part, labels, figures: {} }, `${given}.${code}`, count ?? 0);
    return;
  }
  const { figure, labels: own } = split(given);
  const [kind, help] = helpOf(part, figure);
  const { name, perSecond } = metricName(part, figure, kind === 'c');
  let family = families.get(name);
  if (family === undefined) {
    family = { help, type: kind === 'c' ? 'counter' : 'gauge', lines: [] };
    families.set(name, family);
  }
  family.lines.push(`${name}${labelText({ ...labels, ...own })} ${valueText(value, perSecond)}`);
}

export function metricsText(sources: readonly MetricSource[]): string {
  const families = new Map<string, Family>();
  for (const source of sources)
    for (const [name, value] of Object.entries(source.figures))
      if (value !== undefined) add(families, source, name, value);
  const text = [...families].map(([name, { help, lines, type }]) =>
    [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n'),
  );
  return text.join('');
}
