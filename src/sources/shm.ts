/** `shm:PATH`: a matching engine on this machine pushes into a ring in shared memory. docs/ingest.md. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServeOptions } from '../config.js';
import { type SourceEnd, sourceEnd } from '../distributor_end.js';
import { addon, type NativePublisher, type NativeSourceEnd, type WaitStrategyName } from '../native.js';
import type { Source } from './source.js';

const look_again_ms = 20;

class SharedMemorySource implements Source {
  readonly identity: string;
  readonly repeats = false;
  readonly #path: string;
  readonly #stream: bigint;
  readonly #wait: WaitStrategyName;

  constructor(path: string, stream: bigint, wait: WaitStrategyName) {
    this.#path = path;
    this.#stream = stream;
    this.#wait = wait;
    this.identity = `shm:${path}#${stream}`;
  }

  attach(native: NativePublisher): void {
    native.source({ kind: 'shm', path: this.#path, stream: this.#stream, wait: this.#wait });
  }

  describeEnd({ reason, position, expected }: NativeSourceEnd): SourceEnd {
    if (reason !== 'fault') return sourceEnd(reason, position);
    return sourceEnd('fault', position, { file: this.#path, offset: undefined, expected });
  }

  close(): void {}
}

/** Waits until the engine has made the file. Rejects where it is there and cannot be used. */
export async function openSharedMemorySource({ source, wait }: ServeOptions, signal: AbortSignal): Promise<Source> {
  const path = resolve(source.slice('shm:'.length));
  for (;;) {
    const ring = addon.eventRing(path);
    if (ring !== null) return new SharedMemorySource(path, ring.stream, wait);
    await delay(look_again_ms, undefined, { signal });
  }
}
