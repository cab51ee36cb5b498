/** When a command is to end: by a signal, or because the process that started it is gone. */

/** Why it is to end; for people. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'parent ended';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const exit_codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A terminal and a parent process may both tell within this time; only later ones mean impatience. */
const repeat_ms = 700;

export interface Stopping {
  /** Resolves at the first request. */
  readonly requested: Promise<StopReason>;
  readonly reason: StopReason | undefined;
  /** Signals do again what they did before. */
  dispose(): void;
}

/**
 * Listens from now on. A second signal, when the user has lost patience, exits at once with 128 + its number. A command
 * that was started with an IPC channel ends when that closes, so that nothing outlives its parent, not even one that was
 * killed; the channel itself keeps no process alive.
 */
export function listenForStop(): Stopping {
  let resolve: (reason: StopReason) => void = () => {};
  const requested = new Promise<StopReason>((done) => {
    resolve = done;
  });
  const state: { reason: StopReason | undefined; at_ms: number } = { reason: undefined, at_ms: 0 };
  const request = (reason: StopReason) => {
    state.reason ??= reason;
    state.at_ms ||= performance.now();
    resolve(reason);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    const known = signal as (typeof signals)[number];
    if (state.reason !== undefined && performance.now() - state.at_ms > repeat_ms) process.exit(exit_codes[known]);
    request(known);
  };
  const onDisconnect = () => request('parent ended');
  for (const signal of signals) process.on(signal, onSignal);
  process.on('disconnect', onDisconnect);
  process.channel?.unref();
  return {
    requested,
    get reason() {
      return state.reason;
    },
    dispose() {
      for (const signal of signals) process.off(signal, onSignal);
      process.off('disconnect', onDisconnect);
    },
  };
}

/** Waits for `work`, but not longer than `ms`; rejects then, so that no end of a command can hang. */
export async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
