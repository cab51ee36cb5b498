/** Texts of numbers for people: grouped digits, durations, rates, cells of a fixed width. All pure. */

/**
 * Only what takes one column of a terminal and moves no cursor: a symbol comes from the wire and may hold anything.
 */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** 1234567 is "1,234,567". Fractions are dropped. */
export function grouped(value: number | bigint): string {
  const whole = typeof value === 'bigint' ? value : Math.trunc(value);
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** "20.5400" is "20.5400", "12345.6" is "12,345.6": groups the digits before the point of a decimal text. */
export function groupedDecimal(text: string): string {
  const point = text.indexOf('.');
  const whole = point < 0 ? text : text.slice(0, point);
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + text.slice(whole.length);
}

const magnitudes: [number, string][] = [
  [1e18, 'E'],
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** Three significant digits and a magnitude: 1234567 is "1.23M". Below 1,000 as it is. */
export function short(value: number | bigint): string {
  const number = Number(value);
  for (const [size, letter] of magnitudes) {
    if (Math.abs(number) < size) continue;
    const scaled = number / size;
    const digits = Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
    return `${(Math.trunc(scaled * 10 ** digits) / 10 ** digits).toFixed(digits)}${letter}`;
  }
  return String(Math.trunc(number));
}

const duration_units: [number, string, string][] = [
  [1e9, 's', 's'],
  [1e6, 'ms', 'ms'],
  [1e3, 'µs', 'us'],
  [1, 'ns', 'ns'],
];

/** Nanoseconds in the unit that fits, three significant digits: 12345 is "12.3 µs". */
export function duration(ns: number, unicode: boolean): string {
  for (const [size, name, ascii] of duration_units) {
    if (ns < size && size > 1) continue;
    const scaled = ns / size;
    const digits = size === 1 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
    return `${scaled.toFixed(digits)} ${unicode ? name : ascii}`;
  }
  return '0 ns';
}

/** 1.5 GiB, 512 B. */
export function bytes(count: number): string {
  for (const [size, name] of [
    [2 ** 40, 'TiB'],
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const)
    if (count >= size) return `${(count / size).toFixed(1)} ${name}`;
  return `${count} B`;
}

/** Exactly `width` columns: padded, or cut with a mark at the end. */
export function left(text: string, width: number): string {
  return fit(text, width).padEnd(width);
}

/** As `left`, to the right. */
export function right(text: string, width: number): string {
  return fit(text, width).padStart(width);
}

/** At most `width` columns; what is cut is marked by a tilde. */
export function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 0 ? '' : `${text.slice(0, width - 1)}~`;
}

/** A whole number in at most `width` columns: grouped, else plain, else short. Never a wrong number that looks right. */
export function quantityIn(width: number, value: bigint | number): string {
  const nice = grouped(value);
  if (nice.length <= width) return nice;
  const plain = String(value);
  if (plain.length <= width) return plain;
  return fit(short(value), width);
}

/** 05:12:34.123456789 UTC of a CLOCK_REALTIME time in ns. */
export function timeOfDay(ns: bigint): string {
  const day_ns = 86_400_000_000_000n;
  const within = ((ns % day_ns) + day_ns) % day_ns;
  const seconds = Number(within / 1_000_000_000n);
  const two = (value: number) => String(value).padStart(2, '0');
  const fraction = String(within % 1_000_000_000n).padStart(9, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}
