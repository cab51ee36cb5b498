/**
 * Flags of a command, made from its schema: every option that a configuration file knows is a flag, with the schema's
 * own text, unit and default, and both are checked together by the schema.
 */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { ConfigError, mergeOptions, type OptionField, optionFields, parseOptions } from '../config.js';
import { messageOf, UsageError } from './failure.js';

export interface FlagRules {
  /** Paths such as "delivery.updates" that the command sets by itself. */
  omit?: readonly string[];
  /** What --help says of a default, by path, where the schema has none or says it badly. Empty: nothing. */
  defaults?: Readonly<Record<string, string>>;
  /** Options of the command itself: they come first, under this title. */
  own?: { title: string; keys: readonly string[] };
  /** Others under titles of their own, behind those. */
  groups?: readonly { title: string; keys: readonly string[] }[];
}

const config_bytes_max = 1_048_576;

const section_titles: Record<string, string> = {
  lineA: 'Line A:',
  lineB: 'Line B:',
  snapshotLine: 'Snapshot group:',
  toA: 'Line A, sent on:',
  toB: 'Line B, sent on:',
  limits: 'Limits of the books:',
  simulate: 'Simulated exchange:',
  ring: 'Broadcast ring:',
  delivery: 'Delivery of updates:',
  journal: 'Journal:',
  snapshot: 'Snapshots:',
  recovery: 'Recovery:',
  gateway: 'WebSocket gateway:',
  access: 'Access:',
  resume: 'Resume token:',
  tls: 'TLS:',
};

/** ["lineA", "datagramBytes"] is "line-a-datagram-bytes". */
export function flagName(path: readonly string[]): string {
  return path.map((key) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).join('-');
}

/** The name under which commander keeps a flag. */
function attribute(path: readonly string[]): string {
  return flagName(path).replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function isBytes({ path }: OptionField): boolean {
  return /bytes/i.test(path[path.length - 1] ?? '');
}

const placeholders: [RegExp, string][] = [
  [/bytes/i, 'bytes'],
  [/Ms(Max)?$/, 'ms'],
  [/Ns$/, 'ns'],
  [/^(dump|path|out|html)$/, 'file'],
  [/^hgrm$/, 'folder'],
  [/^compare$/, 'files'],
  [/^budget$/, 'bounds'],
  [/^(group|interface)$/, 'address'],
  [/^sources$/, 'addresses'],
  [/^control$/, 'url'],
  [/^source$/, 'source'],
  [/^symbol$/, 'names'],
  [/^speed$/, 'pace'],
  [/^date$/, 'day'],
  [/^dumpAt$/, 'positions'],
  [/^state$/, 'folder'],
  [/^udp$/, 'address:port'],
  [/^host$/, 'address'],
  [/File$/, 'file'],
  [/^url$/, 'url'],
  [/^token$/, 'text'],
  [/^(gateway|directory)$/, 'url'],
  [/^(tokenFile|caFile)$/, 'file'],
  [/^themes$/, 'names'],
  [/^profile$/, 'file'],
  [/^outJournal$/, 'folder'],
  [/^instrument$/, 'names'],
  [/^anonymous$/, 'json'],
  [/^(keys|jwksCa|audit|tokens)$/, 'file'],
  [/^(from|to)$/, 'place'],
  [/^(file|entitlements)$/, 'file'],
  [/^name$/, 'text'],
  [/^channels$/, 'numbers'],
  [/^(instruments|modes)$/, 'names'],
];

function placeholder(field: OptionField): string {
  if (field.choices !== undefined) return field.choices.join('|');
  // The number of them, not their names.
  if (field.path.join('.') === 'limits.instruments') return 'n';
  const name = field.path[field.path.length - 1] ?? '';
  return placeholders.find(([pattern]) => pattern.test(name))?.[1] ?? 'n';
}

function defaultText(field: OptionField): string | undefined {
  const { defaultValue } = field;
  if (field.kind === 'flag') return defaultValue === true ? 'on' : 'off';
  if (defaultValue === undefined || defaultValue === '' || defaultValue === null) return undefined;
  if (Array.isArray(defaultValue)) return defaultValue.length === 0 ? undefined : defaultValue.join(',');
  if (isBytes(field) && typeof defaultValue === 'number')
    for (const [size, unit] of [
      [2 ** 30, 'GiB'],
      [2 ** 20, 'MiB'],
    ] as const)
      if (defaultValue % size === 0) return `${defaultValue / size}${unit}`;
  return String(defaultValue);
}

function describe(field: OptionField, rules: FlagRules): string {
  const shown = rules.defaults?.[field.path.join('.')] ?? defaultText(field) ?? '';
  return shown === '' ? field.description : `${field.description} (default: ${shown})`;
}

function usedFields(schema: z.ZodType, rules: FlagRules): OptionField[] {
  return optionFields(schema).filter((field) => !rules.omit?.includes(field.path.join('.')));
}

function titleOf({ path }: OptionField, rules: FlagRules): string {
  const [section = ''] = path;
  const group = groupsOf(rules).find(({ keys }) => keys.includes(section));
  if (group !== undefined) return group.title;
  return path.length > 1 ? (section_titles[section] ?? `${section}:`) : 'Options:';
}

function groupsOf({ own, groups = [] }: FlagRules): readonly { title: string; keys: readonly string[] }[] {
  return own === undefined ? groups : [own, ...groups];
}

/** Adds a flag for every option of the schema, and --config. */
export function addFlags(command: Command, schema: z.ZodType, rules: FlagRules = {}): void {
  const fields = usedFields(schema, rules);
  const groups = groupsOf(rules);
  // Those of no group come last.
  const place = ({ path }: OptionField) => {
    const found = groups.findIndex(({ keys }) => keys.includes(path[0] ?? ''));
    return found < 0 ? groups.length : found;
  };
  for (const field of fields.toSorted((a, b) => place(a) - place(b))) {
    const name = flagName(field.path);
    const text = describe(field, rules);
    const add = (flags: string, description: string, hidden = false) =>
      command.addOption(new Option(flags, description).helpGroup(titleOf(field, rules)).hideHelp(hidden));
    if (field.kind !== 'flag') {
      add(`--${name} <${placeholder(field)}>`, text);
      if (field.nullable) add(`--no-${name}`, `no --${name} (null in a configuration file)`);
      continue;
    }
    // Help shows the form that changes something; the other one is for overruling a file.
    add(`--${name}`, text, field.defaultValue === true);
    add(`--no-${name}`, `turn off: ${text}`, field.defaultValue !== true);
  }
  command.addOption(new Option('--config <file>', 'options from a JSON file; flags win over it').helpGroup('Options:'));
}

type Raw = Record<string, unknown>;

function setAt(target: Raw, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  target[key] ??= {};
  setAt(target[key] as Raw, rest, value);
}

/** What the command line says, in the shape of a configuration file. */
function flagValues(given: Raw, fields: readonly OptionField[]): Raw {
  const values: Raw = {};
  for (const field of fields) {
    const value = given[attribute(field.path)];
    if (value === undefined) continue;
    if (field.kind === 'flag') setAt(values, field.path, value);
    else if (value === false) setAt(values, field.path, null);
    else if (field.kind === 'list')
      setAt(
        values,
        field.path,
        String(value)
          .split(',')
          .map((part) => part.trim()),
      );
    else setAt(values, field.path, value);
  }
  return values;
}

/** A configuration file as it stands. Throws UsageError where it cannot be read. */
export function readConfig(file: string): Raw {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${messageOf(error)}`);
  }
  if (text.length > config_bytes_max) throw new UsageError(`${file}: longer than ${config_bytes_max} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${messageOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${file}: expected an object with options`);
  return value as Raw;
}

/** In a complaint about flags, keys are called as the user writes them there. */
function nameFlags(message: string, fields: readonly OptionField[]): string {
  return fields
    .reduce((text, { path }) => text.replaceAll(` ${path.join('.')} is `, ` --${flagName(path)} is `), ` ${message}`)
    .trimStart();
}

/**
 * Checked options of a command that was given `given` (commander's opts()). `prepare` may complete what the user said
 * before it is checked. Throws ConfigError or UsageError.
 */
export function readOptions<Schema extends z.ZodType>(
  schema: Schema,
  given: Raw,
  rules: FlagRules = {},
  prepare: (raw: Raw) => Raw = (raw) => raw,
): z.output<Schema> {
  const fields = usedFields(schema, rules);
  const values = flagValues(given, fields);
  const file = typeof given.config === 'string' ? given.config : undefined;
  const fileValues = file === undefined ? {} : readConfig(file);
  for (const path of rules.omit ?? []) refuse(fileValues, path.split('.'), file ?? '');
  try {
    return parseOptions(schema, prepare(mergeOptions(fileValues, values) as Raw), 'options');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Wrong by itself, or only together with the flags?
    if (file !== undefined) parseOptions(schema, prepare(mergeOptions({}, fileValues) as Raw), file);
    throw new ConfigError(nameFlags(error.message.replace(/^options: /, ''), fields));
  }
}

/** A file may not say what the command decides by itself. */
function refuse(values: Raw, path: readonly string[], file: string): void {
  const found = path.reduce<unknown>((inner, key) => (inner as Raw | null | undefined)?.[key], values);
  if (found !== undefined) throw new UsageError(`${file}: ${path.join('.')} is for the library; the command sets it`);
}

const section_names = ['A', 'B'] as const;

/** `lines`: "A", "B" or "AB" as a choice among lineA and lineB. */
export function chooseLines(raw: Raw): Raw {
  if (raw.lines !== 'A' && raw.lines !== 'B' && raw.lines !== 'AB') return raw;
  const chosen: Raw = { ...raw };
  for (const letter of section_names) {
    const key = `line${letter}`;
    if (!raw.lines.includes(letter)) chosen[key] = null;
    else if (chosen[key] === null) delete chosen[key];
  }
  return chosen;
}

/** Sections that may be null: `lines` says so for the lines, the others are null unless a flag names one of theirs. */
const sections_without = /^(line|lineA|lineB|snapshotLine|resume|jwt)$/;

/** Flags that say `values` again, for a command that is started as another process. */
export function toFlags(values: Readonly<Raw>, path: readonly string[] = []): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const flag = `--${flagName([...path, key])}`;
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    if (value === true) return [flag];
    if (value === false) return [`--no-${flagName([...path, key])}`];
    if (value === null) return sections_without.test(key) ? [] : [`--no-${flagName([...path, key])}`];
    if (Array.isArray(value)) return [flag, value.join(',')];
    if (typeof value === 'object') return toFlags(value as Raw, [...path, key]);
    return [flag, String(value)];
  });
}
