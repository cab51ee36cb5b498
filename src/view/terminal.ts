/**
 * What a stream of output can show: colours, symbols beyond ASCII, its size. Decided once from the stream and the
 * environment; everything that draws takes the answer as a value, so that it stays pure.
 */
import { stripVTControlCharacters } from 'node:util';

/** The part of a writable stream that matters here. */
export interface TerminalStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface Look {
  /** Escape sequences for colours and emphasis. */
  colour: boolean;
  /** Symbols beyond ASCII: bars of eighths, lines. */
  unicode: boolean;
}

export interface Size {
  columns: number;
  rows: number;
}

export interface Environment {
  readonly [name: string]: string | undefined;
}

/** Where a terminal does not tell its size. */
export const default_size: Size = { columns: 80, rows: 24 };

/** Narrower than this, lines are cut. */
export const columns_min = 40;

function speaksUtf8(environment: Environment): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return /utf-?8/i.test(locale);
}

/**
 * Colours only on a terminal, and not where NO_COLOR is set to anything (https://no-color.org) or the terminal says
 * that it is dumb. Symbols beyond ASCII where the locale says UTF-8.
 */
export function lookOf(stream: TerminalStream, environment: Environment): Look {
  const colour = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  return { colour, unicode: speaksUtf8(environment) };
}

export function sizeOf(stream: TerminalStream): Size {
  // A terminal without a size says 0.
  return { columns: stream.columns || default_size.columns, rows: stream.rows || default_size.rows };
}

const codes = { bold: '1', dim: '2', inverse: '7', red: '31', green: '32', yellow: '33', cyan: '36' } as const;

export type Style = keyof typeof codes;

/** `text` in the given styles; unchanged without colours or styles. Pad before: escape sequences take no column. */
export function styled(text: string, look: Look, ...styles: Style[]): string {
  if (!look.colour || styles.length === 0 || text === '') return text;
  return `\x1b[${styles.map((style) => codes[style]).join(';')}m${text}\x1b[0m`;
}

export const screen = {
  enter: '\x1b[?1049h\x1b[?25l\x1b[?7l',
  leave: '\x1b[?7h\x1b[?25h\x1b[?1049l',
  home: '\x1b[H',
  clearRight: '\x1b[K',
  clearBelow: '\x1b[J',
} as const;

/**
 * One frame for a terminal: overwrites what stood there, line by line, so that nothing flickers. A line as wide as the
 * terminal is not cleared behind its end, where the cursor still stands on its last character.
 */
export function frame(lines: readonly string[], { columns, rows }: Size): string {
  const shown = lines.slice(0, rows);
  const cleared = shown.map((line) =>
    stripVTControlCharacters(line).length < columns ? line + screen.clearRight : line,
  );
  return screen.home + cleared.join('\r\n') + (shown.length < rows ? `\r\n${screen.clearBelow}` : '');
}
