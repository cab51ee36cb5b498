/**
 * Follows the token file: tells its new content soon after it was changed or replaced, keeps the last good one while
 * it is broken, and says so once. The kernel's notices can get lost (network file systems, a folder that is itself
 * replaced), so it is looked at from time to time as well.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { readTokenFile } from './token_file.js';
import type { TokenFile } from './token_table.js';

export interface TokenWatchOptions {
  file: string;
  /** Ms between two looks; the longest that a change may go unnoticed. */
  pollMs: number;
  /** Ms of quiet after a notice: editors write in several steps. */
  debounceMs: number;
}

export interface TokenWatchEvents {
  changed: (content: TokenFile) => void;
  /** It cannot be used; the last good one goes on. Once for each reason. */
  broken: (reason: string) => void;
}

/** What changes when the file does: also its mode and owner, which may have been mended. */
function signature(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** Threads: one. */
export class TokenFileWatcher {
  #watcher: FSWatcher | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #noticeTimer: NodeJS.Timeout | undefined;
  #signature = '';
  #content = '';
  #reason: string | undefined;
  #closed = false;

  constructor(
    private readonly options: TokenWatchOptions,
    private readonly events: TokenWatchEvents,
  ) {}

  /** Reads it for the first time and follows it from then on. Throws TokenFileError: nobody starts on a broken file. */
  start(): TokenFile {
    const { file, pollMs } = this.options;
    // Before the reading: what changes in between is looked at again.
    this.#signature = signature(file);
    const content = readTokenFile(file);
    this.#content = JSON.stringify(content);
    try {
      // The folder, since the file may be replaced by another one.
      this.#watcher = watch(dirname(file), { persistent: false }, (_, name) => this.#noticed(name));
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Too many watches on this system: then only the polling.
    }
    this.#pollTimer = setInterval(() => this.check(), pollMs);
    this.#pollTimer.unref();
    return content;
  }

  /** Looks now. */
  check(): void {
    if (this.#closed) return;
    const { file } = this.options;
    const now = signature(file);
    if (now === this.#signature) return;
    this.#signature = now;
    let content: TokenFile;
    try {
      content = readTokenFile(file);
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#reason) this.events.broken(message);
      this.#reason = message;
      return;
    }
    const mended = this.#reason !== undefined;
    this.#reason = undefined;
    const text = JSON.stringify(content);
    if (text === this.#content && !mended) return;
    this.#content = text;
    this.events.changed(content);
  }

  /** Any number of times. */
  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearInterval(this.#pollTimer);
    clearTimeout(this.#noticeTimer);
  }

  #noticed(name: string | null): void {
    // A linked file is replaced under another name (as Kubernetes does), so every name is looked at; a look is one stat.
    if (name === `${basename(this.options.file)}.lock`) return;
    this.#noticeTimer ??= setTimeout(() => {
      this.#noticeTimer = undefined;
      this.check();
    }, this.options.debounceMs).unref();
  }
}
