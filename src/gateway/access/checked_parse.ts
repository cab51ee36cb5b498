/**
 * Checks data from files and tokens against a schema. Unlike config_parse.ts, its complaints never show what was given:
 * that may be a secret at the wrong place. Pure.
 */
import type { z } from 'zod';

const issues_max = 4;
const key_length_max = 40;

/** Text of an untrusted key: short, printable ASCII. */
function shortKey(key: string): string {
  const text = key.replace(/[^\x20-\x7e]/g, '?');
  return JSON.stringify(text.length > key_length_max ? `${text.slice(0, key_length_max)}...` : text);
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${/^\w{1,40}$/.test(String(key)) ? String(key) : '?'}`))
    .join('')
    .replace(/^\./, '');
  if (issue.code === 'unrecognized_keys')
    return `${where === '' ? '' : `${where}: `}unknown ${issue.keys.slice(0, issues_max).map(shortKey).join(', ')}`;
  const what = issue.message.startsWith('expected ')
    ? issue.message
    : issue.code === 'invalid_value'
      ? `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
      : issue.code === 'invalid_type'
        ? `expected ${issue.expected}`
        : issue.message;
  return where === '' ? what : `${where}: ${what}`;
}

/** The value checked and completed, or in `fault` what is wrong with it, in one line. */
export function checkedParse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): { value: z.output<Schema> } | { fault: string } {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const { issues } = result.error;
  const texts = issues.slice(0, issues_max).map(describe);
  if (issues.length > issues_max) texts.push(`and ${issues.length - issues_max} more`);
  return { fault: texts.join('; ') };
}

/** Text of 1 to so many characters that moves no cursor and breaks no line. */
export function isPrintable(value: unknown, length_max: number): value is string {
  return (
    typeof value === 'string' && value.length >= 1 && value.length <= length_max && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value)
  );
}

/** JSON of an object; `fault` does not quote the text (V8's own message does). */
export function parseJson(text: string): { value: unknown } | { fault: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    return { fault: position === undefined ? 'not JSON' : `not JSON at character ${position}` };
  }
}
