/** Checks options against a schema and says in one line what is wrong with them. */
import type { z } from 'zod';

/** Options that are wrong; the message names each key, what was given and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** One option, as --help and a configuration file know it. */
export interface OptionField {
  /** Keys from the outermost to its own, e.g. ["lineA", "port"]. */
  path: string[];
  /** What it is, with its unit. */
  description: string;
  /** Undefined where there is none. */
  defaultValue: unknown;
  /** `flag`: true or false; `value`: text, checked by the schema; `list`: several of them. */
  kind: 'flag' | 'value' | 'list';
  /** null stands for "none". */
  nullable: boolean;
  /** Where only certain words are accepted. */
  choices: string[] | undefined;
}

interface Definition {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  defaultValue?: unknown;
  entries?: Record<string, string>;
  shape?: Record<string, z.ZodType>;
}

interface Unwrapped {
  definition: Definition;
  description: string;
  defaultValue: unknown;
  nullable: boolean;
}

/** The schema inside its wrappers (default, nullable, optional, transform). */
function unwrap(schema: z.ZodType): Unwrapped {
  let description = schema.description ?? '';
  let defaultValue: unknown;
  let nullable = false;
  for (let inner: z.ZodType = schema; ; ) {
    const definition = inner.def as Definition;
    description ||= inner.description ?? '';
    if (definition.type === 'default') defaultValue = definition.defaultValue;
    if (definition.type === 'nullable') nullable = true;
    const next: z.ZodType | undefined = definition.innerType ?? definition.in;
    if (next === undefined) return { definition, description, defaultValue, nullable };
    inner = next;
  }
}

function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | undefined {
  return unwrap(schema).definition.shape;
}

/** Every option of a schema, in its order; sections come as their fields. */
export function optionFields(schema: z.ZodType, path: string[] = []): OptionField[] {
  const fields: OptionField[] = [];
  for (const [key, field] of Object.entries(shapeOf(schema) ?? {})) {
    if (shapeOf(field) !== undefined) {
      fields.push(...optionFields(field, [...path, key]));
      continue;
    }
    const { definition, description, defaultValue, nullable } = unwrap(field);
    const kind = definition.type === 'boolean' ? 'flag' : definition.type === 'array' ? 'list' : 'value';
    const choices = definition.entries === undefined ? undefined : Object.values(definition.entries);
    fields.push({ path: [...path, key], description, defaultValue, kind, nullable, choices });
  }
  return fields;
}

/** Keys of the schema's object at `path`. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let shape = shapeOf(schema);
  for (const key of path) {
    const field = shape?.[String(key)];
    shape = field === undefined ? undefined : shapeOf(field);
  }
  return Object.keys(shape ?? {});
}

/** Levenshtein distance, letters compared without case. */
function distance(left: string, right: string): number {
  const [from, to] = [left.toLowerCase(), right.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => ({ candidate, far: distance(word, candidate) }));
  return ranked.sort((a, b) => a.far - b.far)[0]?.candidate;
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'bigint') return String(value);
  const text =
    JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

function expectedOf(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('expected ')) return issue.message;
  if (issue.code === 'invalid_value') return `expected one of ${issue.values.map((word) => show(word)).join(', ')}`;
  if (issue.code === 'invalid_type')
    return `expected ${issue.expected === 'boolean' ? 'true or false' : issue.expected === 'array' ? 'a list' : `an ${issue.expected}`}`;
  return issue.message;
}

function describeIssue(schema: z.ZodType, value: unknown, issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const near = nearest(key, keysAt(schema, issue.path));
      const hint = near === undefined ? '' : `, the nearest known one is ${[...path, near].join('.')}`;
      return `${[...path, key].join('.')} is not an option${hint}`;
    });
  if (path.length === 0) return [`${show(value)} given, ${expectedOf(issue)}`];
  return [`${path.join('.')} is ${show(valueAt(value, issue.path))}, ${expectedOf(issue)}`];
}

/** `value` checked and completed. Throws ConfigError, which starts with `where`. Undefined counts as {}. */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const given = value === undefined ? {} : value;
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => describeIssue(schema, given, issue));
  throw new ConfigError(`${where}: ${lines.join('; ')}`);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** `over` laid over `base`, section by section; undefined leaves what is there. Neither is changed. */
export function mergeOptions(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isSection(base) || !isSection(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    // Not through a setter: a file may say "__proto__".
    const combined = mergeOptions(Object.hasOwn(base, key) ? base[key] : undefined, value);
    Object.defineProperty(merged, key, { value: combined, enumerable: true, configurable: true, writable: true });
  }
  return merged;
}
