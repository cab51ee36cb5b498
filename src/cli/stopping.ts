/** When a command is to end: by a signal, or because the process that started it is gone. */

/** Why it is to end; for people. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'parent ended';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type StopSignal = (typeof signals)[number];

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
 * Listens from now on. A second signal, when the user has lost patience, ends the process at once. A command
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
    if (state.reason !== undefined && performance.now() - state.at_ms > repeat_ms) dieBy(signal);
    request(signal as StopSignal);
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

/** Ends the process as the signal would have: at once, whatever native threads are doing; what listens to "exit" is heard. */
function dieBy(signal: NodeJS.Signals): void {
  process.emit('exit', 1);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * For a command that was stopped in the middle of what it was to do, and so has not done it. process.exit would wait for
 * the work that a native thread is busy with.
 */
export async function dieStopped(reason: StopReason): Promise<never> {
  dieBy(reason === 'parent ended' ? 'SIGTERM' : reason);
  return new Promise(() => {});
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
