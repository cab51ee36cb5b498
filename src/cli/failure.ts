/** What goes wrong, as one line on stderr and an exit code: 2 for wrong usage, 1 for everything else. */
import { ConfigError } from '../config.js';

/** The command was called wrongly. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const exit_failure = 1;
export const exit_usage = 2;

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof ConfigError ? exit_usage : exit_failure;
}

/** One line, whatever the text holds; controls become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

function firstLine({ message }: Error): string {
  return oneLine(message.split('\n', 1)[0] ?? '');
}

function isAddonMissing(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (code === 'MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED') && error.message.includes('depthcast.node');
}

/** The message, and the cause's where there is one that says more. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  if (isAddonMissing(error))
    return `the addon cannot be loaded, build it with "npm run build:native": ${firstLine(error)}`;
  const cause = error.cause instanceof Error && !error.message.includes(error.cause.message) ? error.cause : undefined;
  const text = error.message === '' ? error.name : error.message;
  return oneLine(cause === undefined ? text : `${text}: ${messageOf(cause)}`);
}

/** "depthcast: ..." on stderr; with DEPTHCAST_STACK set, where it came from too. */
export function report(error: unknown): void {
  say(messageOf(error));
  if (process.env.DEPTHCAST_STACK && error instanceof Error) console.error(error.stack);
}

/** One line for people on stderr. */
export function say(text: string): void {
  console.error(`depthcast: ${text}`);
}
