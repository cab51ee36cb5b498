/** Text of what is shown. Prices and quantities are made of their digits; floating point is for rates and times only. */
import { formatDecimal } from '../browser/index.js';

/** Narrow no-break space would be wider than a digit in some fonts; a comma is in all of them. */
export function grouped(decimal: string): string {
  const [whole = '', fraction] = decimal.split('.');
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? groups : `${groups}.${fraction}`;
}

export function decimalText(value: bigint, exponent: number): string {
  return grouped(formatDecimal(value, exponent));
}

const day_ns = 86_400_000_000_000n;

/** HH:MM:SS.mmm of a time in ns since 1970, UTC. */
export function timeOfDay(timeNs: bigint): string {
  const of_day = ((timeNs % day_ns) + day_ns) % day_ns;
  const ms = Number(of_day / 1_000_000n);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const clock = `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1_000) % 60)}`;
  return `${clock}.${String(ms % 1_000).padStart(3, '0')}`;
}

/** Of the reader's own clock, to a second. */
export function localTime(date: Date): string {
  return date.toTimeString().slice(0, 8);
}

export function rateText(per_second: number): string {
  return per_second >= 10 ? grouped(String(Math.round(per_second))) : per_second.toFixed(1);
}

export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B`;
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}

/** Three significant digits at most, as a clock of 0.1 ms gives them. */
export function msText(ms: number): string {
  if (Number.isNaN(ms)) return '–';
  return ms < 100 ? ms.toFixed(1) : grouped(String(Math.round(ms)));
}

export function countText(count: number | bigint): string {
  return grouped(String(count));
}
