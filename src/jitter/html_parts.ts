/** Pieces of the page: scales, legends, tables. Pure; no inline styles, so that the page's policy can forbid them. */
import { duration } from '../view/format.js';
import { type Quantiles, quantile_names } from './histograms.js';

export const width = 900;
export const height = 340;
export const margin = { left: 70, right: 24, top: 20, bottom: 40 };
export const colours = [
  '#2563a8',
  '#7aa6d6',
  '#c2571a',
  '#e3a077',
  '#4f8f4f',
  '#8a5aa8',
  '#a8323e',
  '#c9a227',
  '#3a8f8f',
  '#b35c8a',
  '#6b6b6b',
  '#bdbdbd',
];

export const time = (ns: number) => duration(ns, true);

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

export type Scale = (value: number) => number;

export function logScale(low: number, high: number, from: number, to: number): Scale {
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  return (value) => from + ((Math.log10(Math.max(value, low)) - bottom) / (top - bottom || 1)) * (to - from);
}

function ticksWithin(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
    for (const step of high / low > 1e4 ? [1] : [1, 2, 5]) {
      const tick = step * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks;
}

export function latencyAxis(y: Scale, low: number, high: number): string {
  return ticksWithin(low, high)
    .map(
      (tick) =>
        `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}" class="grid"/>` +
        `<text x="${margin.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${time(tick)}</text>`,
    )
    .join('');
}

export function svg(body: string, label: string): string {
  return `<div class="wide"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">${body}</svg></div>`;
}

export function legend(entries: readonly { name: string; colour: number }[]): string {
  return `<p class="legend">${entries
    .map(({ name, colour }) => `<span><i class="c${colour}"></i>${escaped(name)}</span>`)
    .join('')}</p>`;
}

/** One bar of parts side by side, across the whole width. */
export function strip(parts: readonly { share: number; colour: number; title: string }[]): string {
  let at = 0;
  const rects = parts.map(({ share, colour, title }) => {
    const x = at;
    at += 100 * share;
    return `<rect x="${x.toFixed(3)}" y="0" width="${(100 * share).toFixed(3)}" height="10" fill="${colours[colour]}"><title>${escaped(title)}</title></rect>`;
  });
  return `<svg class="strip" viewBox="0 0 100 10" preserveAspectRatio="none">${rects.join('')}</svg>`;
}

/** `rows`: the first column is text, the others are numbers. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th>${escaped(text)}</th>`).join('');
  const body = rows.map(
    (cells) =>
      `<tr>${cells.map((text, index) => `<td${index === 0 ? '' : ' class="number"'}>${escaped(text)}</td>`).join('')}</tr>`,
  );
  return `<div class="wide"><table><tr>${head}</tr>${body.join('')}</table></div>`;
}

export function quantileTable(rows: readonly [string, Quantiles][]): string {
  const heads = quantile_names.map((name) => name.replace('_', '.'));
  return table(
    ['', ...heads, 'messages'],
    rows.map(([name, quantiles]) => [
      name,
      ...quantile_names.map((one) => time(quantiles[one])),
      quantiles.count.toLocaleString('en-US'),
    ]),
  );
}

export const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em;line-height:1.25}h2{font-size:1.15em;margin-top:2.2em;border-top:1px solid #ddd;padding-top:.8em}
svg{width:100%;height:auto;font:11px system-ui,sans-serif;display:block}.wide{overflow-x:auto}.wide svg{min-width:620px}
.grid{stroke:#e2e2e2}.seam{stroke:#eee}table{border-collapse:collapse;width:100%;font-size:13px}td,th{padding:3px 8px;border-bottom:1px solid #eee;text-align:left;vertical-align:top}
th{text-align:right;font-weight:600}th:first-child{text-align:left}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.legend span{margin-right:1.4em;font-size:13px;display:inline-block}.legend i{display:inline-block;width:12px;height:12px;margin-right:5px}
.strip{height:26px;min-width:0}.row{display:grid;grid-template-columns:14em 1fr 5em;gap:0 12px;align-items:center;font-size:13px;margin:5px 0}.row .strip{height:15px}
.beware{background:#fdf3d8;padding:.6em 1em}.lead{font-size:1.15em}.note{color:#555;font-size:13px}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:1.2em 0}.cards div{border:1px solid #ddd;border-radius:6px;padding:.5em 1em;min-width:7.5em}.cards b{display:block;font-size:1.35em}.cards span{color:#555;font-size:13px}
@media(max-width:600px){.row{grid-template-columns:1fr auto}.row .strip{grid-column:1/3;grid-row:2}}
${colours.map((colour, index) => `.c${index}{background:${colour}}`).join('')}`;
