/** Exact decimal text of scaled integers, and back. No floating point. */

const exponent_max = 127;

function checkExponent(exponent: number): void {
  if (!Number.isInteger(exponent) || Math.abs(exponent) > exponent_max + 1)
    throw new RangeError(`exponent is ${exponent}, expected a whole number from -128 to 127`);
}

/**
 * value * 10^exponent with exactly -exponent fraction digits: formatDecimal(205400n, -4) is "20.5400". A positive exponent
 * appends zeros. Throws RangeError for a number that is not an exact integer.
 */
export function formatDecimal(value: bigint | number, exponent: number): string {
  checkExponent(exponent);
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${value} is not an exact integer`);
  const negative = value < 0;
  const digits = String(negative ? -value : value);
  const sign = negative ? '-' : '';
  if (exponent >= 0) return digits === '0' ? '0' : sign + digits + '0'.repeat(exponent);
  const padded = digits.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/**
 * The integer whose value * 10^exponent is what the text says; fewer fraction digits than -exponent are allowed.
 * Throws RangeError for text that is no plain decimal number, and for one that the exponent cannot express.
 */
export function parseDecimal(text: string, exponent: number): bigint {
  checkExponent(exponent);
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new RangeError(`"${text}" is not a decimal number`);
  const significant = fraction.replace(/0+$/, '');
  const shift = -exponent - significant.length;
  const digits = BigInt(whole + significant);
  const factor = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && digits % factor !== 0n) throw new RangeError(`"${text}" has digits below 10^${exponent}`);
  const value = shift < 0 ? digits / factor : digits * factor;
  return sign === '-' ? -value : value;
}
