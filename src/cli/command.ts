/** What the commands have in common: how one is run and how it reports its end. */
import type { Command } from 'commander';
import { exitCodeOf, report } from './failure.js';

/** How a command ended. */
export interface CommandEnd {
  exitCode: number;
  /**
   * `signal`: asked to by a signal or by its parent; `done`: nothing was left to do; `closed`: nobody reads its output any
   * more; `failed`: it has said why on stderr.
   */
  reason: 'signal' | 'done' | 'closed' | 'failed';
  /** The signal, or what was done. */
  detail: string;
}

/** What a command says to the command that started it, before it exits. */
export interface EndMessage {
  type: 'end';
  end: CommandEnd;
}

export function isEndMessage(message: unknown): message is EndMessage {
  return typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'end';
}

/** The command has said why; nothing may keep the process alive after this. */
async function finish(end: CommandEnd): Promise<never> {
  const message: EndMessage = { type: 'end', end };
  if (process.connected) await new Promise<void>((resolve) => process.send?.(message, () => resolve()));
  process.exit(end.exitCode);
}

/** Runs an action to its end and exits with its code. */
export function exiting(action: (given: Record<string, unknown>, command: Command) => Promise<CommandEnd>) {
  return async (given: Record<string, unknown>, command: Command): Promise<void> => {
    let end: CommandEnd;
    try {
      end = await action(given, command);
    } catch (error) {
      report(error);
      end = { exitCode: exitCodeOf(error), reason: 'failed', detail: '' };
    }
    await finish(end);
  };
}
